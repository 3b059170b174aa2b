"""/admin/local-login and /break-glass as people use them: who may, turning it off, confirming, emergencies, and what pages say."""

import re

import pytest

from idp.domain.audit_event import AuditEvent
from tests.support.federated import add_login, came_in, make_ready, turn_off
from tests.web.house import PASSWORD, Browser, House, Person

PATH = "/admin/local-login"
POSTS = tuple(f"{PATH}/{name}" for name in ("off", "confirm", "on", "again", "exceptions", "shown", "codes", "close"))


def federated(house: House, person: Person) -> Browser:
    """A browser in which the person has just come in through the upstream."""
    browser = house.browser()
    _, handle = came_in(house.parts, person.user)
    browser.client.set_cookie("sheaf_session", handle)
    return browser


def state(house: House) -> str:
    return house.parts.local_login.switch().state


def untouched(house: House) -> bool:
    exceptions = house.parts.local_login.switch()
    return (exceptions.state, exceptions.version, house.parts.break_glass.codes_left()) == ("on", 0, 0)


# ---------------------------------------------------------------- who may


def test_whoever_is_not_signed_in_signs_in_first_and_comes_back(house: House, ada: Person) -> None:
    page = house.password_step(house.browser(), ada, PATH).submit("/factor", code=house.code(ada.secret))
    assert (page.path, page.status) == (PATH, 200)


def test_nobody_else_sees_it(house: House) -> None:
    page = house.sign_in(house.person("bob")).open(PATH)
    assert page.status == 403
    assert "for administrators" in page.text


@pytest.mark.parametrize("path", POSTS)
def test_nobody_else_can_send_its_forms(house: House, path: str) -> None:
    page = house.sign_in(house.person("bob")).post_blindly(path, proof="x", users="bob", version="0")
    assert page.status == 403
    assert untouched(house)


@pytest.mark.parametrize("path", POSTS)
def test_a_form_without_its_token_does_nothing(house: House, browser: Browser, path: str) -> None:
    fields = {"proof": "x", "users": "ada", "version": "0"}
    assert browser.post(path, fields).status == 403
    assert browser.post(path, {**fields, "csrf": "0" * 40}).status == 403
    good = browser.open(PATH).form("/codes").values["csrf"]
    assert browser.post(path, {**fields, "csrf": good}, Origin="https://evil.example").status == 403
    assert untouched(house)


@pytest.mark.parametrize("path", [one for one in POSTS if not one.endswith("/again")])
def test_whoever_signed_in_long_ago_proves_again_before_a_change(house: House, browser: Browser, path: str) -> None:
    house.clock.advance(601)
    assert browser.open(PATH).path == PATH
    assert browser.post_blindly(path, users="ada").path.startswith("/flow/")
    assert untouched(house)


# ---------------------------------------------------------------- before, on trial, off


def test_the_page_says_what_is_missing_and_offers_no_button_before_it_is_there(house: House, browser: Browser) -> None:
    page = browser.open(PATH)
    assert "Run this on the server" in page.text
    assert "Sign in through an upstream with your second step" in page.text
    assert not any(form.action == f"{PATH}/off" for form in page.document.forms)
    blind = browser.post_blindly(f"{PATH}/off", version="0")
    assert blind.status == 409
    assert "something is still missing" in blind.text
    assert untouched(house)


def test_the_word_of_the_command_is_typed_in_here(house: House, browser: Browser) -> None:
    word = house.parts.break_glass.word(actor="cli")
    wrong = browser.open(PATH).submit("/shown", proof="ABCD-EFGH")
    assert (wrong.status, "neither the word" in wrong.text) == (401, True)
    page = browser.open(PATH).submit("/shown", proof=word)
    assert page.path == PATH
    assert "Somebody with the server's shell showed it" in page.text


def test_codes_are_shown_once_and_one_is_tried(house: House, browser: Browser) -> None:
    sheet = browser.open(PATH).submit("/codes")
    codes = re.findall(r"[A-Z0-9]{4}(?:-[A-Z0-9]{4}){3}", sheet.html)
    assert len(codes) == 10
    assert sheet.response.headers["Cache-Control"] == "no-store"
    assert codes[0] not in browser.open(PATH).html
    page = browser.open(PATH).submit("/shown", proof=codes[0].lower())
    assert "A code of the newest sheet was tried" in page.text
    assert "9 unused codes" in page.text


def test_turned_off_on_trial_confirmed_from_a_fresh_federated_session_and_turned_on(house: House, ada: Person) -> None:
    make_ready(house.parts, ada.user)
    admin, left = federated(house, ada), house.sign_in(ada)
    page = admin.open(PATH).submit("/off")
    assert (page.path, state(house)) == (PATH, "trial")
    assert "off on trial" in page.text
    assert not left.signed_in
    assert not any(form.action == f"{PATH}/confirm" for form in page.document.forms)
    assert admin.post_blindly(f"{PATH}/confirm").status == 403

    house.clock.advance(5)
    page = federated(house, ada).open(PATH).submit("/confirm")
    assert (page.path, state(house)) == (PATH, "off")
    assert "Passwords are refused everywhere" in page.text
    admin = federated(house, ada)
    assert (admin.open(PATH).submit("/on").path, state(house)) == (PATH, "on")
    assert house.sign_in(ada).signed_in


