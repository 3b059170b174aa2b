"""Signature methods, digests and keys: which ones SAML messages may be signed with here, and the plain operations on bytes.

Keys come from metadata and from our key store. What is not on the lists here is refused by name; SHA-1 is on none. Leaves
the shape of an XML signature to `signatures`, the query of the Redirect binding to `bindings`. Loads no lxml.
"""

import base64
import binascii
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from idp.saml import formats
from idp.saml.formats import MORE

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192  # a metadata with a key of 100,000 bits would cost seconds at each signature
CURVES = ("secp256r1", "secp384r1", "secp521r1")


class BadSignature(Exception):  # noqa: N818
    """The signature does not hold or is not one that we accept; the text says why."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A signature method: its URI, the kind of key it needs, and the digest (a name that hashlib knows)."""

    uri: str
    kind: Literal["rsa", "ecdsa"]
    digest: Literal["sha256", "sha384", "sha512"]


ALGORITHMS = {
    a.uri: a
    for a in (
        Algorithm(f"{MORE}rsa-sha256", "rsa", "sha256"),
        Algorithm(f"{MORE}rsa-sha384", "rsa", "sha384"),
        Algorithm(f"{MORE}rsa-sha512", "rsa", "sha512"),
        Algorithm(f"{MORE}ecdsa-sha256", "ecdsa", "sha256"),
        Algorithm(f"{MORE}ecdsa-sha384", "ecdsa", "sha384"),
        Algorithm(f"{MORE}ecdsa-sha512", "ecdsa", "sha512"),
    )
}
DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    f"{MORE}sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
DIGEST_URIS = {name: uri for uri, name in DIGESTS.items()}
_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


def algorithm_named(name: str) -> Algorithm:
    """The method with the short name of settings, such as `rsa-sha256` (formats.SIGNATURES). Raises KeyError."""
    return ALGORITHMS[formats.SIGNATURES[name]]


def algorithm_for(key: PrivateKey | PublicKey) -> Algorithm:
    """What we sign with when nobody asks for anything else: SHA-256, with P-384 SHA-384, with P-521 SHA-512."""
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return ALGORITHMS[f"{MORE}rsa-sha256"]
    return ALGORITHMS[MORE + {256: "ecdsa-sha256", 384: "ecdsa-sha384", 521: "ecdsa-sha512"}[key.curve.key_size]]


def public_key(certificate: str) -> PublicKey:
    """The key in a certificate, PEM or the bare base64 of metadata. Raises BadSignature for one that is too weak.

    Dates and issuer of the certificate say nothing: what vouches for the key is the metadata it stands in.
    """
    try:
        if "-----BEGIN" in certificate:
            key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        else:
            key = x509.load_der_x509_certificate(
                base64.b64decode("".join(certificate.split()), validate=True)
            ).public_key()
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise BadSignature("the certificate cannot be read") from None
    if isinstance(key, rsa.RSAPublicKey) and MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES:
        return key
    raise BadSignature("the certificate holds neither an RSA key of 2048 to 8192 bits nor one on P-256, P-384 or P-521")


def private_key(pem: bytes) -> PrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("SAML signs with RSA and ECDSA keys only")
    return key


@lru_cache(maxsize=64)
def bare(certificate: str) -> str:
    """The base64 of a PEM certificate on one line, as metadata and KeyInfo carry it."""
    lines = (line.strip() for line in certificate.splitlines())
    return "".join(line for line in lines if not line.startswith("-----"))


def sign_bytes(data: bytes, key: PrivateKey, algorithm: Algorithm | None = None) -> bytes:
    """The value of a ds:SignatureValue, before base64. ECDSA: r and s, each as long as the curve (RFC 4051 2.3.6).

    Raises ValueError when the key is not of the kind that the method needs.
    """
    algorithm = algorithm or algorithm_for(key)
    digest = _HASHES[algorithm.digest]()
    if isinstance(key, rsa.RSAPrivateKey) and algorithm.kind == "rsa":
        return key.sign(data, padding.PKCS1v15(), digest)
    if isinstance(key, ec.EllipticCurvePrivateKey) and algorithm.kind == "ecdsa":
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        size = (key.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    raise ValueError(f"{algorithm.uri} needs a key of the kind {algorithm.kind}")


def verify_bytes(
    data: bytes,
    signature: bytes,
    uri: str,
    keys: Sequence[PublicKey],
    algorithms: Collection[Algorithm] | None = None,
) -> None:
    """Raises BadSignature unless one of `keys` made the signature with the method `uri`, and `algorithms` has that method.

    algorithms: what this sender may use; None for all that we know.
    """
    algorithm = ALGORITHMS.get(uri)
    if algorithm is None:
        raise BadSignature("the signature method is not on the list of accepted ones (SHA-1 is not)")
    if algorithms is not None and algorithm not in algorithms:
        raise BadSignature("the signature method is not one that this sender may use")
    if not any(_verifies(data, signature, algorithm, key) for key in keys):
        raise BadSignature("none of the keys that we have of the sender made this signature")


def _verifies(data: bytes, signature: bytes, algorithm: Algorithm, key: PublicKey) -> bool:
    digest = _HASHES[algorithm.digest]()
    try:
        # The kind of key is bound to the method: an RSA key never serves as the secret of another one.
        if isinstance(key, rsa.RSAPublicKey) and algorithm.kind == "rsa":
            key.verify(signature, data, padding.PKCS1v15(), digest)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm.kind == "ecdsa":
            size = (key.curve.key_size + 7) // 8
            if len(signature) != 2 * size:
                return False
            r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
            key.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(digest))
            return True
    except InvalidSignature:
        return False
    return False
