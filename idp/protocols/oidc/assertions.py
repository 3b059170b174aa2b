"""JWT assertions that others sign (RFC 7523 3, OIDC Core 9): who, for whom, and until when.

Nothing is taken from an assertion before its signature is good, and no key ever comes out of it. Leaves whose keys they
are to client_keys, and accepting each `jti` once to whoever asks (`Once`, until `good_until`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from idp.base.jws import MAX_JWS, Opened, Unreadable, opened, signed_by

if TYPE_CHECKING:
    from joserfc.jwk import Key

MAX_SECONDS = 600.0
LEEWAY_SECONDS = 30.0  # for a clock that is ahead of ours: iat and nbf only
MAX_JTI = 256
# What other JWTs of the same key are, they may not pass for: request objects above all (RFC 8725 3.11). Nor may one that
# authenticates an app pass for one that stands for a person, or the other way round.
CLIENT_TYPES = ("jwt", "client-authentication+jwt")
GRANT_TYPES = ("jwt", "authorization-grant+jwt")

# (issuer, kid, alg) -> the keys that may have signed
KeysFor = Callable[[str, str | None, str], Iterable["Key"]]


class BadAssertion(Exception):  # noqa: N818  (as for every refusal)
    """message: for the other end. It may be told only if `proved`: the signature was good, so it is not a stranger."""

    def __init__(self, message: str, reason: str = "", *, proved: bool = False) -> None:
        super().__init__(reason or message)
        self.message = message
        self.reason = reason or message
        self.proved = proved


def verify(
    token: str,
    keys_for: KeysFor,
    *,
    issuers: Collection[str],
    audience: Collection[str],
    now: float,
    max_seconds: float = MAX_SECONDS,
    algs: Collection[str],
) -> dict[str, Any]:
    """The claims of an assertion for somebody (RFC 7523 2.1) by one of `issuers`. audience: our names, of which it must name
    at least one and nothing else. Raises BadAssertion."""
    jws = read(token, GRANT_TYPES)
    if jws.alg not in algs:
        raise BadAssertion("The assertion is signed with an algorithm that is not allowed.", f"alg {jws.alg[:20]!r}")
    issuer = jws.claims.get("iss")
    if not isinstance(issuer, str) or issuer not in issuers:
        raise BadAssertion("The assertion is by an unknown issuer.", f"iss {issuer!r:.200}")
    if not any([signed_by(jws, key) for key in keys_for(issuer, jws.kid, jws.alg)]):
        raise BadAssertion("The assertion's signature is not valid.", f"kid {jws.kid!r:.100}, alg {jws.alg}")
    check_claims(jws.claims, audience, now, max_seconds)
    return dict(jws.claims)


def read(token: str, types: Collection[str]) -> Opened:
    """Not verified. types: what it may call itself. Raises BadAssertion."""
    try:
        jws = opened(token, MAX_JWS)
        _ = jws.kid
    except Unreadable as why:
        raise BadAssertion("The assertion cannot be read.", str(why)) from None
    typ = jws.header.get("typ", "JWT")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in types:
        raise BadAssertion("This JWT is not an assertion.", f"typ {typ!r:.60}")
    return jws


def check_claims(
    claims: Mapping[str, Any],
    audience: Collection[str],
    now: float,
    max_seconds: float = MAX_SECONDS,
    *,
    one_string: bool = False,
) -> None:
    """Of an assertion whose signature is good. one_string: `aud` may not be a list (FAPI 2.0 5.3.2.1).

    Every name in `aud` must be ours: one that names another server as well could be used there by us, and here by them.
    """
    given = claims.get("aud")
    named = given if isinstance(given, list) and not one_string else [given]
    if not named or not all(isinstance(one, str) and one in audience for one in named):
        meant = min(audience, key=len, default="")
        raise BadAssertion(
            f"The assertion must name {meant} as its audience{', as one string' if one_string else ', and nobody else'}.",
            f"aud {given!r:.300}",
            proved=True,
        )
    _check_times(claims, now, max_seconds)


def _check_times(claims: Mapping[str, Any], now: float, max_seconds: float) -> None:
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name)
        if value is None and name != "exp":
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e11:
            raise BadAssertion(f"The assertion's {name} is missing or not a time.", proved=True)
    if claims["exp"] <= now:
        raise BadAssertion("The assertion has expired.", f"exp {claims['exp']}, now {now:.0f}", proved=True)
    if max(claims.get("iat") or 0, claims.get("nbf") or 0) > now + LEEWAY_SECONDS:
        raise BadAssertion("The assertion is not valid yet.", f"now {now:.0f}", proved=True)
    if claims.get("iat") is None and claims["exp"] > now + max_seconds + LEEWAY_SECONDS:
        message = f"The assertion's exp is too far ahead: at most {max_seconds:.0f} seconds, or tell iat as well."
        raise BadAssertion(message, proved=True)
    if good_until(claims, now, max_seconds) <= now:
        message = f"The assertion is older than {max_seconds:.0f} seconds: make one for each request."
        raise BadAssertion(message, f"iat {claims['iat']}, now {now:.0f}", proved=True)


def good_until(claims: Mapping[str, Any], now: float, max_seconds: float = MAX_SECONDS) -> float:
    """`exp`, but never later than max_seconds after it was made: some libraries say one hour, and need ten seconds."""
    iat = claims.get("iat")
    made = float(iat) if iat is not None else now + LEEWAY_SECONDS
    return min(float(claims["exp"]), made + max_seconds)


def jti_of(claims: Mapping[str, Any]) -> str:
    """Raises BadAssertion."""
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise BadAssertion(f"The assertion needs a jti of at most {MAX_JTI} characters.", proved=True)
    return jti
