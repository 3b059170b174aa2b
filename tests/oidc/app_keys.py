"""Owns key pairs of apps for tests, and JWTs that apps sign with them: good ones, and broken in any way.

What the JWTs are for is left to the tests.
"""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from tests.oidc.house import CALLBACK, CHALLENGE, ISSUER

_MAKERS = {
    "ES256": lambda: ECKey.generate_key("P-256"),
    "ES384": lambda: ECKey.generate_key("P-384"),
    "RS256": lambda: RSAKey.generate_key(2048),
    "PS256": lambda: RSAKey.generate_key(2048),
    "Ed25519": lambda: OKPKey.generate_key("Ed25519"),
}
_MADE: dict[str, Key] = {}


class AppKeys:
    """One key pair; the same for every test of a run, as making them takes time."""

    def __init__(self, alg: str = "ES256", kid: str = "k1") -> None:
        self.alg, self.kid = alg, kid
        self.key = _MADE.setdefault(f"{alg} {kid}", _MAKERS[alg]())

    @property
    def jwks(self) -> str:
        """What the app registers."""
        return json.dumps({"keys": [{**self.key.as_dict(private=False), "kid": self.kid, "use": "sig"}]})

    def sign(self, claims: Mapping[str, Any] | bytes, **header: Any) -> str:
        """A compact JWS. header: changes to it; None leaves a member out."""
        head = {"alg": self.alg, "kid": self.kid, "typ": "oauth-authz-req+jwt", **header}
        return self.sign_head({name: value for name, value in head.items() if value is not None}, claims)

    def sign_head(self, head: Mapping[str, Any], claims: Mapping[str, Any] | bytes) -> str:
        payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        signed = b64(json.dumps(head).encode()) + b"." + b64(payload)
        algorithm = JWSRegistry(algorithms=[self.alg]).get_alg(self.alg)
        return (signed + b"." + b64(algorithm.sign(signed, self.key))).decode()


def unsigned(claims: Mapping[str, Any], **header: Any) -> str:
    """An unsecured JWS (RFC 7515 appendix A.5)."""
    head = json.dumps({"alg": "none", **header}).encode()
    return f"{b64(head).decode()}.{b64(json.dumps(claims).encode()).decode()}."


def b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def request_claims(client_id: str, /, *, now: float | None = None, **changes: Any) -> dict[str, Any]:
    """What a good request object says (RFC 9101 4). changes: None leaves a claim out."""
    at = int(time.time() if now is None else now)
    said = {
        "iss": client_id,
        "aud": ISSUER,
        "exp": at + 300,
        "nbf": at,
        "iat": at,
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid email",
        "state": "inside",
        "nonce": "n-inside",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}
