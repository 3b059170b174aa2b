"""Turning local login off in a real Chromium: every state of the page, the alarm, and the page for the printed sheet.

The sign-ins through the upstream are put into the store; tests/journeys goes the whole way.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from idp.assemble import build_parts
from idp.base.config import Settings
from idp.http.parts import Parts
from tests.support.chromium import Windows
from tests.support.federated import add_login, add_upstream, came_in
from tests.support.sheaf import PASSWORD, Sheaf
from tests.support.sheaf import Person as SheafPerson
from tests.web.test_browser import Eyes

if TYPE_CHECKING:
    from playwright.sync_api import Page

TITLE = "Local login"


@contextmanager
def inside(sheaf: Sheaf) -> Iterator[Parts]:
    parts = build_parts(Settings(data=str(sheaf.data)))
    yield parts
    parts.repo.close()


def arrive_from_upstream(sheaf: Sheaf, page: "Page", person: SheafPerson) -> None:
    """This browser has just come in through the upstream, with second step."""
    with inside(sheaf) as parts:
        user = parts.users.get(person.id)
        assert user is not None
        _, handle = came_in(parts, user)
    page.context.add_cookies([{"name": "sheaf_session", "value": handle, "url": sheaf.issuer}])


def press(page: "Page", name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_off_on_trial_confirmed_emergency_and_on_again(
    js: bool, windows: Windows, start_sheaf: Callable[..., Sheaf]
) -> None:
    sheaf = start_sheaf()
    ada = sheaf.add_user("ada", full_name="Ada Lovelace", admin=True, totp=True)
    sheaf.add_user("bob", full_name="Bob Builder")
    with inside(sheaf) as parts:
        user = parts.users.get(ada.id)
        assert user is not None
        add_upstream(parts)
        add_login(parts, user)
    eyes = Eyes(windows, "local-login-js" if js else "local-login-nojs", axe=js)
    page = windows.open(sheaf.url("/"), js=js)
    with inside(sheaf) as parts:
        _, handle = parts.sessions.establish(_password_proof(parts, ada.id), None, "tests")
    page.context.add_cookies([{"name": "sheaf_session", "value": handle, "url": sheaf.issuer}])

    page.goto(sheaf.url("/admin/local-login"))
    eyes.look(page, "1-before", TITLE)
    word = sheaf.cli("break-glass", "--prove")["word"]
    page.get_by_label("Word or code").fill(word)
    press(page, "Show that it works")
    page.get_by_text("the server's shell showed it").wait_for()
    press(page, "Make a new sheet of codes")
    eyes.look(page, "2-codes", "Codes for emergency access")
    codes = page.locator("pre code").inner_text().split()
    assert len(codes) == 10

    arrive_from_upstream(sheaf, page, ada)
    page.get_by_role("link", name="I have printed them").click()
    page.get_by_label("Users").fill("bob")
    press(page, "Change exceptions")
    eyes.look(page, "3-ready", TITLE)
    press(page, "Turn local login off on trial")
    page.get_by_role("heading", name="Keep it off?").wait_for()
    eyes.look(page, "4-trial", TITLE)

    time.sleep(0.05)  # a session counts that is newer than the switch
    arrive_from_upstream(sheaf, page, ada)
    page.reload()
    eyes.look(page, "5-trial-may-confirm", TITLE)
    press(page, "Keep local login off")
    page.get_by_text("Passwords are refused everywhere.").wait_for()
    eyes.look(page, "6-off", TITLE)

    _by_the_sheet(windows, sheaf, eyes, ada, codes[0], js)
    page.reload()
    eyes.look(page, "9-emergency", TITLE)
    press(page, "Close emergency access")
    page.get_by_role("button", name="Close emergency access").wait_for(state="detached")
    press(page, "Turn local login on")
    page.get_by_text("Before it can be turned off").wait_for()
    assert eyes.found == []
    assert [one for one in windows.complaints if "status of 4" not in one] == []


def _by_the_sheet(windows: Windows, sheaf: Sheaf, eyes: Eyes, ada: SheafPerson, code: str, js: bool) -> None:
    """Another browser, without a session: the printed sheet, the password and the second step."""
    page = windows.open(sheaf.url("/break-glass"), js=js)
    eyes.look(page, "7-sheet", "Emergency access")
    for name, value in (("code", code), ("username", "ada"), ("password", PASSWORD), ("reason", "directory is down")):
        page.locator(f"[name={name}]").fill(value)
    press(page, "Open emergency access")
    eyes.look(page, "8-factor-with-alarm", "Second step")
    page.get_by_label("6-digit code").fill(ada.code())
    press(page, "Confirm code")
    page.wait_for_url(sheaf.url("/admin/local-login"))


def _password_proof(parts: Parts, user_id: str):  # type: ignore[no-untyped-def]
    from idp.domain.attempt import Proof
    from idp.domain.session import OTP, PWD

    return Proof(user_id, parts.clock(), (PWD, OTP), parts.clock())
