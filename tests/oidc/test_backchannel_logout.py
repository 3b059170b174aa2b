"""Owns the claims about OpenID Connect Back-Channel Logout 1.0: who gets a logout token, what it says, how it is sent.

How often it is tried is in tests/services/test_deliver_logout; the apps here are real servers on loopback.
"""

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwe, jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from idp.domain.attempt import Proof
from idp.domain.grant import Consent, LogoutDelivery
from idp.services.attempts import consent_id
from tests.oidc.house import ISSUER, House, Person
from tests.oidc.listening import csrf_of, deliver, listening
from tests.support.ports import free_port
from tests.support.receiver import Receiver

pytestmark = pytest.mark.slow
DOCS = Path(__file__).parents[2] / "docs" / "logout.md"
EVENT = "http://schemas.openid.net/event/backchannel-logout"


def token_of(receiver: Receiver, index: int = 0) -> str:
    (token,) = receiver.received[index].form["logout_token"]
    return token


def sign_out(person: Person, tokens: dict[str, Any]) -> None:
    assert person.browser.get("/end_session", query_string={"id_token_hint": tokens["id_token"]}).status_code == 303


def test_the_logout_token_says_whose_session_has_ended_and_nothing_else(house: House, receiver: Receiver) -> None:
    app, person = listening(house, receiver), house.person()
    tokens = house.sign_in(person, app)
    sign_out(person, tokens)
    assert deliver(house) == 1
    (got,) = receiver.received
    assert (got.method, got.path, got.headers["content-type"]) == (
        "POST",
        "/shop/logout",
        "application/x-www-form-urlencoded",
    )
    assert set(got.form) == {"logout_token"}
    token = house.read(token_of(receiver), "RS256")
    assert token.header["typ"] == "logout+jwt"
    told = dict(token.claims)
    assert len(told.pop("jti")) >= 16
    said = house.read(tokens["id_token"], "RS256").claims
    now = int(house.clock())
    assert told == {
        "iss": ISSUER,
        "aud": app.id,
        "sub": said["sub"],
        "sid": said["sid"],
        "iat": now,
        "exp": now + 120,
        "events": {EVENT: {}},
    }


def test_a_logout_token_is_no_id_token_hint(house: House, receiver: Receiver) -> None:
    app, person = listening(house, receiver), house.person()
    sign_out(person, house.sign_in(person, app))
    deliver(house)
    again = house.person("eve")
    answer = again.browser.get("/end_session", query_string={"id_token_hint": token_of(receiver)})
    assert 'action="/end_session/confirm"' in answer.text


def test_it_is_signed_with_the_algorithm_of_the_app_and_afresh_at_every_try(house: House, receiver: Receiver) -> None:
    app, person = listening(house, receiver, id_token_signed_response_alg="ES256"), house.person()
    tokens = house.sign_in(person, app)
    receiver.statuses[:] = [503]
    sign_out(person, tokens)
    deliver(house)
    house.clock.advance(1000)
    deliver(house)
    first, second = (house.read(token_of(receiver, index), "ES256").claims for index in (0, 1))
    assert first["jti"] != second["jti"]
    assert second["iat"] == first["iat"] + 1000


def test_a_pairwise_app_reads_its_own_name_for_the_person(house: House, receiver: Receiver) -> None:
    app, person = listening(house, receiver, subject_type="pairwise"), house.person()
    tokens = house.sign_in(person, app)
    sign_out(person, tokens)
    deliver(house)
    sub = house.read(token_of(receiver), "RS256").claims["sub"]
    assert sub == house.read(tokens["id_token"], "RS256").claims["sub"] != person.user.id


def test_an_app_whose_id_tokens_are_encrypted_gets_this_one_encrypted_as_well(house: House, receiver: Receiver) -> None:
    key = RSAKey.generate_key(2048, {"kid": "k", "use": "enc"})
    app = listening(
        house,
        receiver,
        jwks=json.dumps({"keys": [key.as_dict(private=False)]}),
        id_token_encrypted_response_alg="RSA-OAEP-256",
        id_token_encrypted_response_enc="A256GCM",
    )
    person = house.person()
    house.sign_in(person, app)
    house.parts.sessions.end(person.session, actor="test")
    deliver(house)
    opened = jwe.decrypt_compact(token_of(receiver), key, algorithms=["RSA-OAEP-256", "A256GCM"])
    assert opened.plaintext is not None
    assert house.read(opened.plaintext.decode(), "RS256").claims["events"] == {EVENT: {}}


def test_every_app_of_the_session_hears_of_it_and_no_other(house: House, receiver: Receiver) -> None:
    shop, mail, other = (listening(house, receiver, id) for id in ("shop", "mail", "other"))
    ada, eve = house.person(), house.person("eve")
    for app in (shop, mail):
        house.sign_in(ada, app)
    house.sign_in(eve, other)
    house.parts.sessions.end(ada.session, actor="test")
    deliver(house)
    assert sorted(got.path for got in receiver.received) == ["/mail/logout", "/shop/logout"]


