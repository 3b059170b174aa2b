"""Makes signing keys: RSA 2048 (RS256, PS256, SAML), P-256, P-384 and Ed25519; their public JWK and, for SAML, a certificate.

Leaves storing, publishing and using them to idp.crypto.keys.
"""

import hashlib
import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from idp.crypto.algs import PrivateKey, PublicKey, b64, curve_of, names_of
from idp.crypto.seal import Seal
from idp.domain.signing_key import DEFAULT_ALGS, SAML_USES, KeyState, KeyUse, SigningKey, slot_name

ALGS = DEFAULT_ALGS
FIELD = "private"  # the sealed field; its owner is the kid
CERTIFICATE_DAYS = 3652


def make_key(use: KeyUse, state: KeyState, seal: Seal, now: float, alg: str | None = None) -> SigningKey:
    """A fresh key for `use` in the slot of `state` (next or current). alg: default, the usual one of the use. kid: RFC 7638
    thumbprint. A current key may sign at once: only the very first ones may be made so."""
    alg = alg or DEFAULT_ALGS[use]
    private = _generate(alg)
    numbers = public_numbers(private.public_key())
    kid = _thumbprint(numbers)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return SigningKey(
        id=kid,
        use=use,
        alg=alg,
        state=state,
        created_at=now,
        sealed_private=seal.close(pem, owner=kid, field=FIELD),
        public_jwk=published_jwk(numbers, kid, alg),
        certificate=_certificate(private, use, now) if use in SAML_USES else None,
        slot=slot_name(use, alg, state),
        activated_at=now if state == "current" else None,
    )


def published_jwk(numbers: dict[str, str], kid: str, alg: str) -> dict[str, str]:
    """RFC 7517 4. No `alg` where the algorithm has two names: clients skip a key that names the other one."""
    named = {"alg": alg} if len(names_of(alg)) == 1 else {}
    return {**numbers, "kid": kid, "use": "sig", **named}


def _generate(alg: str) -> PrivateKey:
    if alg == "Ed25519":
        return Ed25519PrivateKey.generate()
    if alg.startswith("ES"):
        return ec.generate_private_key(curve_of(alg)[0]())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_numbers(public: PublicKey) -> dict[str, str]:
    """The members that a thumbprint is made of (RFC 7638 3.2, RFC 8037 2)."""
    if isinstance(public, Ed25519PublicKey):
        return {"crv": "Ed25519", "kty": "OKP", "x": b64(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point, size = public.public_numbers(), (public.curve.key_size + 7) // 8
        name = f"P-{public.curve.key_size}"
        return {"crv": name, "kty": "EC", "x": _number(point.x, size), "y": _number(point.y, size)}
    numbers = public.public_numbers()
    return {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}


def _number(number: int, size: int | None = None) -> str:
    return b64(number.to_bytes(size or (number.bit_length() + 7) // 8, "big")).decode()


def _thumbprint(numbers: dict[str, str]) -> str:
    canonical = json.dumps(numbers, sort_keys=True, separators=(",", ":")).encode()
    return b64(hashlib.sha256(canonical).digest()).decode()


def _certificate(private: PrivateKey, use: KeyUse, now: float) -> str:
    """Self-signed, ten years. Peers pin the certificate itself; the name in it says nothing."""
    what = "Sheaf SAML signing" if use == "saml" else "Sheaf SAML encryption"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, what)])
    start = datetime.fromtimestamp(now, UTC) - timedelta(days=1)  # service providers whose clock is behind
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=CERTIFICATE_DAYS))
        .sign(
            private,
            SHA384() if isinstance(private, ec.EllipticCurvePrivateKey) and private.key_size > 256 else SHA256(),
        )
    )
    return built.public_bytes(Encoding.PEM).decode()
