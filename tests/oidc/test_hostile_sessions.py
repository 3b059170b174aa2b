"""Owns what outlived a session once: a change of password, a sign-out after a long pause, somebody else at the same browser.

What ends with a session in the ordinary course is left to test_live_tokens and test_refresh.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from idp.domain.grant import Consent, Grant
from idp.domain.user import User
from idp.services.attempts import consent_id
from tests.oidc import devices
from tests.oidc.house import BYE, App, House, Person
from tests.support.html import parse


@pytest.fixture
def relaxed(house_with: Callable[..., House]) -> House:
    """Only administrators need a second factor here."""
    return house_with(second_factor="administrators")


def test_a_session_from_before_a_change_of_password_opens_nothing_although_it_was_not_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One was made at that very moment, or the process that was to end it died."""
    ada, app = house.person(), house.client()
    house.clock.advance(10)
    monkeypatch.setattr(house.parts.sessions, "end_all", lambda *_, **__: None)
    house.parts.users.set_password(ada.user, "a new pass phrase", actor="test")
    assert ada.browser.get("/account").headers["Location"].startswith("/flow/")
    assert house.authorize(ada.browser, app).headers["Location"].startswith("/flow/")


def test_however_many_sessions_somebody_made_all_of_them_end(house: House) -> None:
    ada = house.person()
    for number in range(1010):
        house.parts.repo.insert(replace(ada.session, id=f"{number:064d}", sid=f"sid_{number:032x}"))
    house.parts.users.set_disabled(ada.user, True, actor="test")
    assert house.parts.sessions.of(ada.user.id) == []


def lapsed(house: House, app: App, **more: Any) -> tuple[Person, dict[str, Any]]:
    """Somebody whose session was not used for too long, and the tokens that an app has by it."""
    ada = house.person(**more)
    answer = house.sign_in(ada, app)
    house.clock.advance(7_201)
    return ada, answer


def test_who_signs_out_after_a_long_pause_ends_what_hangs_on_the_session(house: House) -> None:
    app = house.client(access_token_seconds=20_000, backchannel_logout_uri="https://app.example/out")
    ada, answer = lapsed(house, app)
    left = ada.browser.get("/end_session", query_string={"client_id": app.id, "post_logout_redirect_uri": BYE})
    assert left.status_code == 303
    assert house.introspect(app, answer["access_token"]) == {"active": False}
    house.refused(house.refresh(app, answer["refresh_token"]), 400, "invalid_grant")
    assert house.parts.sessions.of(ada.user.id) == []


@pytest.mark.parametrize("same", [True, False])
def test_who_signs_in_after_a_long_pause_leaves_no_session_behind(relaxed: House, same: bool) -> None:
    house = relaxed
    app = house.client(access_token_seconds=20_000)
    ada, answer = lapsed(house, app)
    next_one = ada.user if same else house.user("bob")
    signed_in_by_password(house, ada, next_one)
    assert house.introspect(app, answer["access_token"])["active"] is same
    ada.browser.post("/sign-out", data=devices.form_of(ada.browser.get("/sign-out"), "/sign-out"))
    assert house.introspect(app, answer["access_token"]) == {"active": False}
    assert house.parts.sessions.of(ada.user.id) == []


def signed_in_by_password(house: House, person: Person, user: User) -> None:
    hashed = house.parts.passwords.hash("correct horse battery")
    stored = house.parts.users.get(user.id)
    assert stored is not None
    assert house.parts.repo.replace_if(replace(stored, password_hash=hashed)) is not None
    browser = person.browser
    page = browser.get(browser.get("/sign-in").headers["Location"])
    form = next(one for one in parse(page.text).forms if one.action.endswith("/password"))
    sent = {**form.values, "username": user.username, "password": "correct horse battery"}
    answer = browser.post(form.action, data=sent)
    while answer.status_code == 303:
        answer = browser.get(answer.headers["Location"])
    assert answer.status_code == 200, answer.text


# ---------------------------------------------------------------- at the same moment


def test_a_consent_that_is_taken_back_while_a_code_is_redeemed_is_taken_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, ada, repo = house.client(consent="ask"), house.person(), house.parts.repo
    consent = Consent(consent_id(ada.user.id, app.id), ada.user.id, app.id, ("openid", "offline_access"), house.clock())
    repo.insert(consent)
    code, consume = house.code(ada, app, scope="openid offline_access"), repo.consume

    def taken_back_first(*given: Any) -> Any:
        repo.delete(Consent, consent.id)
        return consume(*given)

    monkeypatch.setattr(repo, "consume", taken_back_first)
    house.refused(house.redeem(app, code), 400, "invalid_grant")
    (grant,) = repo.find(Grant, client_id=app.id)
    assert grant.revoked_at is not None


def test_nothing_of_before_comes_alive_when_a_user_is_enabled_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that disabled the user died before it had ended everything."""
    app, ada = house.client(), house.person()
    answer = house.sign_in(ada, app, scope="openid offline_access")
    with monkeypatch.context() as cut_off:
        cut_off.setattr(house.parts.sessions, "end_all", lambda *_, **__: None)
        disabled = house.parts.users.set_disabled(ada.user, True, actor="test")
    house.parts.users.set_disabled(disabled, False, actor="test")
    house.refused(house.refresh(app, answer["refresh_token"]), 400, "invalid_grant")
    assert house.parts.sessions.of(ada.user.id) == []


def test_an_app_is_told_again_when_a_session_that_ended_was_taken_up_in_another_tab(house: House) -> None:
    app, ada = house.client(backchannel_logout_uri="https://app.example/out"), house.person()
    parts = house.parts
    (note,) = parts.logout.note(ada.session, [app.id])
    assert parts.logout.note(ada.session, [app.id]) == []
    assert parts.repo.replace_if(replace(note, state="reached", attempts=3)) is not None
    (again,) = parts.logout.note(ada.session, [app.id])
    assert (again.id, again.state, again.attempts) == (note.id, "waiting", 0)
