"""DPoP proofs (RFC 9449 section 4): is this request made by whoever holds that key? And the nonces of section 8.

Pure: time comes in, and what was seen before is left to the caller, who must accept each (jkt, jti) once until
`Proof.forget_at`. Used by the identity provider and by the companion.
"""

import hashlib
import hmac
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from idp.base.errors import Refused
from idp.base.jws import ASYMMETRIC, Opened, Unreadable, base64url, opened, public_key, signed_by, thumbprint

if TYPE_CHECKING:
    from joserfc.jwk import Key

ALGS: Final = ASYMMETRIC
MAX_PROOF = 4096  # an RSA key of 8192 bits fits
MAX_JTI = 256
# FAPI 2.0 5.3.2.1 bounds the future at 60 s. With a nonce it is the nonce that says how fresh the proof is, and the
# clock of the app may be as wrong as clocks of telephones are.
WINDOW_SECONDS = 60.0
WINDOW_WITH_NONCE_SECONDS = 300.0
NONCE_SECONDS = 120.0  # a nonce is good for its slot and the one after it
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class Proof:
    """jkt: thumbprint of the key (RFC 7638). alg: the signature's. forget_at: until then the jti must not come again."""

    jkt: str
    jti: str
    iat: float
    alg: str
    nonce: str | None
    forget_at: float


class Nonces:
    """Nonces that need no store: a MAC over the slot of time, so that every node gives and knows the same. key: 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def current(self, now: float) -> str:
        return self._of(int(now // NONCE_SECONDS))

    def good(self, nonce: str, now: float) -> bool:
        slot = int(now // NONCE_SECONDS)
        given = nonce.encode()
        fits = [hmac.compare_digest(self._of(one).encode(), given) for one in (slot, slot - 1)]
        return any(fits)

    def _of(self, slot: int) -> str:
        return base64url(hmac.digest(self._key, f"dpop nonce {slot}".encode(), "sha256")[:18])


def verify(
    proof: str,
    method: str,
    urls: Collection[str],
    now: float,
    *,
    access_token: str | None = None,
    nonces: Nonces | None = None,
    algs: Collection[str] = ALGS,
) -> Proof:
    """The checks of section 4.3. urls: every address that this endpoint has. access_token: the one it comes with, which it
    must name. nonces: then it must hold one of these.

    Raises Refused(invalid_dpop_proof | use_dpop_nonce), status 400.
    """
    try:
        jws, jwk, key = _read(proof, algs)
    except Unreadable as why:
        raise _refused("it is not a DPoP proof that we take", str(why)) from None
    if not signed_by(jws, key):
        raise _refused("its signature is not that of its key", f"alg {jws.alg}")
    claims = jws.claims
    jti, iat = _jti(claims), _iat(claims)
    if claims.get("htm") != method:
        raise _refused("htm is not the method of this request", f"htm {claims.get('htm')!r:.40}, asked {method}")
    _check_htu(claims.get("htu"), urls)
    if access_token is not None:
        _check_ath(claims.get("ath"), access_token)
    nonce = _nonce(claims, nonces, now)
    window = WINDOW_SECONDS if nonces is None else WINDOW_WITH_NONCE_SECONDS
    if abs(now - iat) > window:
        raise _refused("iat is too far from the time here", f"iat {iat:.0f}, now {now:.0f}")
    return Proof(thumbprint(jwk), jti, iat, jws.alg, nonce, iat + window + 1)


def ath(access_token: str) -> str:
    """The hash of an access token (section 4.2)."""
    return base64url(hashlib.sha256(access_token.encode()).digest())


def normal(url: str) -> str:
    """Without query and fragment, normalised as RFC 3986 6.2.2 and 6.2.3 say. Raises ValueError for what is no http URL."""
    parts = urlsplit(url)
    host, port = (parts.hostname or ""), parts.port
    if parts.scheme not in ("http", "https") or not host or parts.username is not None or not url.isascii():
        raise ValueError("not an http URL")
    if ":" in host:
        host = f"[{host}]"
    if port is not None and port != {"http": 80, "https": 443}[parts.scheme]:
        host = f"{host}:{port}"
    return f"{parts.scheme}://{host}{_without_dots(_PERCENT.sub(_percent, parts.path)) or '/'}"


def _read(proof: str, algs: Collection[str]) -> tuple[Opened, Mapping[str, Any], "Key"]:
    """Raises Unreadable."""
    jws = opened(proof, MAX_PROOF)
    if jws.header.get("typ") != "dpop+jwt":
        raise Unreadable("typ is not dpop+jwt")
    if jws.alg not in ALGS or jws.alg not in algs:
        raise Unreadable("alg is not one of those for proofs")
    jwk = jws.header.get("jwk")
    if not isinstance(jwk, dict):
        raise Unreadable("the header has no jwk")
    if any(name in jwk for name in _PRIVATE):
        raise Unreadable("jwk holds a private key")
    members = tuple((name, jwk.get(name)) for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk)
    if not all(isinstance(value, str) and len(value) <= 2048 for _, value in members):
        raise Unreadable("a member of jwk is not a text")
    return jws, jwk, _key(members)


@lru_cache(maxsize=1024)
def _key(members: tuple[tuple[str, str], ...]) -> "Key":
    """Remembered: an app makes many proofs with one key. Raises Unreadable."""
    return public_key(dict(members))


def _jti(claims: Mapping[str, Any]) -> str:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise _refused("jti is missing or too long")
    return jti


def _iat(claims: Mapping[str, Any]) -> float:
    iat = claims.get("iat")
    if isinstance(iat, bool) or not isinstance(iat, (int, float)) or not 0 <= iat < 1e11:
        raise _refused("iat is missing or not a time")
    return float(iat)


def _check_htu(htu: object, urls: Collection[str]) -> None:
    try:
        given = normal(htu) if isinstance(htu, str) and len(htu) <= 2000 else ""
        meant = {normal(url) for url in urls}
    except ValueError:
        given, meant = "", set()
    if not given or given not in meant:
        raise _refused("htu is not the address of this endpoint", f"htu {given!r:.200}, asked {sorted(meant)!r:.400}")


def _check_ath(given: object, access_token: str) -> None:
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), ath(access_token).encode()):
        raise _refused("ath is not the hash of the access token")


def _nonce(claims: Mapping[str, Any], nonces: Nonces | None, now: float) -> str | None:
    """Raises Refused(use_dpop_nonce) with the nonce to use in a DPoP-Nonce header (section 8)."""
    given = claims.get("nonce")
    if given is not None and not (isinstance(given, str) and len(given) <= MAX_JTI):
        raise _refused("nonce is not a short text")
    if nonces is not None and (given is None or not nonces.good(given, now)):
        raise Refused(
            "use_dpop_nonce",
            "Use the nonce of the DPoP-Nonce header in the proof.",
            reason="no nonce in the DPoP proof" if given is None else "the nonce of the DPoP proof is old or not ours",
            headers={"DPoP-Nonce": nonces.current(now)},
        )
    return given


def _refused(what: str, reason: str = "") -> Refused:
    return Refused(
        "invalid_dpop_proof", f"The DPoP proof is not good: {what}.", reason=f"{what}; {reason}".rstrip("; ")
    )


def _percent(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if char in _UNRESERVED else found[0].upper()


def _without_dots(path: str) -> str:
    """RFC 3986 5.2.4, for a path that begins with a slash or is empty."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "".join(f"/{segment}" for segment in kept)
