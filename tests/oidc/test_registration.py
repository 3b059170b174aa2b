"""Owns the claims about dynamic registration (RFC 7591, OIDC Registration 1.0): who may, what an app may ask for, and what
it is told."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.relying import Client, InitialAccessToken
from idp.storage.sqlite import SqliteRepository
from tests.oidc.app_keys import AppKeys
from tests.oidc.house import CALLBACK, ISSUER, House, basic
from tests.oidc.registering import Office
from tests.support.clock import FakeClock
from tests.support.receiver import Receiver

Opened = Callable[..., Office]


@pytest.fixture
def opened(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> Opened:
    return lambda **settings: Office(repo, clock, tmp_path, **settings)


@pytest.fixture
def office(opened: Opened) -> Office:
    return opened()


# ---------------------------------------------------------------- who may


def test_registration_is_closed_by_default_and_discovery_is_silent_about_it(house: House) -> None:
    browser = house.app.test_client()
    house.refused(browser.post("/register", json={"redirect_uris": [CALLBACK]}), 403, "registration_closed")
    for method in ("get", "put", "delete"):
        house.refused(getattr(browser, method)("/register/app_1"), 403, "registration_closed")
    assert "registration_endpoint" not in browser.get("/.well-known/openid-configuration").get_json()


def test_a_closed_door_does_not_even_look_at_tokens(opened: Opened) -> None:
    token = opened(mode="token").initial()
    closed = opened(mode="closed")
    closed.house.refused(closed.ask({"redirect_uris": [CALLBACK]}, token), 403, "registration_closed")


def test_discovery_names_the_endpoint_when_it_is_there(office: Office) -> None:
    found = office.house.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert found["registration_endpoint"] == f"{ISSUER}/register"


def test_without_an_initial_access_token_nothing_is_registered(opened: Opened) -> None:
    office = opened(mode="token")
    none = office.ask({"redirect_uris": [CALLBACK]})
    office.house.refused(none, 401, "invalid_token")
    assert none.headers["WWW-Authenticate"] == "Bearer"
    wrong = office.ask({"redirect_uris": [CALLBACK]}, "x" * 43)
    office.house.refused(wrong, 401, "invalid_token")
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]
    assert office.parts.repo.find(Client) == []


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic eDp5", "\xff", "Bearer " + "x" * 100_000])
def test_a_header_that_holds_no_good_token_is_401_never_a_fault(opened: Opened, header: str) -> None:
    office = opened(mode="token")
    answer = office.house.app.test_client().post("/register", json={}, headers={"Authorization": header})
    office.house.refused(answer, 401, "invalid_token")


def test_a_token_that_is_not_good_is_refused_even_where_none_is_needed(office: Office) -> None:
    office.house.refused(office.ask({"redirect_uris": [CALLBACK]}, "made up"), 401, "invalid_token")


def test_an_initial_access_token_registers_as_often_as_it_says(opened: Opened) -> None:
    office = opened(mode="token")
    token = office.initial(uses=2)
    office.register(token)
    office.register(token)
    office.house.refused(office.ask({"redirect_uris": [CALLBACK]}, token), 401, "invalid_token")
    unlimited = office.initial("unlimited")
    for _ in range(3):
        office.register(unlimited)


def test_a_refused_registration_uses_nothing_up(opened: Opened) -> None:
    office = opened(mode="token")
    token = office.initial(uses=1)
    office.house.refused(office.ask({"redirect_uris": ["http://x.example"]}, token), 400, "invalid_redirect_uri")
    office.register(token)


def test_an_initial_access_token_expires_and_can_be_taken_back(opened: Opened, clock: FakeClock) -> None:
    office = opened(mode="token")
    old, gone = office.initial("old"), office.initial("gone")
    office.parts.initial_tokens.remove("gone", actor="test")
    office.house.refused(office.ask({"redirect_uris": [CALLBACK]}, gone), 401, "invalid_token")
    clock.advance(3601)
    office.house.refused(office.ask({"redirect_uris": [CALLBACK]}, old), 401, "invalid_token")


@pytest.mark.parametrize("attempt", range(3))
def test_of_many_that_take_the_last_use_exactly_one_registers(opened: Opened, attempt: int) -> None:
    office = opened(mode="token")
    token = office.initial(uses=1)
    gate, statuses = threading.Barrier(8), []

    def run() -> None:
        gate.wait()
        statuses.append(office.ask({"redirect_uris": [CALLBACK]}, token).status_code)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, *[401] * 7]
    assert len(office.parts.repo.find(Client)) == 1


def test_only_a_digest_of_each_token_is_stored(opened: Opened, tmp_path: Path) -> None:
    office = opened(mode="token")
    token = office.initial()
    made = office.register(token)
    office.parts.repo.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("idp.db*"))
    for secret in (token, made["registration_access_token"], made["client_secret"]):
        assert secret.encode() not in stored


def test_the_same_registration_twice_makes_two_apps(office: Office) -> None:
    one, other = office.register(client_name="Shop"), office.register(client_name="Shop")
    assert one["client_id"] != other["client_id"]
    assert one["client_secret"] != other["client_secret"]


def test_too_many_registrations_from_one_address_have_to_wait(opened: Opened, clock: FakeClock) -> None:
    office = opened(burst=3)
    for _ in range(3):
        office.register()
    refused = office.ask({"redirect_uris": [CALLBACK]})
    office.house.refused(refused, 429, "too_many_attempts")
    wait = int(refused.headers["Retry-After"])
    elsewhere = office.ask({"redirect_uris": [CALLBACK]}, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert elsewhere.status_code == 201
    clock.advance(wait + 1)
    office.register()


def test_one_ipv6_network_counts_as_one_address(opened: Opened) -> None:
    office = opened(burst=2)
    for n in range(2):
        office.ask({"redirect_uris": [CALLBACK]}, environ_base={"REMOTE_ADDR": f"2001:db8:1:2::{n + 1}"})
    near = office.ask({"redirect_uris": [CALLBACK]}, environ_base={"REMOTE_ADDR": "2001:db8:1:2:ffff::9"})
    far = office.ask({"redirect_uris": [CALLBACK]}, environ_base={"REMOTE_ADDR": "2001:db8:1:3::1"})
    assert (near.status_code, far.status_code) == (429, 201)


def test_refused_registrations_count_as_well(opened: Opened) -> None:
    office = opened(burst=2)
    for _ in range(2):
        office.ask({"redirect_uris": ["nonsense"]})
    assert office.ask({"redirect_uris": ["nonsense"]}).status_code == 429


def test_who_guesses_tokens_has_to_wait(opened: Opened) -> None:
    office = opened(mode="token")
    statuses = [office.ask({}, f"guess {n}").status_code for n in range(22)]
    assert statuses[:20] == [401] * 20
    assert 429 in statuses[20:]


# ---------------------------------------------------------------- what it is told


def test_what_is_left_out_gets_the_defaults_of_the_specifications(office: Office) -> None:
    made = office.register()
    secret, token = made.pop("client_secret"), made.pop("registration_access_token")
    assert len(secret) == len(token) == 43
    client_id = made.pop("client_id")
    assert made == {
        "client_id_issued_at": int(office.parts.clock()),
        "client_secret_expires_at": 0,
        "registration_client_uri": f"{ISSUER}/register/{client_id}",
        "client_name": "app.example",
        "redirect_uris": [CALLBACK],
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "application_type": "web",
        "subject_type": "public",
        "id_token_signed_response_alg": "RS256",
        "scope": "openid profile email address phone",
        "require_pushed_authorization_requests": False,
        "require_signed_request_object": False,
        "require_auth_time": False,
        "tls_client_certificate_bound_access_tokens": False,
        "dpop_bound_access_tokens": False,
        "backchannel_logout_session_required": False,
        "frontchannel_logout_session_required": False,
    }


def test_everything_that_is_asked_for_is_registered_and_said_again(office: Office) -> None:
    asked: dict[str, Any] = {
        "client_name": "Shop",
        "redirect_uris": [CALLBACK, f"{CALLBACK}/2"],
        "post_logout_redirect_uris": ["https://app.example/bye"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "web",
        "contacts": ["ops@app.example"],
        "logo_uri": "https://app.example/logo.png",
        "client_uri": "https://app.example/",
        "policy_uri": "https://app.example/policy",
        "tos_uri": "https://app.example/tos",
        "jwks": json.loads(AppKeys().jwks),
        "subject_type": "pairwise",
        "id_token_signed_response_alg": "PS256",
        "id_token_encrypted_response_alg": "ECDH-ES",
        "id_token_encrypted_response_enc": "A256GCM",
        "userinfo_signed_response_alg": "ES256",
        "userinfo_encrypted_response_alg": "ECDH-ES+A256KW",
        "userinfo_encrypted_response_enc": "A128CBC-HS256",
        "authorization_signed_response_alg": "ES256",
        "introspection_signed_response_alg": "RS256",
        "request_object_signing_alg": "ES256",
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "default_max_age": 3600,
        "require_auth_time": True,
        "default_acr_values": ["https://refeds.org/profile/mfa"],
        "initiate_login_uri": "https://app.example/login",
        "request_uris": ["https://app.example/r.jwt#GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM"],
        "backchannel_logout_uri": "https://app.example/bc",
        "backchannel_logout_session_required": True,
        "frontchannel_logout_uri": "https://app.example/fc",
        "frontchannel_logout_session_required": True,
        "require_pushed_authorization_requests": True,
        "require_signed_request_object": True,
        "dpop_bound_access_tokens": True,
        "software_id": "4NRB1-0XZABZI9E6-5SM3R",
        "software_version": "1.0",
        "scope": "openid email offline_access",
    }
    asked["jwks"]["keys"][0].pop("use")  # for both
    made = office.register(**asked)
    assert {name: made.get(name) for name in asked} == asked
    assert "client_secret" not in made
    assert "client_secret_expires_at" not in made
    stored = office.stored(made)
    assert (stored.auth_method, stored.auth_signing_alg) == ("private_key_jwt", "ES256")
    assert stored.scopes == ("openid", "email", "offline_access")


def test_the_new_app_can_sign_people_in_at_once(office: Office) -> None:
    made = office.register(grant_types=["authorization_code", "refresh_token"])
    app, person = office.app(made), office.house.person()
    office.operator_sets(made, consent="skip")
    assert "id_token" in office.house.sign_in(person, app)


def test_a_person_is_always_asked_about_an_app_that_registered_itself(office: Office) -> None:
    made = office.register(consent="skip")
    assert office.stored(made).consent == "ask"
    answer = office.house.authorize(office.house.person().browser, office.app(made))
    assert "/flow/" in answer.headers["Location"]


def test_an_app_with_a_secret_may_leave_pkce_out_unless_the_setting_says_otherwise(opened: Opened) -> None:
    made = opened().register()
    assert opened().stored(made).pkce_required is False
    strict = opened(require_pkce=True)
    assert strict.stored(strict.register()).pkce_required is True
    assert opened().stored(opened().register(token_endpoint_auth_method="none")).pkce_required is True


def test_an_app_on_peoples_devices_is_native_although_it_does_not_say_so(office: Office) -> None:
    made = office.register(redirect_uris=["http://127.0.0.1/cb", "a.b.c:/cb"], token_endpoint_auth_method="none")
    assert made["application_type"] == "native"
    assert "client_secret" not in made
    said = office.register(
        redirect_uris=["http://127.0.0.1/cb"], token_endpoint_auth_method="none", application_type="web"
    )
    assert said["application_type"] == "web"


def test_client_secret_jwt_keeps_the_secret_sealed(office: Office) -> None:
    made = office.register(token_endpoint_auth_method="client_secret_jwt")
    stored = office.stored(made)
    assert stored.sealed_secret is not None
    assert office.parts.seal.open(stored.sealed_secret, owner=stored.id, field="secret") == made["client_secret"]


@pytest.mark.parametrize(
    "more",
    [
        {"client_name#de": "Laden", "client_name#ja-Jpan-JP": 7},
        {"a_member_that_nobody_knows": {"deep": [1, 2]}},
        {"client_name": None, "jwks": None, "contacts": None, "response_types": None},
        {"audiences": ["urn:sheaf:api"], "roles": ["admin"], "profile": "legacy", "id": "shop", "version": 7},
        {"client_id": "shop", "client_secret": "chosen", "registration_access_token": "chosen"},
        {"secret_digest": "0" * 64, "second_factor_required": True, "access_token_seconds": 86_400},
    ],
)
def test_what_is_not_for_apps_to_say_is_ignored(office: Office, more: dict[str, Any]) -> None:
    made = office.register(**more)
    stored = office.stored(made)
    assert made["client_id"] == stored.id != "shop"
    assert made.get("client_secret") != "chosen"
    assert made["registration_access_token"] != "chosen"
    assert (stored.audiences, stored.roles, stored.groups, stored.profile) == ((), (), (), "")
    assert (stored.access_token_seconds, stored.consent, stored.second_factor_required) == (None, "ask", False)
    assert not {name for name in more if "#" in name} & set(made)


def test_a_device_without_a_browser_needs_no_redirect_uri(office: Office) -> None:
    made = office.register(
        redirect_uris=[],
        grant_types=["urn:ietf:params:oauth:grant-type:device_code"],
        token_endpoint_auth_method="none",
        client_name="Television",
    )
    assert (made["redirect_uris"], made["response_types"]) == ([], [])


def test_client_credentials_come_without_any_scope(office: Office) -> None:
    made = office.register(redirect_uris=[], grant_types=["client_credentials"])
    assert "scope" not in made
    assert office.stored(made).scopes == ()
    for more in (
        {"redirect_uris": [], "grant_types": ["client_credentials"], "scope": "openid"},
        {"redirect_uris": [CALLBACK], "grant_types": ["client_credentials", "authorization_code"]},
    ):
        office.house.refused(office.ask(more), 400, "invalid_client_metadata")


def test_it_is_in_the_audit_who_registered_with_which_token(opened: Opened) -> None:
    office = opened(mode="token")
    made = office.register(office.initial("partner"), client_name="Shop")
    (event,) = office.parts.repo.find(AuditEvent, name="client.registered")
    assert (event.subject, event.detail) == (made["client_id"], {"name": "Shop", "token": "partner"})
    (added,) = office.parts.repo.find(AuditEvent, name="registration_token.added")
    assert (added.subject, added.actor) == ("partner", "test")


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("more", "field"),
    [
        # types
        *(({name: {"a": 1}}, name) for name in ("client_name", "scope", "logo_uri", "token_endpoint_auth_method")),
        *(({name: 7}, name) for name in ("client_name", "scope", "jwks_uri", "application_type", "subject_type")),
        *(({name: ["x"]}, name) for name in ("client_name", "scope", "policy_uri", "id_token_signed_response_alg")),
        *(({name: "x"}, name) for name in ("contacts", "grant_types", "response_types", "jwks", "request_uris")),
        *(({name: "true"}, name) for name in ("require_auth_time", "dpop_bound_access_tokens")),
        *(
            ({name: 1}, name)
            for name in ("require_pushed_authorization_requests", "backchannel_logout_session_required")
        ),
        *(({"default_max_age": value}, "default_max_age") for value in ("60", True, 1.5, -1, [60])),
        ({"contacts": [1]}, "contacts"),
        ({"grant_types": [["authorization_code"]]}, "grant_types"),
        ({"jwks": []}, "jwks"),
        ({"jwks": {"keys": "x"}}, "jwks"),
        # what nobody may have
        ({"grant_types": ["implicit"]}, "grant_types"),
        ({"grant_types": ["password"]}, "grant_types"),
        ({"grant_types": []}, "grant_types"),
        ({"grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange"]}, "grant_types"),
        ({"grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"]}, "grant_types"),
        ({"response_types": ["id_token"]}, "response_types"),
        ({"response_types": ["code id_token"]}, "response_types"),
        ({"response_types": []}, "response_types"),
        ({"response_types": ["code"], "grant_types": ["client_credentials"]}, "response_types"),
        ({"token_endpoint_auth_method": "client_secret_magic"}, "token_endpoint_auth_method"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "jwks"),
        ({"token_endpoint_auth_method": "tls_client_auth"}, "tls_client_auth_subject_dn"),
        (
            {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "app.example"},
            "token_endpoint_auth_method",  # no certificate can reach this installation
        ),
        ({"scope": "openid admin"}, "scope"),
        ({"scope": "openid documents.read"}, "scope"),
        ({"scope": 'openid "'}, "scope"),
        ({"id_token_signed_response_alg": "none"}, "id_token_signed_response_alg"),
        ({"id_token_signed_response_alg": "HS256"}, "id_token_signed_response_alg"),
        ({"userinfo_encrypted_response_alg": "RSA1_5"}, "userinfo_encrypted_response_alg"),
        ({"logo_uri": "javascript:alert(1)"}, "logo_uri"),
        ({"client_uri": "data:text/html,x"}, "client_uri"),
        ({"policy_uri": "http://app.example/policy"}, "policy_uri"),
        ({"tos_uri": "https://user@app.example/"}, "tos_uri"),
        ({"initiate_login_uri": "https://app.example/#x"}, "initiate_login_uri"),
        ({"jwks_uri": "https://app.example/jwks", "jwks": json.loads(AppKeys().jwks)}, "jwks_uri"),
        ({"client_name": "\u202eknab ruoY"}, "client_name"),
        ({"client_name": "x" * 201}, "client_name"),
        ({"client_name": ""}, "client_name"),
        ({"subject_type": "secret"}, "subject_type"),
        ({"subject_type": "pairwise", "redirect_uris": [CALLBACK, "https://b.example/"]}, "sector_identifier_uri"),
        ({"contacts": [f"{n}@app.example" for n in range(21)]}, "contacts"),
    ],
)
def test_metadata_that_cannot_be_are_refused_by_the_name_that_was_sent(
    office: Office, more: dict[str, Any], field: str
) -> None:
    answer = office.ask({"redirect_uris": [CALLBACK], **more})
    said = office.house.refused(answer, 400, "invalid_client_metadata")
    assert said["error_description"].startswith(f"{field}: "), said
    assert office.parts.repo.find(Client) == []


@pytest.mark.parametrize(
    "uris",
    [
        [],
        None,
        CALLBACK,
        [CALLBACK, 7],
        {"0": CALLBACK},
        [CALLBACK + "#x"],
        ["http://app.example/cb"],
        ["javascript:alert(1)"],
        ["com.example.app:/cb"],
        ["https://*.example/cb"],
        [f"https://app.example/{n}" for n in range(101)],
    ],
)
def test_redirect_uris_that_cannot_be_have_an_error_of_their_own(office: Office, uris: Any) -> None:
    office.house.refused(office.ask({"redirect_uris": uris}), 400, "invalid_redirect_uri")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 60_000, b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":"\\ud800"}'],
)
def test_a_body_that_is_no_object_is_400_never_a_fault(office: Office, body: bytes) -> None:
    office.house.refused(office.ask(body), 400, "invalid_request")


def test_a_body_that_is_no_json_by_its_type_is_refused(office: Office) -> None:
    answer = office.house.app.test_client().post("/register", data={"redirect_uris": CALLBACK})
    office.house.refused(answer, 400, "invalid_request")


@pytest.mark.parametrize("size", [200_000, 1_000_000])
def test_a_body_that_is_too_long_is_refused(office: Office, size: int) -> None:
    answer = office.ask({"redirect_uris": [CALLBACK], "note": "x" * size})
    assert answer.status_code == 413
    assert answer.get_json()["trace"]


def test_metadata_in_the_address_are_refused(office: Office) -> None:
    answer = office.house.app.test_client().post("/register?client_name=x", json={"redirect_uris": [CALLBACK]})
    office.house.refused(answer, 400, "invalid_request")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_registers(office: Office, method: str) -> None:
    answer = office.house.app.test_client().open("/register", method=method)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_an_app_in_a_browser_may_register(office: Office) -> None:
    answer = office.house.app.test_client().options("/register", headers={"Origin": "https://app.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_whoever_tries_every_type_in_every_member_sees_400_and_no_fault(office: Office) -> None:
    names = [*office.register(), "jwks", "jwks_uri", "sector_identifier_uri", "software_statement", "default_max_age"]
    for name in names:
        for value in (0, -1, 1e300, True, "", "\x00", "x" * 5000, [], [None], [[]], {}, {"keys": [None]}):
            status = office.ask(
                {"redirect_uris": [CALLBACK], name: value}, office.initial(f"{name}{value!r:.50}")
            ).status_code
            assert status in (201, 400), (name, value, status)


# ---------------------------------------------------------------- sectors


@pytest.mark.parametrize(
    ("page", "fits"),
    [
        (json.dumps([CALLBACK, "https://b.example/cb", "https://c.example/"]), True),
        (json.dumps([CALLBACK]), False),
        ("[]", False),
        ("{}", False),
        ("not JSON", False),
        ("[" * 50_000, False),
        (json.dumps([CALLBACK, 7]), False),
        (json.dumps([f"https://app.example/{n}" for n in range(2000)]), False),
    ],
)
def test_the_document_of_a_sector_lists_every_redirect_uri(office: Office, page: str, fits: bool) -> None:
    with Receiver(pages={"/sector.json": page}) as server:
        asked = {
            "redirect_uris": [CALLBACK, "https://b.example/cb"],
            "subject_type": "pairwise",
            "sector_identifier_uri": server.url("/sector.json"),
        }
        answer = office.ask(asked)
        assert answer.status_code == (201 if fits else 400), answer.text
        assert len(server.received) == 1
    if not fits:
        assert office.house.refused(answer, 400, "invalid_client_metadata")["error_description"].startswith("sector_")


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_sector_that_does_not_answer_well_is_refused(office: Office, status: int) -> None:
    with Receiver(pages={"/s": json.dumps([CALLBACK])}, statuses=[status]) as server:
        answer = office.ask({"redirect_uris": [CALLBACK], "sector_identifier_uri": server.url("/s")})
    office.house.refused(answer, 400, "invalid_client_metadata")


def test_a_sector_at_a_private_address_is_not_asked_by_an_installation_that_is_not_private(
    repo: SqliteRepository, clock: FakeClock, tmp_path: Path
) -> None:
    office = Office(repo, clock, tmp_path, issuer="https://login.example")
    with Receiver(pages={"/s": json.dumps([CALLBACK])}) as server:
        answer = office.ask({"redirect_uris": [CALLBACK], "sector_identifier_uri": server.url("/s")})
        office.house.refused(answer, 400, "invalid_client_metadata")
        assert server.received == []


# ---------------------------------------------------------------- initial access tokens


@pytest.mark.parametrize(
    "more", [{"name": ""}, {"name": "x" * 101}, {"name": "a\nb"}, {"uses": 0}, {"uses": -1}, {"seconds": 1}]
)
def test_an_initial_access_token_that_makes_no_sense_is_refused(office: Office, more: dict[str, Any]) -> None:
    from idp.base.errors import Refused

    with pytest.raises(Refused) as refused:
        office.parts.initial_tokens.add(**{"name": "t", "uses": 1, "seconds": 3600.0, "actor": "test", **more})
    assert refused.value.code == "bad_token"
    assert office.parts.repo.find(InitialAccessToken) == []


def test_an_initial_access_token_is_no_client_credential(opened: Opened) -> None:
    office = opened(mode="token")
    token = office.initial()
    answer = office.house.app.test_client().post(
        "/token", data={"grant_type": "client_credentials"}, headers={"Authorization": basic("team", token)}
    )
    office.house.refused(answer, 401, "invalid_client")


def test_whatever_the_metadata_offer_can_be_registered(office: Office) -> None:
    offered = office.house.app.test_client().get("/.well-known/openid-configuration").get_json()
    rsa = {**json.loads(AppKeys("RS256").jwks)["keys"][0], "kid": "rsa"}
    keys = {"keys": [rsa, *(json.loads(AppKeys(alg).jwks)["keys"][0] for alg in ("ES256", "ES384", "Ed25519"))]}
    for key in keys["keys"]:
        key.pop("use")
    wishes: list[dict[str, Any]] = [
        *({"token_endpoint_auth_method": one} for one in offered["token_endpoint_auth_methods_supported"]),
        *({"subject_type": one} for one in offered["subject_types_supported"]),
        *(
            {f"{kind}_signed_response_alg": alg}
            for kind in ("id_token", "userinfo", "introspection", "authorization")
            for alg in offered[f"{kind}_signing_alg_values_supported"]
        ),
        *(
            {"id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc}
            for alg in offered["id_token_encryption_alg_values_supported"]
            for enc in offered["id_token_encryption_enc_values_supported"]
        ),
        *({"request_object_signing_alg": alg} for alg in offered["request_object_signing_alg_values_supported"]),
        {"scope": "openid profile email address phone offline_access"},
    ]
    assert len(wishes) > 40
    for number, wish in enumerate(wishes):
        made = office.register(office.initial(str(number)), jwks=keys, **wish)
        assert {name: made[name] for name in wish} == wish
