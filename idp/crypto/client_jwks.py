"""The key set of an app as it is registered (RFC 7517): public keys only, strong enough, few enough.

Leaves using the keys to the protocols, and fetching a `jwks_uri` to whoever needs it.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519

from idp.base.jws import same_alg

MAX_TEXT = 65_536
MAX_KEYS = 20
RSA_BITS = range(2048, 8193)  # the upper end bounds what one signature of a stranger may cost
MAX_EXPONENT = 2**33
PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_EC = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_OKP: dict[str, type[ed25519.Ed25519PublicKey] | type[x25519.X25519PublicKey]] = {
    "Ed25519": ed25519.Ed25519PublicKey,
    "X25519": x25519.X25519PublicKey,
}
_SIGNING = {
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "Ed25519": ("OKP", "Ed25519"),
    "EdDSA": ("OKP", "Ed25519"),
}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+\Z")
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | x25519.X25519PublicKey


class BadKeys(ValueError):  # noqa: N818  (as for every refusal)
    """Not a set of public keys that we accept; the text says why and fits into a sentence."""


def parse(text: str) -> list[dict[str, Any]]:
    """The keys of a JWK set as they were written, each looked at. Raises BadKeys."""
    if len(text) > MAX_TEXT:
        raise BadKeys("it is larger than 64 KiB")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise BadKeys("it is not JSON") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not keys:
        raise BadKeys('it is not a JWK set: {"keys": [...]} with at least one key')
    if len(keys) > MAX_KEYS:
        raise BadKeys(f"it has more than {MAX_KEYS} keys")
    for number, key in enumerate(keys, 1):
        if not isinstance(key, dict):
            raise BadKeys(f"key {number} is not an object")
        try:
            _look_at(key)
        except BadKeys as why:
            raise BadKeys(f"key {number}: {why}") from None
    return keys


def fits_signing(key: Mapping[str, Any], alg: str | None) -> bool:
    """May this key check signatures made with `alg` (None: any that we know)?"""
    known = [_SIGNING[alg]] if alg in _SIGNING else list(_SIGNING.values())
    own = key.get("alg")
    if key.get("use") not in (None, "sig") or not (own is None or alg is None or same_alg(own, alg)):
        return False
    return (key["kty"], key.get("crv")) in known


def fits_encryption(key: Mapping[str, Any], alg: str) -> bool:
    """May something be encrypted to this key with `alg` (RFC 7518 section 4, RFC 8037 3.2)?"""
    if key.get("use") not in (None, "enc") or key.get("alg") not in (None, alg):
        return False
    if alg == "RSA-OAEP-256":
        return bool(key["kty"] == "RSA")
    return bool(key["kty"] == "EC" or key.get("crv") == "X25519")


def _look_at(key: Mapping[str, Any]) -> None:
    private = [name for name in PRIVATE_MEMBERS if name in key]
    if private or key.get("kty") == "oct":
        raise BadKeys("it is a private or secret key; register the public one, and make a new pair")
    for name in ("kid", "use", "alg"):
        if name in key and not (isinstance(key[name], str) and 0 < len(key[name]) <= 256):
            raise BadKeys(f"{name} is not a short text")
    _check_chain(key, public_key(key))


def public_key(key: Mapping[str, Any]) -> PublicKey:
    """Raises BadKeys."""
    try:
        if key.get("kty") == "RSA":
            return _rsa(key)
        if key.get("kty") == "EC" and key.get("crv") in _EC:
            return _ec(key)
        if key.get("kty") == "OKP" and key.get("crv") in _OKP:
            return _OKP[key["crv"]].from_public_bytes(_octets(key, "x"))
    except BadKeys:
        raise
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKeys("its numbers are not a public key") from None
    raise BadKeys("its type is none of RSA, EC (P-256, P-384, P-521) and OKP (Ed25519, X25519)")


def _rsa(key: Mapping[str, Any]) -> rsa.RSAPublicKey:
    modulus, exponent = (int.from_bytes(_octets(key, name)) for name in ("n", "e"))
    if modulus.bit_length() not in RSA_BITS:
        raise BadKeys(f"an RSA key has {RSA_BITS.start} to {RSA_BITS.stop - 1} bits, this one {modulus.bit_length()}")
    if not 3 <= exponent <= MAX_EXPONENT:
        raise BadKeys("its exponent is not usual")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _ec(key: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    curve = _EC[key["crv"]]
    x, y = _octets(key, "x"), _octets(key, "y")
    size = (curve.key_size + 7) // 8
    if len(x) != size or len(y) != size:
        raise BadKeys(f"a coordinate on {key['crv']} has {size} bytes (RFC 7518 6.2.1.2)")
    return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve).public_key()


def _octets(key: Mapping[str, Any], name: str) -> bytes:
    value = key.get(name)
    if not isinstance(value, str) or not _BASE64URL.match(value) or len(value) > 2048:
        raise BadKeys(f"{name} is not base64url")
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def _check_chain(key: Mapping[str, Any], public: PublicKey) -> None:
    """The first certificate holds the same key (RFC 7517 4.7); what is bound to it is compared later (RFC 8705 2.2)."""
    if "x5c" not in key:
        return
    chain = key["x5c"]
    if not isinstance(chain, list) or not 0 < len(chain) <= 10 or not all(isinstance(one, str) for one in chain):
        raise BadKeys("x5c is not a list of certificates")
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(chain[0], validate=True))
        same = certificate.public_key() == public
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
        raise BadKeys("x5c does not begin with a certificate (base64 of DER)") from None
    if not same:
        raise BadKeys("the first certificate of x5c holds another key")
