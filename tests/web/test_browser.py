"""The pages in a real Chromium: whole ways through them, at two widths, light and dark, with and without JavaScript.

Every screen is photographed into the folder of test artifacts and, with JavaScript, examined by axe-core.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from idp.assemble import build_parts
from idp.base.config import Settings
from idp.domain.upstream import UpstreamIdentity
from tests.support.chromium import DESKTOP, PHONE, Windows
from tests.support.sheaf import PASSWORD, Person, Sheaf
from tests.support.totp import Authenticator

if TYPE_CHECKING:
    from playwright.sync_api import Page

StartSheaf = Callable[..., Sheaf]
BY_PASSWORD = re.compile("^Sign in$")


@dataclass
class Eyes:
    """Looks at a page, wide and light, narrow and dark; `found` holds what axe-core and a ruler found wrong.

    axe-core (the dearest of it) sees one page so and the next one so: they share one stylesheet.
    """

    windows: Windows
    series: str
    axe: bool
    found: list[str] = field(default_factory=list)
    looked: int = 0

    def look(self, page: "Page", name: str, heading: str) -> None:
        """heading: of the page that is expected; waits until it is there."""
        _at(page, heading)
        self.looked += 1
        for turn, (width, size, scheme) in enumerate((("phone", PHONE, "dark"), ("desktop", DESKTOP, "light"))):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            self.windows.screenshot(page, f"{self.series}-{name}-{width}-{scheme}")
            if self.axe and self.looked % 2 == turn:
                self.found += [f"{name} {width} {scheme}: {one}" for one in self.windows.violations(page)]
            if self.axe and page.locator("body").evaluate("body => body.scrollWidth > innerWidth"):
                self.found.append(f"{name} {width}: wider than the window")
        page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
        page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_from_the_set_up_link_to_the_account_page(js: bool, windows: Windows, start_sheaf: StartSheaf) -> None:
    sheaf = start_sheaf(env={"IDP_ISSUER": ""})
    eyes = Eyes(windows, "setup-js" if js else "setup-nojs", axe=js)
    page = windows.open(sheaf.cli("setup-link")["setup_link"], js=js)

    phone = _set_up(page, eyes)
    page.wait_for_url(sheaf.url("/"))
    eyes.look(page, "4-home", "Hello, Ada Lovelace")

    page.get_by_role("button", name="Sign out").click()
    eyes.look(page, "5-signed-out", "You are signed out")

    page.get_by_role("link", name="Sign in again").click()
    eyes.look(page, "6-sign-in", "Sign in")
    _fill(page, username="ada", password="wrong password")
    page.get_by_role("button", name=BY_PASSWORD).click()
    page.get_by_role("alert").filter(has_text="not right").wait_for()
    eyes.look(page, "7-wrong-password", "Sign in")
    _fill(page, password=PASSWORD)
    page.get_by_role("button", name=BY_PASSWORD).click()
    eyes.look(page, "8-factor", "Second step")
    page.get_by_label("6-digit code").fill(phone.wrong_code())
    page.get_by_role("button", name="Confirm code").click()
    page.get_by_role("alert").filter(has_text="not right").wait_for()
    eyes.look(page, "9-wrong-code", "Second step")
    page.get_by_label("6-digit code").fill(phone.code())
    page.get_by_role("button", name="Confirm code").click()
    page.wait_for_url(sheaf.url("/"))

    page.get_by_role("link", name="Account", exact=True).click()
    eyes.look(page, "10-account", "Your account")
    page.get_by_role("link", name="Change password").click()
    eyes.look(page, "11-change-password", "Change password")
    page.goto(sheaf.url("/nothing-here"))
    eyes.look(page, "12-error", "Nothing here")
    assert eyes.found == []
    assert [one for one in windows.complaints if "status of 4" not in one] == []


def _set_up(page: "Page", eyes: Eyes) -> Authenticator:
    eyes.look(page, "1-you", "Who are you?")
    _fill(page, name="Ada Lovelace", username="ada", email="ada@example.org", password=PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    eyes.look(page, "2-address", "Where do people reach this?")
    page.get_by_role("button", name="Check and use this address").click()
    eyes.look(page, "3-factor", "Set up your second step")
    page.get_by_text("Cannot scan?").click()
    secret = page.locator("#secret").get_attribute("data-text")
    assert secret
    phone = Authenticator(secret)
    page.get_by_label("6-digit code").fill(phone.code())
    page.get_by_role("button", name="Confirm code").click()
    eyes.look(page, "3-recovery-codes", "Keep these codes")
    assert page.locator(".codes code").count() == 10
    page.get_by_role("button", name="I have saved them").click()
    return phone


def _at(page: "Page", heading: str) -> None:
    page.get_by_role("heading", level=1, name=heading, exact=True).wait_for()


def _fill(page: "Page", **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"[name={name}]:visible").fill(value)


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_an_app_asks_and_the_person_enrols_and_allows_it(js: bool, windows: Windows, start_sheaf: StartSheaf) -> None:
    sheaf = start_sheaf()
    eyes = Eyes(windows, "app-js" if js else "app-nojs", axe=js)
    person = sheaf.add_user("grace", full_name="Grace Hopper")
    _add_google(sheaf)
    app = sheaf.add_client(sheaf.url("/healthz"), name="Team wiki")  # any page that answers does for an app
    page = windows.open(_authorize(sheaf, app.client_id, app.redirect_uri), js=js)
    eyes.look(page, "1-sign-in", "Sign in")

    _fill(page, username=person.username, password=PASSWORD)
    page.get_by_role("button", name=BY_PASSWORD).click()
    eyes.look(page, "2-enrol", "Set up your second step")
    phone = Authenticator(page.locator("#secret").get_attribute("data-text") or "")
    page.get_by_label("6-digit code").fill(phone.code())
    page.get_by_role("button", name="Confirm code").click()
    eyes.look(page, "3-recovery-codes", "Keep these codes")
    page.get_by_role("link", name="I have saved them").click()
    _at(page, "Allow Team wiki?")
    page.get_by_text("Exact details").click()
    eyes.look(page, "4-consent", "Allow Team wiki?")
    page.get_by_role("button", name="Allow Team wiki").click()
    page.wait_for_url("**/healthz?*code=*")

    page.goto(sheaf.url("/account"))
    assert page.get_by_text("Team wiki").first.is_visible()
    eyes.look(page, "5-account", "Your account")
    page.goto(sheaf.url("/sign-out"))
    eyes.look(page, "6-sign-out", "Sign out?")
    assert eyes.found == []


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_an_unknown_login_with_a_known_address_asks_its_owner(
    js: bool, windows: Windows, start_sheaf: StartSheaf
) -> None:
    """How it looks; that it cannot be got around is tested with a real upstream."""
    sheaf = start_sheaf()
    eyes = Eyes(windows, "link-js" if js else "link-nojs", axe=js)
    person = sheaf.add_user("grace", full_name="Grace Hopper")
    _add_google(sheaf)
    page = windows.open(sheaf.url(_arrived_from_google(sheaf, person)), js=js)
    assert "g…@example.org" in page.inner_text("main")
    eyes.look(page, "1", "Is this account yours?")
    _fill(page, password="wrong password")
    page.get_by_role("button", name="Confirm and join").click()
    page.get_by_role("alert").wait_for()
    eyes.look(page, "2-wrong-password", "Is this account yours?")
    page.get_by_role("button", name="Keep separate").click()
    _at(page, "Set up your second step")
    assert eyes.found == []


def focused(page: "Page", name: str) -> None:
    """The page has put the focus where people type next."""
    page.locator(f"input[name={name}]:focus").wait_for()


def test_signing_in_by_keyboard_alone(windows: Windows, start_sheaf: StartSheaf) -> None:
    sheaf = start_sheaf()
    person = sheaf.add_user(totp=True)
    page = windows.open(sheaf.url("/sign-in"))
    keys = page.keyboard
    focused(page, "username")
    keys.type(person.username)
    keys.press("Tab")
    if page.evaluate("document.activeElement.name") != "password":
        keys.press("Tab")
    keys.type(person.password)
    keys.press("Enter")
    focused(page, "code")
    keys.type(person.code())
    keys.press("Enter")
    page.wait_for_url(sheaf.url("/"))
    keys.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Go to the content"
    for _ in range(5):
        keys.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert outline == "3px", page.evaluate("document.activeElement.outerHTML")


def test_nothing_is_cut_off_at_twice_the_text_size(windows: Windows, start_sheaf: StartSheaf) -> None:
    sheaf = start_sheaf()
    page = windows.open(sheaf.url("/sign-in"))
    page.set_viewport_size({"width": 640, "height": 400})  # what 1280 x 800 is at 200 %
    assert page.locator("body").evaluate("body => body.scrollWidth <= innerWidth")
    button = page.get_by_role("button", name=BY_PASSWORD)
    button.scroll_into_view_if_needed()
    assert button.is_visible()
    windows.screenshot(page, "zoom-sign-in")


def test_what_was_typed_is_shown_and_copied_only_on_request(windows: Windows, start_sheaf: StartSheaf) -> None:
    sheaf = start_sheaf(env={"IDP_ISSUER": ""})
    page = windows.open(sheaf.url("/"), permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "idp setup-link"
    page.goto(sheaf.cli("setup-link")["setup_link"])
    password = page.locator("[name=password]")
    password.fill("secret words")
    assert password.get_attribute("type") == "password"
    page.get_by_role("button", name="Show").click()
    assert password.get_attribute("type") == "text"


def _add_google(sheaf: Sheaf) -> None:
    sheaf.add_upstream("oidc", "google", label="Google", issuer="http://127.0.0.1:9", client_id="x", client_secret="y")


def _arrived_from_google(sheaf: Sheaf, person: Person) -> str:
    """An attempt as Google's callback leaves it, put straight into the store."""
    parts = build_parts(Settings(data=str(sheaf.data)))
    draft = parts.sign_in.draft("account", "/sign-in/done", {"return_to": "/"})
    identity = UpstreamIdentity("google", "http://127.0.0.1:9", "7", person.email, email_verified=True)
    attempt = replace(draft.attempt, waiting=identity, owner_id=person.id)
    handle = parts.sign_in.save(replace(draft, attempt=attempt))
    parts.repo.close()
    return f"/flow/{handle}"


def _authorize(sheaf: Sheaf, client_id: str, redirect_uri: str) -> str:
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636 appendix B
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid profile email",
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return sheaf.url(f"/authorize?{urlencode(query)}")
