"""Makes signing keys: RSA 2048 (RS256, SAML) and P-256 (ES256), their public JWK and, for SAML, a certificate.

Leaves storing, publishing and using them to idp.crypto.keys.
"""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from idp.crypto.seal import Seal
from idp.domain.signing_key import KeyState, KeyUse, SigningKey

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
ALGS: dict[KeyUse, str] = {"id_token": "RS256", "access_token": "ES256", "saml": "RS256"}
FIELD = "private"  # the sealed field; its owner is the kid
CERTIFICATE_DAYS = 3652


def make_key(use: KeyUse, state: KeyState, seal: Seal, now: float) -> SigningKey:
    """A fresh key for `use` in the slot of `state` (next or current). kid: RFC 7638 thumbprint."""
    private = _generate(ALGS[use])
    numbers = _public_numbers(private)
    kid = _thumbprint(numbers)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return SigningKey(
        id=kid,
        use=use,
        alg=ALGS[use],
        state=state,
        created_at=now,
        sealed_private=seal.close(pem, owner=kid, field=FIELD),
        public_jwk={**numbers, "kid": kid, "use": "sig", "alg": ALGS[use]},
        certificate=_certificate(private, now) if use == "saml" else None,
        slot=f"{use}:{state}",
        activated_at=now if state == "current" else None,
    )


def _generate(alg: str) -> PrivateKey:
    if alg == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _public_numbers(private: PrivateKey) -> dict[str, str]:
    if isinstance(private, ec.EllipticCurvePrivateKey):
        point = private.public_key().public_numbers()
        return {"crv": "P-256", "kty": "EC", "x": _b64(point.x, 32), "y": _b64(point.y, 32)}
    numbers = private.public_key().public_numbers()
    return {"e": _b64(numbers.e), "kty": "RSA", "n": _b64(numbers.n)}


def _b64(number: int, size: int | None = None) -> str:
    raw = number.to_bytes(size or (number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _thumbprint(numbers: dict[str, str]) -> str:
    canonical = json.dumps(numbers, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def _certificate(private: PrivateKey, now: float) -> str:
    """Self-signed, ten years. Service providers pin the certificate itself; the name in it says nothing."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sheaf SAML signing")])
    start = datetime.fromtimestamp(now, UTC) - timedelta(days=1)  # service providers whose clock is behind
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=CERTIFICATE_DAYS))
        .sign(private, SHA256())
    )
    return built.public_bytes(Encoding.PEM).decode()
