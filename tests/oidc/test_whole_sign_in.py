"""Owns the claims about a whole sign-in through the pages and back: password, second factor, consent, code, tokens.

How the pages look and behave is left to the tests of web.
"""

from urllib.parse import urlsplit

import pyotp
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.domain.user import User
from tests.oidc.house import CALLBACK, App, House, sent_back
from tests.support.html import Form, parse

PASSWORD = "correct horse battery staple"
BROWSER = "browser one"


class Window:
    """A browser that follows our own redirects and stops where the app's address begins."""

    def __init__(self, house: House) -> None:
        self.browser: FlaskClient = house.app.test_client()
        self.answer: TestResponse | None = None
        self.path = ""

    def open(self, path: str, **query: str) -> TestResponse:
        return self._follow(path, self.browser.get(path, query_string=query or None))

    def submit(self, at: str, **fields: str) -> TestResponse:
        assert self.answer is not None
        form = self.form(at)
        path = form.action or self.path
        return self._follow(path, self.browser.post(path, data={**form.values, **fields}))

    def form(self, at: str) -> Form:
        assert self.answer is not None
        forms = parse(self.answer.text).forms
        found = next((form for form in forms if at in (form.action or self.path) and form.method == "post"), None)
        assert found is not None, (at, self.path, self.answer.status_code, parse(self.answer.text).text)
        return found

    def _follow(self, path: str, answer: TestResponse) -> TestResponse:
        while 300 <= answer.status_code < 400 and answer.headers["Location"].startswith("/"):
            assert answer.status_code in (302, 303), "a password must never be sent on (RFC 9700 4.12)"
            path = answer.headers["Location"]
            answer = self.browser.get(path)
        self.path, self.answer = urlsplit(path).path, answer
        return answer


@pytest.fixture
def ada(house: House) -> User:
    return house.parts.users.add("ada", email="ada@example.org", password=PASSWORD, actor="test")


@pytest.fixture
def phone(house: House, ada: User) -> pyotp.TOTP:
    """Ada's authenticator, confirmed."""
    enrolment = house.parts.factors.enrolment(ada, BROWSER)
    phone = pyotp.TOTP(enrolment.secret)
    house.parts.factors.confirm(ada, BROWSER, phone.at(house.clock()))
    house.clock.advance(60)
    return phone


def signed_in(house: House, app: App, phone: pyotp.TOTP, **asked: str | None) -> Window:
    """A window that has passed password and second factor."""
    window = Window(house)
    window.open("/authorize", **house.request_of(app, **asked))
    window.submit("/password", username="ada", password=PASSWORD)
    window.submit("/factor", code=phone.at(house.clock()))
    return window


def test_from_the_app_through_password_factor_and_consent_back_to_the_app(
    house: House, ada: User, phone: pyotp.TOTP
) -> None:
    app = house.client(consent="ask")
    window = signed_in(house, app, phone)
    assert "https://app.example" in window.open(window.path).headers["Content-Security-Policy"]
    answer = sent_back(window.submit("/consent", answer="allow"))
    assert answer["state"] == "s-1"
    tokens = house.redeem(app, answer["code"]).get_json()
    claims = house.read(tokens["id_token"], "RS256").claims
    assert (claims["sub"], claims["nonce"], claims["amr"]) == (ada.id, "n-1", ["pwd", "otp"])
    assert claims["auth_time"] == int(house.clock())

    # The next app asks for less and gets it at once.
    again = sent_back(window.open("/authorize", **house.request_of(app, scope="openid email", state="s-2")))
    assert (again["state"], "code" in again) == ("s-2", True)


def test_who_declines_is_sent_back_with_access_denied_and_nothing_else(
    house: House, ada: User, phone: pyotp.TOTP
) -> None:
    window = signed_in(house, house.client(consent="ask"), phone)
    answer = sent_back(window.submit("/consent", answer="deny"))
    assert (answer["error"], answer["state"]) == ("access_denied", "s-1")
    assert "code" not in answer


def test_prompt_login_asks_for_the_password_once_and_not_for_ever(house: House, ada: User, phone: pyotp.TOTP) -> None:
    app = house.client()
    window = signed_in(house, app, phone)
    assert window.answer is not None
    first = house.redeem(app, sent_back(window.answer)["code"]).get_json()
    house.clock.advance(60)
    window.open("/authorize", **house.request_of(app, prompt="login"))
    window.submit("/password", username="ada", password=PASSWORD)
    second = sent_back(window.submit("/factor", code=phone.at(house.clock())))
    tokens = (first, house.redeem(app, second["code"]).get_json())
    claims = [house.read(one["id_token"], "RS256").claims for one in tokens]
    assert claims[1]["auth_time"] - claims[0]["auth_time"] == 60
    assert claims[0]["sid"] == claims[1]["sid"]


def test_a_finished_sign_in_is_collected_once(house: House, ada: User, phone: pyotp.TOTP) -> None:
    window = Window(house)
    window.open("/authorize", **house.request_of(house.client()))
    handle = window.path.split("/")[2]
    window.submit("/password", username="ada", password=PASSWORD)
    sent_back(window.submit("/factor", code=phone.at(house.clock())))
    again = window.browser.get("/authorize/resume", query_string={"attempt": handle})
    assert again.status_code == 410
    assert "Location" not in again.headers


def test_an_unfinished_sign_in_cannot_be_collected(house: House, ada: User, phone: pyotp.TOTP) -> None:
    window = Window(house)
    window.open("/authorize", **house.request_of(house.client()))
    handle = window.path.split("/")[2]
    window.submit("/password", username="ada", password=PASSWORD)
    early = window.browser.get("/authorize/resume", query_string={"attempt": handle})
    assert early.status_code == 409
    sent_back(window.submit("/factor", code=phone.at(house.clock())))


@pytest.mark.parametrize("handle", ["", "x", "x" * 43, "%00", "é" * 43])
def test_a_handle_that_is_none_is_a_page(house: House, handle: str) -> None:
    answer = house.browser().get("/authorize/resume", query_string={"attempt": handle})
    assert answer.status_code in (400, 410)
    assert "Location" not in answer.headers


def test_another_browser_cannot_collect_the_sign_in(house: House, ada: User, phone: pyotp.TOTP) -> None:
    window = Window(house)
    window.open("/authorize", **house.request_of(house.client()))
    handle = window.path.split("/")[2]
    window.submit("/password", username="ada", password=PASSWORD)
    for thief in (house.browser(), house.app.test_client()):
        assert thief.get("/authorize/resume", query_string={"attempt": handle}).status_code in (403, 409)


def test_an_app_that_is_removed_during_the_sign_in_gets_nothing(house: House, ada: User, phone: pyotp.TOTP) -> None:
    window = Window(house)
    window.open("/authorize", **house.request_of(house.client()))
    window.submit("/password", username="ada", password=PASSWORD)
    house.parts.apps.remove_client("shop", actor="test")
    answer = window.submit("/factor", code=phone.at(house.clock()))
    assert answer.status_code == 400
    assert not answer.headers.get("Location", "").startswith(CALLBACK)


def test_a_handle_of_another_door_is_refused(house: House, ada: User, phone: pyotp.TOTP) -> None:
    window = Window(house)
    draft = house.parts.sign_in.draft("saml", "/authorize/resume", {})
    window.open(f"/flow/{house.parts.sign_in.save(draft)}")
    window.submit("/password", username="ada", password=PASSWORD)
    answer = window.submit("/factor", code=phone.at(house.clock()))
    assert answer.status_code == 409
