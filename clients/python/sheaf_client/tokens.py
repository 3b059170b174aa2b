"""Owns where access tokens come from: a text, a function, or the token endpoint of the identity provider (RFC 6749 4.4)."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from sheaf_client.problems import NoAnswer, Problem

EARLY_SECONDS = 30.0  # a token is changed so long before it ends

Tokens = str | Callable[[], str]


@dataclass
class ClientCredentials:
    """Tokens of an app that calls for itself. Kept until shortly before they end; safe to share between threads.

    details: `authorization_details` (RFC 9396), to narrow them.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: Sequence[str] = ()
    audience: str = "urn:sheaf:api"
    details: str = ""
    timeout: float = 10.0
    _token: str = field(default="", repr=False)
    _until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self) -> str:
        with self._lock:
            if time.monotonic() >= self._until:
                self._token, seconds = self._fetch()
                self._until = time.monotonic() + max(0.0, seconds - EARLY_SECONDS)
            return self._token

    def _fetch(self) -> tuple[str, float]:
        form = {"grant_type": "client_credentials", "resource": self.audience, "scope": " ".join(self.scopes)}
        if self.details:
            form["authorization_details"] = self.details
        base = self.issuer.rstrip("/")
        try:
            with httpx.Client(timeout=self.timeout) as http:
                endpoint = (
                    http.get(f"{base}/.well-known/openid-configuration").raise_for_status().json()["token_endpoint"]
                )
                answer = http.post(endpoint, data=form, auth=(self.client_id, self.client_secret))
        except httpx.HTTPError as error:
            raise NoAnswer(f"The identity provider did not answer: {type(error).__name__}") from error
        body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        if answer.status_code != 200:
            said = {"code": body.get("error"), "detail": body.get("error_description"), "trace": body.get("trace", "")}
            raise Problem(said, answer.status_code)
        return str(body["access_token"]), float(body["expires_in"])


def current(tokens: Tokens) -> str:
    return tokens if isinstance(tokens, str) else tokens()
