"""Owns a whole identity provider in this process for tests of pages, its people, and browsers that run no scripts.

A real browser is left to test_browser.
"""

from dataclasses import dataclass, field

import pyotp
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.domain.attempt import Wants
from idp.domain.user import User
from idp.http.parts import Parts
from tests.support.clock import FakeClock
from tests.support.html import Document, Form, parse

PASSWORD = "correct horse battery staple"
RESUME = "/test-door"


@dataclass
class Person:
    user: User
    secret: str = field(repr=False, default="")
    recovery_codes: tuple[str, ...] = field(repr=False, default=())

    @property
    def username(self) -> str:
        return self.user.username


@dataclass
class Seen:
    """A page as a person without scripts has it before them. path: where the browser ended."""

    browser: "Browser" = field(repr=False)
    response: TestResponse = field(repr=False)
    path: str

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def html(self) -> str:
        return self.response.text

    @property
    def document(self) -> Document:
        return parse(self.html) if "html" in self.response.mimetype else Document()

    @property
    def text(self) -> str:
        return self.document.text

    def form(self, part_of_action: str) -> Form:
        found = [form for form in self.document.forms if part_of_action in form.action]
        assert found, f"no form to {part_of_action!r} on {self.path}: {[form.action for form in self.document.forms]}"
        return found[0]

    def submit(self, part_of_action: str, **fields: str) -> "Seen":
        form = self.form(part_of_action)
        assert set(fields) <= form.names | {button.name for button in form.buttons}, f"{fields} not in {form}"
        return self.browser.post(form.action, {**form.values, **fields})


class Browser:
    """A profile of its own: cookies, redirects."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def open(self, path: str, **headers: str) -> Seen:
        return self._follow(self.client.get(path, headers=headers), path)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Seen:
        return self._follow(self.client.post(path, data=fields, headers=headers), path)

    def post_blindly(self, path: str, **fields: str) -> Seen:
        """With a good CSRF token, whatever page it comes from."""
        token = self.open("/sign-out").form("/sign-out").values["csrf"] if self.signed_in else self._token()
        return self.post(path, {"csrf": token, **fields})

    def _token(self) -> str:
        forms = self.open("/sign-in").document.forms
        return next(form.values["csrf"] for form in forms if "csrf" in form.values)

    @property
    def signed_in(self) -> bool:
        return "Hello" in self.open("/").text

    def _follow(self, response: TestResponse, path: str) -> Seen:
        for _ in range(10):
            location = response.headers.get("Location")
            if location is None or not location.startswith("/") or location.startswith(RESUME):
                return Seen(self, response, location or path)
            path = location
            response = self.client.get(path)
        raise AssertionError(f"too many redirects, now at {path}")


class House:
    def __init__(self, app: Flask, clock: FakeClock) -> None:
        self.app = app
        self.clock = clock
        self.parts: Parts = app.extensions["sheaf"]

    def browser(self) -> Browser:
        return Browser(self.app.test_client())

    def person(self, name: str = "ada", *, totp: bool = True, admin: bool = False) -> Person:
        user = self.parts.users.add(
            name, email=f"{name}@example.org", name=name.title(), password=PASSWORD, administrator=admin, actor="test"
        )
        if not totp:
            return Person(user)
        enrolment, codes = self.parts.factors.enrol_for(user, actor="test")
        return Person(user, enrolment.secret, codes)

    def code(self, secret: str) -> str:
        """A code that was not used yet: half a minute goes by first."""
        self.clock.advance(30)
        return str(pyotp.TOTP(secret).at(self.clock()))

    def attempt(self, *scopes: str, force: bool = False, second_factor: bool = False, app_name: str = "Wiki") -> str:
        """An app asks for a sign-in; gives the path to start at."""
        draft = self.parts.sign_in.draft(
            "oidc",
            RESUME,
            {"redirect_origin": "https://wiki.example"},
            app_id="wiki",
            app_name=app_name,
            wants=Wants(force=force, scopes=scopes, second_factor=second_factor),
        )
        return f"/flow/{self.parts.sign_in.save(draft)}"

    def password_step(self, browser: Browser, person: Person, start: str = "/sign-in") -> Seen:
        return browser.open(start).submit("/password", username=person.username, password=PASSWORD)

    def sign_in(self, person: Person, browser: Browser | None = None, start: str = "/sign-in") -> Browser:
        browser = browser or self.browser()
        page = self.password_step(browser, person, start)
        if person.secret:
            page.submit("/factor", code=self.code(person.secret))
        return browser
