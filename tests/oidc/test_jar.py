"""Owns the claims about request objects (RFC 9101, OIDC Core 6): signed requests, by value and by reference.

Pushed requests are left to test_par, and what the parameters mean to test_authorize.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.base.errors import Refused
from idp.base.net import NetPolicy, Unreachable
from idp.domain.attempt import LoginAttempt
from idp.domain.grant import AuthorizationCode
from idp.protocols.oidc.request_objects import RequestObjects, fetcher
from tests.oidc.app_keys import AppKeys, b64, request_claims, unsigned
from tests.oidc.house import API, CALLBACK, ISSUER, App, House, sent_back

KEYS = AppKeys()
ELSEWHERE = "https://app.example/requests/1"
OUTSIDE = {"redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "state": "outside"}


@pytest.fixture
def shop(house: House) -> App:
    return house.client(jwks=KEYS.jwks, request_uris=(ELSEWHERE, f"{ELSEWHERE}?x=1#part"))


def ask(browser: FlaskClient, app: App, request: str | None = None, **outside: str) -> TestResponse:
    asked = {"client_id": app.id, **outside, **({"request": request} if request is not None else {})}
    return browser.get("/authorize", query_string=asked)


def claims(house: House, app: App, /, **changes: Any) -> dict[str, Any]:
    return request_claims(app.id, now=house.clock(), **changes)


def error_of(answer: TestResponse) -> str:
    """What the app is told, by way of the redirect_uri that stands outside."""
    sent = sent_back(answer)
    assert sent["state"] == "outside"
    assert sent["iss"] == ISSUER
    assert "code" not in sent
    return sent["error"]


# ------------------------------------------------------------------ what counts


def test_a_signed_request_gets_a_code_and_what_it_says_counts(house: House, shop: App) -> None:
    person = house.person()
    request = KEYS.sign(claims(house, shop))
    sent = sent_back(ask(person.browser, shop, request, **{**OUTSIDE, "nonce": "outside", "scope": "openid roles"}))
    assert sent["state"] == "inside"
    tokens = house.redeem(shop, sent["code"]).get_json()
    assert tokens["scope"] == "openid email"
    assert house.read(tokens["id_token"], "RS256").claims["nonce"] == "n-inside"


def test_nothing_need_stand_outside_but_the_app(house: House, shop: App) -> None:
    assert "code" in sent_back(ask(house.person().browser, shop, KEYS.sign(claims(house, shop))))


def test_what_stands_outside_only_is_as_good_as_not_there(house: House, shop: App) -> None:
    request = KEYS.sign(claims(house, shop, state=None, nonce=None))
    sent = sent_back(
        ask(house.person().browser, shop, request, **OUTSIDE, nonce="outside", prompt="login", max_age="0")
    )
    assert "code" in sent
    assert "state" not in sent


def test_a_request_that_is_signed_in_another_way_than_all_others_is_posted_too(house: House, shop: App) -> None:
    form = {"client_id": shop.id, "request": KEYS.sign(claims(house, shop))}
    assert "code" in sent_back(house.person().browser.post("/authorize", data=form))


def test_the_sign_in_that_a_request_object_asks_for_is_remembered(house: House, shop: App) -> None:
    ask(house.browser(), shop, KEYS.sign(claims(house, shop, login_hint="ada", max_age=7)))
    attempt = house.parts.repo.find(LoginAttempt)[0]
    assert attempt.wants.login_hint == "ada"
    assert attempt.wants.max_age == 7
    assert attempt.request["state"] == "inside"


@pytest.mark.parametrize("name", ["response_type", "client_id"])
def test_what_is_said_twice_must_be_the_same(house: House, shop: App, name: str) -> None:
    request = KEYS.sign(claims(house, shop, **{name: "other"}))
    answer = ask(house.person().browser, shop, request, **OUTSIDE)
    assert sent_back(answer)["error"] in ("invalid_request", "invalid_request_object")


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES384", "Ed25519"])
def test_every_algorithm_that_we_publish_is_taken(house: House, alg: str) -> None:
    keys = AppKeys(alg)
    app = house.client(jwks=keys.jwks)
    assert "code" in sent_back(ask(house.person().browser, app, keys.sign(claims(house, app))))
    published = house.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert alg in published["request_object_signing_alg_values_supported"]


@pytest.mark.parametrize("typ", ["oauth-authz-req+jwt", "JWT", "jwt", "application/oauth-authz-req+jwt", None])
def test_types_of_request_objects(house: House, shop: App, typ: str | None) -> None:
    assert "code" in sent_back(ask(house.person().browser, shop, KEYS.sign(claims(house, shop), typ=typ)))


def test_numbers_objects_and_lists_are_taken_where_json_has_them(house: House, shop: App) -> None:
    said = claims(
        house, shop, max_age=1000, claims={"userinfo": {"email": None}}, resource=[API], jti="x", more=[1, {}]
    )
    assert "code" in sent_back(ask(house.person().browser, shop, KEYS.sign(said)))


def test_the_audience_may_be_one_of_several(house: House, shop: App) -> None:
    request = KEYS.sign(claims(house, shop, aud=["https://other.example", ISSUER]))
    assert "code" in sent_back(ask(house.person().browser, shop, request))


# ------------------------------------------------------------------ refused

BAD_CLAIMS: list[dict[str, Any]] = [
    {"iss": None},
    {"iss": "other"},
    {"iss": 5},
    {"aud": None},
    {"aud": "https://other.example"},
    {"aud": []},
    {"aud": {"a": 1}},
    {"client_id": "other"},
    {"client_id": ["shop"]},
    {"sub": "shop"},
    {"request": "x"},
    {"request_uri": "https://app.example/r"},
    {"exp": 1},
    {"exp": "later"},
    {"exp": True},
    {"exp": 1e300},
    {"nbf": 99_999_999_999},
    {"iat": 99_999_999_999},
    {"nbf": []},
    {"state": {"a": 1}},
    {"scope": ["openid"]},
    {"redirect_uri": 5},
    {"nonce": True},
    {"max_age": True},
    {"max_age": 1.5},
    {"max_age": [1]},
    {"claims": [1]},
    {"resource": [5]},
    {"prompt": ["login"]},
    {"state": "a\x00b"},
]


@pytest.mark.parametrize("changes", BAD_CLAIMS, ids=lambda c: json.dumps(c)[:40])
def test_what_a_request_object_must_not_say(house: House, shop: App, changes: dict[str, Any]) -> None:
    request = KEYS.sign(claims(house, shop, **changes))
    assert error_of(ask(house.person().browser, shop, request, **OUTSIDE)) == "invalid_request_object"


def test_a_value_of_the_wrong_type_is_refused_by_name(house: House, shop: App) -> None:
    sent = sent_back(ask(house.person().browser, shop, KEYS.sign(claims(house, shop, nonce={"a": 1})), **OUTSIDE))
    assert "nonce" in sent["error_description"]


def test_half_a_surrogate_pair_is_no_text(house: House, shop: App) -> None:
    payload = json.dumps(claims(house, shop)).replace('"inside"', '"\\ud800"').encode()
    assert error_of(ask(house.person().browser, shop, KEYS.sign(payload), **OUTSIDE)) == "invalid_request_object"


@pytest.mark.parametrize(
    "payload", [b"[]", b"5", b"{", b'{"iss":"a","iss":"b"}', b"[" * 5000, b'{"max_age":NaN}', b"\xff", b""]
)
def test_what_is_no_json_object_is_no_request(house: House, shop: App, payload: bytes) -> None:
    assert error_of(ask(house.person().browser, shop, KEYS.sign(payload), **OUTSIDE)) == "invalid_request_object"


@pytest.mark.parametrize("token", ["", ".", "..", "a.b", "a.b.c", "a.b.c.d.e", "é.é.é", "x" * 16_000])
def test_what_is_no_jws_is_no_request(house: House, shop: App, token: str) -> None:
    answer = ask(house.person().browser, shop, token, **OUTSIDE)
    if token:
        assert error_of(answer) == "invalid_request_object"


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "client-authentication+jwt", 5, {}, ""])
def test_a_jwt_of_another_kind_is_no_request(house: House, shop: App, typ: Any) -> None:
    request = KEYS.sign(claims(house, shop), typ=typ)
    assert error_of(ask(house.person().browser, shop, request, **OUTSIDE)) == "invalid_request_object"


@pytest.mark.parametrize("header", [{"crit": ["x"], "x": 1}, {"b64": False, "crit": ["b64"]}, {"kid": 5}])
def test_headers_that_nobody_understands(house: House, shop: App, header: dict[str, Any]) -> None:
    request = KEYS.sign(claims(house, shop), **header)
    assert error_of(ask(house.person().browser, shop, request, **OUTSIDE)) == "invalid_request_object"


def test_a_signature_of_another_key_is_refused(house: House, shop: App) -> None:
    for other in (AppKeys(kid="k2"), AppKeys("RS256")):
        request = other.sign(claims(house, shop))
        assert error_of(ask(house.person(other.alg).browser, shop, request, **OUTSIDE)) == "invalid_request_object"


def test_a_key_that_the_request_brings_along_is_not_looked_at(house: House, shop: App) -> None:
    other = AppKeys(kid="k2")
    jwk = other.key.as_dict(private=False)
    request = other.sign(claims(house, shop), jwk=jwk, kid=None)
    assert error_of(ask(house.person().browser, shop, request, **OUTSIDE)) == "invalid_request_object"


def test_a_changed_request_is_refused(house: House, shop: App) -> None:
    head, _, signature = KEYS.sign(claims(house, shop)).split(".")
    forged = f"{head}.{b64(json.dumps(claims(house, shop, scope='openid roles')).encode()).decode()}.{signature}"
    assert error_of(ask(house.person().browser, shop, forged, **OUTSIDE)) == "invalid_request_object"


def test_a_public_key_is_never_taken_for_a_secret(house: House, shop: App) -> None:
    import hmac

    head = {"alg": "HS256", "kid": "k1", "typ": "JWT"}
    signed = b64(json.dumps(head).encode()) + b"." + b64(json.dumps(claims(house, shop)).encode())
    for secret in (KEYS.jwks.encode(), shop.secret.encode(), b""):
        request = (signed + b"." + b64(hmac.digest(secret, signed, "sha256"))).decode()
        assert (
            error_of(ask(house.person(str(len(secret))).browser, shop, request, **OUTSIDE)) == "invalid_request_object"
        )


def test_an_app_without_keys_has_no_request_objects(house: House) -> None:
    app = house.client()
    request = KEYS.sign(claims(house, app))
    assert error_of(ask(house.person().browser, app, request, **OUTSIDE)) == "invalid_request_object"


def test_the_registered_algorithm_is_the_only_one(house: House) -> None:
    both = {"keys": [*json.loads(KEYS.jwks)["keys"], *json.loads(AppKeys("PS256", "k2").jwks)["keys"]]}
    app = house.client(jwks=json.dumps(both), request_object_signing_alg="PS256")
    request = KEYS.sign(claims(house, app))
    assert error_of(ask(house.person().browser, app, request, **OUTSIDE)) == "invalid_request_object"


def test_an_unsigned_request_is_taken_from_an_app_only_that_is_registered_so(house: House, shop: App) -> None:
    person, open_app = house.person(), house.client("open", request_object_signing_alg="none")
    assert "code" in sent_back(ask(person.browser, open_app, unsigned(claims(house, open_app))))
    assert "code" in sent_back(ask(person.browser, open_app, unsigned(claims(house, open_app, iss=None, aud=None))))
    assert error_of(ask(person.browser, shop, unsigned(claims(house, shop)), **OUTSIDE)) == "invalid_request_object"
    for changes in ({"iss": "other"}, {"aud": "https://other.example"}):
        request = unsigned(claims(house, open_app, **changes))
        assert error_of(ask(person.browser, open_app, request, **OUTSIDE)) == "invalid_request_object"


def test_a_missing_signature_is_no_unsigned_request(house: House) -> None:
    open_app = house.client("open", request_object_signing_alg="none", jwks=KEYS.jwks)
    request = KEYS.sign(claims(house, open_app)).rpartition(".")[0] + "."
    assert error_of(ask(house.person().browser, open_app, request, **OUTSIDE)) == "invalid_request_object"


def test_who_must_sign_cannot_send_unsigned_requests_of_any_kind(house: House, shop: App) -> None:
    person = house.person()
    stored = house.parts.repo.replace_if(
        replace(shop.client, request_object_signing_alg="none", require_signed_request_object=True)
    )
    assert stored is not None
    assert error_of(ask(person.browser, shop, unsigned(claims(house, shop)), **OUTSIDE)) == "invalid_request_object"
    assert error_of(house.authorize(person.browser, shop, state="outside")) == "invalid_request"


def test_a_refusal_is_a_page_when_only_the_request_object_says_where_to_go(house: House, shop: App) -> None:
    answer = ask(house.person().browser, shop, KEYS.sign(claims(house, shop, iss="other")))
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_redirect_uri_inside_that_is_not_registered_is_a_page(house: House, shop: App) -> None:
    request = KEYS.sign(claims(house, shop, redirect_uri="https://evil.example/"))
    answer = ask(house.person().browser, shop, request, **OUTSIDE)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize("second", ["request", "request_uri"])
def test_two_requests_at_once_are_refused(house: House, shop: App, second: str) -> None:
    asked = [("client_id", shop.id), *OUTSIDE.items(), ("request", KEYS.sign(claims(house, shop))), (second, ELSEWHERE)]
    answer = house.person().browser.get("/authorize", query_string=asked)
    assert error_of(answer) == "invalid_request"


def test_a_request_that_is_too_long_is_a_page_not_a_fault(house: House, shop: App) -> None:
    request = KEYS.sign(claims(house, shop, state="x" * 16_000))
    assert ask(house.person().browser, shop, request, **OUTSIDE).status_code == 400


def test_the_log_says_what_was_wrong_and_the_app_is_told_how_to_ask(house: House, shop: App) -> None:
    sent = sent_back(ask(house.person().browser, shop, KEYS.sign(claims(house, shop), alg="ES256K"), **OUTSIDE))
    trace = house.parts.traces.explain(sent["error_description"].rpartition("trace ")[2].rstrip(")"))
    assert trace is not None
    assert "ES256K" in trace.reason
    assert "ES256K" not in sent["error_description"]


# ------------------------------------------------------------------ FAPI 2.0


@pytest.fixture
def strict(house: House) -> App:
    return house.client("strict", profile="fapi2", auth_method="private_key_jwt", jwks=KEYS.jwks)


FAPI_BAD: list[dict[str, Any]] = [
    {"exp": None},
    {"nbf": None},
    {"aud": [ISSUER, "https://other.example"]},
    {"aud": f"{ISSUER}/par"},
    {"offset": -3700},
    {"longer": 3700},
]


@pytest.mark.parametrize("changes", FAPI_BAD, ids=str)
def test_fapi_2_bounds_the_life_and_the_audience_of_request_objects(
    house: House, strict: App, changes: dict[str, Any]
) -> None:
    read = house.app.extensions["sheaf_oidc"].request_objects.read
    assert read(strict.client, KEYS.sign(claims(house, strict)))["state"] == "inside"
    assert read(strict.client, KEYS.sign(claims(house, strict, aud=[ISSUER])))["state"] == "inside"
    now = int(house.clock())
    if "offset" in changes:
        changes = {"nbf": now + changes["offset"], "exp": now + 60}
    if "longer" in changes:
        changes = {"exp": now + changes["longer"]}
    with pytest.raises(Refused, match="invalid_request_object"):
        read(strict.client, KEYS.sign(claims(house, strict, **changes)))


def test_fapi_2_takes_no_rsa_pkcs1_and_nothing_unsigned(house: House) -> None:
    keys = AppKeys("RS256")
    read = house.app.extensions["sheaf_oidc"].request_objects.read
    app = house.client("strict", profile="fapi2", auth_method="private_key_jwt", jwks=keys.jwks)
    with pytest.raises(Refused, match="profile"):
        read(app.client, keys.sign(claims(house, app)))
    with pytest.raises(Refused, match="must be signed"):
        read(replace(app.client, request_object_signing_alg="none"), unsigned(claims(house, app)))


# ------------------------------------------------------------------ by reference


@pytest.fixture
def at_address(house: House) -> Callable[[str, bytes], list[str]]:
    """Puts a request object at an address. Gives the list of addresses that were fetched."""
    stored: dict[str, bytes] = {}
    fetched: list[str] = []

    def fetch(address: str) -> bytes:
        fetched.append(address)
        if address not in stored:
            raise Unreachable("app.example", "no connection")
        return stored[address]

    door = house.app.extensions["sheaf_oidc"]
    objects = RequestObjects(door.client_keys, lambda: ISSUER, house.clock, fetch)
    house.app.extensions["sheaf_oidc"] = replace(door, request_objects=objects)

    def put(address: str, body: bytes) -> list[str]:
        stored[address] = body
        return fetched

    return put


def test_a_request_at_a_registered_address_gets_a_code(house: House, shop: App, at_address: Any) -> None:
    at_address(ELSEWHERE, KEYS.sign(claims(house, shop)).encode() + b"\n")
    assert "code" in sent_back(ask(house.person().browser, shop, request_uri=ELSEWHERE))


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/requests/2",
        "https://evil.example/requests/1",
        ELSEWHERE + "/",
        ELSEWHERE + "?x=2",
        ELSEWHERE.upper(),
        "http://app.example/requests/1",
        "file:///etc/passwd",
        "urn:ietf:params:oauth:request_uri",
        "javascript:alert(1)",
        ELSEWHERE + "#" + "x" * 500,
    ],
)
def test_no_address_is_fetched_that_is_not_registered(house: House, shop: App, at_address: Any, uri: str) -> None:
    fetched = at_address(ELSEWHERE, KEYS.sign(claims(house, shop)).encode())
    assert error_of(ask(house.person().browser, shop, request_uri=uri, **OUTSIDE)) == "invalid_request_uri"
    assert fetched == []


@pytest.mark.parametrize("registered", [ELSEWHERE, f"{ELSEWHERE}#{b64(hashlib.sha256(b'').digest()).decode()}"])
def test_a_fragment_says_nothing_of_a_request_that_is_signed(house: House, at_address: Any, registered: str) -> None:
    """The Foundation's `oidcc-request-uri-signed-rs256` registers a hash before it has made the request."""
    app, person = house.client("early", jwks=KEYS.jwks, request_uris=(registered,)), house.person()
    fetched = at_address(ELSEWHERE, KEYS.sign(claims(house, app)).encode())
    assert "code" in sent_back(ask(person.browser, app, request_uri=registered))
    assert fetched == [ELSEWHERE]


