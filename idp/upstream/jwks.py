"""Owns an upstream's public keys: fetching, keeping, and healing when it rotates them (RFC 7517).

A key id that we do not know, and a signature that does not fit the key of that id, each lead to one more fetch; so a
rotation under a new or the same key id heals without a restart. Leaves which algorithms are allowed to the caller.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from idp.base.clock import Clock
from idp.upstream.cache import Cached, Held
from idp.upstream.exchange import Exchange
from idp.upstream.refusals import answer_invalid

if TYPE_CHECKING:
    from joserfc.jwk import Key

MAX_KEYS = 100
MIN_RSA_BITS = 2048

# Public members only: a private key that an upstream publishes by mistake is not kept here.
_MEMBERS = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}
_FITS = {
    "RS256": ("RSA", None), "RS384": ("RSA", None), "RS512": ("RSA", None),
    "PS256": ("RSA", None), "PS384": ("RSA", None), "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"),
    "Ed25519": ("OKP", "Ed25519"),
}  # fmt: skip
ALGORITHMS = tuple(_FITS)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """kid, alg and issuer (Microsoft's) as published, None when absent. key: a joserfc key."""

    kid: str | None
    alg: str | None
    kty: str
    crv: str | None
    key: Any
    issuer: str | None = None

    def fits(self, alg: str) -> bool:
        """By type and curve, and by the key's own `alg`: an RSA key is never taken for an HMAC secret, say."""
        return _FITS.get(alg) in ((self.kty, self.crv), (self.kty, None)) and self.alg in (None, alg)


class KeySource:
    def __init__(self, clock: Clock) -> None:
        self._cache: Cached[tuple[PublicKey, ...]] = Cached(clock)

    def current(self, uri: str, exchange: Exchange) -> Held[tuple[PublicKey, ...]]:
        return self._cache.get(lambda: _fetch(uri, exchange))

    def newer(self, seen: Held[tuple[PublicKey, ...]], uri: str, exchange: Exchange) -> Held[tuple[PublicKey, ...]]:
        """Gives `seen` itself when the upstream was asked too often lately."""
        return self._cache.newer_than(seen, lambda: _fetch(uri, exchange))

    def fitting(self, uri: str, exchange: Exchange, kid: str | None, alg: str) -> "list[Key]":
        """The keys themselves; asked for once more when there is none that fits.

        Raises Refused(upstream_unreachable | upstream_answer_invalid)."""
        held = self.current(uri, exchange)
        found = candidates(held.value, alg, kid) or candidates(self.newer(held, uri, exchange).value, alg, kid)
        return [one.key for one in found]


def candidates(keys: tuple[PublicKey, ...], alg: str, kid: str | None) -> list[PublicKey]:
    """The keys that may have signed: of that id when the token names one, else all that fit."""
    return [key for key in keys if key.fits(alg) and (kid is None or key.kid == kid)]


def _fetch(uri: str, exchange: Exchange) -> tuple[PublicKey, ...]:
    published = exchange.get_json(uri).get("keys")
    if not isinstance(published, list):
        raise answer_invalid("the key document has no list of keys")
    read = [_read(one) for one in published[:MAX_KEYS] if isinstance(one, dict)]
    return tuple(key for key in read if key is not None)


def _read(published: Mapping[str, Any]) -> PublicKey | None:
    """None for a key that cannot verify signatures of ours: it may well be meant for something else (RFC 7517 section 5)."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    kty = published.get("kty")
    if not isinstance(kty, str) or kty not in _MEMBERS or published.get("use") not in (None, "sig"):
        return None
    members = {name: published.get(name) for name in _MEMBERS[kty]}
    if not all(isinstance(value, str) for value in members.values()):
        return None
    try:
        key = JWKRegistry.import_key(members)  # type: ignore[arg-type]
        if kty == "RSA" and key.raw_value.key_size < MIN_RSA_BITS:  # type: ignore[union-attr]
            return None
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    kid, alg, issuer = (_text(published.get(name)) for name in ("kid", "alg", "issuer"))
    return PublicKey(kid, alg, kty, members.get("crv"), key, issuer)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
