"""Owns a whole identity provider in this process for OIDC tests: app, people who are signed in, clients, token requests.

Real servers and real relying parties are left to tests/peers and the journeys.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import parse_qs, quote_plus, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from idp.domain.attempt import Proof
from idp.domain.relying import Client
from idp.domain.session import Session
from idp.domain.user import User
from idp.http.parts import Parts
from tests.support.clock import FakeClock

ISSUER = "http://localhost"
CALLBACK = "https://app.example/callback"
BYE = "https://app.example/bye"
API = "urn:example:api"
# RFC 7636 appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@dataclass
class App:
    """A registered client and its secret."""

    client: Client
    secret: str = ""

    @property
    def id(self) -> str:
        return self.client.id


@dataclass
class Person:
    """A user who is signed in in `browser`."""

    user: User
    session: Session
    browser: FlaskClient


class House:
    def __init__(self, app: Flask, clock: FakeClock) -> None:
        self.app = app
        self.clock = clock
        self.parts: Parts = app.extensions["sheaf"]

    # -- who there is

    def user(self, name: str = "ada", **more: Any) -> User:
        email = more.pop("email", f"{name}@example.org")
        user = self.parts.users.add(name, email=email, name=name.title(), email_verified=True, actor="test")
        if not more:
            return user
        changed = self.parts.repo.replace_if(replace(user, **more))
        assert changed is not None
        return changed

    def person(self, name: str = "ada", *, factor: bool = True, **more: Any) -> Person:
        user = self.user(name, **more)
        now = self.clock()
        proof = Proof(user.id, now, ("pwd", "otp") if factor else ("pwd",), now if factor else None)
        session, handle = self.parts.sessions.establish(proof, None, "tests")
        browser = self.browser()
        browser.set_cookie("sheaf_session", handle)
        return Person(user, session, browser)

    def browser(self) -> FlaskClient:
        """One that has been here before."""
        browser = self.app.test_client()
        browser.set_cookie("sheaf_browser", "b" * 43)
        return browser

    def client(self, id: str = "shop", **more: Any) -> App:
        fields: dict[str, Any] = {
            "redirect_uris": (CALLBACK,),
            "post_logout_redirect_uris": (BYE,),
            "grant_types": ("authorization_code", "refresh_token", "client_credentials"),
            "scopes": ("openid", "profile", "email", "roles", "documents.read"),
            "audiences": (API,),
            "consent": "skip",
        }
        if more.get("auth_method") == "none":
            fields["grant_types"] = ("authorization_code", "refresh_token")
        client = Client(id=id, name=id.title(), created_at=self.clock(), **{**fields, **more})
        stored, secret = self.parts.apps.add_client(client, actor="test", with_secret=True)
        return App(stored, secret.reveal() if secret else "")

    # -- what they do

    def authorize(self, browser: FlaskClient, app: App, **changes: str | None) -> TestResponse:
        """GET /authorize; a parameter that is None is left out."""
        return browser.get("/authorize", query_string=self.request_of(app, **changes))

    def request_of(self, app: App, **changes: str | None) -> dict[str, str]:
        asked: dict[str, str | None] = {
            "client_id": app.id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid profile email",
            "state": "s-1",
            "nonce": "n-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in asked.items() if value is not None}

    def code(self, person: Person, app: App, **changes: str | None) -> str:
        answer = sent_back(self.authorize(person.browser, app, **changes))
        assert "code" in answer, answer
        return answer["code"]

    def token(self, app: App, **form: str) -> TestResponse:
        return self.post("/token", app, **form)

    def redeem(self, app: App, code: str, **changes: str) -> TestResponse:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return self.token(app, **{**form, **changes})

    def refresh(self, app: App, token: str, **changes: str) -> TestResponse:
        return self.token(app, grant_type="refresh_token", refresh_token=token, **changes)

    def post(self, path: str, app: App | None, **form: str) -> TestResponse:
        """A POST with the client authenticated in the way that is registered for it."""
        headers: dict[str, str] = {}
        method = app.client.auth_method if app else ""
        if app and method == "client_secret_basic":
            headers["Authorization"] = basic(app.id, app.secret)
        elif app:
            form = {"client_id": app.id, **({"client_secret": app.secret} if app.secret else {}), **form}
        return self.app.test_client().post(path, data=form, headers=headers)

    def sign_in(self, person: Person, app: App, **changes: str | None) -> dict[str, Any]:
        """The whole token answer of a sign-in."""
        answer = self.redeem(app, self.code(person, app, **changes))
        assert answer.status_code == 200, answer.text
        return cast(dict[str, Any], answer.json)

    def userinfo(self, token: str) -> TestResponse:
        return self.app.test_client().get("/userinfo", headers={"Authorization": f"Bearer {token}"})

    def introspect(self, app: App, token: str) -> dict[str, Any]:
        answer = self.post("/introspect", app, token=token)
        assert answer.status_code == 200, answer.text
        return cast(dict[str, Any], answer.json)

    def read(self, token: str, alg: str) -> jwt.Token:
        """A token as any client would verify it: with the published keys."""
        keys = KeySet.import_key_set(self.app.test_client().get("/jwks").get_json())
        return jwt.decode(token, keys, algorithms=[alg])

    def refused(self, answer: TestResponse, status: int, error: str) -> Mapping[str, Any]:
        """The answer is this OAuth error, with a trace code that explains it."""
        assert answer.status_code == status, answer.text
        body = cast(dict[str, Any], answer.json)
        assert body["error"] == error, body
        assert self.parts.traces.explain(body["trace"]) is not None
        assert answer.headers["Cache-Control"] == "no-store"
        return body


def sent_back(answer: TestResponse, to: str = CALLBACK) -> dict[str, str]:
    """The parameters with which the browser is sent back to the app."""
    assert answer.status_code == 303, answer.text
    location = answer.headers["Location"]
    assert location.startswith(to), location
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query, strict_parsing=True).items()}


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()
