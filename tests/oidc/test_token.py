"""Owns the claims about /token: what is in the tokens, and that codes are good once, at the price of two durable writes.

Refresh tokens are left to test_refresh, client authentication to test_client_auth, races to test_races, apps for themselves
and malformed requests to test_token_requests.
"""

import base64
import hashlib
from dataclasses import replace

import pytest
from joserfc import jws

from idp.app import create_app
from idp.base.config import Settings
from idp.domain.audit_event import AuditEvent
from idp.domain.grant import AuthorizationCode, Consent, Grant, RefreshToken
from idp.domain.session import ACR_MFA
from idp.services.attempts import consent_id
from idp.services.issue_grant import Allowed
from idp.storage.sqlite import SqliteRepository
from tests.oidc.answers import door
from tests.oidc.house import API, BYE, CALLBACK, CHALLENGE, ISSUER, VERIFIER, House
from tests.support.clock import FakeClock
from tests.support.counting import Counting
from tests.support.quick import SEAL_KEY_TEXT, quick

# ------------------------------------------------------------------ what is in the tokens


def test_an_id_token_says_who_signed_in_for_whom_when_and_how(house: House) -> None:
    person = house.person()
    house.clock.advance(30)
    answer = house.sign_in(person, house.client())
    token = house.read(answer["id_token"], "RS256")
    now = int(house.clock())
    assert token.header["typ"] == "JWT"
    assert token.header["kid"]
    assert token.claims == {
        "iss": ISSUER,
        "sub": person.user.id,
        "aud": "shop",
        "exp": now + 600,
        "iat": now,
        "auth_time": now - 30,
        "nonce": "n-1",
        "acr": ACR_MFA,
        "amr": ["pwd", "otp"],
        "sid": person.session.sid,
        "at_hash": _half_hash(answer["access_token"]),
        "name": "Ada",
        "preferred_username": "ada",
        "email": "ada@example.org",
        "email_verified": True,
    }


def test_an_access_token_is_a_jwt_of_rfc_9068_bound_to_its_audience(house: House) -> None:
    person = house.person(roles=("editor",))
    answer = house.sign_in(person, house.client())
    token = house.read(answer["access_token"], "ES256")
    now = int(house.clock())
    assert token.header["typ"] == "at+jwt"
    assert token.claims.pop("jti")
    assert token.claims.pop("grant_id").startswith("gr_")
    assert token.claims == {
        "iss": ISSUER,
        "sub": person.user.id,
        "aud": [API, ISSUER],
        "exp": now + 600,
        "iat": now,
        "client_id": "shop",
        "scope": "openid profile email",
        "auth_time": now,
        "acr": ACR_MFA,
        "amr": ["pwd", "otp"],
        "roles": ["editor"],
    }
    assert answer["expires_in"] == 600
    assert answer["token_type"] == "Bearer"


def test_the_token_answer_is_never_stored(house: House) -> None:
    app = house.client()
    answer = house.redeem(app, house.code(house.person(), app))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert answer.headers["Content-Type"] == "application/json"
    assert "Set-Cookie" not in answer.headers


def test_without_openid_there_is_no_id_token(house: House) -> None:
    answer = house.sign_in(house.person(), house.client(), scope="documents.read")
    assert "id_token" not in answer
    assert house.read(answer["access_token"], "ES256").claims["aud"] == API


def test_a_client_without_audiences_gets_a_token_for_the_issuer_alone(house: House) -> None:
    answer = house.sign_in(house.person(roles=("editor",)), house.client(audiences=()))
    claims = house.read(answer["access_token"], "ES256").claims
    assert claims["aud"] == ISSUER
    assert "roles" not in claims


def test_resource_narrows_the_audience_at_each_step(house: House) -> None:
    app = house.client(audiences=(API, "urn:second", "urn:third"))
    answer = house.sign_in(house.person(), app, resource=API, scope="documents.read")
    assert house.read(answer["access_token"], "ES256").claims["aud"] == API
    house.refused(house.refresh(app, answer["refresh_token"], resource="urn:second"), 400, "invalid_target")


def test_roles_are_in_the_id_token_only_when_asked_for(house: House) -> None:
    person, app = house.person(roles=("editor",)), house.client()
    plain = house.read(house.sign_in(person, app)["id_token"], "RS256").claims
    asked = house.read(house.sign_in(person, app, scope="openid roles")["id_token"], "RS256").claims
    assert "roles" not in plain
    assert asked["roles"] == ["editor"]
    assert "email" not in asked


