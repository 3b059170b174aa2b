"""Owns a real running Sheaf: its own folder, free ports, processes started by the installed `idp` command.

What a test does with it goes through HTTP or through the command line, as for anybody else.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.support import warm
from tests.support.http_browser import Page, PlainBrowser
from tests.support.ports import free_port
from tests.support.running import Running, answers, until
from tests.support.totp import Authenticator

IDP = str(Path(sys.executable).with_name("idp"))
PASSWORD = "correct horse battery staple"
# Cheapest allowed argon2id: tests sign in hundreds of times on two cores.
# Streams are a process of its own; whoever tests them gives it a port.
QUICK = {"IDP_PASSWORDS__TIME_COST": "1", "IDP_PASSWORDS__MEMORY_KIB": "8192", "IDP_API__STREAMS_PORT": "0"}


@dataclass
class Person:
    """A user of the installation, with what only that person knows. `phone` is None without a second factor."""

    id: str
    username: str
    email: str
    password: str = field(repr=False)
    phone: Authenticator | None = field(repr=False, default=None)
    recovery_codes: list[str] = field(repr=False, default_factory=list)

    def code(self) -> str:
        assert self.phone, f"{self.username} has no second factor; add_user(totp=True) gives one"
        return self.phone.code()


@dataclass(frozen=True)
class App:
    """A registered OIDC client."""

    client_id: str
    client_secret: str | None = field(repr=False)
    redirect_uri: str = ""


class Sheaf:
    """One installation. `with Sheaf(folder) as sheaf:` starts it; without the companion unless api=True.

    second_factor: what IDP_SECOND_FACTOR shall say ("everyone", "administrators", "roles: [...]").
    env: further environment, for example {"IDP_STORE__URL": mongo}. host: the name in the issuer; browsers keep cookies
    of two installations apart only when their host names differ ("127.0.0.1", "localhost").
    """

    def __init__(
        self,
        folder: Path,
        *,
        api: bool = False,
        second_factor: str = "everyone",
        env: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.with_api = api
        self.port, self.api_port = free_port(), free_port()
        self.issuer = f"http://{host}:{self.port}"
        self.api_url = f"http://{host}:{self.api_port}"
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("IDP_")},
            **QUICK,
            "IDP_ISSUER": self.issuer,
            "IDP_SERVER__PORT": str(self.port),
            "IDP_API__PORT": str(self.api_port),
            "IDP_SECOND_FACTOR": second_factor,
            **(env or {}),
        }
        self.process = self._process()

    def _process(self) -> Running:
        words = ["run"] if self.with_api else ["serve", "idp"]
        return Running(
            "sheaf", [IDP, *words, "--data", self.data], log=self.folder / "sheaf.log", env=self.env, cwd=self.folder
        )

    def start(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = self._process().start()
        try:
            self.process.wait_http(self.url("/.well-known/openid-configuration"))
            if self.with_api:
                self.process.wait_http(f"{self.api_url}/healthz")
        except AssertionError:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        self.process.stop()

    def restart(self, *, kill: bool = False) -> Self:
        """Stop (or kill -9) and start again on the same folder and ports."""
        self.process.kill() if kill else self.process.stop()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, path: str) -> str:
        return f"{self.issuer}{path}"

    @property
    def log(self) -> str:
        return self.process.log_text()

    # -- the command line

    def cli(self, *words: str, stdin: str | None = None, env: Mapping[str, str] | None = None) -> Any:
        """Run `idp …` on this installation and give its JSON. AssertionError with its words when it fails."""
        done = self.command(*words, "--json", stdin=stdin, env=env)
        assert done.returncode == 0, f"idp {' '.join(words)} ended with {done.returncode}:\n{done.stderr}{done.stdout}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def command(
        self, *words: str, stdin: str | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `idp …` on this installation as it is, whatever it gives."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [IDP, *words, "--data", str(self.data)]
        return warm.run(command, stdin=stdin or "", env={**self.env, **(env or {})}, cwd=self.folder)

    def add_user(
        self,
        name: str | None = None,
        *,
        email: str | None = None,
        full_name: str = "",
        password: str = PASSWORD,
        admin: bool = False,
        totp: bool = False,
    ) -> Person:
        """A new user with a password; without `name` one that nobody has. `totp` gives a confirmed second factor."""
        name = name or f"user-{secrets.token_hex(4)}"
        email = email or f"{name}@example.org"
        words = ["user", "add", name, "--email", email, "--name", full_name or name.title(), "--password-stdin"]
        made = self.cli(*words, *["--admin"] * admin, *["--totp"] * totp, stdin=f"{password}\n")
        phone = Authenticator(made["totp_secret"]) if made.get("totp_secret") else None
        return Person(made["id"], made["username"], email, password, phone, made.get("recovery_codes") or [])

    def add_client(
        self,
        redirect_uri: str = "",
        *,
        name: str = "Test app",
        more_redirect_uris: Iterable[str] = (),
        post_logout_redirect_uris: Iterable[str] = (),
        grants: Iterable[str] = (),
        auth_method: str | None = None,
        scopes: Iterable[str] = (),
        audiences: Iterable[str] = (),
        pkce: str | None = None,
        public: bool = False,
        consent: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> App:
        """A new OIDC client. What is not given stays as the command line has it."""
        words = ["client", "add", "--name", name]
        uris = [*([redirect_uri] if redirect_uri else []), *more_redirect_uris]
        words += _repeat("--redirect-uri", uris) + _repeat("--post-logout-redirect-uri", post_logout_redirect_uris)
        words += _repeat("--grant", grants) + _repeat("--scope", scopes) + _repeat("--audience", audiences)
        words += _repeat("--auth-method", [auth_method] if auth_method else [])
        words += _repeat("--pkce", [pkce] if pkce else []) + _repeat("--consent", [consent] if consent else [])
        words += ["--public"] * public
        words += _repeat("--set", [f"{key}={value}" for key, value in (settings or {}).items()])
        made = self.cli(*words)
        return App(made["client_id"], made.get("client_secret"), redirect_uri)

    def add_sp(self, metadata: Path | str, **settings: str) -> Any:
        """Register a SAML service provider from its metadata (file or URL)."""
        return self.cli("sp", "add", str(metadata), *_repeat("--set", [f"{k}={v}" for k, v in settings.items()]))

    def add_upstream(self, kind: str, id: str, **settings: str) -> Any:
        """Configure an upstream provider; settings are those of its kind."""
        return self.cli(
            "upstream", "add", kind, "--id", id, *_repeat("--set", [f"{k}={v}" for k, v in settings.items()])
        )

    # -- people at a browser

    def browser(self, *callbacks: str) -> PlainBrowser:
        """A fresh browser that stops at these addresses of apps."""
        return PlainBrowser(callbacks)

    def sign_in(self, browser: PlainBrowser, person: Person, at: str | None = None) -> Page:
        """Go to `at` (the home page), type name, password and, when asked, a code. Gives the page where that ends."""
        page = browser.open(at or self.url("/"))
        if "/flow/" not in page.url and "username" not in _names(page):
            page = browser.open(self.url("/sign-in"))
        page = page.submit(username=person.username, password=person.password)
        return page.submit(code=person.code()) if person.phone and "code" in _names(page) else page

    def soon(self, check: Callable[[], object], what: str, seconds: float = 5.0) -> None:
        """Wait for a change from the command line to be seen by the running processes (they promise one second)."""
        until(check, what, seconds=seconds)

    def is_up(self) -> bool:
        return answers(self.url("/healthz"))


def _names(page: Page) -> set[str]:
    return {name for form in page.document.forms for name in form.names}


def _repeat(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
