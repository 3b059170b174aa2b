"""/break-glass as people use it, the end of an emergency, and what other pages say while one lasts."""

import re
from collections.abc import Callable

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.local_login import BreakGlassCode
from tests.admin.test_local_login_pages import PATH, federated, off, state
from tests.support.federated import add_login, add_upstream, make_ready
from tests.web.house import PASSWORD, Browser, House, Person, Seen
from tests.web.test_pages import _Inline

# ---------------------------------------------------------------- emergencies


def test_opened_on_the_shell_an_administrator_signs_in_and_is_out_when_it_closes(house: House, ada: Person) -> None:
    off(house, ada)
    house.parts.break_glass.open("directory is down", seconds=300, actor="cli")
    browser = house.sign_in(ada)
    page = browser.open(PATH)
    assert "Emergency access is open" in page.text
    assert "directory is down" in page.text
    page.submit("/close")
    assert not browser.signed_in


def sheet(house: House) -> list[str]:
    return list(house.parts.break_glass.new_codes(actor="test"))


def type_code(browser: Browser, code: str, **fields: str) -> Seen:
    given = {"code": code, "username": "ada", "password": PASSWORD, "reason": "directory is down", **fields}
    return browser.open("/break-glass").submit("/break-glass", **given)


def test_a_code_of_the_sheet_with_password_and_second_step_leads_to_the_switch(house: House, ada: Person) -> None:
    off(house, ada)
    code, *_ = sheet(house)
    browser = house.browser()
    page = type_code(browser, code)
    assert page.path.endswith("/factor")
    assert not browser.signed_in
    page = browser.open(page.path).submit("/factor", code=house.code(ada.secret))
    assert page.path == PATH
    page.submit("/on")
    assert state(house) == "on"


def test_the_second_step_is_asked_for_as_ever(house: House, ada: Person) -> None:
    off(house, ada)
    browser = house.browser()
    page = type_code(browser, sheet(house)[0])
    assert page.submit("/factor", code="000000").status == 401
    assert browser.open(PATH).path.startswith("/flow/")


@pytest.mark.parametrize(
    "wrong",
    [{"password": "wrong"}, {"username": "bob"}, {"username": "nobody"}, {"code": "AAAA-AAAA-AAAA-AAAA"}],
    ids=["password", "no administrator", "nobody", "code"],
)
def test_whatever_is_wrong_is_told_alike(house: House, ada: Person, wrong: dict[str, str]) -> None:
    house.person("bob")
    off(house, ada)
    good, *_ = sheet(house)
    page = type_code(house.browser(), **{"code": good, **wrong})
    assert page.status == 401
    assert "The code, the user name or the password is not right." in page.text
    assert good not in page.html
    assert PASSWORD not in page.html
    assert house.parts.break_glass.codes_left() == 10


@pytest.mark.parametrize("name", ["code", "username", "password", "reason"])
def test_nothing_may_be_left_out_or_be_endless(house: House, ada: Person, name: str) -> None:
    off(house, ada)
    good, *_ = sheet(house)
    for value in ("", "  ", "x" * 5000, "a\x00b"):
        assert type_code(house.browser(), **{"code": good, name: value}).status in (400, 401)
    assert house.parts.local_login.opened() == []
    assert house.parts.break_glass.codes_left() == 10


def test_the_form_of_the_sheet_needs_its_token(house: House, ada: Person) -> None:
    off(house, ada)
    good, *_ = sheet(house)
    fields = {"code": good, "username": "ada", "password": PASSWORD, "reason": "directory is down"}
    assert house.browser().post("/break-glass", fields).status == 403
    assert house.parts.break_glass.codes_left() == 10


def test_while_passwords_count_a_code_is_neither_asked_for_nor_used_up(house: House, ada: Person) -> None:
    good, *_ = sheet(house)
    browser = house.browser()
    page = browser.open("/break-glass")
    assert "You do not need this now" in page.text
    browser.post_blindly("/break-glass", code=good, username="ada", password=PASSWORD, reason="directory is down")
    assert house.parts.break_glass.codes_left() == 10
    assert not browser.signed_in


def test_no_code_word_or_password_is_in_log_store_or_address(
    house: House, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    off(house, ada)
    codes = sheet(house)
    type_code(house.browser(), codes[0], password="the wrong password")
    page = type_code(house.browser(), codes[0])
    word = house.parts.break_glass.word(actor="cli")
    kept = repr(house.parts.repo.find(AuditEvent, limit=1000)) + repr(house.parts.repo.find(BreakGlassCode))
    for secret in (codes[0], codes[0].replace("-", ""), PASSWORD, "the wrong password", word):
        assert secret not in caplog.text
        assert secret not in kept
        assert secret not in page.path


# ---------------------------------------------------------------- what pages say


def test_the_alarm_stands_on_sign_in_and_administration_pages_and_on_no_others(house: House, ada: Person) -> None:
    bob = house.person("bob")
    off(house, ada)
    add_login(house.parts, bob.user)
    boss, person = federated(house, ada), federated(house, bob)
    assert "Emergency access" not in house.browser().open("/sign-in").text
    house.parts.break_glass.open("directory is down", seconds=300, actor="cli")
    seen = house.browser().open("/sign-in").text
    assert "Emergency access is open" in seen
    assert "directory is down" not in seen
    assert "directory is down" in boss.open("/").text
    assert "Emergency access" not in person.open("/account").text
    house.clock.advance(300)
    assert "Emergency access is open" not in house.browser().open("/sign-in").text
    assert "directory is down" not in boss.open("/").text


def test_a_trial_is_told_on_every_sign_in_page(house: House, ada: Person) -> None:
    make_ready(house.parts, ada.user)
    house.parts.turn_local_login.turn_off(actor=ada.user.id)
    assert "Local login is off on trial" in house.browser().open("/sign-in").text


def test_a_configuration_that_says_off_is_told_to_administrators(house_with: Callable[..., House]) -> None:
    house = house_with(local_login=False)
    browser = house.sign_in(house.person("ada", admin=True))
    assert "not in force yet" in browser.open(PATH).text


def test_pages_have_no_inline_script_are_small_and_speak_german(house: House, ada: Person, browser: Browser) -> None:
    make_ready(house.parts, ada.user)
    seen = [browser.open(PATH), browser.open(PATH).submit("/codes")]
    house.parts.turn_local_login.turn_off(actor=ada.user.id)
    seen += [federated(house, ada).open(PATH), house.browser().open("/break-glass")]
    for page in seen:
        inline = _Inline()
        inline.feed(page.html)
        assert (page.status, inline.found) == (200, [])
        assert len(page.response.data) < 20_000
    german = house.browser().open("/break-glass", **{"Accept-Language": "de"})
    assert "Notzugang" in german.text
    assert not re.search(r"\b(local_login|break_glass|alarm)\.\w", german.text)


def test_the_home_page_leads_there(house: House, browser: Browser) -> None:
    assert ("Local login", PATH) in browser.open("/").document.links
    add_upstream(house.parts, "another")
    assert PATH not in house.sign_in(house.person("bob")).open("/").html
