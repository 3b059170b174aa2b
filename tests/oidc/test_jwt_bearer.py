"""Owns the claims about assertions of other servers for tokens (RFC 7523 2.1): whose count, whom they mean, and how little
they give.

Reading assertions as such is left to the tests of client assertions, many at once to test_races.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.grant import Consent, Grant, RefreshToken
from idp.domain.session import ACR_SINGLE
from idp.domain.upstream import FederatedLogin
from idp.services.attempts import consent_id
from tests.oidc.asserting import GRANT, Scene, furnished, provider
from tests.oidc.house import API, ISSUER, App, House
from tests.support.clock import FakeClock
from tests.upstream.openid_double import MISSING, OpenIdDouble, Trouble


@pytest.fixture
def issuer(clock: FakeClock) -> Iterator[OpenIdDouble]:
    double = OpenIdDouble(clock)
    yield double
    double.close()
    assert double.faults == []


@pytest.fixture
def scene(house_with: Callable[..., House], issuer: OpenIdDouble) -> Scene:
    """By an upstream provider that is allowed to. Only administrators need a second step here."""
    house = house_with(second_factor="administrators")
    provider(house, issuer.issuer, settings={"assertions": True})
    return furnished(house, issuer)


# ------------------------------------------------------------------ what an assertion gives


def test_an_assertion_gives_an_access_token_for_whoever_linked_that_login(scene: Scene) -> None:
    answer = scene.ask(scope="openid documents.read").get_json()
    claims = scene.house.read(answer["access_token"], "ES256").claims
    assert (claims["sub"], claims["acr"], claims["amr"]) == (scene.ada.id, ACR_SINGLE, ["fed"])
    assert "auth_time" not in claims
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert scene.house.userinfo(answer["access_token"]).get_json()["sub"] == scene.ada.id
    assert scene.house.parts.repo.find(RefreshToken) == []


def test_a_listed_issuer_needs_no_provider_to_sign_in_with_only_a_linked_login(
    house_with: Callable[..., House], issuer: OpenIdDouble
) -> None:
    listed = {issuer.issuer: f"{issuer.issuer}/jwks"}
    house = house_with(second_factor="administrators", oidc={"assertion_issuers": listed})
    provider(house, "https://elsewhere.example")
    scene = furnished(house, issuer)
    assert scene.ask().status_code == 200
    assert "0 users" in scene.refused(scene.assertion(sub="somebody"))


def test_the_grant_is_recorded_and_ends_with_its_one_token(scene: Scene) -> None:
    token = scene.ask(scope="openid").get_json()["access_token"]
    (grant,) = scene.house.parts.repo.find(Grant)
    assert (grant.sessionless, grant.session_sid, grant.expires_at) == (True, None, scene.house.clock() + 600)
    (event,) = scene.house.parts.repo.find(AuditEvent, name="grant.issued")
    assert (event.actor, event.detail["by"]) == (scene.ada.id, scene.issuer.issuer)
    scene.house.clock.advance(599)
    assert scene.house.userinfo(token).status_code == 200
    scene.house.clock.advance(1)
    assert scene.house.userinfo(token).status_code == 401


@pytest.mark.parametrize("end", ["disable", "password", "revoke"])
def test_what_ends_the_person_ends_the_token(scene: Scene, end: str) -> None:
    house = scene.house
    token = scene.ask(scope="openid").get_json()["access_token"]
    house.clock.advance(1)
    if end == "disable":
        house.parts.users.set_disabled(scene.ada, True, actor="test")
    elif end == "password":
        house.parts.users.set_password(scene.ada, "a new long password", actor="test")
    else:
        house.post("/revoke", scene.app, token=token)
    assert house.userinfo(token).status_code == 401


def test_scopes_and_audiences_only_narrow(scene: Scene) -> None:
    answer = scene.ask(scope="documents.read", resource=API).get_json()
    assert answer["scope"] == "documents.read"
    scene.refused(scope="admin", error="invalid_scope")
    scene.refused(scope="offline_access", error="invalid_scope")
    scene.refused(resource="urn:other", error="invalid_target")


# ------------------------------------------------------------------ whose assertions count


def test_a_provider_for_which_nobody_has_allowed_it_counts_for_nothing(
    house_with: Callable[..., House], issuer: OpenIdDouble
) -> None:
    house = house_with(second_factor="administrators")
    provider(house, issuer.issuer)
    scene = furnished(house, issuer)
    assert "iss" in scene.refused()
    assert issuer.asked == [], "not even its keys are asked for"


@pytest.mark.parametrize("change", [{"enabled": False}, {"mode": "link_only"}])
def test_a_provider_that_is_off_or_for_linking_only_counts_for_nothing(scene: Scene, change: dict[str, Any]) -> None:
    found = scene.house.parts.upstreams.get("corp")
    assert found is not None
    scene.house.parts.repo.replace_if(replace(found, **change))
    scene.refused()


def test_a_listed_issuer_does_not_revive_a_login_of_a_provider_that_is_off(
    house_with: Callable[..., House], issuer: OpenIdDouble
) -> None:
    listed = {issuer.issuer: f"{issuer.issuer}/jwks"}
    house = house_with(second_factor="administrators", oidc={"assertion_issuers": listed})
    provider(house, issuer.issuer, enabled=False)
    furnished(house, issuer).refused()


def test_the_key_of_one_issuer_signs_for_no_other(scene: Scene, clock: FakeClock) -> None:
    mallory = OpenIdDouble(clock)
    try:
        mallory.rotate("first", "mallory")
        forged = mallory.sign(
            {
                "iss": scene.issuer.issuer,
                "sub": "ada-there",
                "aud": ISSUER,
                "exp": int(clock()) + 60,
                "iat": int(clock()),
            }
        )
    finally:
        mallory.close()
    assert "kid" in scene.refused(forged)


def test_a_key_that_the_issuer_has_only_now_is_found(scene: Scene) -> None:
    assert scene.ask().status_code == 200
    scene.issuer.rotate("second", "second")
    assert scene.ask().status_code == 200


def test_an_issuer_that_does_not_answer_is_no_fault_of_the_assertion(scene: Scene) -> None:
    scene.issuer.trouble["/jwks"] = Trouble(status=500)
    answer = scene.ask()
    scene.house.refused(answer, 503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "5"


# ------------------------------------------------------------------ whom it means


def test_nobody_is_found_by_name_or_address(scene: Scene) -> None:
    for sub in (scene.ada.id, "ada", "ada@example.org"):
        told = {"email": "ada@example.org", "email_verified": True, "preferred_username": "ada"}
        assert "0 users" in scene.refused(scene.assertion(sub=sub, **told))


def test_the_same_subject_of_another_issuer_is_somebody_else(scene: Scene) -> None:
    bob = scene.house.user("bob")
    login = FederatedLogin("f", bob.id, "corp", "https://elsewhere.example", "bob-there", scene.house.clock())
    scene.house.parts.repo.insert(login)
    scene.refused(scene.assertion(sub="bob-there"))


def test_a_login_that_two_people_have_linked_means_neither(
    house_with: Callable[..., House], issuer: OpenIdDouble
) -> None:
    """Two providers with one issuer, and the issuer is listed: which of the links counts cannot be told."""
    house = house_with(
        second_factor="administrators", oidc={"assertion_issuers": {issuer.issuer: f"{issuer.issuer}/jwks"}}
    )
    provider(house, issuer.issuer)
    provider(house, issuer.issuer, "other")
    scene = furnished(house, issuer)
    scene.link(house.user("bob"), "ada-there", "other")
    assert "2 users" in scene.refused()


def test_a_disabled_user_is_not_stood_for(scene: Scene) -> None:
    scene.house.parts.users.set_disabled(scene.ada, True, actor="test")
    scene.refused()


def test_a_login_that_was_unlinked_means_nobody(scene: Scene) -> None:
    scene.house.parts.repo.delete_where(FederatedLogin, user_id=scene.ada.id)
    scene.refused()


# ------------------------------------------------------------------ what a sign-in would ask for


@pytest.mark.parametrize("why", ["policy", "own", "app"])
def test_nobody_who_needs_a_second_step_is_stood_for(scene: Scene, why: str) -> None:
    house, app = scene.house, scene.app
    if why == "policy":
        house.parts.repo.replace_if(replace(scene.ada, roles=("administrator",)))
    elif why == "own":
        house.parts.factors.enrol_for(scene.ada, actor="test")
    else:
        app = house.client("strict", grant_types=(GRANT,), redirect_uris=(), second_factor_required=True)
    house.refused(scene.ask(app=app), 400, "invalid_grant")


def test_an_app_that_must_ask_gets_what_was_allowed_before_and_no_more(scene: Scene) -> None:
    house = scene.house
    app = house.client("asks", grant_types=(GRANT,), redirect_uris=(), consent="ask")
    house.refused(scene.ask(app=app), 400, "invalid_grant")
    key = consent_id(scene.ada.id, app.id)
    house.parts.repo.insert(Consent(key, scene.ada.id, app.id, ("profile", "offline_access"), house.clock()))
    assert scene.ask(app=app).get_json()["scope"] == "profile"
    house.refused(scene.ask(app=app, scope="email"), 400, "invalid_scope")


# ------------------------------------------------------------------ the assertion itself


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.example"},
        {"aud": [ISSUER, "https://other.example"]},
        {"aud": MISSING},
        {"aud": "sheaf"},
        {"exp": MISSING},
        {"exp": 1},
        {"exp": "soon"},
        {"nbf": 9_999_999_999},
        {"iat": 1},
        {"sub": MISSING},
        {"sub": ""},
        {"sub": 5},
        {"sub": "x" * 501},
        {"jti": 5},
        {"jti": "x" * 300},
        {"client_id": "other"},
        {"iss": MISSING},
        {"iss": 5},
        {"iss": "https://unknown.example"},
    ],
)
def test_an_assertion_that_says_something_wrong_is_refused(scene: Scene, changes: dict[str, Any]) -> None:
    scene.refused(scene.assertion(**changes))


@pytest.mark.parametrize("aud", [ISSUER, f"{ISSUER}/token", [ISSUER, f"{ISSUER}/token"]])
def test_we_are_known_by_our_issuer_or_token_endpoint(scene: Scene, aud: object) -> None:
    assert scene.ask(scene.assertion(aud=aud, client_id="robot")).status_code == 200


@pytest.mark.parametrize(
    "typ", ["at+jwt", "logout+jwt", "dpop+jwt", "oauth-authz-req+jwt", "client-authentication+jwt", 5]
)
def test_another_kind_of_jwt_is_no_assertion(scene: Scene, typ: object) -> None:
    scene.issuer.header = {"typ": typ}
    scene.refused()


@pytest.mark.parametrize("token", ["x", "a.b.c", "é", "." * 9000, "eyJhbGciOiJub25lIn0.e30."])
def test_rubbish_is_no_assertion(scene: Scene, token: str) -> None:
    scene.refused(token)


def test_an_unsigned_assertion_and_one_of_a_shared_secret_are_refused(scene: Scene) -> None:
    now = int(scene.house.clock())
    claims = {"iss": scene.issuer.issuer, "sub": "ada-there", "aud": ISSUER, "exp": now + 60, "iat": now}
    for forged in (scene.issuer.unsigned(claims), scene.issuer.signed_with_the_public_key_as_secret(claims)):
        scene.refused(forged)


@pytest.mark.parametrize("jti", ["once", MISSING])
def test_an_assertion_is_good_once(scene: Scene, jti: object) -> None:
    token = scene.assertion(jti=jti)
    assert scene.ask(token).status_code == 200
    assert "used before" in scene.refused(token)


def test_an_assertion_that_was_refused_for_its_scope_alone_can_be_sent_again_with_a_new_id(scene: Scene) -> None:
    scene.refused(scope="admin", error="invalid_scope")
    assert scene.ask().status_code == 200


def test_only_registered_apps_that_authenticate_may(scene: Scene) -> None:
    house = scene.house
    house.refused(scene.ask(app=house.client("plain")), 400, "unauthorized_client")
    house.refused(scene.ask(app=App(scene.app.client, "wrong")), 401, "invalid_client")
    house.refused(house.token(scene.app, grant_type=GRANT), 400, "invalid_request")
