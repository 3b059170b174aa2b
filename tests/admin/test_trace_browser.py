"""Somebody is refused and reads out a code; an administrator finds out why and tries other rules, in a real Chromium.

At two widths, light and dark, with and without JavaScript; photographed, and with JavaScript examined by axe-core.
"""

from collections.abc import Callable, Iterator

import pytest
import requests

from tests.admin.test_browser import _sign_in
from tests.support.chromium import Windows
from tests.support.sheaf import Sheaf
from tests.upstream.openid_double import CLIENT_ID, CLIENT_SECRET, OpenIdDouble
from tests.web.test_browser import Eyes, StartSheaf


@pytest.fixture(scope="module")
def openid() -> Iterator[OpenIdDouble]:
    double = OpenIdDouble()
    yield double
    double.close()
    assert double.faults == []


@pytest.fixture(scope="module")
def home(start_sheaf: StartSheaf, openid: OpenIdDouble) -> Sheaf:
    sheaf = start_sheaf()
    given = {"issuer": openid.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    sheaf.add_upstream("oidc", "corp", label="Corporate login", may_create="nobody", **given)
    return sheaf


@pytest.fixture
def come(home: Sheaf, openid: OpenIdDouble) -> Callable[..., str]:
    """Somebody comes through the upstream and is refused; gives the code on the page."""

    def go(windows: Windows, **claims: object) -> str:
        page = windows.open(home.url("/sign-in"))
        page.route(f"{openid.issuer}/**", lambda route: route.abort())
        with page.expect_request(f"{openid.issuer}/authorize**") as left:
            page.get_by_role("button", name="Corporate login").click()
        params = openid.authorize(left.value.url, "mallory-7", **claims)
        page.goto(requests.Request("GET", home.url("/upstream/corp/callback"), params=params).prepare().url or "")
        code = page.locator("#trace").get_attribute("data-text") or ""
        page.context.close()
        return code

    return go


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_an_administrator_finds_out_why_somebody_was_refused(
    js: bool, windows: Windows, home: Sheaf, come: Callable[..., str]
) -> None:
    eyes = Eyes(windows, "trace-js" if js else "trace-nojs", axe=js)
    claims = {"email": "eve@corp.example", "email_verified": True, "name": "Eve Moneypenny", "groups": ["staff", "it"]}
    name = "grace" if js else "hedy"
    code = come(windows, **claims)
    forged = come(windows, **claims, aud="another-client")
    person = home.add_user(name, full_name="Grace Hopper", admin=True, totp=True)
    page = windows.open(home.url("/admin/trace"), js=js)
    _sign_in(page, person)
    eyes.look(page, "1-list", "Sign-ins: what happened and why")

    page.get_by_label("Code", exact=True).fill(f"{code[:4]}-{code[4:].lower()}")
    page.get_by_role("button", name="Find sign-in").click()
    eyes.look(page, "2-refused", f"Sign-in {code[:4]} {code[4:]}")
    page.get_by_text("Nobody has this login, and the upstream may not make a user for it").first.wait_for()
    page.get_by_label("Rules to try").fill("may_create=anybody\ntrusted_domains=corp.example")
    page.get_by_role("button", name="Replay with these rules").click()
    page.get_by_role("columnheader", name="With these rules").wait_for()
    eyes.look(page, "3-replayed", f"Sign-in {code[:4]} {code[4:]}")
    page.get_by_label("Rules to try").fill("may_create=perhaps")
    page.get_by_role("button", name="Replay with these rules").click()
    page.get_by_role("alert").wait_for()
    eyes.look(page, "4-wrong-rule", f"Sign-in {code[:4]} {code[4:]}")

    page.goto(home.url(f"/trace/{forged}"))
    page.get_by_text("Compare the client id in the settings").first.wait_for()
    eyes.look(page, "5-check", f"Sign-in {forged[:4]} {forged[4:]}")
    page.goto(home.url(f"/admin/trace?code={name}"))
    eyes.look(page, "6-person", f"Sign-ins of {name}")
    page.get_by_role("link", name="Sign-ins: what happened and why").click()
    page.get_by_label("Code", exact=True).fill("ABCDEFGH")
    page.get_by_role("button", name="Find sign-in").click()
    eyes.look(page, "7-nothing", "Sign-ins: what happened and why")

    told = home.cli("explain", code, "--replay", "--set", "may_create=anybody")
    assert (told["error"], told["replay"]["edited"]["rule"]) == ("not_invited", "new_user")
    assert eyes.found == []
    assert [
        one
        for one in windows.complaints
        if not any(known in one for known in ("status of 4", "status of 502", "ERR_FAILED"))
    ] == []