def test_confirming_too_late_says_that_it_is_on_again(house: House, ada: Person) -> None:
    make_ready(house.parts, ada.user)
    federated(house, ada).open(PATH).submit("/off")
    house.clock.advance(5)
    admin = federated(house, ada)
    page = admin.open(PATH)
    house.clock.advance(600)
    assert page.submit("/confirm").status in (303, 409)
    assert state(house) == "on"
    assert len(house.parts.repo.find(AuditEvent, name="local_login.reverted")) == 1


def test_a_form_from_before_somebody_elses_change_does_nothing(house: House, ada: Person) -> None:
    make_ready(house.parts, ada.user)
    admin = federated(house, ada)
    page = admin.open(PATH)
    house.parts.turn_local_login.set_exceptions([ada.user], [], actor="somebody")
    assert page.submit("/off").status == 409
    assert page.submit("/exceptions", users="", roles="").status == 409
    assert (state(house), house.parts.local_login.switch().users) == ("on", (ada.user.id,))


def test_the_button_to_sign_in_again_leads_to_a_sign_in_of_the_same_person_and_back(house: House, ada: Person) -> None:
    browser = house.sign_in(ada)
    page = browser.open(PATH).submit("/again")
    assert page.path.startswith("/flow/")
    page = page.submit("/password", username="ada", password=PASSWORD)
    assert page.submit("/factor", code=house.code(ada.secret)).path == PATH


@pytest.mark.parametrize("version", ["x", "-1", "9" * 15, "１"], ids=["text", "negative", "large", "wide digit"])
def test_an_odd_version_is_refused(house: House, browser: Browser, version: str) -> None:
    assert browser.post_blindly(f"{PATH}/off", version=version).status == 409
    assert browser.post_blindly(f"{PATH}/off", version="9" * 16).status == 400


# ---------------------------------------------------------------- exceptions


def test_exceptions_are_listed_and_replaced(house: House, browser: Browser) -> None:
    bob = house.person("bob")
    page = browser.open(PATH).submit("/exceptions", users="bob@example.org", roles="kiosk\n\nservice desk\n")
    assert page.path == PATH
    switch = house.parts.local_login.switch()
    assert (switch.users, switch.roles) == ((bob.user.id,), ("kiosk", "service desk"))
    assert "bob" in page.form("/exceptions").values["users"]
    assert browser.open(PATH).submit("/exceptions", users="nobody", roles="").status == 404
    browser.open(PATH).submit("/exceptions", users="", roles="")
    assert house.parts.local_login.switch().users == ()


def test_who_would_be_locked_out_is_listed(house: House, browser: Browser) -> None:
    house.person("bob")
    assert "bob" in browser.open(PATH).text


# ---------------------------------------------------------------- off means off


def off(house: House, person: Person) -> None:
    turn_off(house.parts, person.user)


def test_with_local_login_off_the_form_is_gone_and_what_is_sent_blindly_fails_as_a_wrong_password(
    house: House, ada: Person
) -> None:
    off(house, ada)
    browser = house.browser()
    page = browser.open("/sign-in")
    assert "password" not in {name for form in page.document.forms for name in form.names}
    start = house.attempt()
    csrf = browser.open(start).form("/cancel").values["csrf"]
    told = [
        browser.post(f"{start}/password", {"csrf": csrf, "username": "ada", "password": word})
        for word in (PASSWORD, "wrong password")
    ]
    assert [answer.status for answer in told] == [401, 401]
    assert len({re.sub(r"\b[A-Z0-9]{8}\b", "", answer.text) for answer in told}) == 1
    assert not browser.signed_in


def test_a_password_cannot_be_changed_by_whom_it_does_not_count_for(house: House, ada: Person) -> None:
    bob = house.person("bob")
    off(house, ada)
    add_login(house.parts, bob.user)
    browser = federated(house, bob)
    assert browser.open("/account/password").path == "/account"
    answers = [
        browser.post_blindly("/account/password", old=old, new="another good password") for old in (PASSWORD, "wrong")
    ]
    assert {answer.path for answer in answers} == {"/account"}
    assert house.parts.users.get(bob.user.id) == bob.user


def test_who_is_excepted_still_signs_in(house: House, ada: Person) -> None:
    bob = house.person("bob")
    house.parts.turn_local_login.set_exceptions([bob.user], [], actor="test")
    off(house, ada)
    assert house.sign_in(bob).signed_in
    assert house.password_step(house.browser(), ada).status == 401


def test_a_sign_in_under_way_ends_nowhere_when_it_is_turned_off_meanwhile(house: House, ada: Person) -> None:
    bob = house.person("bob")
    browser = house.browser()
    factor = house.password_step(browser, bob)
    off(house, ada)
    factor.submit("/factor", code=house.code(bob.secret))
    assert not browser.signed_in