def test_an_unsigned_request_must_have_the_hash_that_its_address_says(house: House, at_address: Any) -> None:
    app = house.client("plain", request_object_signing_alg="none", request_uris=(ELSEWHERE,))
    person, body = house.person(), unsigned(claims(house, app)).encode()
    at_address(ELSEWHERE, body)
    fits, other = (b64(hashlib.sha256(one).digest()).decode() for one in (body, b""))
    assert "code" in sent_back(ask(person.browser, app, request_uri=f"{ELSEWHERE}#{fits}"))
    assert error_of(ask(person.browser, app, request_uri=f"{ELSEWHERE}#{other}", **OUTSIDE)) == "invalid_request_uri"
    assert "code" in sent_back(ask(person.browser, app, request_uri=f"{ELSEWHERE}#v2"))


def test_a_request_may_lie_on_this_device_if_that_is_registered(house: House, at_address: Any) -> None:
    near = "http://127.0.0.1:9/requests/1"
    app = house.client("near", jwks=KEYS.jwks, request_uris=(near,))
    at_address(near, KEYS.sign(claims(house, app)).encode())
    assert "code" in sent_back(ask(house.person().browser, app, request_uri=near))


def test_an_address_that_does_not_answer_is_refused(house: House, shop: App, at_address: Any) -> None:
    assert error_of(ask(house.person().browser, shop, request_uri=ELSEWHERE, **OUTSIDE)) == "invalid_request_uri"


def test_rubbish_at_an_address_is_refused(house: House, shop: App, at_address: Any) -> None:
    at_address(ELSEWHERE, b"<html>\xff")
    assert error_of(ask(house.person().browser, shop, request_uri=ELSEWHERE, **OUTSIDE)) == "invalid_request_object"


def test_request_objects_are_fetched_through_the_guard_of_all_outbound_requests() -> None:
    with pytest.raises(Unreachable, match="private"):
        fetcher(lambda: NetPolicy(allow_private=False))("https://127.0.0.1/requests/1")


def test_no_code_is_stored_for_a_request_that_was_refused(house: House, shop: App) -> None:
    ask(house.person().browser, shop, KEYS.sign(claims(house, shop, iss="other")), **OUTSIDE)
    assert house.parts.repo.find(AuthorizationCode) == []
