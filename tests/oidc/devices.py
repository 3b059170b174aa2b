"""Owns what a device and its person do in tests (RFC 8628): begin, poll, type the code, answer."""

from typing import Any, cast

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.oidc.house import App, House
from tests.support.html import parse

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def tv(house: House, **more: Any) -> App:
    fields = {"auth_method": "none", "grant_types": (DEVICE, "refresh_token"), "redirect_uris": (), **more}
    return house.client("tv", **fields)


def begin(house: House, app: App, **form: str) -> dict[str, Any]:
    answer = house.post("/device_authorization", app, **{"scope": "openid profile", **form})
    assert answer.status_code == 200, answer.text
    return cast(dict[str, Any], answer.json)


def poll(house: House, app: App, begun: dict[str, Any], **form: str) -> TestResponse:
    return house.token(app, grant_type=DEVICE, device_code=begun["device_code"], **form)


def form_of(page: TestResponse, action: str) -> dict[str, str]:
    found = [form for form in parse(page.text).forms if action in form.action]
    assert found, page.text
    return dict(found[0].values)


def typed(browser: FlaskClient, user_code: str) -> TestResponse:
    """The code typed on the page: the answer to the form."""
    form = form_of(browser.get("/device"), "/device")
    return browser.post("/device", data={**form, "user_code": user_code})


def asked(browser: FlaskClient, user_code: str) -> tuple[str, TestResponse]:
    """As far as the question: its address and the page."""
    answer = typed(browser, user_code)
    assert answer.status_code == 303, answer.text
    where = answer.headers["Location"]
    page = browser.get(where)
    while page.status_code == 303:
        where = page.headers["Location"]
        page = browser.get(where)
    return where, page


def answered(browser: FlaskClient, user_code: str, answer: str = "allow") -> TestResponse:
    where, page = asked(browser, user_code)
    assert where.endswith("/consent"), page.text
    sent = browser.post(where, data={**form_of(page, "/consent"), "answer": answer})
    while sent.status_code == 303:
        sent = browser.get(sent.headers["Location"])
    return sent


def told(answer: TestResponse, error: str) -> None:
    """An ordinary answer: not a refusal that somebody would look up."""
    assert (answer.status_code, answer.get_json()["error"]) == (400, error), answer.text
    assert "trace" not in answer.get_json()
    assert answer.headers["Cache-Control"] == "no-store"
