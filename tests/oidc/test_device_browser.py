"""A device is connected in a real Chromium, at two widths, light and dark, with and without JavaScript (RFC 8628 3.3)."""

from typing import TYPE_CHECKING

import pytest
import requests

from tests.support.chromium import Windows
from tests.support.sheaf import PASSWORD
from tests.support.totp import Authenticator
from tests.web.test_browser import BY_PASSWORD, Eyes, StartSheaf

if TYPE_CHECKING:
    from playwright.sync_api import Page

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_a_person_connects_a_device_and_refuses_another(js: bool, windows: Windows, start_sheaf: StartSheaf) -> None:
    sheaf = start_sheaf()
    eyes = Eyes(windows, "device-js" if js else "device-nojs", axe=js)
    person = sheaf.add_user("grace", full_name="Grace Hopper")
    app = sheaf.add_client(name="Living room TV", public=True, grants=[DEVICE], scopes=["openid", "profile"])

    def begin() -> dict[str, str]:
        form = {"client_id": app.client_id, "scope": "openid profile"}
        begun: dict[str, str] = requests.post(sheaf.url("/device_authorization"), data=form, timeout=10).json()
        return begun

    def poll(begun: dict[str, str]) -> dict[str, str]:
        form = {"grant_type": DEVICE, "client_id": app.client_id, "device_code": begun["device_code"]}
        answer: dict[str, str] = requests.post(sheaf.url("/token"), data=form, timeout=10).json()
        return answer

    first, second = begin(), begin()
    page = windows.open(first["verification_uri"], js=js)
    eyes.look(page, "1-code", "Connect a device")
    _type(page, "BCDF-GHJK")
    page.get_by_role("alert").filter(has_text="No device waits").wait_for()
    eyes.look(page, "2-wrong-code", "Connect a device")
    _type(page, first["user_code"].lower())

    eyes.look(page, "3-sign-in", "Sign in")
    page.locator("[name=username]").fill(person.username)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name=BY_PASSWORD).click()
    phone = Authenticator(page.locator("#secret").get_attribute("data-text") or "")
    page.get_by_label("6-digit code").fill(phone.code())
    page.get_by_role("button", name="Confirm code").click()
    page.get_by_role("link", name="I have saved them").click()

    eyes.look(page, "4-question", "Allow Living room TV?")
    assert page.get_by_text(first["user_code"]).is_visible()
    assert poll(first)["error"] == "authorization_pending"
    page.get_by_role("button", name="Allow Living room TV").click()
    eyes.look(page, "5-connected", "Your device is connected")
    assert "access_token" in poll(first)

    page.goto(second["verification_uri_complete"])
    assert page.get_by_label("Code on the device").input_value() == second["user_code"]
    page.get_by_role("button", name="Continue").click()
    page.get_by_text(second["user_code"]).wait_for()
    page.get_by_role("button", name="Do not allow").click()
    eyes.look(page, "6-refused", "The device was not connected")
    assert poll(second)["error"] == "access_denied"

    page.get_by_role("link", name="Your account").click()
    page.get_by_text("Living room TV").first.wait_for()
    assert eyes.found == []
    assert [one for one in windows.complaints if "status of 4" not in one] == []


def _type(page: "Page", code: str) -> None:
    page.get_by_label("Code on the device").fill(code)
    page.get_by_role("button", name="Continue").click()
