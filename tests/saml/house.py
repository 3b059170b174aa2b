"""Owns the application in one process with one user and one service provider, for the tests of the SAML door over HTTP."""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.base.config import Settings
from idp.domain.attempt import Proof
from idp.domain.audit_event import Trace
from idp.domain.relying import ServiceProvider
from idp.http.machine import Asked, Lane, Told
from idp.http.parts import Parts
from idp.saml.signatures import public_key, verify_element
from idp.saml.sp_metadata import service_provider_from_metadata
from idp.storage.sqlite import SqliteRepository
from tests.saml.peer import NS, Sp
from tests.support.clock import FakeClock
from tests.support.html import parse
from tests.support.quick import SEAL_KEY_TEXT, quick

ISSUER = "http://localhost"
SSO = f"{ISSUER}/saml/sso"
PEER = Sp()


@dataclass
class House:
    """The application with one user, one service provider, and a browser."""

    app: Flask
    parts: Parts
    clock: FakeClock
    browser: FlaskClient
    user_id: str

    def sign_in(self, *, factor: bool = True) -> None:
        """Give the browser a session, as a completed sign-in does."""
        now = self.clock()
        amr = ("pwd", "otp") if factor else ("pwd",)
        _, handle = self.parts.sessions.establish(Proof(self.user_id, now, amr, now if factor else None), None, "test")
        self.browser.set_cookie("sheaf_session", handle)

    @property
    def cookie(self) -> str:
        """The cookies of this browser as it sends them."""
        names = ("sheaf_session", "sheaf_browser")
        found = [(name, self.browser.get_cookie(name)) for name in names]
        return "; ".join(f"{name}={cookie.value}" for name, cookie in found if cookie is not None)

    def change(self, entity_id: str = PEER.entity_id, **settings: Any) -> None:
        """Other settings for a service provider, as an administrator makes them."""
        stored = self.parts.repo.get(ServiceProvider, entity_id)
        assert stored is not None
        assert self.parts.repo.replace_if(replace(stored, **settings)) is not None

    def query(self, body: str = "", attributes: str = "", relay_state: str | None = None, peer: Sp = PEER) -> str:
        return peer.query(peer.authn_request(self.clock(), SSO, body=body, attributes=attributes), relay_state)

    def cut_short(self, query: str, cookie: str | None = None, method: str = "GET", **headers: str) -> Told | None:
        """What the server answers without the page, if it does."""
        lane: Lane = self.app.extensions["sheaf_lane"]
        run = lane.short_cut(method, "/saml/sso")
        sent = {"host": "localhost", "cookie": self.cookie if cookie is None else cookie, **headers}
        return None if run is None else run(Asked(method, "/saml/sso", query.encode(), sent))

    def ask(self, body: str = "", attributes: str = "", relay_state: str | None = None) -> TestResponse:
        request = PEER.authn_request(self.clock(), SSO, body=body, attributes=attributes)
        return self.browser.get(f"/saml/sso?{PEER.query(request, relay_state)}")

    def answer(self, page: TestResponse) -> Any:
        """The verified Response in the form of the page that posts it."""
        assert page.status_code == 200, page.text
        (posting,) = parse(page.text).forms
        assert (posting.action, posting.method) == (PEER.acs[0], "post")
        root = etree.fromstring(base64.b64decode(posting.values["SAMLResponse"]))
        verify_element(root, [public_key(c) for c in self.parts.keys.saml_published()])
        return root

    def statuses(self, page: TestResponse) -> list[str]:
        root = self.answer(page)
        assert root.find("saml:Assertion", NS) is None
        return [str(v) for v in root.xpath("//samlp:StatusCode/@Value", namespaces=NS)]

    def refusal(self, page: TestResponse) -> Trace:
        """What `idp explain` would tell of the error page."""
        assert page.status_code >= 400
        assert "SAMLResponse" not in page.text
        codes = re.findall(r"\b[0-9A-Z]{8}\b", parse(page.text).text)
        found = [trace for code in codes if (trace := self.parts.traces.explain(code))]
        assert len(found) == 1, page.text
        return found[0]


@contextmanager
def open_house(repo: SqliteRepository, folder: Path, clock: FakeClock) -> Iterator[House]:
    settings = Settings(data=str(folder / "data"), issuer=ISSUER, seal_key=SEAL_KEY_TEXT)
    app = quick(create_app(settings, repo=repo, clock=clock))
    parts: Parts = app.extensions["sheaf"]
    user = parts.users.add("ada", email="ada@example.org", name="Ada", email_verified=True, actor="test")
    parts.repo.insert(service_provider_from_metadata(PEER.metadata(), clock(), name="Wiki <1>"))
    with app.test_client() as browser:
        yield House(app, parts, clock, browser, user.id)
