"""Owns a small but true OpenID Provider on loopback that can misbehave in every way we know of.

It checks what a strict provider checks (redirect URI, PKCE, client authentication, one use of a code), so that a client
which is wrong fails here, too. Which lie it tells is set by a test through `lies` and the other knobs.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from tests.support.ports import free_port
from tests.upstream.trouble import Trouble, Troubled

CLIENT_ID = "sheaf"
CLIENT_SECRET = "s3cret: with a colon, 100 % & a + sign"
ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "Ed25519", "HS256"]
PATHS = {
    "discovery": "/.well-known/openid-configuration",
    "authorize": "/authorize",
    "token": "/token",
    "jwks": "/jwks",
    "userinfo": "/userinfo",
}
_MISSING = object()
MISSING: Any = _MISSING  # as the value of a claim in `lies`: leave it out


@lru_cache(maxsize=16)
def key(name: str, kind: str = "RSA") -> Key:
    """A private key, made once a run. kind: RSA, P-256, P-384, Ed25519, small (RSA 1024 without the right to live)."""
    if kind == "RSA":
        return RSAKey.generate_key(2048)
    return OKPKey.generate_key("Ed25519") if kind == "Ed25519" else ECKey.generate_key(kind)


@dataclass
class Published:
    """A key as it stands in the key document, and the algorithm it signs with."""

    kid: str | None
    key: Key
    alg: str = "RS256"
    extra: dict[str, Any] = field(default_factory=dict)

    def public(self) -> dict[str, Any]:
        members = {name: value for name, value in self.key.as_dict(private=False).items() if name != "kid"}
        return {**members, **({"kid": self.kid} if self.kid else {}), **self.extra}


class OpenIdDouble(Troubled):
    """lies: claims to set or (MISSING) leave out in the ID token. userinfo: claims of the userinfo endpoint, None for no
    such endpoint. metadata: changes to the discovery document. trouble: path -> Trouble. make_token: replaces signing."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.clock = clock
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.paths = dict(PATHS)
        self.keys = [Published("first", key("first"))]
        self.signer = self.keys[0]
        self.lies: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.userinfo: dict[str, Any] | None = None
        self.metadata: dict[str, Any] = {}
        self.token_answer: dict[str, Any] = {}
        self.make_token: Callable[[dict[str, Any]], str] | None = None
        self.sends_iss = True
        self.auth_method = "client_secret_basic"
        self.codes: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Bound", (Handler,), {"double": self}))
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    # -- what the person does

    def authorize(self, url: str, sub: str = "user-1", **claims: Any) -> dict[str, str]:
        """The person signs in there: the parameters with which the browser comes back."""
        assert url.startswith(f"{self.at('authorize')}?"), url
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["state"]) >= 43
        assert len(asked["nonce"]) >= 43
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**asked, "sub": sub, "claims": claims}
        self.last_asked = asked
        return {"code": code, "state": asked["state"], **({"iss": self.issuer} if self.sends_iss else {})}

    def rotate(self, kid: str, name: str, kind: str = "RSA", alg: str = "RS256") -> None:
        """Publish a new key instead of the old ones, and sign with it."""
        self.signer = Published(kid, key(name, kind), alg)
        self.keys = [self.signer]

    def at(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}{self.paths[name]}"

    def own_claims(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """What providers of this make say besides."""
        return {}

    def times_asked(self, path: str) -> int:
        return self.asked.count(path)

    # -- endpoints

    def discovery(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": self.at("authorize"),
            "token_endpoint": self.at("token"),
            "jwks_uri": self.at("jwks"),
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": [*ALGORITHMS, "none"],
            "authorization_response_iss_parameter_supported": self.sends_iss,
            **({"userinfo_endpoint": self.at("userinfo")} if self.userinfo is not None else {}),
            **self.metadata,
        }
        return {name: value for name, value in document.items() if value is not MISSING}

    def token(self, form: Mapping[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        if not self._authenticated(form, authorization):
            return 401, {"error": "invalid_client", "error_description": "wrong client credentials"}
        found = self.codes.pop(form.get("code", ""), None)
        if found is None or form.get("redirect_uri") != found["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != found["code_challenge"]:
            return 400, {"error": "invalid_grant", "error_description": "PKCE"}
        access_token = secrets.token_urlsafe(16)
        self.tokens[access_token] = found
        answer = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self._id_token(found),
            **self.token_answer,
        }
        return 200, {name: value for name, value in answer.items() if value is not MISSING}

    def _authenticated(self, form: Mapping[str, str], authorization: str) -> bool:
        if self.auth_method == "none":
            return not authorization and form.get("client_id") == CLIENT_ID and "client_secret" not in form
        if self.auth_method == "client_secret_post":
            return not authorization and (form.get("client_id"), form.get("client_secret")) == (
                CLIENT_ID,
                CLIENT_SECRET,
            )
        scheme, _, pair = authorization.partition(" ")
        name, _, secret = base64.b64decode(pair).decode().partition(":") if scheme == "Basic" else ("", "", "")
        return (unquote_plus(name), unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET)

    def _id_token(self, found: Mapping[str, Any]) -> str:
        now = int(self.clock())
        claims = {
            "iss": self.issuer,
            "sub": found["sub"],
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": found["nonce"],
            **({"auth_time": now} if "max_age" in found else {}),
            **self.own_claims(found),
            **found["claims"],
            **self.lies,
        }
        told = {name: value for name, value in claims.items() if value is not MISSING}
        return self.make_token(told) if self.make_token else self.sign(told)

    def sign(self, claims: dict[str, Any], signer: Published | None = None) -> str:
        signer = signer or self.signer
        header = {"alg": signer.alg, **({"kid": signer.kid} if signer.kid else {}), **self.header}
        message = f"{_b64(header)}.{_b64(claims)}".encode()
        # Not the library's own JWT maker: it refuses to write some of the lies.
        return _compact(message, JWSRegistry.algorithms[signer.alg].sign(message, signer.key))

    def unsigned(self, claims: dict[str, Any]) -> str:
        return f"{_b64({'alg': 'none', 'typ': 'JWT'})}.{_b64(claims)}."

    def signed_with_the_public_key_as_secret(self, claims: dict[str, Any]) -> str:
        """The old confusion: HS256, with the published RSA key (PEM) as the secret."""
        message = f"{_b64({'alg': 'HS256', 'kid': self.signer.kid})}.{_b64(claims)}".encode()
        return _compact(message, hmac.digest(self.signer.key.as_pem(private=False), message, "sha256"))

    def told_by_userinfo(self, authorization: str) -> tuple[int, dict[str, Any]]:
        found = self.tokens.get(authorization.removeprefix("Bearer "))
        if found is None:
            return 401, {"error": "invalid_token"}
        return 200, {"sub": found["sub"], **(self.userinfo or {})}


def _b64(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _compact(message: bytes, signature: bytes) -> str:
    return f"{message.decode()}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


LONG_SECONDS, LARGE_BYTES = 20.0, 10_000_000  # so long, or so much, that nobody should wait for it


class Handler(BaseHTTPRequestHandler):
    double: Any

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        documents = {
            self.double.paths["discovery"]: lambda: (200, self.double.discovery()),
            self.double.paths["jwks"]: lambda: (200, {"keys": [one.public() for one in self.double.keys]}),
            self.double.paths["userinfo"]: lambda: self.double.told_by_userinfo(self.headers.get("Authorization", "")),
        }
        self._answer(path, documents.get(path, lambda: (404, {"error": "not_found"})))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        self._answer(self.double.paths["token"], lambda: self.double.token(form, self.headers.get("Authorization", "")))

    def _answer(self, path: str, document: Callable[[], tuple[int, dict[str, Any]]]) -> None:
        self.double.asked.append(path)
        trouble = self.double.trouble.get(path, Trouble())
        if self.kept_waiting(trouble, path):
            return
        if trouble.size or trouble.body is not None:
            status, body = trouble.status or 200, trouble.body or b" " * trouble.size
        else:
            status, found = self._document(document)
            status, body = trouble.status or status, json.dumps(found).encode()
        self.send(status, body, "application/json", trouble, path)

    def kept_waiting(self, trouble: Trouble, path: str) -> bool:
        """True: there is no answer to be sent any more."""
        if trouble.drip:
            if self._drip():
                self.double.finished.append(path)
            return True
        if trouble.cut:
            self._write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
            return True
        if trouble.wait and self.double.closing.wait(trouble.wait):
            return True
        if trouble.wait >= LONG_SECONDS:
            self.double.finished.append(path)
        return False

    def send(self, status: int, body: bytes, kind: str, trouble: Trouble, path: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if trouble.location:
            self.send_header("Location", trouble.location)
        self.end_headers()
        if self._write(body) and len(body) > LARGE_BYTES:
            self.double.finished.append(path)

    def _document(self, document: Callable[[], tuple[int, dict[str, Any]]]) -> tuple[int, dict[str, Any]]:
        try:
            return document()
        except Exception as fault:
            self.double.faults.append(fault)
            return 500, {}

    def _drip(self) -> bool:
        """A header that never ends, a byte at a time. True: somebody waited for all of it."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        return not any(not self._write(b"x") or self.double.closing.wait(0.1) for _ in range(300))

    def _write(self, data: bytes) -> bool:
        try:
            self.wfile.write(data)
            self.wfile.flush()
        except OSError:
            return False
        return True

    def log_message(self, format: str, *args: object) -> None: ...
