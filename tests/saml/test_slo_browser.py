"""Owns the claims about single logout in a real browser: apps on other sites, with and without JavaScript, one that hangs.

The apps are servers of our own on loopback; real programs are in tests/journeys.
"""

import base64
import html
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.saml.leaving import App, Known, Message, known_by, read_form_fields, read_query
from tests.saml.peer import pair
from tests.support.chromium import Windows
from tests.support.ports import free_port
from tests.support.receiver import Received, Receiver
from tests.support.running import until
from tests.support.sheaf import Person, Sheaf

if TYPE_CHECKING:
    from playwright.sync_api import Page


class Site:
    """An app on a site of its own. hangs: it never answers a LogoutRequest; broken: it answers with a page and goes nowhere."""

    def __init__(self, sheaf: Sheaf, folder: Path, label: str, which: int, binding: str = "redirect") -> None:
        self.sheaf, self.hangs, self.broken = sheaf, False, False
        self.receiver = Receiver(free_port()).__enter__()
        base = self.receiver.url("", host="localhost")
        services = () if binding == "none" else ((binding, f"{base}/slo"),)
        self.app = App(f"{base}/metadata", (f"{base}/acs",), signing=pair("rsa-2048", 40 + which), logout=services)
        self.told: list[Message] = []
        self.receiver.pages.update({"/acs": f"HELLO from {label}", "/slo": self._slo, "/favicon.ico": ""})
        metadata = folder / f"{label}.xml"
        metadata.write_bytes(self.app.metadata())
        sheaf.add_sp(metadata, name=label)

    def _slo(self, got: Received) -> str:
        sent = got.form if got.method == "POST" else got.query
        if "SAMLResponse" in sent:
            return "Signed out at the app"
        message = read_form_fields(got.form) if got.method == "POST" else read_query(got.path)
        self.told.append(message)
        while self.hangs:
            time.sleep(0.05)
        if self.broken:
            return "Something went wrong in this app"
        slo = self.sheaf.url("/saml/slo")
        answer = self.app.logout_response(message.id, time.time(), destination=slo)
        if got.method == "POST":
            fields = self.app.by_form(answer, kind="SAMLResponse")
            value = fields["SAMLResponse"]
            return (
                f'<form method="post" action="{slo}"><input type="hidden" name="SAMLResponse" value="{value}">'
                "<button>Go back</button></form><script>document.forms[0].submit()</script>"
            )
        url = html.escape(f"{slo}?{self.app.by_query(answer, kind='response')}")
        return f'<meta http-equiv="refresh" content="0;url={url}">'

    def sign_in_url(self) -> str:
        sso = self.sheaf.url("/saml/sso")
        return f"{sso}?{self.app.query(self.app.authn_request(time.time(), sso))}"

    def known(self) -> Known:
        """As it was told at the last sign-in."""
        posted = [got for got in self.receiver.received if got.path == "/acs"]
        return known_by(base64.b64decode(posted[-1].form["SAMLResponse"][0]))

    def close(self) -> None:
        self.hangs = False
        self.receiver.__exit__()


