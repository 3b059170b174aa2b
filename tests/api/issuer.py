"""Owns a small real identity provider for tests of the companion: real keys, a real HTTP server, real introspection.

Tests change what it says through its attributes; the companion sees only what comes over the wire.
"""

import base64
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from tests.support.clock import FakeClock
from tests.support.ports import free_port

CLIENT = ("companion", "a secret for introspection")


class Issuer:
    """`mint` makes access tokens; `revoked`, `keys`, `broken` and `answers` are what tests change."""

    def __init__(self) -> None:
        self.clock: FakeClock | None = None
        self.keys: dict[str, Key] = {"ec": ECKey.generate_key("P-256", {"kid": "ec", "alg": "ES256", "use": "sig"})}
        self.alg = {"ec": "ES256"}
        self.revoked: set[str] = set()
        self.broken: set[str] = set()
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.says_issuer = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def add_key(self, kid: str, alg: str) -> None:
        made: Key
        if alg in ("RS256", "PS256"):
            made = RSAKey.generate_key(2048, {"kid": kid, "alg": alg})
        elif alg == "Ed25519":
            made = OKPKey.generate_key("Ed25519", {"kid": kid, "alg": alg})
        else:
            made = ECKey.generate_key({"ES256": "P-256", "ES384": "P-384"}[alg], {"kid": kid, "alg": alg})
        self.keys[kid], self.alg[kid] = made, alg

    def claims(self, **changes: Any) -> dict[str, Any]:
        assert self.clock
        now = int(self.clock())
        claims: dict[str, Any] = {
            "iss": self.url,
            "sub": "usr_ada",
            "aud": "urn:sheaf:api",
            "exp": now + 600,
            "iat": now,
            "jti": secrets.token_hex(8),
            "client_id": "app_notes",
            "scope": "documents.read documents.write documents.manage queues.publish queues.consume queues.manage",
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def mint(self, *, kid: str = "ec", header: dict[str, Any] | None = None, **changes: Any) -> str:
        """An access token. A claim given as None is left out; `header` is laid over the usual one."""
        full = {"alg": self.alg[kid], "kid": kid, "typ": "at+jwt"} | (header or {})
        full = {name: value for name, value in full.items() if value is not None}
        claims = self.claims(**changes)
        return jwt.encode(full, claims, self.keys[kid], algorithms=[full["alg"]], default_type=None)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            if self.path in issuer.broken:
                return self._send(500, {})
            if self.path == "/.well-known/openid-configuration":
                return self._send(
                    200,
                    {
                        "issuer": issuer.says_issuer or issuer.url,
                        "jwks_uri": issuer.url + "/jwks",
                        "introspection_endpoint": issuer.url + "/introspect",
                    },
                )
            if self.path == "/jwks":
                odd = [{"kty": "oct", "kid": "oct", "k": "c2VjcmV0"}, {"kty": "EC", "kid": "rotten", "crv": "?"}, 7]
                return self._send(200, {"keys": [*(k.as_dict(private=False) for k in issuer.keys.values()), *odd]})
            return self._send(404, {})

        def do_POST(self) -> None:
            issuer.asked.append(self.path)
            body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            basic = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
            if self.path in issuer.broken or basic != f"{CLIENT[0]}:{CLIENT[1].replace(' ', '+')}":
                return self._send(401 if self.path not in issuer.broken else 500, {})
            token = body["token"][0]
            return self._send(200, {"active": token not in issuer.revoked, **issuer.answers})

        def _send(self, status: int, tree: object) -> None:
            raw = json.dumps(tree).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None: ...

    return Handler