@pytest.mark.parametrize("how", ["signs out", "ends it on the account page", "disabled", "another person", "elsewhere"])
def test_the_app_hears_of_it_however_the_session_ends(house: House, receiver: Receiver, how: str) -> None:
    app, person = listening(house, receiver), house.person()
    sid = house.read(house.sign_in(person, app)["id_token"], "RS256").claims["sid"]
    csrf = csrf_of(person)
    if how == "signs out":
        assert person.browser.post("/sign-out", data={"csrf": csrf}).status_code == 303
    elif how == "ends it on the account page":
        assert person.browser.post(f"/account/sessions/{sid}/end", data={"csrf": csrf}).status_code == 303
    elif how == "disabled":
        house.parts.users.set_disabled(person.user, True, actor="test")
    elif how == "elsewhere":
        _, handle = house.parts.sessions.establish(Proof(person.user.id, house.clock(), ("pwd",)), None, "")
        person.browser.set_cookie("sheaf_session", handle)
        assert person.browser.post("/account/sessions/end-others", data={"csrf": csrf}).status_code == 303
    else:
        proof = Proof(house.user("eve").id, house.clock(), ("pwd",))
        house.parts.sessions.establish(proof, person.session, "tests")
    deliver(house)
    assert house.read(token_of(receiver), "RS256").claims["sid"] == sid


def test_the_example_in_the_docs_reads_it_and_takes_nothing_else_for_one(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    example: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[0], example)
    # Its clock is the real one, and ours stands still.
    monkeypatch.setattr(jwt, "JWTClaimsRegistry", partial(jwt.JWTClaimsRegistry, now=int(house.clock())))
    app, person = listening(house, receiver), house.person()
    tokens = house.sign_in(person, app)
    sign_out(person, tokens)
    deliver(house)
    read, jwks = example["session_that_ended"], house.app.test_client().get("/jwks").get_json()
    assert read(token_of(receiver), jwks, ISSUER, app.id) == person.session.sid
    for token, issuer, client in (
        (tokens["id_token"], ISSUER, app.id),
        (token_of(receiver), "https://other.example", app.id),
        (token_of(receiver), ISSUER, "other"),
    ):
        with pytest.raises((ValueError, JoseError)):
            read(token, jwks, issuer, client)


@pytest.mark.parametrize("status", [200, 204])
def test_an_app_that_says_yes_is_reached(house: House, receiver: Receiver, status: int) -> None:
    app, person = listening(house, receiver), house.person()
    house.sign_in(person, app)
    house.parts.sessions.end(person.session, actor="test")
    receiver.statuses[:] = [status]
    deliver(house)
    assert _note(house).state == "reached"


@pytest.mark.parametrize(("status", "tries"), [(302, 4), (400, 3), (404, 4), (500, 4), (501, 4)])
def test_any_other_answer_is_none_and_redirects_are_not_followed(
    house: House, receiver: Receiver, status: int, tries: int
) -> None:
    app, person = listening(house, receiver), house.person()
    house.sign_in(person, app)
    house.parts.sessions.end(person.session, actor="test")
    receiver.statuses[:] = [status] * 10
    for _ in range(4):
        deliver(house)
        house.clock.advance(700)
    assert len(receiver.received) == tries
    assert _note(house).problem == f"it answered with status {status}"


def test_an_app_that_is_away_is_reached_when_it_comes_back(house: House) -> None:
    port = free_port()
    app = house.client(backchannel_logout_uri=f"http://127.0.0.1:{port}/logout")
    person = house.person()
    house.sign_in(person, app)
    house.parts.sessions.end(person.session, actor="test")
    deliver(house)
    assert _note(house).problem == "127.0.0.1: no connection"
    with Receiver(port) as receiver:
        house.clock.advance(5)
        deliver(house)
        assert _note(house).state == "reached"
        assert len(receiver.received) == 1


def test_the_address_of_today_counts_and_an_app_that_wants_no_more_gets_no_more(
    house: House, receiver: Receiver
) -> None:
    app, person = listening(house, receiver), house.person()
    house.sign_in(person, app)
    house.parts.sessions.end(person.session, actor="test")
    house.parts.repo.replace_if(replace(app.client, backchannel_logout_uri=None))
    deliver(house)
    assert receiver.received == []
    assert _note(house).state == "failed"


def test_tokens_end_with_the_session_and_only_those_for_offline_use_live_on(house: House, receiver: Receiver) -> None:
    app = listening(house, receiver, scopes=("openid", "offline_access"), consent="ask")
    person = house.person()
    scopes = ("openid", "offline_access")
    house.parts.repo.insert(Consent(consent_id(person.user.id, app.id), person.user.id, app.id, scopes, house.clock()))
    online = house.sign_in(person, app, scope="openid")
    offline = house.sign_in(person, app, scope="openid offline_access")
    house.parts.sessions.end(person.session, actor="test")
    deliver(house)
    assert len(receiver.received) == 1
    house.refused(house.refresh(app, online["refresh_token"]), 400, "invalid_grant")
    assert house.refresh(app, offline["refresh_token"]).status_code == 200


def test_no_app_at_a_private_address_is_told_by_an_installation_that_is_public(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, person = listening(house, receiver), house.person()
    house.sign_in(person, app)
    house.parts.sessions.end(person.session, actor="test")
    monkeypatch.setattr(type(house.parts.installation), "issuer", property(lambda _: "https://login.example.org"))
    deliver(house)
    assert receiver.received == []
    assert "private" in _note(house).problem


def _note(house: House) -> LogoutDelivery:
    states = ("waiting", "reached", "failed")
    (note,) = [note for state in states for note in house.parts.repo.find(LogoutDelivery, state=state)]
    return note
