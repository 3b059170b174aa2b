"""Owns the claims about refresh tokens (RFC 6749 6, RFC 9700 4.14): one successor, retries, reuse, and what they are bound to.

Many at once are left to test_races.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from idp.domain.audit_event import AuditEvent
from idp.domain.grant import Grant, RefreshToken
from idp.services.issue_grant import Allowed
from tests.oidc.answers import door
from tests.oidc.app_keys import AppKeys
from tests.oidc.house import CALLBACK, ISSUER, VERIFIER, App, House, basic
from tests.support.clock import FakeClock
from tests.support.proofs import Prover

TOKEN = f"{ISSUER}/token"


@pytest.fixture
def prover(clock: FakeClock) -> Prover:
    return Prover(clock)


# ------------------------------------------------------------------ rotation


def test_a_refresh_rotates_the_token_and_keeps_who_and_when(house: House) -> None:
    app, person = house.client(), house.person()
    first = house.sign_in(person, app)
    house.clock.advance(400)
    second = house.refresh(app, first["refresh_token"]).get_json()
    assert second["refresh_token"] != first["refresh_token"]
    claims = house.read(second["id_token"], "RS256").claims
    assert claims["auth_time"] == int(person.session.auth_time)
    assert claims["iat"] == int(house.clock())
    assert claims["sub"] == person.user.id
    assert "nonce" not in claims
    assert house.userinfo(second["access_token"]).status_code == 200


def test_an_old_refresh_token_revokes_the_whole_family(house: House) -> None:
    app = house.client()
    first = house.sign_in(house.person(), app)
    second = house.refresh(app, first["refresh_token"]).get_json()
    house.clock.advance(10)
    house.refused(house.refresh(app, first["refresh_token"]), 400, "invalid_grant")
    house.refused(house.refresh(app, second["refresh_token"]), 400, "invalid_grant")
    for token in (first["access_token"], second["access_token"]):
        assert house.introspect(app, token) == {"active": False}


def test_reuse_is_recorded_in_the_audit(house: House) -> None:
    app, person = house.client(), house.person()
    first = house.sign_in(person, app)
    house.refresh(app, first["refresh_token"])
    house.clock.advance(10)
    house.refresh(app, first["refresh_token"])
    events = house.parts.repo.find(AuditEvent, name="grant.reuse_detected")
    assert [(event.actor, event.subject) for event in events] == [("shop", person.user.id)]


def test_a_refresh_may_narrow_the_scope_and_later_widen_it_again(house: House) -> None:
    app = house.client()
    first = house.sign_in(house.person(), app)
    narrow = house.refresh(app, first["refresh_token"], scope="openid").get_json()
    assert narrow["scope"] == "openid"
    assert "email" not in house.userinfo(narrow["access_token"]).get_json()
    assert house.refresh(app, narrow["refresh_token"]).get_json()["scope"] == "openid profile email"


def test_a_refresh_cannot_widen_the_scope_and_does_not_burn_the_token(house: House) -> None:
    app = house.client()
    token = house.sign_in(house.person(), app)["refresh_token"]
    house.refused(house.refresh(app, token, scope="openid documents.read"), 400, "invalid_scope")
    assert house.refresh(app, token).status_code == 200


def test_a_refresh_token_of_another_client_is_refused(house: House) -> None:
    mine, theirs = house.client("mine"), house.client("theirs")
    token = house.sign_in(house.person(), mine)["refresh_token"]
    house.refused(house.refresh(theirs, token), 400, "invalid_grant")
    assert house.refresh(mine, token).status_code == 200


def test_a_refresh_token_ends_with_its_session(house: House) -> None:
    app, person = house.client(), house.person()
    token = house.sign_in(person, app)["refresh_token"]
    house.parts.sessions.end(person.session, actor="test")
    house.refused(house.refresh(app, token), 400, "invalid_grant")


def test_offline_access_outlives_the_session_but_not_the_users_password(house: House) -> None:
    app, person = house.client(), house.person()
    token = house.sign_in(person, app, scope="openid offline_access")["refresh_token"]
    house.parts.sessions.end(person.session, actor="test")
    renewed = house.refresh(app, token)
    assert renewed.status_code == 200
    house.clock.advance(5)
    house.parts.users.set_password(person.user, "a new long password", actor="test")
    house.refused(house.refresh(app, renewed.get_json()["refresh_token"]), 400, "invalid_grant")


def test_a_family_of_refresh_tokens_has_an_end(house: House) -> None:
    app = house.client()
    token = house.sign_in(house.person(), app, scope="openid offline_access")["refresh_token"]
    for _ in range(3):
        house.clock.advance(900_000)
        answer = house.refresh(app, token)
        token = (answer.get_json() or {}).get("refresh_token", token)
    assert answer.get_json()["error"] == "invalid_grant"


def test_a_client_without_the_grant_type_gets_no_refresh_token(house: House) -> None:
    app = house.client(grant_types=("authorization_code",))
    assert "refresh_token" not in house.sign_in(house.person(), app)
    house.refused(house.refresh(app, "x" * 43), 400, "unauthorized_client")


def test_the_life_of_a_family_may_be_that_of_the_app(house: House) -> None:
    app = house.client(refresh_token_seconds=3600)
    token = house.sign_in(house.person(), app, scope="openid offline_access")["refresh_token"]
    house.clock.advance(3600 - 1)
    renewed = house.refresh(app, token)
    assert renewed.status_code == 200
    assert renewed.get_json()["expires_in"] == 1
    house.clock.advance(1)
    house.refused(house.refresh(app, renewed.get_json()["refresh_token"]), 400, "invalid_grant")


def test_a_code_is_worth_as_much_as_the_longest_life_allows_and_no_more(house: House) -> None:
    app = house.client(refresh_token_seconds=3600)
    house.sign_in(house.person(), app)
    (grant,) = house.parts.repo.find(Grant)
    assert grant.expires_at == house.clock() + 3600


# ------------------------------------------------------------------ an app that lost our answer


def test_an_app_that_asks_again_gets_the_same_successor_and_a_fresh_access_token(house: House) -> None:
    app = house.client()
    first = house.sign_in(house.person(), app)
    second = house.refresh(app, first["refresh_token"]).get_json()
    house.clock.advance(9)
    again = house.refresh(app, first["refresh_token"]).get_json()
    assert again["refresh_token"] == second["refresh_token"]
    assert again["access_token"] != second["access_token"]
    for one in (second, again):
        assert house.userinfo(one["access_token"]).status_code == 200
    assert len(house.parts.repo.find(RefreshToken)) == 2
    assert house.refresh(app, again["refresh_token"]).status_code == 200


def test_after_ten_seconds_asking_again_is_reuse(house: House) -> None:
    app = house.client()
    first = house.sign_in(house.person(), app)
    second = house.refresh(app, first["refresh_token"]).get_json()
    house.clock.advance(10)
    house.refused(house.refresh(app, first["refresh_token"]), 400, "invalid_grant")
    assert house.userinfo(second["access_token"]).status_code == 401


def test_once_the_successor_was_used_asking_again_is_reuse(house: House) -> None:
    app = house.client()
    first = house.sign_in(house.person(), app)
    second = house.refresh(app, first["refresh_token"]).get_json()
    third = house.refresh(app, second["refresh_token"]).get_json()
    house.refused(house.refresh(app, first["refresh_token"]), 400, "invalid_grant")
    house.refused(house.refresh(app, third["refresh_token"]), 400, "invalid_grant")


def test_retries_can_be_switched_off(house_with: Callable[..., House]) -> None:
    house = house_with(oidc={"refresh_retry_seconds": 0})
    app = house.client()
    first = house.sign_in(house.person(), app)
    assert house.refresh(app, first["refresh_token"]).status_code == 200
    house.refused(house.refresh(app, first["refresh_token"]), 400, "invalid_grant")


def test_a_retry_may_ask_for_no_more_than_the_first_attempt(house: House) -> None:
    app, other = house.client(), house.client("other")
    first = house.sign_in(house.person(), app)
    house.refresh(app, first["refresh_token"])
    house.refused(house.refresh(app, first["refresh_token"], scope="openid documents.read"), 400, "invalid_scope")
    house.refused(house.refresh(other, first["refresh_token"]), 400, "invalid_grant")
    assert house.refresh(app, first["refresh_token"]).status_code == 200


def test_a_rotation_that_was_cut_off_half_way_heals_by_the_retry(house: House) -> None:
    """On MongoDB: the token is marked as used, and the process dies before its successor is stored."""
    app = house.client()
    first = house.sign_in(house.person(), app)
    (stored,) = house.parts.repo.find(RefreshToken)
    house.parts.repo.consume(RefreshToken, stored.id)
    second = house.refresh(app, first["refresh_token"])
    assert second.status_code == 200
    assert house.refresh(app, second.get_json()["refresh_token"]).status_code == 200


def test_a_rotation_that_was_cut_off_half_way_does_not_heal_for_ever(house: House) -> None:
    app = house.client()
    first = house.sign_in(house.person(), app)
    (stored,) = house.parts.repo.find(RefreshToken)
    house.parts.repo.consume(RefreshToken, stored.id)
    house.clock.advance(11)
    house.refused(house.refresh(app, first["refresh_token"]), 400, "invalid_grant")


def test_a_successor_cannot_be_told_from_its_predecessor_without_our_key(house: House) -> None:
    app = house.client()
    first = house.sign_in(house.person(), app)["refresh_token"]
    second = house.refresh(app, first).get_json()["refresh_token"]
    assert len(second) == 43
    for guess in (hashlib.sha256(first.encode()), hmac.new(b"", first.encode(), "sha256")):
        assert base64.urlsafe_b64encode(guess.digest()).rstrip(b"=").decode() != second
    stored = repr(house.parts.repo.find(RefreshToken))
    assert first not in stored
    assert second not in stored


# ------------------------------------------------------------------ bound to a key


def ask(house: House, app: App, prover: Prover | None, **form: str) -> TestResponse:
    headers = {"Authorization": basic(app.id, app.secret)} if app.secret else {}
    if prover is not None:
        headers["DPoP"] = prover.proof("POST", TOKEN)
    return house.app.test_client().post("/token", data={"client_id": app.id, **form}, headers=headers)


def signed_in(house: House, app: App, prover: Prover | None) -> str:
    code = house.code(house.person(), app)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    answer = ask(house, app, prover, **form)
    assert answer.status_code == 200, answer.text
    return str(answer.get_json()["refresh_token"])


def renew(house: House, app: App, prover: Prover | None, token: str) -> TestResponse:
    return ask(house, app, prover, grant_type="refresh_token", refresh_token=token)


def test_the_refresh_token_of_an_app_without_a_secret_is_bound_to_its_key(
    house: House, prover: Prover, clock: FakeClock
) -> None:
    app = house.client(auth_method="none")
    token = signed_in(house, app, prover)
    house.refused(renew(house, app, None, token), 400, "invalid_grant")
    house.refused(renew(house, app, Prover(clock), token), 400, "invalid_grant")
    answer = renew(house, app, prover, token)
    assert answer.get_json()["token_type"] == "DPoP"
    house.refused(renew(house, app, None, answer.get_json()["refresh_token"]), 400, "invalid_grant")


def test_a_thief_without_the_key_cannot_end_the_session_with_an_old_token(house: House, prover: Prover) -> None:
    app = house.client(auth_method="none")
    old = signed_in(house, app, prover)
    new = renew(house, app, prover, old).get_json()["refresh_token"]
    house.clock.advance(60)
    house.refused(renew(house, app, None, old), 400, "invalid_grant")
    assert renew(house, app, prover, new).status_code == 200


def test_an_app_that_authenticates_may_change_its_key(house: House, prover: Prover, clock: FakeClock) -> None:
    """RFC 9449 5: its refresh token is bound to it by authentication."""
    app, other = house.client(), Prover(clock)
    token = signed_in(house, app, prover)
    answer = renew(house, app, other, token).get_json()
    assert house.read(answer["access_token"], "ES256").claims["cnf"] == {"jkt": other.jkt}


def test_the_refresh_token_of_a_fapi_app_stays_the_same(house: House, prover: Prover) -> None:
    """FAPI 2.0 5.3.2.1: no rotation; the app is known by its own key each time."""
    keys = AppKeys()
    app = house.client("bank", profile="fapi2", auth_method="private_key_jwt", jwks=keys.jwks)
    person = house.person()
    code = door(house).issue.issue_code(app.client, person.user, person.session, Allowed(("openid",), (), CALLBACK))

    def post(form: dict[str, str], proof: bool = True) -> TestResponse:
        now = int(house.clock())
        said = {"iss": "bank", "sub": "bank", "aud": ISSUER, "exp": now + 60, "iat": now, "jti": secrets.token_hex()}
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        more = {"client_assertion": keys.sign(said, typ="JWT"), "client_assertion_type": kind}
        headers = {"DPoP": prover.proof("POST", TOKEN)} if proof else {}
        return house.app.test_client().post("/token", data={**form, **more}, headers=headers)

    first = post({"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK})
    token = first.get_json()["refresh_token"]
    again = {"grant_type": "refresh_token", "refresh_token": token}
    for _ in range(3):
        house.clock.advance(60)
        answer = post(again).get_json()
        assert answer["refresh_token"] == token
        assert house.read(answer["access_token"], "ES256").claims["cnf"] == {"jkt": prover.jkt}
    house.refused(post(again, proof=False), 400, "invalid_request")
    assert len(house.parts.repo.find(RefreshToken)) == 1
