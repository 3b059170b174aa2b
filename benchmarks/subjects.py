"""Owns what is measured: Sheaf and the yardstick (npm oidc-provider), each started, signed in to, and asked in the same way.

Sending and counting is left to load.py.
"""

import base64
import hashlib
import secrets
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests

from benchmarks.load import Request, http_request
from tests.support.http_browser import Page, PlainBrowser
from tests.support.needs import JS, NODE
from tests.support.ports import free_port
from tests.support.running import Running
from tests.support.sheaf import PASSWORD, Sheaf

HERE = Path(__file__).parent
CALLBACK = "https://app.test/callback"
SCOPE = "openid profile email offline_access"
WORKLOADS = ("discovery", "jwks", "client_credentials", "introspect", "userinfo", "refresh")


@dataclass
class Subject:
    """A running provider with a client, an access token of a user, and refresh tokens of as many sign-ins as connections."""

    name: str
    port: int
    pid: int
    endpoints: dict[str, str]
    client: tuple[str, str] = field(repr=False)
    access_token: str = field(repr=False)
    refresh_tokens: deque[str] = field(repr=False)

    def requests(self, workload: str) -> Callable[[], Request | None]:
        """A source of requests of this kind."""
        if workload == "refresh":
            return self._next_refresh
        fixed: Request = getattr(self, f"_{workload}")()
        return lambda: fixed

    def answered(self, workload: str) -> Callable[[bytes], None]:
        """What to do with a good answer: a refresh gives the token of the next one."""
        if workload != "refresh":
            return lambda _body: None
        return lambda body: self.refresh_tokens.append(_between(body, b'"refresh_token":', b'"'))

    def _discovery(self) -> Request:
        return http_request("GET", self.port, "/.well-known/openid-configuration", expect='"issuer"')

    def _jwks(self) -> Request:
        return http_request("GET", self.port, self.endpoints["jwks_uri"], expect='"keys"')

    def _client_credentials(self) -> Request:
        return self._form("token_endpoint", '"access_token"', grant_type="client_credentials")

    def _introspect(self) -> Request:
        return self._form("introspection_endpoint", '"active"', token=self.access_token)

    def _userinfo(self) -> Request:
        bearer = {"Authorization": f"Bearer {self.access_token}"}
        return http_request("GET", self.port, self.endpoints["userinfo_endpoint"], headers=bearer, expect='"email"')

    def _next_refresh(self) -> Request | None:
        if not self.refresh_tokens:
            return None
        token = self.refresh_tokens.popleft()
        return self._form("token_endpoint", '"refresh_token"', grant_type="refresh_token", refresh_token=token)

    def _form(self, endpoint: str, expect: str, **fields: str) -> Request:
        headers = {"Authorization": "Basic " + base64.b64encode(":".join(self.client).encode()).decode()}
        return http_request(
            "POST", self.port, self.endpoints[endpoint], headers=headers, body=urlencode(fields), expect=expect
        )


def from_sheaf(sheaf: Sheaf, sign_ins: int) -> Subject:
    """Register a user and a client with a running Sheaf and sign in."""
    person = sheaf.add_user(full_name="Ada")
    app = sheaf.add_client(
        CALLBACK,
        grants=["authorization_code", "refresh_token", "client_credentials"],
        scopes=[*SCOPE.split()],
        audiences=["urn:bench:api"],
        consent="skip",
    )

    def sign_in(page: Page) -> Page:
        return page.submit(username=person.username, password=PASSWORD)

    client = (app.client_id, app.client_secret or "")
    return _subject("Sheaf", sheaf.port, sheaf.process.pid, client, sign_in, sign_ins)


def start_oidc_provider(folder: Path, sign_ins: int) -> tuple[Running, Subject] | None:
    """The yardstick; None when its packages are not installed (`make test` installs them)."""
    node = NODE.find()
    if not node or not (JS / "oidc-provider").is_dir():
        return None
    port, secret = free_port(), secrets.token_urlsafe(24)
    env = {"PORT": str(port), "CLIENT_SECRET": secret, "REDIRECT_URI": CALLBACK, "NODE_ENV": "production"}
    server = Running("oidc-provider", [node, str(HERE / "baseline.mjs")], log=folder / "oidc-provider.log", env=env)
    server.start().wait_http(f"http://127.0.0.1:{port}/.well-known/openid-configuration")
    client = ("bench", secret)
    return server, _subject("oidc-provider", port, server.pid, client, lambda page: page.submit("Sign in"), sign_ins)


def start_hello(folder: Path) -> tuple[Running, Subject]:
    """A bare WSGI answer under our HTTP server, for every workload: what no Python application can beat."""
    port = free_port()
    program = str(Path(sys.executable).with_name("granian"))
    command = [program, "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "benchmarks.hello:app"]
    server = Running("hello", command, log=folder / "hello.log", cwd=HERE.parent)
    server.start().wait_http(f"http://127.0.0.1:{port}/")
    paths = dict.fromkeys(("jwks_uri", "token_endpoint", "introspection_endpoint", "userinfo_endpoint"), "/")
    return server, Subject("bare WSGI", port, server.pid, paths, ("", ""), "", deque(["none"] * 8))


def _subject(
    name: str, port: int, pid: int, client: tuple[str, str], sign_in: Callable[[Page], Page], sign_ins: int
) -> Subject:
    issuer = f"http://127.0.0.1:{port}"
    metadata = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()
    paths = {key: value.removeprefix(issuer) for key, value in metadata.items() if str(value).startswith(issuer)}
    tokens = [_tokens(metadata, client, sign_in) for _ in range(sign_ins)]
    refresh = deque(token["refresh_token"] for token in tokens)
    return Subject(name, port, pid, paths, client, tokens[0]["access_token"], refresh)


def _tokens(metadata: dict[str, Any], client: tuple[str, str], sign_in: Callable[[Page], Page]) -> dict[str, str]:
    """One whole sign-in with code and PKCE."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "client_id": client[0],
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": SCOPE,
        "state": secrets.token_urlsafe(8),
        "nonce": secrets.token_urlsafe(8),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    with PlainBrowser([CALLBACK]) as browser:
        page = browser.open(f"{metadata['authorization_endpoint']}?{urlencode(asked)}")
        for _ in range(4):
            if page.url.startswith(CALLBACK):
                break
            page = sign_in(page) if "password" in _fields(page) or "Sign in" in page.text else page.submit()
    form = {
        "grant_type": "authorization_code",
        "code": page.params["code"],
        "redirect_uri": CALLBACK,
        "code_verifier": verifier,
    }
    answer = requests.post(metadata["token_endpoint"], data=form, auth=client, timeout=10)
    answer.raise_for_status()
    tokens: dict[str, str] = answer.json()
    return tokens


def _fields(page: Page) -> set[str]:
    return {name for form in page.document.forms for name in form.names}


def _between(body: bytes, key: bytes, quote: bytes) -> str:
    return body.partition(key)[2].partition(quote)[2].partition(quote)[0].decode()
