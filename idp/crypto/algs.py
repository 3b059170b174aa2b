"""The signature algorithms of our tokens (RFC 7518 3.1, RFC 8037, RFC 9864): their names, signing, verifying, hashing.

Leaves which key signs to idp.crypto.keys, and what a token is to idp.crypto.tokens.
"""

import base64
import hashlib
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey

ID_TOKEN_ALGS = ("RS256", "PS256", "ES256", "ES384", "Ed25519")
# RFC 9864 gave EdDSA with this curve a name of its own, and most clients know the old one only. It is the same key; the
# header of a token bears the name that its app registered.
ALIASES = {"EdDSA": "Ed25519"}
ALG_NAMES = (*ID_TOKEN_ALGS, *ALIASES)

_CURVES: dict[str, tuple[type[ec.EllipticCurve], str, int]] = {
    "ES256": (ec.SECP256R1, "P-256", 32),
    "ES384": (ec.SECP384R1, "P-384", 48),
}
_SHA256 = SHA256()
_PKCS1 = padding.PKCS1v15()
_PSS = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)  # as long as the digest: RFC 7518 3.5


def key_alg(name: str) -> str:
    """The algorithm of the key that signs under this name. Raises ValueError for a name that is none of ours."""
    alg = ALIASES.get(name, name)
    if alg not in ID_TOKEN_ALGS:
        raise ValueError("no such signature algorithm")
    return alg


def names_of(alg: str) -> tuple[str, ...]:
    """What the header of a token may call it."""
    return (alg, *(name for name, meant in ALIASES.items() if meant == alg))


def curve_of(alg: str) -> tuple[type[ec.EllipticCurve], str, int]:
    """The curve, its name in JOSE, and the bytes of one coordinate."""
    return _CURVES[alg]


def half_hash(value: str, alg: str) -> str:
    """at_hash, c_hash (OIDC Core 3.1.3.6): the left half of the hash that belongs to the ID token's algorithm."""
    name = {"ES384": "sha384", "Ed25519": "sha512"}.get(key_alg(alg), "sha256")  # RFC 8032 5.1 hashes with SHA-512
    digest = hashlib.new(name, value.encode("ascii")).digest()
    return b64(digest[: len(digest) // 2]).decode()


def b64(raw: bytes) -> bytes:
    """base64url without padding (RFC 7515 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def signing(alg: str, private: PrivateKey) -> Callable[[bytes], bytes]:
    """Message to raw JWS signature. Raises ValueError when the key is not one for `alg`."""
    if isinstance(private, rsa.RSAPrivateKey) and alg in ("RS256", "PS256"):
        pad = _PKCS1 if alg == "RS256" else _PSS
        return lambda message: private.sign(message, pad, _SHA256)
    if isinstance(private, Ed25519PrivateKey) and alg == "Ed25519":
        return private.sign
    if isinstance(private, ec.EllipticCurvePrivateKey) and _fits(alg, private.curve):
        return _ecdsa_signing(private, ec.ECDSA(_digest(alg)), _CURVES[alg][2])
    raise ValueError("the key does not fit the algorithm")


def _ecdsa_signing(private: ec.EllipticCurvePrivateKey, how: ec.ECDSA, size: int) -> Callable[[bytes], bytes]:
    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(message, how))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")  # RFC 7518 3.4

    return sign


def verifying(alg: str, public: PublicKey) -> Callable[[bytes, bytes], None]:
    """(signature, message) -> None, or InvalidSignature. Raises ValueError when the key is not one for `alg`."""
    if isinstance(public, rsa.RSAPublicKey) and alg in ("RS256", "PS256"):
        pad = _PKCS1 if alg == "RS256" else _PSS
        return lambda signature, message: public.verify(signature, message, pad, _SHA256)
    if isinstance(public, Ed25519PublicKey) and alg == "Ed25519":
        return public.verify
    if isinstance(public, ec.EllipticCurvePublicKey) and _fits(alg, public.curve):
        return _ecdsa_verifying(public, ec.ECDSA(_digest(alg)), _CURVES[alg][2])
    raise ValueError("the key does not fit the algorithm")


def _ecdsa_verifying(public: ec.EllipticCurvePublicKey, how: ec.ECDSA, size: int) -> Callable[[bytes, bytes], None]:
    def verify(signature: bytes, message: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        public.verify(encode_dss_signature(r, s), message, how)

    return verify


def _fits(alg: str, curve: ec.EllipticCurve) -> bool:
    return alg in _CURVES and isinstance(curve, _CURVES[alg][0])


def _digest(alg: str) -> HashAlgorithm:
    return SHA384() if alg == "ES384" else _SHA256
