"""Owns accepting an upstream's ID token: signature first, then an ordered list of checks (OpenID Connect Core 3.1.3.7).

Leaves fetching the token and reading a person out of its claims to the kinds.
"""

import base64
import hashlib
import hmac
import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from idp.domain.checks import Checks
from idp.upstream.checking import checking
from idp.upstream.exchange import Exchange
from idp.upstream.jwks import KeySource, PublicKey, candidates
from idp.upstream.refusals import answer_invalid, said

LEEWAY_SECONDS = 60.0
MAX_TOKEN_CHARS = 128_000
MAX_HEADER_BYTES = 16_384  # some upstreams put a certificate chain (x5c) there
MAX_KEYS_TRIED = 8
MAX_SUBJECT = 255

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """What this token must say. issuer_for: the issuer that claims like these must name; it may refuse. key_issuer: for which
    issuer a key speaks that was published with an `issuer`; None, for any. proved_since: before that moment the person must
    not have proved themselves; None when it does not matter."""

    issuer_for: Callable[[Claims], str]
    key_issuer: Callable[[str, Claims], str | None]
    client_id: str
    nonce: str
    algorithms: tuple[str, ...]
    now: float
    proved_since: float | None = None
    auth_time_required: bool = True
    access_token: object = field(default=None, repr=False)


def accept(
    token: object,
    expected: Expected,
    keys: KeySource,
    jwks_uri: str,
    exchange: Exchange,
    checks: Checks | None = None,
) -> Claims:
    """The claims of a good token. Raises Refused(upstream_answer_invalid | upstream_unreachable)."""
    with checking(checks, "signature"):
        good = readable(token, "id_token")
        claims, key = verified(good, expected.algorithms, keys, jwks_uri, exchange)
    for code, check in CHECKS:
        with checking(checks, code):
            check(claims, expected)
    if key.issuer is not None:
        with checking(checks, "key_issuer"):
            _speaks_for_the_issuer(key.issuer, claims, expected)
    if claims.get("at_hash") is not None:
        with checking(checks, "at_hash"):
            _names_its_access_token(claims["at_hash"], expected.access_token, str(header_of(good)["alg"]))
    return claims


def readable(token: object, what: str) -> str:
    """Raises Refused(upstream_answer_invalid)."""
    if not isinstance(token, str) or not token:
        raise answer_invalid(f"the answer has no {what}")
    if len(token) > MAX_TOKEN_CHARS:
        raise answer_invalid(f"the {what} is too long")
    return token


def _speaks_for_the_issuer(published: str, claims: Claims, expected: Expected) -> None:
    speaks_for = expected.key_issuer(published, claims)
    if speaks_for is not None and speaks_for != claims["iss"]:
        raise answer_invalid(f"id_token: signed with a key of {said(published)!r}, but iss is {said(claims['iss'])!r}")


# ---------------------------------------------------------------- signature


def verified(
    token: str, algorithms: tuple[str, ...], keys: KeySource, jwks_uri: str, exchange: Exchange
) -> tuple[dict[str, Any], PublicKey]:
    """What a token says, and the key that signed it. Raises like accept."""
    header = header_of(token)
    alg, kid = header.get("alg"), header.get("kid")
    if not isinstance(alg, str) or alg not in algorithms:
        raise answer_invalid(f"id_token: algorithm {said(alg)!r} is not allowed")
    if kid is not None and not isinstance(kid, str):
        raise answer_invalid("id_token: the key id is not text")
    held = keys.current(jwks_uri, exchange)
    found = _try(token, alg, candidates(held.value, alg, kid))
    if found is None:
        # An unknown key id, or a new key under the old id: the upstream may have rotated since we last looked.
        newer = keys.newer(held, jwks_uri, exchange)
        found = _try(token, alg, candidates(newer.value, alg, kid)) if newer is not held else None
    if found is None:
        raise answer_invalid(f"id_token: no published key fits the signature (alg {alg}, kid {said(kid)!r})")
    return found


def header_of(token: str) -> Mapping[str, Any]:
    head, _, rest = token.partition(".")
    try:
        found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))) if rest.count(".") == 1 else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise answer_invalid("the id_token is not a signed JWT")
    return found


