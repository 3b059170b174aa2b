"""Owns relying parties for tests: npm openid-client and Authlib's client, driven in the same way.

Their code is js/rp.mjs and rp_authlib.py.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.http_browser import Page, PlainBrowser
from tests.support.needs import NODE, need
from tests.support.ports import free_port
from tests.support.running import Running
from tests.support.sheaf import App, Sheaf

JS = Path(__file__).parent / "js"
ROOT = Path(__file__).parent.parent.parent
KINDS = ("openid-client", "authlib")


class RelyingParty:
    """An app that signs people in with a Sheaf. It registers itself there as a client when it starts.

    client_settings are those of Sheaf.add_client, for example scopes=["openid", "offline_access"], public=True.
    """

    def __init__(self, kind: str, sheaf: Sheaf, folder: Path, *, scope: str, **client_settings: Any) -> None:
        self.kind = kind
        self.sheaf = sheaf
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.redirect_uri = f"{self.url}/callback"
        self.client: App = sheaf.add_client(
            self.redirect_uri,
            **{"name": f"App on {kind}", "post_logout_redirect_uris": [f"{self.url}/bye"], **client_settings},
        )
        env = {
            **os.environ,
            "PORT": str(self.port),
            "ISSUER": sheaf.issuer,
            "CLIENT_ID": self.client.client_id,
            "SCOPE": scope,
            "NO_PROXY": "*",
        }
        if self.client.client_secret:
            env["CLIENT_SECRET"] = self.client.client_secret
        if client_settings.get("auth_method"):
            env["AUTH_METHOD"] = client_settings["auth_method"]
        self.process = Running(kind, self._command(kind), log=folder / f"{kind}.log", env=env, cwd=ROOT)

    @staticmethod
    def _command(kind: str) -> list[str]:
        if kind == "authlib":
            return [sys.executable, "-m", "tests.peers.rp_authlib"]
        return [need(NODE), str(JS / "rp.mjs")]

    def start(self) -> "RelyingParty":
        self.process.start().wait_http(f"{self.url}/ready")
        return self

    def login(self, browser: PlainBrowser, **params: str) -> Page:
        """Start a sign-in there with these further authorization parameters; gives the first page of Sheaf."""
        query = "&".join(f"{name}={value}" for name, value in params.items())
        return browser.open(f"{self.url}/login?{query}")

    def result(self, page: Page) -> dict[str, Any]:
        """What the app says after a sign-in: tokens, claims of the checked ID token, userinfo."""
        assert page.url.startswith(self.url), f"not back at the app but on {page.url}: {page.text[:300]}"
        assert page.status == 200, f"{self.kind}: {page.body}\n{self.process.tail()}"
        answer: dict[str, Any] = page.json()
        return answer

    def ask(self, path: str, **params: str) -> Page:
        """/refresh, /userinfo, /introspect, /revoke, /client-credentials with the tokens of the last sign-in."""
        with PlainBrowser() as browser:
            return browser.open(f"{self.url}{path}?" + "&".join(f"{name}={value}" for name, value in params.items()))

    def stop(self) -> None:
        self.process.stop()


@pytest.fixture(scope="module", params=KINDS)
def relying_party(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., RelyingParty]]:
    """Start apps on one library after the other: relying_party(sheaf, scope="openid email", consent="skip", ...)."""
    started: list[RelyingParty] = []

    def start(sheaf: Sheaf, scope: str = "openid profile email", **client_settings: Any) -> RelyingParty:
        folder = tmp_path_factory.mktemp("relying-party")
        started.append(RelyingParty(request.param, sheaf, folder, scope=scope, **client_settings))
        return started[-1].start()

    yield start
    for one in started:
        one.stop()