def test_a_client_may_have_its_own_access_token_life(house: House) -> None:
    app = house.client(access_token_seconds=120)
    assert house.sign_in(house.person(), app)["expires_in"] == 120


def test_a_token_is_signed_with_a_key_that_is_published(house: House) -> None:
    answer = house.sign_in(house.person(), house.client())
    published = {key["kid"] for key in house.app.test_client().get("/jwks").get_json()["keys"]}
    for token in (answer["id_token"], answer["access_token"]):
        assert jws.extract_compact(token.encode()).headers()["kid"] in published


# ------------------------------------------------------------------ authorization codes


def test_a_code_used_twice_revokes_the_tokens_of_the_first_use(house: House) -> None:
    app = house.client()
    code = house.code(house.person(), app)
    first = house.redeem(app, code).get_json()
    assert house.userinfo(first["access_token"]).status_code == 200
    house.refused(house.redeem(app, code), 400, "invalid_grant")
    assert house.userinfo(first["access_token"]).status_code == 401
    assert house.introspect(app, first["access_token"]) == {"active": False}
    house.refused(house.refresh(app, first["refresh_token"]), 400, "invalid_grant")


def test_a_late_second_use_of_a_code_still_revokes(house: House) -> None:
    app = house.client()
    code = house.code(house.person(), app)
    first = house.redeem(app, code).get_json()
    house.clock.advance(300)
    house.refused(house.redeem(app, code), 400, "invalid_grant")
    assert house.userinfo(first["access_token"]).status_code == 401


def test_a_code_lives_sixty_seconds(house: House) -> None:
    app, person = house.client(), house.person()
    code, late = house.code(person, app), house.code(person, app)
    house.clock.advance(59)
    assert house.redeem(app, code).status_code == 200
    house.clock.advance(1)
    house.refused(house.redeem(app, late), 400, "invalid_grant")


@pytest.mark.parametrize("verifier", ["A" * 43, "short", VERIFIER + "\n", "", VERIFIER.lower()])
def test_a_wrong_verifier_burns_the_code(house: House, verifier: str) -> None:
    app = house.client()
    code = house.code(house.person(), app)
    house.refused(house.redeem(app, code, code_verifier=verifier), 400, "invalid_grant")
    house.refused(house.redeem(app, code), 400, "invalid_grant")


def test_a_verifier_for_a_code_without_challenge_is_refused(house: House) -> None:
    # The challenge was stripped from the authorization request on its way (RFC 9700 4.8.2).
    app = house.client(pkce_required=False)
    code = house.code(house.person(), app, code_challenge=None, code_challenge_method=None)
    house.refused(house.redeem(app, code), 400, "invalid_grant")


@pytest.mark.parametrize("uri", ["", BYE, CALLBACK + "?"])
def test_the_redirect_uri_must_be_the_one_of_the_request(house: House, uri: str) -> None:
    app = house.client()
    house.refused(house.redeem(app, house.code(house.person(), app), redirect_uri=uri), 400, "invalid_grant")


def test_a_code_of_another_client_is_refused_and_burnt(house: House) -> None:
    mine, theirs = house.client("mine"), house.client("theirs")
    code = house.code(house.person(), mine)
    house.refused(house.redeem(theirs, code), 400, "invalid_grant")
    house.refused(house.redeem(mine, code), 400, "invalid_grant")


def test_a_code_is_worthless_once_the_session_has_ended(house: House) -> None:
    app, person = house.client(), house.person()
    code = house.code(person, app)
    house.parts.sessions.end(person.session, actor="test")
    house.refused(house.redeem(app, code), 400, "invalid_grant")


def test_a_code_is_worthless_once_the_user_is_disabled(house: House) -> None:
    app, person = house.client(), house.person()
    code = house.code(person, app)
    house.parts.users.set_disabled(person.user, True, actor="test")
    house.refused(house.redeem(app, code), 400, "invalid_grant")


def test_a_refresh_token_is_no_code_and_a_code_no_refresh_token(house: House) -> None:
    app, person = house.client(), house.person()
    token = house.sign_in(person, app)["refresh_token"]
    house.refused(house.redeem(app, token), 400, "invalid_grant")
    house.refused(house.refresh(app, house.code(person, app)), 400, "invalid_grant")
    assert house.refresh(app, token).status_code == 200


