"""An administrator at work in a real Chromium: registers an app, copies and replaces its secret, previews, tests a sign-in.

At two widths, light and dark, with and without JavaScript; photographed, and with JavaScript examined by axe-core.
"""

import re
from typing import TYPE_CHECKING

import pytest
import requests

from tests.support.chromium import Windows
from tests.support.sheaf import Person, Sheaf
from tests.web.test_browser import BY_PASSWORD, Eyes, StartSheaf

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHOWN_SECRET = "#secret"


def _sign_in(page: "Page", person: Person) -> None:
    page.locator("[name=username]").fill(person.username)
    page.locator("[name=password]").fill(person.password)
    page.get_by_role("button", name=BY_PASSWORD).click()
    page.get_by_label("6-digit code").fill(person.code())
    page.get_by_role("button", name="Confirm code").click()


def _works(sheaf: Sheaf, client_id: str, secret: str) -> bool:
    answer = requests.post(sheaf.url("/introspect"), auth=(client_id, secret), data={"token": "x"}, timeout=10)
    return answer.status_code == 200


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_an_administrator_registers_changes_and_tries_an_app(
    js: bool, windows: Windows, start_sheaf: StartSheaf
) -> None:
    sheaf = start_sheaf()
    eyes = Eyes(windows, "admin-js" if js else "admin-nojs", axe=js)
    person = sheaf.add_user("grace", full_name="Grace Hopper", admin=True, totp=True)
    more = {"permissions": ["clipboard-read", "clipboard-write"]} if js else {}
    page = windows.open(sheaf.url("/admin/clients"), js=js, **more)
    _sign_in(page, person)

    eyes.look(page, "1-no-apps", "Apps")
    page.get_by_role("link", name="Register an app").click()
    eyes.look(page, "2-new", "Register an app")
    page.get_by_label("Name", exact=True).fill("Team wiki")
    page.get_by_label("Redirect URIs").fill("http://wiki.example.org/callback")
    page.get_by_role("button", name="Register app").click()
    page.get_by_role("alert").filter(has_text="must be https").wait_for()
    eyes.look(page, "3-new-refused", "Register an app")
    page.get_by_label("Redirect URIs").fill("https://wiki.example.org/callback")
    page.get_by_role("button", name="Register app").click()

    eyes.look(page, "4-secret", "Team wiki is registered")
    first = page.locator(SHOWN_SECRET).get_attribute("data-text") or ""
    if js:
        page.get_by_role("button", name="Copy").nth(1).click()
        page.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == first
    client_id = page.locator("#client-id").get_attribute("data-text") or ""
    assert _works(sheaf, client_id, first)
    page.get_by_role("link", name="Go to Team wiki").click()
    eyes.look(page, "5-app", "Team wiki")

    page.get_by_role("link", name="Replace the secret").click()
    eyes.look(page, "6-rotate", "Replace the secret")
    page.get_by_label("1 hour").check()
    page.get_by_role("button", name="Make a new secret").click()
    eyes.look(page, "7-new-secret", "New secret of Team wiki")
    second = page.locator(SHOWN_SECRET).get_attribute("data-text") or ""
    assert [_works(sheaf, client_id, one) for one in (first, second)] == [True, True]
    page.get_by_role("link", name="Go to Team wiki").click()
    page.get_by_role("link", name="Replace the secret").click()
    eyes.look(page, "8-two-secrets", "Replace the secret")
    page.get_by_role("button", name="End the old secret now").click()
    page.get_by_text("Saved.").wait_for()
    assert [_works(sheaf, client_id, one) for one in (first, second)] == [False, True]

    for section, heading in (
        ("sign-in", "Sign-in"),
        ("authentication", "Authentication of the app"),
        ("tokens", "Tokens"),
        ("claims", "Claims"),
        ("logout", "Logout"),
        ("metadata", "About the app"),
    ):
        page.goto(sheaf.url(f"/admin/clients/{client_id}/edit/{section}"))
        page.get_by_text(re.compile("^More")).first.click()
        eyes.look(page, f"9-edit-{section}", heading)
    page.goto(sheaf.url(f"/admin/clients/{client_id}/edit/sign-in"))
    if not page.get_by_label("Profile").is_visible():
        page.get_by_text("More").first.click()
    page.get_by_label("Profile").select_option("legacy")
    page.get_by_label("PKCE is required").uncheck()
    page.get_by_text("As command").first.click()
    page.get_by_role("button", name="Renew").click()
    page.get_by_text("pkce_required=false").wait_for()
    eyes.look(page, "10-as-command", "Sign-in")
    page.get_by_role("button", name="Save").click()
    eyes.look(page, "11-weak", "Team wiki")

    page.get_by_role("link", name="What would this app get?").click()
    page.get_by_label("User name or e-mail").fill("grace")
    page.get_by_role("button", name="Show claims").click()
    page.get_by_text('"preferred_username": "grace"').first.wait_for()
    eyes.look(page, "12-preview", "What would this app get?")

    page.goto(sheaf.url(f"/admin/clients/{client_id}/test"))
    eyes.look(page, "13-test", "Test sign-in: Team wiki")
    page.get_by_role("button", name="Start test sign-in").click()
    page.get_by_role("button", name="Allow Team wiki").click()
    eyes.look(page, "14-tested", "Test sign-in: Team wiki")

    page.goto(sheaf.url("/admin/clients"))
    page.get_by_role("searchbox").fill("wiki.example")
    page.get_by_role("button", name="Search").click()
    eyes.look(page, "15-list", "Apps")
    page.goto(sheaf.url("/account/apps"))
    eyes.look(page, "16-allowed", "Apps you have allowed")
    page.goto(sheaf.url("/"))
    eyes.look(page, "17-home", "Hello, Grace Hopper")

    page.goto(sheaf.url(f"/admin/clients/{client_id}/remove"))
    eyes.look(page, "18-remove", "Remove Team wiki?")
    page.get_by_label("Type its name: Team wiki").fill("Team wiki")
    page.get_by_role("button", name="Remove app").click()
    page.get_by_text("The app is removed.").wait_for()
    assert eyes.found == []
    assert [one for one in windows.complaints if "status of 4" not in one] == []
