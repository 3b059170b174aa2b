"""Foreign JWS in compact form (RFC 7515) and foreign public keys (RFC 7517): bounded, read strictly, verified.

Leaves which keys and algorithms are allowed, and what the claims mean, to whoever asks. Nothing that a header says about
keys (`jwk`, `jku`, `x5c`, `x5u`) is followed here.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from joserfc.jwk import Key

MAX_JWS = 8192
MAX_DEPTH = 32
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
MAX_RSA_EXPONENT_BYTES = 5  # a long exponent would make every verification as dear as a signature
ASYMMETRIC: Final = ("ES256", "ES384", "PS256", "RS256", "Ed25519", "EdDSA")
HMAC: Final = ("HS256", "HS384", "HS512")
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
# RFC 7638 3.2: the members that make the thumbprint; all that is public of a key, too.
_MEMBERS: Final = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
_FITS: Final = {
    "RS256": ("RSA", None), "PS256": ("RSA", None), "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"),
    "Ed25519": ("OKP", "Ed25519"), "EdDSA": ("OKP", "Ed25519"),
}  # fmt: skip


class Unreadable(ValueError):  # noqa: N818  (as for every refusal)
    """Not a JWS or key that we take; the text says why and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A JWS that nobody has verified yet."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def alg(self) -> str:
        alg = self.header.get("alg")
        return alg if isinstance(alg, str) else ""

    @property
    def kid(self) -> str | None:
        """Raises Unreadable."""
        kid = self.header.get("kid")
        if kid is not None and not (isinstance(kid, str) and len(kid) <= 256):
            raise Unreadable("kid is not a short text")
        return kid


def opened(token: str, limit: int = MAX_JWS) -> Opened:
    """Header and claims are JSON objects without repeated names. `crit` is refused: we understand no extension (RFC 7515
    4.1.11), and `b64` with it (RFC 7797). Raises Unreadable."""
    if len(token) > limit:
        raise Unreadable(f"longer than {limit} characters")
    if not _COMPACT.match(token):
        raise Unreadable("not a compact JWS")
    first, second, third = token.split(".")
    header = _object(first)
    if "crit" in header or "b64" in header:
        raise Unreadable("critical header parameters are not understood")
    return Opened(header, _object(second), f"{first}.{second}".encode(), _bytes(third))


def fits(key: "Key", alg: str) -> bool:
    """By type, curve, `use` and the key's own `alg`: a public key is never taken for an HMAC secret."""
    kty, crv = _FITS.get(alg, (None, None))
    own = key.alg
    if key.key_type != kty or crv not in (None, key.get("crv")) or key.get("use") not in (None, "sig"):
        return False
    return own is None or same_alg(own, alg)


def same_alg(one: str, other: str) -> bool:
    """Ed25519 is the name of RFC 9864 for what RFC 8037 calls EdDSA; of its curves we take that one only."""
    return one == other or {one, other} == {"Ed25519", "EdDSA"}


def signed_by(jws: Opened, key: "Key") -> bool:
    """Is the signature that of this public key, by the algorithm of the header? The caller has allowed the algorithm."""
    from joserfc.errors import JoseError
    from joserfc.jws import JWSRegistry

    if not fits(key, jws.alg):
        return False
    name = "Ed25519" if jws.alg == "EdDSA" else jws.alg
    algorithm = JWSRegistry(algorithms=[name]).get_alg(name)
    try:
        return algorithm.verify(jws.signed, jws.signature, key)
    except (JoseError, ValueError, TypeError):
        return False


def mac_by(jws: Opened, secret: bytes) -> bool:
    """Is the MAC that of this secret (HS256, HS384, HS512)? Constant time."""
    if jws.alg not in HMAC or not secret:
        return False
    made = hmac.digest(secret, jws.signed, f"sha{jws.alg[2:]}")
    return hmac.compare_digest(made, jws.signature)


def public_key(jwk: object) -> "Key":
    """A key for verifying or encrypting. Keeps the public members, `kid`, `alg` and `use`. Raises Unreadable."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    kty = jwk.get("kty") if isinstance(jwk, dict) else None
    if not isinstance(jwk, dict) or not isinstance(kty, str) or kty not in _MEMBERS:
        raise Unreadable("not a public key of a type that we take")
    names = (*_MEMBERS[kty], *(name for name in ("kid", "alg", "use") if jwk.get(name) is not None))
    members = {name: jwk.get(name) for name in names}
    if not all(isinstance(value, str) and len(value) <= 2048 for value in members.values()):
        raise Unreadable("a member of the key is missing or not a text")
    try:
        if kty == "RSA":
            _check_rsa(members)
        return JWKRegistry.import_key(members)  # type: ignore[arg-type]
    except (JoseError, ValueError, TypeError, KeyError) as error:
        why = str(error) if isinstance(error, Unreadable) else "the key cannot be read"
        raise Unreadable(why) from None


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """RFC 7638, SHA-256, of a key that `public_key` has taken."""
    members = {name: jwk[name] for name in _MEMBERS[jwk["kty"]]}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return base64url(hashlib.sha256(canonical.encode()).digest())


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _check_rsa(members: Mapping[str, Any]) -> None:
    bits = int.from_bytes(_bytes(members["n"])).bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        raise Unreadable(f"an RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if len(_bytes(members["e"]).lstrip(b"\0")) > MAX_RSA_EXPONENT_BYTES:
        raise Unreadable("the RSA exponent is too large")


def _object(part: str) -> dict[str, Any]:
    try:
        text = _bytes(part).decode()
        found = json.loads(text, object_pairs_hook=_no_repetition, parse_constant=_no_constant)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()  # a lone surrogate would break whoever stores it
    except (ValueError, RecursionError):
        raise Unreadable("header or claims are not a JSON object") from None
    if not isinstance(found, dict) or _depth_is_over(found, MAX_DEPTH):
        raise Unreadable("header or claims are not a JSON object, or nested too deep")
    return found


def _depth_is_over(tree: object, limit: int) -> bool:
    """What is nested without end breaks whoever shows or stores it."""
    level = [tree]
    for _ in range(limit):
        inner = (part.values() if isinstance(part, dict) else part for part in level if isinstance(part, (dict, list)))
        level = [one for parts in inner for one in parts]
        if not level:
            return False
    return True


def _no_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object holds the same name twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _bytes(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Unreadable("not base64url") from None
