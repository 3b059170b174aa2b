"""Owns what an app with a key does in tests: DPoP proofs (RFC 9449), client assertions (RFC 7523), certificates.

Written against the specifications with joserfc and cryptography, not with the code under test.
"""

import base64
import datetime
import hashlib
import ipaddress
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry


def make_key(alg: str, kid: str | None = None) -> Key:
    more = {"kid": kid} if kid else {}
    if alg[:2] in ("RS", "PS"):
        return RSAKey.generate_key(2048, more)
    if alg.startswith("ES"):
        return ECKey.generate_key({"ES256": "P-256", "ES384": "P-384"}[alg], more)
    return OKPKey.generate_key("Ed25519", more)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def part(tree: object) -> str:
    return b64(json.dumps(tree).encode())


def signed(header: dict[str, Any], claims: object, key: Key | bytes) -> str:
    """A JWS with exactly this header, however odd."""
    real = OctKey.import_key(key) if isinstance(key, bytes) else key
    name = "Ed25519" if header["alg"] == "EdDSA" else header["alg"]
    body = part(header) + "." + part(claims)
    return body + "." + b64(JWSRegistry.algorithms[name].sign(body.encode(), real))


@dataclass
class Prover:
    """An app with a DPoP key. A claim or header that is None is left out."""

    clock: Callable[[], float]
    alg: str = "ES256"
    key: Key | None = None

    def __post_init__(self) -> None:
        self.key = self.key or make_key(self.alg)

    @property
    def jwk(self) -> dict[str, Any]:
        assert self.key is not None
        return {name: value for name, value in self.key.as_dict(private=False).items() if name != "kid"}

    @property
    def jkt(self) -> str:
        assert self.key is not None
        return self.key.thumbprint()

    def proof(
        self, method: str, url: str, token: str | None = None, header: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        full = {"typ": "dpop+jwt", "alg": self.alg, "jwk": self.jwk} | (header or {})
        claims = {"jti": secrets.token_urlsafe(12), "htm": method, "htu": url, "iat": int(self.clock())}
        if token is not None:
            claims["ath"] = b64(hashlib.sha256(token.encode()).digest())
        claims |= changes
        assert self.key is not None
        return signed(without_none(full), without_none(claims), self.key)


def without_none(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if value is not None}


def readable(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = jws.extract_compact(token.encode())
    return found.headers(), json.loads(found.payload)


@dataclass
class Certificate:
    key: ec.EllipticCurvePrivateKey
    made: x509.Certificate

    @property
    def pem(self) -> str:
        return self.made.public_bytes(Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.made.public_bytes(Encoding.DER)

    @property
    def thumbprint(self) -> str:
        return b64(hashlib.sha256(self.der).digest())

    def jwk(self, **more: Any) -> dict[str, Any]:
        """The public key of the certificate."""
        return {**ECKey.import_key(self.key).as_dict(private=False), **more}  # type: ignore[arg-type]

    @property
    def x5c(self) -> list[str]:
        return [base64.b64encode(self.der).decode()]


def certificate(
    clock: Callable[[], float],
    subject: x509.Name | None = None,
    names: list[x509.GeneralName] | None = None,
    *,
    by: Certificate | None = None,
    days: tuple[int, int] = (-1, 30),
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Certificate:
    """Self-signed unless `by` another one."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = subject or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    now = datetime.datetime.fromtimestamp(clock(), datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.made.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Certificate(key, made.sign((by or Certificate(key, None)).key, hashes.SHA256()))  # type: ignore[arg-type]


def dns(name: str) -> x509.GeneralName:
    return x509.DNSName(name)


def uri(name: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(name)


def ip(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name))


def email(name: str) -> x509.GeneralName:
    return x509.RFC822Name(name)
