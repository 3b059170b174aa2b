"""Owns the claims about client_secret_jwt and private_key_jwt (RFC 7523, OIDC Core 9): what an assertion must be like.

Secrets are left to test_client_auth, certificates to test_mtls.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from idp.domain.grant import Seen
from tests.oidc.assertions import ALGS, KEY, NOT_AUTHENTICATED, TYPE, ask, assertion, claims_of, jwks, refused
from tests.oidc.house import ISSUER, App, House, basic
from tests.support.proofs import b64, make_key, part, without_none


@pytest.fixture
def keyed(house: House) -> App:
    return house.client(auth_method="private_key_jwt", jwks=jwks(KEY))


@pytest.fixture
def secret_app(house: House) -> App:
    return house.client(auth_method="client_secret_jwt")


# ---------------------------------------------------------------- what works


@pytest.mark.parametrize("alg", ALGS)
def test_private_key_jwt_works_with_every_algorithm_that_discovery_names(house: House, alg: str) -> None:
    key = make_key(alg, "k")
    app = house.client(auth_method="private_key_jwt", jwks=jwks(key))
    assert ask(house, assertion(house, app, key, alg)).status_code == 200
    told = house.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert alg in told["token_endpoint_auth_signing_alg_values_supported"]
    assert "private_key_jwt" in told["token_endpoint_auth_methods_supported"]


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_client_secret_jwt_works_with_the_secret_itself(house: House, secret_app: App, alg: str) -> None:
    assert ask(house, assertion(house, secret_app, secret_app.secret.encode(), alg)).status_code == 200
    assert refused(house, ask(house, assertion(house, secret_app, b"w" * 43, alg))) == NOT_AUTHENTICATED


@pytest.mark.parametrize("aud", [ISSUER, f"{ISSUER}/token", [ISSUER], [ISSUER, f"{ISSUER}/token"]])
def test_the_issuer_and_the_token_endpoint_are_good_audiences(house: House, keyed: App, aud: Any) -> None:
    assert ask(house, assertion(house, keyed, aud=aud)).status_code == 200


def test_the_endpoint_that_is_asked_is_a_good_audience(house: House, keyed: App) -> None:
    here = assertion(house, keyed, aud=f"{ISSUER}/revoke")
    assert ask(house, here, "/revoke", token="x").status_code == 200
    elsewhere = assertion(house, keyed, aud=f"{ISSUER}/revoke")
    assert "audience" in refused(house, ask(house, elsewhere, "/introspect", token="x"))


def test_client_id_beside_the_assertion_must_be_the_same(house: House, keyed: App) -> None:
    assert ask(house, assertion(house, keyed), client_id=keyed.id).status_code == 200
    house.refused(ask(house, assertion(house, keyed), client_id="other"), 400, "invalid_request")


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "client-authentication+jwt"])
def test_usual_types_are_taken(house: House, keyed: App, typ: str | None) -> None:
    assert ask(house, assertion(house, keyed, header={"typ": typ})).status_code == 200


def test_an_assertion_of_a_library_that_says_one_hour_is_good_for_ten_minutes(house: House, keyed: App) -> None:
    now = int(house.clock())
    one, other = (assertion(house, keyed, exp=now + 3600) for _ in range(2))
    assert ask(house, one).status_code == 200
    house.clock.advance(600)
    assert "older" in refused(house, ask(house, other))


# ---------------------------------------------------------------- what does not


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"iss": "other"}, NOT_AUTHENTICATED),
        ({"iss": None}, NOT_AUTHENTICATED),
        ({"sub": None}, NOT_AUTHENTICATED),
        ({"sub": "nobody", "iss": "nobody"}, NOT_AUTHENTICATED),
        ({"sub": ["shop"], "iss": ["shop"]}, NOT_AUTHENTICATED),
        ({"sub": "", "iss": ""}, NOT_AUTHENTICATED),
        ({"sub": "x" * 300, "iss": "x" * 300}, NOT_AUTHENTICATED),
        ({"aud": None}, "audience"),
        ({"aud": "https://other.example"}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": [ISSUER, "https://other.example"]}, "audience"),
        ({"aud": ISSUER + "/"}, "audience"),
        ({"aud": {"x": ISSUER}}, "audience"),
        ({"aud": [7]}, "audience"),
        ({"exp": None}, "exp"),
        ({"exp": "1900000000"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 1_800_000_000}, "expired"),
        ({"exp": 1_799_999_000}, "expired"),
        ({"exp": 1_800_000_700, "iat": None}, "too far"),
        ({"exp": 1.9e12}, "exp"),
        ({"iat": 1_800_000_031}, "not valid yet"),
        ({"iat": "now"}, "iat"),
        ({"nbf": 1_800_000_031}, "not valid yet"),
        ({"nbf": []}, "nbf"),
        ({"iat": 1_799_999_000}, "older"),
        ({"jti": None}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": 7}, "jti"),
        ({"jti": "x" * 257}, "jti"),
    ],
)
def test_a_claim_that_is_wrong_is_refused(house: House, keyed: App, changes: dict[str, Any], told: str) -> None:
    assert told in refused(house, ask(house, assertion(house, keyed, **changes)))


def test_a_clock_may_be_half_a_minute_ahead(house: House, keyed: App) -> None:
    now = int(house.clock())
    assert ask(house, assertion(house, keyed, iat=now + 30, nbf=now + 30)).status_code == 200


def test_an_assertion_is_good_once_also_for_twenty_at_a_time(house: House, keyed: App) -> None:
    given = assertion(house, keyed)
    with ThreadPoolExecutor(20) as pool:
        status = sorted(pool.map(lambda _: ask(house, given).status_code, range(20)))
    assert status == [200] + [401] * 19
    assert "before" in refused(house, ask(house, given))


def test_the_same_jti_of_two_apps_is_two_things(house: House, keyed: App) -> None:
    other = house.client("other", auth_method="private_key_jwt", jwks=jwks(KEY))
    assert ask(house, assertion(house, keyed, jti="same")).status_code == 200
    assert ask(house, assertion(house, other, jti="same")).status_code == 200


def test_nobody_but_the_app_uses_up_its_jti(house: House, keyed: App) -> None:
    stranger = make_key("ES256", "k1")
    assert refused(house, ask(house, assertion(house, keyed, stranger, jti="mine"))) == NOT_AUTHENTICATED
    assert house.parts.repo.find(Seen) == []
    assert ask(house, assertion(house, keyed, jti="mine")).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "dpop+jwt"},
        {"typ": "oauth-authz-req+jwt"},
        {"typ": "authorization-grant+jwt"},
        {"typ": "at+jwt"},
        {"typ": 7},
        {"crit": ["exp"]},
        {"b64": False},
        {"kid": 7},
        {"kid": "x" * 300},
    ],
)
def test_an_odd_header_is_refused(house: House, keyed: App, header: dict[str, Any]) -> None:
    assert refused(house, ask(house, assertion(house, keyed, header=header))) == NOT_AUTHENTICATED


def test_no_key_comes_out_of_the_assertion(house: House, keyed: App) -> None:
    stranger = make_key("ES256")
    public = stranger.as_dict(private=False)
    for header in (
        {"jwk": public},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/x"},
        {"x5c": ["AAAA"]},
    ):
        assert refused(house, ask(house, assertion(house, keyed, stranger, header=header))) == NOT_AUTHENTICATED
    # They are not followed, so they do no harm beside a key that is registered: some libraries send them.
    assert ask(house, assertion(house, keyed, header={"jwk": public, "x5t": "AAAA"})).status_code == 200


def test_the_public_key_is_no_hmac_secret(house: House) -> None:
    key = make_key("RS256", "k")
    app = house.client(auth_method="private_key_jwt", jwks=jwks(key))
    public = app.client.jwks
    assert public is not None
    for secret in (
        key.as_pem(private=False),
        public.encode(),
        json.dumps(key.as_dict(private=False)).encode(),
        b"",
        b"\0",
    ):
        for alg in ("HS256", "HS512"):
            body = part({"alg": alg, "kid": "k"}) + "." + part(claims_of(house, app.id))
            import hmac

            forged = body + "." + b64(hmac.digest(secret, body.encode(), f"sha{alg[2:]}"))
            assert refused(house, ask(house, forged)) == NOT_AUTHENTICATED


def test_an_unsigned_assertion_is_refused(house: House, keyed: App) -> None:
    for alg in ("none", "NONE", "", "ES512", "RS1", None):
        body = part(without_none({"alg": alg})) + "." + part(claims_of(house, keyed.id))
        for end in ("", "AA"):
            assert refused(house, ask(house, f"{body}.{end}")) == NOT_AUTHENTICATED


@pytest.mark.parametrize("given", ["", "x", "a.b.c", "é", "e30.e30.AA", "W10.e30.AA", "A" * 9000, "e30.e30"])
def test_rubbish_is_a_failed_authentication_and_never_a_fault(house: House, keyed: App, given: str) -> None:
    for path in ("/token", "/introspect", "/revoke"):
        refused(house, ask(house, given, path, token="x"))


@pytest.mark.parametrize(
    "kind", [None, "", "jwt", TYPE + " ", TYPE.upper(), "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"]
)
def test_the_type_of_the_assertion_must_be_that_of_jwts(house: House, keyed: App, kind: str | None) -> None:
    refused(house, ask(house, assertion(house, keyed), client_assertion_type=kind))


def test_the_type_alone_is_no_assertion(house: House, keyed: App) -> None:
    refused(house, ask(house, None, client_id=keyed.id))


def test_two_methods_at_once_are_refused(house: House, keyed: App) -> None:
    house.refused(ask(house, assertion(house, keyed), client_secret="x", client_id=keyed.id), 400, "invalid_request")
    body = {
        "grant_type": "client_credentials",
        "client_assertion": assertion(house, keyed),
        "client_assertion_type": TYPE,
    }
    headers = {"Authorization": basic(keyed.id, "x")}
    house.refused(house.app.test_client().post("/token", data=body, headers=headers), 400, "invalid_request")