@pytest.fixture(scope="module")
def running(start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    return start_sheaf(second_factor="administrators")


@pytest.fixture
def sites(running: Sheaf, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def make(label: str, binding: str = "redirect") -> Site:
        made.append(Site(running, tmp_path, label, len(made), binding))
        return made[-1]

    yield make
    for one in made:
        one.close()


def signed_in(windows: Windows, sites: list[Site], person: Person, *, js: bool, phone: bool, dark: bool) -> "Page":
    page = windows.open(sites[0].sign_in_url(), js=js, phone=phone, dark=dark)
    page.fill("[name=username]", person.username)
    page.fill("[name=password]", person.password)
    page.press("[name=password]", "Enter")
    for site in sites:
        if site is not sites[0]:
            page.goto(site.sign_in_url())
        if not js:
            page.click("main button")
        page.wait_for_url("**/acs")
    return page


@pytest.mark.parametrize("js", [True, False])
def test_a_browser_is_led_through_apps_of_other_sites_and_back(
    running: Sheaf, sites: Callable[..., Site], windows: Windows, js: bool
) -> None:
    wiki, shop, mute = sites("Wiki"), sites("Shop", "post"), sites("Old Intranet", "none")
    page = signed_in(windows, [wiki, shop, mute], running.add_user(), js=js, phone=not js, dark=not js)
    page.goto(running.url("/sign-out"))
    page.click("main button:has-text('Sign out')")
    if not js:
        page.wait_for_selector("button:has-text('Shop')")
        windows.screenshot(page, "saml-logout-run-no-js")
        page.click("button:has-text('Shop')")
        page.wait_for_url("**/slo")
        page.click("button")
    page.wait_for_url("**/signed-out/*")
    words = page.inner_text("main")
    assert ["Wiki signed out" in words, "Shop signed out" in words, "Old Intranet cannot be told" in words] == [
        True
    ] * 3
    windows.screenshot(page, f"saml-signed-out-{'js' if js else 'no-js'}")
    if js:
        assert windows.violations(page) == []
    assert [len(site.told) for site in (wiki, shop)] == [1, 1]


@pytest.mark.parametrize("js", [True, False])
def test_an_app_that_hangs_leaves_a_page_with_a_way_on(
    running: Sheaf, sites: Callable[..., Site], windows: Windows, js: bool
) -> None:
    wiki, shop = sites("Wiki"), sites("Shop")
    page = signed_in(windows, [wiki, shop], running.add_user(), js=js, phone=js, dark=False)
    wiki.hangs = True
    page.goto(running.url("/sign-out"))
    page.click("main button:has-text('Sign out')", no_wait_after=True)
    page.wait_for_url("**/saml/logout/*", wait_until="commit")
    until(lambda: wiki.told, "the app is asked")
    if not js:  # with scripts it goes on by itself; Playwright waits for the app, the keyboard does not
        for key in ("Tab", "Tab", "Enter"):
            page.keyboard.press(key)
    page.wait_for_url("**/signed-out/*", timeout=30_000, wait_until="commit")
    words = page.inner_text("main")
    assert "Wiki not reached" in words
    assert "Shop signed out" in words
    windows.screenshot(page, f"saml-signed-out-partly-{'js' if js else 'no-js'}")


def test_who_goes_back_from_a_broken_app_comes_on(running: Sheaf, sites: Callable[..., Site], windows: Windows) -> None:
    wiki, shop = sites("Wiki"), sites("Shop")
    page = signed_in(windows, [wiki, shop], running.add_user(), js=True, phone=False, dark=True)
    wiki.broken = True
    page.goto(running.url("/sign-out"))
    page.click("main button:has-text('Sign out')")
    page.wait_for_url("**/slo?SAMLRequest=*")
    assert "Something went wrong" in page.inner_text("body")
    time.sleep(5.2)  # sooner, it would be taken for a second press of a button
    page.go_back(wait_until="commit")  # to the page before ours, which was only passed through
    page.wait_for_url("**/signed-out/*")
    words = page.inner_text("main")
    assert "Wiki not reached" in words
    assert "Shop signed out" in words


def test_an_app_that_begins_it_gets_the_person_back_after_a_page_that_tells_what_was_not_reached(
    running: Sheaf, sites: Callable[..., Site], windows: Windows
) -> None:
    wiki, mute = sites("Wiki", "post"), sites("Old Intranet", "none")
    person = running.add_user()
    page = signed_in(windows, [wiki, mute], person, js=True, phone=False, dark=False)
    slo = running.url("/saml/slo")
    fields = wiki.app.by_form(wiki.app.logout_request(wiki.known(), time.time(), destination=slo))
    wiki.receiver.pages["/leave"] = (
        f'<form method="post" action="{slo}"><input type="hidden" name="SAMLRequest" value="{fields["SAMLRequest"]}">'
        "</form><script>document.forms[0].submit()</script>"
    )
    page.goto(wiki.receiver.url("/leave", host="localhost"))
    page.wait_for_selector("text=Old Intranet")
    windows.screenshot(page, "saml-signed-out-partial-initiator")
    assert "cannot be told" in page.inner_text("main")
    page.wait_for_url("**/slo", timeout=20_000)
    assert "Signed out at the app" in page.inner_text("body")
    assert page.goto(running.url("/account")).url.startswith(running.url("/flow/"))  # type: ignore[union-attr]
