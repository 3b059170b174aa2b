"""An administrator looks for the fault of a SAML app in a real Chromium: list, failed message, cure, decoding a copied address.

At two widths, light and dark, with and without JavaScript; photographed, and with JavaScript examined by axe-core.
"""

import time

import pytest
import requests

from tests.admin.test_browser import _sign_in
from tests.saml.peer import Sp
from tests.support.chromium import Windows
from tests.support.sheaf import Sheaf
from tests.web.test_browser import Eyes, StartSheaf

PEER = Sp("https://wiki.example.org/saml/metadata", acs=("https://wiki.example.org/saml/acs",), signs=True)
STRANGER = Sp("https://stranger.example.net/metadata")


def _ask(sheaf: Sheaf, sp: Sp, **how: str) -> str:
    """The address that a browser is sent to; opened once, so that there is a message."""
    query = sp.query(sp.authn_request(time.time(), sheaf.url("/saml/sso"), **how))
    requests.get(sheaf.url(f"/saml/sso?{query}"), timeout=20, allow_redirects=False)
    return sheaf.url(f"/saml/sso?{query}")


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_an_administrator_finds_out_why_an_app_does_not_work(
    js: bool, windows: Windows, start_sheaf: StartSheaf
) -> None:
    sheaf = start_sheaf()
    eyes = Eyes(windows, "inspector-js" if js else "inspector-nojs", axe=js)
    person = sheaf.add_user("grace", full_name="Grace Hopper", admin=True, totp=True)
    file = sheaf.folder / "metadata.xml"
    file.write_bytes(PEER.metadata())
    sheaf.cli("sp", "add", str(file), "--set", "name=Team wiki")
    page = windows.open(sheaf.url("/admin/saml-messages"), js=js)
    _sign_in(page, person)
    eyes.look(page, "1-none", "SAML messages")

    good = _ask(sheaf, PEER)
    _ask(sheaf, PEER, attributes='AssertionConsumerServiceURL="https://wiki.example.org/saml/acs/"')
    _ask(sheaf, STRANGER)
    for _ in range(50):
        if len(sheaf.cli("saml", "messages")) == 3:
            break
        time.sleep(0.2)
    page.goto(sheaf.url("/admin/saml-messages"))
    eyes.look(page, "2-list", "SAML messages")
    page.get_by_role("link", name="Show those that failed").click()
    page.get_by_role("link", name="Team wiki").click()
    eyes.look(page, "3-of-one", "Messages: Team wiki")
    page.get_by_role("link", name="Show those that failed").click()
    page.get_by_role("link", name="AuthnRequest").click()
    eyes.look(page, "4-failed", "AuthnRequest from Team wiki")
    page.get_by_text("Import its current metadata").first.wait_for()
    code = page.locator("dd .mono").last.text_content() or ""
    assert sheaf.cli("explain", code)["checks"][-1]["code"] == "acs"
    page.get_by_role("link", name="Messages: Team wiki").click()
    page.get_by_role("link", name="AuthnRequest").last.click()
    eyes.look(page, "5-good", "AuthnRequest from Team wiki")

    page.goto(sheaf.url("/admin/saml-messages/decode"))
    eyes.look(page, "6-decode", "Decode a message")
    page.get_by_label("Message").fill("no message")
    page.get_by_role("button", name="Decode message").click()
    page.get_by_role("alert").wait_for()
    eyes.look(page, "7-no-message", "Decode a message")
    page.get_by_label("Message").fill(good)
    page.get_by_role("button", name="Decode message").click()
    page.get_by_role("heading", name="What it said").wait_for()
    eyes.look(page, "8-decoded", "Decode a message")
    assert eyes.found == []
    assert [one for one in windows.complaints if "status of 4" not in one] == []
