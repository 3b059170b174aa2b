"""People in a real Chromium: an administrator adds, links, merges and invites; the owner undoes by the link of a real mail.

At two widths, light and dark, with and without JavaScript; photographed, and with JavaScript examined by axe-core.
"""

import time
from typing import TYPE_CHECKING

import pytest

from tests.admin.test_browser import _sign_in
from tests.support.chromium import Windows
from tests.support.smtp import Inbox, mail_server
from tests.web.test_browser import Eyes, StartSheaf

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.sheaf import Sheaf


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_people_are_merged_and_the_owner_undoes_it_by_mail(js: bool, windows: Windows, start_sheaf: StartSheaf) -> None:
    with mail_server() as (port, inbox):
        env = {"IDP_MAIL__URL": f"smtp://127.0.0.1:{port}", "IDP_MAIL__SENDER": "sheaf@example.org"}
        sheaf = start_sheaf(env=env)
        eyes = Eyes(windows, "people-js" if js else "people-nojs", axe=js)
        _prepare(sheaf)
        grace = sheaf.add_user("grace", full_name="Grace Hopper", admin=True, totp=True)
        page = windows.open(sheaf.url("/admin/users"), js=js)
        _sign_in(page, grace)
        eyes.look(page, "1-list", "People")
        _add(page, eyes)
        _merge(page, eyes)
        _split_and_invite(page, eyes)
        _undo(windows, js, _mail_about(inbox, "were joined"), eyes)
        _own_account(windows, sheaf, js, eyes)
        assert eyes.found == []
        assert [one for one in windows.complaints if "status of 4" not in one] == []


def _prepare(sheaf: "Sheaf") -> None:
    settings = ("--set", "issuer=https://login.example.org", "--set", "client_id=x", "--set", "client_secret=y")
    sheaf.cli("upstream", "add", "oidc", "--id", "corp", "--set", "label=Example Login", *settings)
    for name in ("ada", "ada.lovelace"):
        sheaf.cli("user", "add", name, "--email", f"{name}@example.org", "--name", "Ada Lovelace", "--group", "staff")
        sheaf.cli("user", "link", name, "corp", f"248289761{len(name)}")


def _add(page: "Page", eyes: Eyes) -> None:
    page.get_by_role("link", name="Add somebody").click()
    eyes.look(page, "2-new", "Add somebody")
    page.get_by_label("User name").fill("bob")
    page.get_by_label("E-mail address").fill("nonsense")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("alert").wait_for()
    eyes.look(page, "3-new-refused", "Add somebody")
    page.get_by_label("E-mail address").fill("bob@example.org")
    page.get_by_role("button", name="Add").click()
    eyes.look(page, "4-bob", "bob")
    page.get_by_role("link", name="Link a login").click()
    page.get_by_label("Subject").fill("12345")
    eyes.look(page, "5-link", "Link a login to bob")
    page.get_by_role("button", name="Link", exact=True).click()
    page.get_by_text("Example Login was linked").first.wait_for()
    page.get_by_role("link", name="Change", exact=True).click()
    eyes.look(page, "6-edit", "Change bob")


def _merge(page: "Page", eyes: Eyes) -> None:
    page.get_by_role("link", name="People", exact=True).click()
    page.get_by_role("link", name="ada", exact=True).click()
    page.get_by_role("link", name="Join another account").click()
    eyes.look(page, "7-merge", "Join another account to ada")
    page.get_by_label("of the account that goes").fill("ada.lovelace@example.org")
    page.get_by_role("button", name="Look what will happen").click()
    eyes.look(page, "8-merge-what", "Join another account to ada")
    page.get_by_label("Type ada.lovelace to confirm").fill("ada.lovelace")
    page.get_by_role("button", name="Join ada.lovelace to ada").click()
    page.get_by_text("ada.lovelace was joined to ada").first.wait_for()
    eyes.look(page, "9-merged", "ada")


def _split_and_invite(page: "Page", eyes: Eyes) -> None:
    page.get_by_role("link", name="Split off").click()
    eyes.look(page, "10-split", "Split logins off ada")
    page.get_by_role("link", name="People", exact=True).click()
    page.get_by_role("link", name="Invite somebody").click()
    eyes.look(page, "11-invitations", "Invitations")
    page.get_by_label("E-mail address").fill("new@example.org")
    page.get_by_role("button", name="Invite", exact=True).click()
    eyes.look(page, "12-invited", "The invitation is made")
    link = page.locator("#link").get_attribute("data-text") or ""
    page.get_by_role("link", name="Back to the invitations").click()
    eyes.look(page, "13-open", "Invitations")
    page.goto(link)
    eyes.look(page, "14-invitation", "You are invited to Sheaf")


def _undo(windows: Windows, js: bool, text: str, eyes: Eyes) -> None:
    """In a browser where nobody is signed in."""
    link = next(line.strip() for line in text.splitlines() if "/undo/" in line)
    page = windows.open(link, js=js)
    eyes.look(page, "15-undo", "Undo this change?")
    page.get_by_role("button", name="Undo it").click()
    eyes.look(page, "16-undone", "It is undone")


def _own_account(windows: Windows, sheaf: "Sheaf", js: bool, eyes: Eyes) -> None:
    eve = sheaf.add_user("eve", full_name="Eve", totp=True)
    sheaf.cli("user", "link", "eve", "corp", "777")
    page = windows.open(sheaf.url("/account"), js=js)
    _sign_in(page, eve)
    eyes.look(page, "17-account", "Your account")
    page.get_by_role("link", name="Join another account of mine").click()
    eyes.look(page, "18-merge-own", "Join two accounts")
    mallory = sheaf.add_user("eve2", full_name="Eve", totp=True)
    page.get_by_role("button", name="Sign in to the other account").click()
    _sign_in(page, mallory)
    page.get_by_text("You have proved both").wait_for()
    eyes.look(page, "19-merge-which", "Join two accounts")
    page.get_by_role("radio").first.check()
    page.get_by_role("button", name="Join the accounts").click()
    page.get_by_role("heading", name="Sign in").wait_for()


def _mail_about(inbox: Inbox, subject: str) -> str:
    """Waits for the mail: it is sent in the background."""
    for _ in range(200):
        found = [text for mail, text in zip(inbox.mails, inbox.texts, strict=False) if subject in mail["Subject"]]
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError([mail["Subject"] for mail in inbox.mails])
