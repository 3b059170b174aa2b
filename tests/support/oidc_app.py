"""Owns an OIDC app that speaks plain HTTP to a running installation: every request as a test wants it, right or wrong.

Apps that check what they get are left to tests/peers; what people do in a browser to support/http_browser.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

import requests

from tests.support.http_browser import Page, PlainBrowser
from tests.support.sheaf import App, Person, Sheaf

CALLBACK = "http://127.0.0.1:9/callback"  # nobody listens; browsers stop there
AUDIENCE = "urn:sheaf:api"
API_SCOPES = ("documents.read", "documents.write", "queues.publish", "queues.consume", "queues.manage")
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


class OidcApp:
    """A registered app; `get` its tokens with `sign_in`, or step by step with `ask`, `redeem` and `refresh`."""

    def __init__(
        self, sheaf: Sheaf, *, scopes: Iterable[str] = ("openid",), audiences: Iterable[str] = (), **settings: Any
    ) -> None:
        self.sheaf = sheaf
        self.scopes = tuple(scopes)
        given = {"grants": ["authorization_code", "refresh_token"], "consent": "skip", **settings}
        self.client: App = sheaf.add_client(CALLBACK, scopes=self.scopes, audiences=audiences, **given)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.sheaf.port}"

    @classmethod
    def of(cls, app: "OidcApp", node: Sheaf) -> "OidcApp":
        """The same app, talking to another node of the installation."""
        same = cls.__new__(cls)
        same.sheaf, same.scopes, same.client = node, app.scopes, app.client
        return same

    # -- at a browser

    def ask(self, browser: PlainBrowser, **changes: str | None) -> Page:
        """Send the browser to the authorization endpoint; a parameter that is None is left out."""
        asked = {
            "client_id": self.client.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": " ".join(self.scopes),
            "state": "s-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return browser.open(f"{self.base}/authorize?{query}")

    def browser(self) -> PlainBrowser:
        return self.sheaf.browser(CALLBACK)

    def sign_in(self, browser: PlainBrowser, person: Person) -> dict[str, Any]:
        """The person signs in, with a code where one is asked; gives the whole token answer."""
        page = self.ask(browser)
        if "/flow/" in page.url:
            page = page.submit(username=person.username, password=person.password)
            page = page.submit(code=person.code()) if person.phone else page
        return self.tokens(self.redeem(page.params["code"]))

    # -- behind the browser

    def redeem(self, code: str, **changes: str) -> requests.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return self.post("/token", **{**form, **changes})

    def refresh(self, token: str) -> requests.Response:
        return self.post("/token", grant_type="refresh_token", refresh_token=token)

    def active(self, token: str) -> bool:
        return bool(self.post("/introspect", token=token).json()["active"])

    def post(self, path: str, **form: str) -> requests.Response:
        auth = (self.client.client_id, self.client.client_secret) if self.client.client_secret else None
        form = form if auth else {"client_id": self.client.client_id, **form}
        return requests.post(f"{self.base}{path}", data=form, auth=auth, timeout=10)

    def userinfo(self, token: str) -> requests.Response:
        return requests.get(f"{self.base}/userinfo", headers=bearer(token), timeout=10)

    @staticmethod
    def tokens(answer: requests.Response) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def api(sheaf: Sheaf, token: str | None, method: str, path: str, body: Any = None) -> requests.Response:
    """Ask the companion."""
    headers = bearer(token) if token else {}
    return requests.request(method, f"{sheaf.api_url}{path}", json=body, headers=headers, timeout=10)


def query(sheaf: Sheaf, token: str | None) -> int:
    """The status with which the companion answers a harmless query."""
    return api(sheaf, token, "POST", "/documents/notes/query", {}).status_code


def claims(token: str) -> dict[str, Any]:
    """What a JWT says; its signature is the business of others."""
    payload = token.split(".")[1]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return said
