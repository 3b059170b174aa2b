"""Whole sign-ins at a real service provider: Apache with mod_auth_mellon, which verifies with lasso and xmlsec."""

import re
from collections.abc import Callable
from urllib.request import urlopen

import pytest
from requests.cookies import remove_cookie_by_name

from tests.peers.mellon import Mellon
from tests.support.chromium import Windows
from tests.support.http_browser import Page, PlainBrowser
from tests.support.sheaf import Sheaf
from tests.support.totp import Authenticator

pytestmark = [pytest.mark.peer, pytest.mark.slow]
MFA = "https://refeds.org/profile/mfa"


def registered(sheaf: Sheaf, mellon: Mellon, **settings: str) -> Mellon:
    sheaf.add_sp(mellon.metadata, **settings)
    with urlopen(sheaf.url("/saml/metadata"), timeout=10) as answer:
        assert answer.headers["Content-Type"] == "application/samlmetadata+xml"
        return mellon.start(answer.read())


def onward(page: Page) -> Page:
    """Press the button of the page that posts to the app, as a browser without JavaScript would."""
    assert "SAMLResponse" in {name for form in page.document.forms for name in form.names}, page.text
    return page.submit()


def hello(page: Page) -> dict[str, str]:
    """What mellon's protected page shows."""
    assert page.text.startswith("HELLO"), page.text
    return dict(re.findall(r"(\w+)=([^ ]*)", page.text.rstrip(".")))


def forget_app(browser: PlainBrowser) -> None:
    """Sign out of the app alone, so that it asks again."""
    remove_cookie_by_name(browser.session.cookies, "mellon-cookie")


@pytest.mark.parametrize("encrypt", ["never", "always"])
def test_a_whole_sign_in_with_a_second_factor_and_single_sign_on_after_it(
    sheaf: Sheaf,
    make_mellon: Callable[..., Mellon],
    encrypt: str,
) -> None:
    mellon, ada, browser = registered(sheaf, make_mellon(), encrypt=encrypt), sheaf.add_user(totp=True), sheaf.browser()

    first = hello(onward(sheaf.sign_in(browser, ada, at=mellon.secret)))
    assert first["uid"] == ada.username

    forget_app(browser)
    page = browser.open(mellon.secret)
    assert not page.document.forms[0].names & {"username", "code"}
    assert hello(onward(page)) == {**first, "session": hello(browser.open(mellon.secret))["session"]}


def test_an_app_that_demands_a_second_factor_gets_one_though_nobody_else_does(
    start_sheaf: Callable[..., Sheaf], make_mellon: Callable[..., Mellon]
) -> None:
    """Mellon asks for the REFEDS profile and refuses an answer with another context."""
    sheaf = start_sheaf(second_factor="administrators")
    strict = registered(sheaf, make_mellon(f"MellonAuthnContextClassRef {MFA}"))
    lax = registered(sheaf, make_mellon())
    grace, browser = sheaf.add_user(), sheaf.browser()

    hello(onward(sheaf.sign_in(browser, grace, at=lax.secret)))
    forget_app(browser)
    page = browser.open(strict.secret)

    assert page.path.endswith("/enrol")  # she has none yet
    secret = re.search(r"\b[A-Z2-7]{32}\b", page.body)
    assert secret
    page = page.submit(code=Authenticator(secret[0]).code())
    page = page.follow("/flow/")  # she has seen her recovery codes
    assert hello(onward(page))["uid"] == grace.username


def test_a_passive_request_without_a_session_comes_back_without_a_page(
    sheaf: Sheaf,
    make_mellon: Callable[..., Mellon],
) -> None:
    mellon = registered(sheaf, make_mellon())
    page = sheaf.browser().open(f"{mellon.url}/mellon/login?ReturnTo={mellon.secret}&IsPassive=true")
    answered = onward(page)
    assert not answered.text.startswith("HELLO")
    assert "NoPassive" in mellon.process.log_text()


@pytest.mark.parametrize("js", [True, False])
def test_a_real_browser_is_carried_to_the_app_with_and_without_javascript(
    sheaf: Sheaf, make_mellon: Callable[..., Mellon], windows: Windows, js: bool
) -> None:
    mellon, ada = registered(sheaf, make_mellon()), sheaf.add_user(totp=True)
    page = windows.open(mellon.secret, js=js)
    page.fill("[name=username]", ada.username)
    page.fill("[name=password]", ada.password)
    page.press("[name=password]", "Enter")
    page.fill("[name=code]", ada.code())
    page.press("[name=code]", "Enter")
    if not js:
        page.wait_for_url("**/saml/resume?*")
        page.click("main button")
    page.wait_for_url(mellon.secret)
    assert "HELLO" in page.inner_text("body")
    assert windows.complaints == []
