"""Owns npm oidc-provider as an upstream: a certified OpenID Provider with users and clients that tests add.

Its code is js/upstream.mjs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.http_browser import Page
from tests.support.needs import NODE, need
from tests.support.ports import free_port
from tests.support.running import Running

JS = Path(__file__).parent / "js"


@dataclass(frozen=True)
class Registered:
    """A client of the upstream."""

    client_id: str
    client_secret: str = field(repr=False)


class OidcProvider:
    """The running upstream. Its login page has one field, `login`, and the buttons "Sign in" and "Cancel".

    claims_in_id_token: send e-mail and name in the ID token too, as many real providers do; else only from userinfo.
    """

    def __init__(self, folder: Path, *, claims_in_id_token: bool = False, host: str = "127.0.0.1") -> None:
        self.port = free_port()
        self.issuer = f"http://{host}:{self.port}"
        env = {
            "PORT": str(self.port),
            "ISSUER": self.issuer,
            "CLAIMS_IN_ID_TOKEN": "1" if claims_in_id_token else "0",
            "NODE_ENV": "production",
        }
        command = [need(NODE), str(JS / "upstream.mjs")]
        self.process = Running("oidc-provider", command, log=folder / "oidc-provider.log", env=env, cwd=JS)
        self._http = requests.Session()
        self._http.trust_env = False

    def start(self) -> "OidcProvider":
        try:
            self.process.start().wait_http(f"{self.issuer}/.well-known/openid-configuration")
        except AssertionError:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        self._http.close()
        self.process.stop()

    def add_user(self, sub: str, *, acr: str | None = None, amr: list[str] | None = None, **claims: Any) -> str:
        """A user who signs in there by the name `sub`; claims as the upstream shall say them. Adding again replaces."""
        self._post("/control/users", {"sub": sub, "claims": claims, "acr": acr, "amr": amr})
        return sub

    def register(self, redirect_uri: str, **metadata: Any) -> Registered:
        """Register a client (RFC 7591)."""
        asked = {"redirect_uris": [redirect_uri], "token_endpoint_auth_method": "client_secret_basic", **metadata}
        made = self._post("/reg", asked).json()
        return Registered(made["client_id"], made.get("client_secret", ""))

    def sign_in(self, page: Page, sub: str) -> Page:
        """On the upstream's login page, sign in as this user."""
        assert page.url.startswith(self.issuer), (
            f"not on the upstream's login page but on {page.url}: {page.text[:300]}"
        )
        return page.submit("Sign in", login=sub)

    def _post(self, path: str, body: Mapping[str, Any]) -> requests.Response:
        response = self._http.post(f"http://127.0.0.1:{self.port}{path}", json=body, timeout=10)
        assert response.ok, f"{path}: {response.status_code} {response.text}"
        return response


@pytest.fixture(scope="session")
def oidc_upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    """A running npm oidc-provider for the whole run. Add your own users and clients."""
    upstream = OidcProvider(tmp_path_factory.mktemp("oidc-provider"))
    try:
        yield upstream.start()
    finally:
        upstream.stop()