def _try(token: str, alg: str, keys: list[PublicKey]) -> tuple[dict[str, Any], PublicKey] | None:
    """The claims, and which of the keys fits, else None."""
    from joserfc import jwt
    from joserfc.errors import BadSignatureError, JoseError
    from joserfc.jws import JWSRegistry

    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    registry.max_header_length = MAX_HEADER_BYTES
    registry.max_payload_length = MAX_TOKEN_CHARS
    for key in keys[:MAX_KEYS_TRIED]:
        try:
            return dict(jwt.decode(token, key.key, registry=registry).claims), key
        except BadSignatureError:
            continue
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise answer_invalid(f"id_token: {type(error).__name__}") from None
    return None


# ---------------------------------------------------------------- claims


def issuer_is_ours(claims: Claims, expected: Expected) -> None:
    issuer = expected.issuer_for(claims)
    if claims.get("iss") != issuer:
        raise answer_invalid(f"id_token: iss is {said(claims.get('iss'))!r}, expected {issuer!r}")


def made_for_us(claims: Claims, client_id: str) -> None:
    """Raises Refused(upstream_answer_invalid)."""
    audience, party = claims.get("aud"), claims.get("azp")
    listed = [audience] if isinstance(audience, str) else audience
    if not isinstance(listed, list) or client_id not in listed:
        raise answer_invalid("id_token: aud does not name our client id")
    if len(listed) > 1 and party is None:
        raise answer_invalid("id_token: several audiences, but no azp")
    if party is not None and party != client_id:
        raise answer_invalid("id_token: azp is another client")


def valid_now(claims: Claims, expected: Expected) -> None:
    until, since, not_before = (moment(claims, name) for name in ("exp", "iat", "nbf"))
    if until is None or since is None:
        raise answer_invalid("id_token: exp or iat is missing")
    if until <= expected.now - LEEWAY_SECONDS:
        raise answer_invalid(f"id_token: expired {expected.now - until:.0f} s ago; do the clocks agree?")
    if max(since, not_before or 0.0) > expected.now + LEEWAY_SECONDS:
        ahead = max(since, not_before or 0.0) - expected.now
        raise answer_invalid(f"id_token: not valid for another {ahead:.0f} s; do the clocks agree?")


def nonce_is_ours(claims: Claims, expected: Expected) -> None:
    """Ties the token to this very departure: one that was caught elsewhere does not work here."""
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode("utf-8", "replace"), expected.nonce.encode()):
        raise answer_invalid("id_token: the nonce is missing or not the one that we sent")


def subject_is_usable(claims: Claims, _expected: Expected) -> None:
    subject_in(claims, "sub")


def proved_again(claims: Claims, expected: Expected) -> None:
    """Only auth_time shows that a person really proved themselves lately (OpenID Connect Core 3.1.2.1, max_age)."""
    if expected.proved_since is None:
        return
    at = moment(claims, "auth_time")
    if at is None and not expected.auth_time_required:
        return
    if at is None:
        raise answer_invalid("id_token: a fresh sign-in was asked for, but auth_time is missing")
    if at < expected.proved_since - LEEWAY_SECONDS:
        raise answer_invalid("id_token: a fresh sign-in was asked for, but auth_time is older")


def _names_its_access_token(stated: object, access_token: object, alg: str) -> None:
    """Core 3.1.3.8. What it is for Ed25519, whose name says no hash, is not settled."""
    size = alg[-3:]
    if not isinstance(access_token, str) or size not in ("256", "384", "512"):
        return
    digest = hashlib.new(f"sha{size}", access_token.encode("utf-8", "replace")).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")
    if not isinstance(stated, str) or not hmac.compare_digest(stated.encode("utf-8", "replace"), half.encode()):
        raise answer_invalid("id_token: at_hash is that of another access token")


CHECKS: tuple[tuple[str, Callable[[Claims, Expected], None]], ...] = (
    ("issuer", issuer_is_ours),
    ("audience", lambda claims, expected: made_for_us(claims, expected.client_id)),
    ("expiry", valid_now),
    ("nonce", nonce_is_ours),
    ("subject", subject_is_usable),
    ("auth_time", proved_again),
)


def subject_in(claims: Claims, name: str) -> str:
    """The claim that names a person. Raises Refused(upstream_answer_invalid)."""
    subject = claims.get(name)
    if not isinstance(subject, str) or not subject.strip() or len(subject) > MAX_SUBJECT or _has_controls(subject):
        raise answer_invalid(f"id_token: {name} is missing, too long or not plain text")
    return subject


def moment(claims: Claims, name: str) -> float | None:
    """Seconds since the epoch. Raises Refused for anything but a number; true is not 1 here."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise answer_invalid(f"id_token: {name} is not a time")
    return float(value)


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(c) in ("Cc", "Cs") for c in text)
