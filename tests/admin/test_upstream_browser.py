"""An administrator connects an upstream in a real Chromium: pastes what it gave, tests it while it is off, switches it on.

At two widths, light and dark, with and without JavaScript; photographed, and with JavaScript examined by axe-core.
"""

import pytest

from tests.admin.test_browser import _sign_in
from tests.peers.oidc_provider import OidcProvider
from tests.support.chromium import Windows
from tests.web.test_browser import Eyes, StartSheaf

SECTIONS = (
    ("connection", "Connection"),
    ("secret", "Secret"),
    ("people", "Who comes in"),
    ("button", "Button"),
    ("mapping", "Groups, roles and claims"),
    ("second-step", "Second step"),
)


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_an_administrator_connects_tests_and_switches_on_an_upstream(
    js: bool, windows: Windows, start_sheaf: StartSheaf, oidc_upstream: OidcProvider
) -> None:
    sheaf = start_sheaf()
    eyes = Eyes(windows, "upstream-admin-js" if js else "upstream-admin-nojs", axe=js)
    person = sheaf.add_user("grace", full_name="Grace Hopper", admin=True, totp=True)
    client = oidc_upstream.register(sheaf.url("/upstream/corporate/callback"))
    there = f"tester-{js}".lower()
    oidc_upstream.add_user(there, email="grace@corp.example", email_verified=True, name="Grace Hopper")
    page = windows.open(sheaf.url("/admin/upstreams"), js=js)
    _sign_in(page, person)

    eyes.look(page, "1-none", "Upstreams")
    page.get_by_role("link", name="Connect an upstream").click()
    eyes.look(page, "2-choose", "Connect an upstream")
    page.get_by_role("link", name="Connect OpenID Connect").click()
    assert sheaf.url("/upstream/corporate/callback") in page.inner_text("main")
    eyes.look(page, "3-new", "Connect OpenID Connect")
    page.get_by_label("Issuer", exact=True).fill("login.corp.example")
    page.get_by_label("Client id", exact=True).fill(client.client_id)
    page.get_by_role("button", name="Add it, switched off").click()
    page.get_by_role("alert").filter(has_text="issuer").wait_for()
    eyes.look(page, "4-refused", "Connect OpenID Connect")
    page.get_by_label("Issuer", exact=True).fill(oidc_upstream.issuer)
    page.get_by_label("Client secret", exact=True).fill(client.client_secret)
    page.get_by_role("button", name="Add it, switched off").click()
    eyes.look(page, "5-added", "OpenID Connect")
    assert client.client_secret not in page.content()

    base = page.url.partition("?")[0]
    for section, heading in SECTIONS if js else ():
        page.goto(f"{base}/edit/{section}")
        more = page.locator("details", has=page.locator("summary", has_text="More"))
        if more.count() and more.first.get_attribute("open") is None:
            more.first.locator("summary").click()
        page.get_by_text("As command").first.click()
        eyes.look(page, f"6-edit-{section}", heading)
    page.goto(f"{base}/edit/people")
    page.get_by_label("It may vouch for these domains").fill("corp.example")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()

    page.goto(f"{base}/test")
    eyes.look(page, "7-test", "Test OpenID Connect")
    page.get_by_role("button", name="Go to OpenID Connect").click()
    page.wait_for_url(f"{oidc_upstream.issuer}/**")
    page.get_by_label("User").fill(there)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("The test passed.").wait_for()
    assert "It would make a new user." in page.inner_text("main")
    assert "grace@corp.example" in page.inner_text("main")
    eyes.look(page, "8-tested", "Test OpenID Connect")
    page.get_by_role("button", name="Switch OpenID Connect on").click()
    page.get_by_text("It is on").wait_for()
    eyes.look(page, "9-on", "OpenID Connect")

    page.goto(f"{base}/edit/secret")
    page.get_by_label("Client secret", exact=True).fill("wrong-now")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("its settings have changed since").wait_for()
    page.goto(f"{base}/test")
    page.get_by_role("button", name="Go to OpenID Connect").click()
    page.get_by_text("The test failed.").wait_for()
    eyes.look(page, "10-failed", "Test OpenID Connect")

    page.goto(f"{base}/edit/button")
    page.get_by_label("Home domains").fill("corp.example")
    page.get_by_role("button", name="Save").click()
    page.goto(sheaf.url("/admin/upstreams"))
    eyes.look(page, "11-list", "Upstreams")
    page.goto(f"{base}/remove")
    eyes.look(page, "12-remove", "Remove OpenID Connect?")

    other = windows.open(sheaf.url("/sign-in"), js=js)
    eyes.look(other, "13-address-first", "Sign in")
    other.get_by_label("User name or e-mail").fill("grace@elsewhere.example")
    other.get_by_role("button", name="Continue", exact=True).click()
    eyes.look(other, "14-all-ways", "Sign in")

    page.get_by_label("Type its id: corporate").fill("corporate")
    page.get_by_role("button", name="Remove upstream").click()
    page.get_by_text("The upstream is removed").wait_for()
    assert eyes.found == []
    assert [one for one in windows.complaints if "status of 4" not in one] == []