# ------------------------------------------------------------------ what is stored, and when


def test_a_code_sign_in_costs_two_durable_writes(repo: SqliteRepository, clock: FakeClock) -> None:
    counting = Counting(repo)
    settings = Settings(issuer=ISSUER, seal_key=SEAL_KEY_TEXT)
    house = House(quick(create_app(settings, repo=counting, clock=clock)), clock)
    app, person = house.client(), house.person()
    house.sign_in(person, app)  # the session notes an app when it is new to it
    counting.writes.clear()
    code = house.code(person, app)
    assert counting.writes == ["insert AuthorizationCode"]
    counting.writes.clear()
    token = house.redeem(app, code).get_json()["refresh_token"]
    assert counting.writes == ["consume AuthorizationCode with AuditEvent, RefreshToken, Grant"]
    counting.writes.clear()
    house.refresh(app, token)
    assert counting.writes == ["consume RefreshToken with RefreshToken"]
    counting.writes.clear()
    house.token(app, grant_type="client_credentials")
    assert counting.writes == []


def test_the_grant_is_stored_when_the_code_is_redeemed_and_not_before(house: House) -> None:
    app, person = house.client(), house.person()
    code = house.code(person, app)
    assert house.parts.repo.find(Grant) == []
    house.redeem(app, code)
    (grant,) = house.parts.repo.find(Grant, session_sid=person.session.sid)
    (stored,) = house.parts.repo.find(AuthorizationCode)
    assert stored.grant is not None
    assert replace(stored.grant, expires_at=grant.expires_at) == grant  # its life counts from here
    assert stored.consumed_at is not None
    (event,) = house.parts.repo.find(AuditEvent, name="grant.issued")
    assert (event.actor, event.subject, event.detail["grant"]) == (person.user.id, "shop", grant.id)


def test_a_failed_redemption_stores_nothing_that_is_good(house: House) -> None:
    app = house.client()
    code = house.code(house.person(), app)
    house.refused(house.redeem(app, code, code_verifier="A" * 43), 400, "invalid_grant")
    assert house.parts.repo.find(Grant) == house.parts.repo.find(RefreshToken) == []
    house.refused(house.redeem(app, code), 400, "invalid_grant")
    assert [one.revoked_at is None for one in house.parts.repo.find(Grant)] == [False]


def test_a_code_for_offline_use_needs_its_session_until_it_is_redeemed(house: House) -> None:
    app, person = house.client(), house.person()
    code = house.code(person, app, scope="openid offline_access")
    house.parts.sessions.end(person.session, actor="test")
    house.refused(house.redeem(app, code), 400, "invalid_grant")


def test_a_code_is_worthless_once_the_consent_was_taken_back(house: House) -> None:
    app, person = house.client(consent="ask"), house.person()
    consent = Consent("c", person.user.id, app.id, app.client.scopes, house.clock())
    house.parts.repo.insert(replace(consent, id=consent_id(person.user.id, app.id)))
    code, late = house.code(person, app), house.code(person, app)
    assert house.redeem(app, code).status_code == 200
    house.parts.repo.delete_where(Consent, user_id=person.user.id)
    house.refused(house.redeem(app, late), 400, "invalid_grant")


def test_a_code_is_worthless_for_a_later_app_of_the_same_id(house: House) -> None:
    app, person = house.client(auth_method="none"), house.person()
    code = house.code(person, app)
    house.parts.apps.remove_client(app.id, actor="test")
    house.clock.advance(1)
    house.refused(house.redeem(house.client(auth_method="none"), code), 400, "invalid_grant")


def test_a_code_that_was_bound_to_a_key_needs_a_proof_of_it(house: House) -> None:
    """dpop_jkt (RFC 9449 10); with the proof it works in test_dpop."""
    app, person = house.client(), house.person()
    allowed = Allowed(("openid",), (), CALLBACK, CHALLENGE, confirmation={"jkt": "x" * 43})
    code = door(house).issue.issue_code(app.client, person.user, person.session, allowed)
    house.refused(house.redeem(app, code), 400, "invalid_grant")


def _half_hash(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:16]).rstrip(b"=").decode()
