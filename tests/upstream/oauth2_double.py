"""Owns small but true providers of OAuth 2.0 without ID tokens on loopback, a plain one and GitHub, and how tests drive them.

They check what a strict provider checks (redirect URI, PKCE, client authentication, one use of a code, who may see what).
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from http.server import ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

from idp.ports import Departure
from tests.support.ports import free_port
from tests.upstream.openid_double import CLIENT_ID, CLIENT_SECRET, MISSING, Handler
from tests.upstream.trouble import Troubled

Told = tuple[int, Any]


class OAuth2Double(Troubled):
    """userinfo: further or (MISSING) left out fields. token_answer: changes to the token answer. pkce: it wants a challenge."""

    authorize_path, token_path = "/authorize", "/token"

    def __init__(self, clock) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.clock = clock
        self.base = f"http://127.0.0.1:{(port := free_port())}"
        self.issuer = self.base
        self.auth_method = "client_secret_basic"
        self.pkce = True
        self.sends_iss = True
        self.userinfo: dict[str, Any] = {}
        self.token_answer: dict[str, Any] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), type("Bound", (OAuth2Handler,), {"double": self}))
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def authorize(self, url: str, subject: object = "user-1") -> dict[str, str]:
        """The person signs in there: the parameters with which the browser comes back."""
        assert url.startswith(f"{self.base}{self.authorize_path}?"), url
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID)
        assert len(asked["state"]) >= 43
        assert asked.get("code_challenge_method") == ("S256" if self.pkce else None)
        code = secrets.token_urlsafe(10)
        self.codes[code] = {**asked, "subject": subject}
        self.last_asked = asked
        return {"code": code, "state": asked["state"], **({"iss": self.issuer} if self.sends_iss else {})}

    # -- endpoints

    def token(self, form: Mapping[str, str], headers: Mapping[str, str]) -> Told:
        assert headers["Accept"] == "application/json"
        if not self._authenticated(form, headers.get("Authorization", "")):
            return self.no("invalid_client", 401)
        found = self.codes.pop(form.get("code", ""), None)
        if found is None or found["client_id"] != CLIENT_ID or form.get("redirect_uri") != found["redirect_uri"]:
            return self.no("invalid_grant")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if self.pkce and base64.urlsafe_b64encode(digest).decode().rstrip("=") != found["code_challenge"]:
            return self.no("invalid_grant")
        assert self.pkce or "code_verifier" not in form
        access_token = secrets.token_urlsafe(16)
        self.tokens[access_token] = found
        return 200, told({"access_token": access_token, "token_type": "bearer"}, self.token_answer)

    def no(self, error: str, status: int = 400) -> Told:
        return status, {"error": error, "error_description": "no"}

    def get(self, path: str, headers: Mapping[str, str]) -> Told:
        found = self.tokens.get(headers.get("Authorization", "").removeprefix("Bearer "))
        if path != "/userinfo" or found is None:
            return (404, {}) if found else (401, {"error": "invalid_token"})
        return 200, told({"sub": found["subject"]}, self.userinfo)

    def _authenticated(self, form: Mapping[str, str], authorization: str) -> bool:
        if self.auth_method == "none":
            return not authorization and form.get("client_id") == CLIENT_ID and "client_secret" not in form
        if self.auth_method == "client_secret_post":
            given = (form.get("client_id"), form.get("client_secret"))
            return not authorization and given == (CLIENT_ID, CLIENT_SECRET)
        scheme, _, pair = authorization.partition(" ")
        name, _, secret = base64.b64decode(pair).decode().partition(":") if scheme == "Basic" else ("", "", "")
        return (unquote_plus(name), unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET)


class GitHubDouble(OAuth2Double):
    """GitHub Enterprise Server: errors with status 200 and names of their own, a list of addresses, scopes that count.

    emails: what /user/emails lists; None: it was not allowed to see them (404)."""

    authorize_path, token_path = "/login/oauth/authorize", "/login/oauth/access_token"

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.issuer = f"{self.base}/login/oauth"
        self.auth_method = "client_secret_post"
        self.emails: list[Any] | None = []

    def no(self, error: str, status: int = 400) -> Told:
        names = {"invalid_grant": "bad_verification_code", "invalid_client": "incorrect_client_credentials"}
        return 200, {"error": names[error], "error_description": "no", "error_uri": "https://docs.github.com/"}

    def get(self, path: str, headers: Mapping[str, str]) -> Told:
        assert headers["User-Agent"]
        assert headers["Accept"] == "application/vnd.github+json"
        found = self.tokens.get(headers.get("Authorization", "").removeprefix("Bearer "))
        if found is None:
            return 401, {"message": "Bad credentials"}
        if path == "/api/v3/user":
            about = {
                "login": "octocat",
                "id": int(found["subject"]),
                "name": "The Octocat",
                "email": "shown@octo.example",
            }
            return 200, told(about, self.userinfo)
        if path != "/api/v3/user/emails" or self.emails is None or "user:email" not in found["scope"].split():
            return 404, {"message": "Not Found"}
        return 200, self.emails


def told(usual: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**usual, **changes}.items() if value is not MISSING}


class OAuth2Handler(Handler):
    double: Any

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self._answer(path, lambda: self.double.get(path, self.headers))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        path = urlsplit(self.path).path
        known = path == self.double.token_path
        self._answer(path, lambda: self.double.token(form, self.headers) if known else (404, {}))


# ---------------------------------------------------------------- for the suite of every kind


class OAuth2Counterpart:
    """Nothing in these answers is signed or has an end: what is told elsewhere by a token, the token endpoint tells here."""

    def __init__(self, clock) -> None:
        self.provider = self.made(clock)
        self._came: dict[str, str] = {}

    def made(self, clock) -> OAuth2Double:
        return OAuth2Double(clock)

    def settings(self) -> dict[str, str]:
        base = self.provider.base
        endpoints = {"authorization": "/authorize", "token": "/token", "userinfo": "/userinfo"}
        return {
            **{f"{name}_endpoint": f"{base}{path}" for name, path in endpoints.items()},
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }

    def come_back(self, departure: Departure, subject: str) -> dict[str, str]:
        self._came = self.provider.authorize(departure.url, subject)
        return self._came

    def other_state(self, params: Mapping[str, str]) -> dict[str, str]:
        return {**params, "state": "x" * 43}

    def say_no(self, params: Mapping[str, str]) -> dict[str, str]:
        return {"error": "access_denied", "state": params["state"]}

    def answer_expired(self) -> None:
        self.provider.codes.clear()

    def answer_for_another_audience(self) -> None:
        for found in self.provider.codes.values():
            found["client_id"] = "another-client"

    def answer_from_another_issuer(self) -> None:
        self._came["iss"] = "https://evil.example"

    def answer_without_subject(self) -> None:
        self.provider.userinfo = {"sub": MISSING, "id": MISSING}

    def answer_unsigned(self) -> None:
        """The nearest to it: a token of which nobody says that it is one to be shown."""
        self.provider.token_answer = {"token_type": MISSING}

    def close(self) -> None:
        self.provider.close()


class GitHubCounterpart(OAuth2Counterpart):
    def made(self, clock) -> OAuth2Double:
        return GitHubDouble(clock)

    def settings(self) -> dict[str, str]:
        return {"base_url": self.provider.base, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
