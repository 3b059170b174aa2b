"""Owns who is calling: an access token becomes a Caller, on every request anew. Header only, exactly one.

Fetching keys and introspection is left to issuer.py, to whom a token is bound to sender.py; what a Caller may do to acl.py
and the scopes of each operation.
RFC 6750 (bearer), RFC 9068 (JWT access tokens), RFC 8725 (JWT best practice).
"""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Final

from idp.api import narrowing
from idp.api.issuer import Issuer
from idp.api.narrowing import Narrowing
from idp.api.problems import bad_token, insufficient_scope
from idp.api.sender import Carried, Senders
from idp.base import claims as names
from idp.base.clock import Clock

ALGORITHMS: Final = ("ES256", "RS256", "PS256", "ES384", "Ed25519")
LEEWAY_SECONDS = 5.0  # for nbf and iat only; exp is exact
RECHECK_SECONDS = 4.0  # with one second to spare for the answer, a revocation bites within five
REVERIFY_SECONDS = 60.0  # without introspection: so long a removed key is still believed
MAX_TOKENS = 10_000
MAX_TOKEN_CHARS = 16_384
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Caller:
    """The bearer of this request's token. expires_at in epoch seconds. again: who bears it now; raises Refused 401 or 503."""

    subject: str
    client_id: str
    scopes: frozenset[str]
    roles: frozenset[str]
    expires_at: float
    token_id: str
    narrowing: Narrowing | None = None
    again: "Callable[[], Caller] | None" = field(default=None, repr=False, compare=False)

    @property
    def principal(self) -> tuple[str, str]:
        """(kind, id): an app that calls for itself (client credentials) is its client, everyone else a user."""
        return ("client", self.client_id) if self.subject == self.client_id else ("user", self.subject)

    @property
    def name(self) -> str:
        return ":".join(self.principal)

    @property
    def is_administrator(self) -> bool:
        return names.ADMINISTRATOR in self.roles

    @cached_property
    def principals(self) -> frozenset[tuple[str, str]]:
        return frozenset({self.principal, ("everyone", ""), *(("role", role) for role in self.roles)})

    def require_scope(self, scope: str) -> None:
        if scope not in self.scopes:
            raise insufficient_scope(scope)

    def require_on_collection(self, name: str, right: str) -> None:
        """Asked by every operation for each right it uses, before anything is read. Raises Refused 403 narrowed_token."""
        if self.narrowing:
            self.narrowing.require_on_collection(name, right)

    def require_unnarrowed(self, what: str) -> None:
        """Asked by operations that no narrowing speaks of: a narrowed token may do nothing but what it says."""
        if self.narrowing:
            raise narrowing.refusal(what)

    def require_still(self) -> None:
        """Asked by operations that have waited. Raises Refused 401 when the token was revoked meanwhile, or 503."""
        if self.again:
            self.again()

    def require_on_queue(self, name: str, right: str, priority: int = 0) -> None:
        """As require_on_collection."""
        if self.narrowing:
            self.narrowing.require_on_queue(name, right, priority)


@dataclass(frozen=True, slots=True)
class _Verified:
    """binding: the claim `cnf` as it stands in the token, empty for a bearer token."""

    caller: Caller
    binding: Mapping[str, Any]
    recheck_at: float = 0.0


class TokenJudge:
    """Judges access tokens. Safe to share between threads."""

    def __init__(self, issuer: Issuer, audience: str, clock: Clock, senders: Senders) -> None:
        self._issuer = issuer
        self._senders = senders
        self._audience = audience
        self._clock = clock
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._lock = threading.Lock()

    def judge(self, authorization: str | None, carried: Carried | None = None) -> Caller:
        """The value of the one Authorization header, and what else came with it; None from transports that can carry
        nothing else. Raises Refused 401 with a code that says what is wrong, or 503."""
        scheme, token = _presented(authorization)
        known = self._known(token)
        # Of every request, also of a token that is known: it is the request that proves who sends it.
        self._senders.check(known.binding, token, scheme, carried)
        return known.caller

    def again(self, token: str) -> Caller:
        """For a stream whose sender has proved itself when it began: what the token is worth now. Raises Refused 401 or 503."""
        return self._known(token).caller

    def _known(self, token: str) -> _Verified:
        key = hashlib.sha256(token.encode()).digest()
        now = self._clock()
        known = self._verified.get(key)
        if known and now < known.caller.expires_at and now < known.recheck_at:
            return known
        found = self._verify(token, now)
        wait = RECHECK_SECONDS if self._issuer.introspects else REVERIFY_SECONDS
        if self._issuer.introspects:
            found = _narrowed(found, self._issuer.introspect(token))
        found = replace(found, recheck_at=now + wait)
        with self._lock:
            self._verified[key] = found
            self._verified.move_to_end(key)
            if len(self._verified) > MAX_TOKENS:
                self._verified.popitem(last=False)
        return found

    def _verify(self, token: str, now: float) -> _Verified:
        claims = self._signed_claims(token)
        # In this order: who issued it, is it alive, is it for us, is it whole.
        if claims.get("iss") != self._issuer.url:
            raise bad_token("wrong_issuer", "The token was issued by somebody else.")
        _check_times(claims, now)
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            message = f"The token is for another audience; this API is {self._audience}."
            raise bad_token("wrong_audience", message, f"aud={audience!r:.200}")
        caller = Caller(
            subject=_text(claims, "sub"),
            client_id=_text(claims, names.CLIENT_ID),
            scopes=frozenset(str(claims.get(names.SCOPE) or "").split()),
            roles=_roles(claims.get(names.ROLES)),
            expires_at=float(claims["exp"]),
            token_id=_text(claims, "jti"),
            narrowing=narrowing.read(claims.get(names.AUTHORIZATION_DETAILS)),
            again=partial(self.again, token),
        )
        return _Verified(caller, {name: claims[name] for name in ("cnf",) if name in claims})

    def _signed_claims(self, token: str) -> Mapping[str, Any]:
        from joserfc import jws, jwt
        from joserfc.errors import BadSignatureError, JoseError

        try:
            header = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError, TypeError, RecursionError):
            raise _malformed("the header cannot be read") from None
        kid, alg = header.get("kid"), header.get("alg")
        # Without this check an ID token, signed by the same keys, would pass as an access token (RFC 9068 section 4).
        if str(header.get("typ", "")).lower().removeprefix("application/") != names.ACCESS_TOKEN_TYPE:
            raise bad_token("wrong_token_type", "This is not an access token.", f"typ={header.get('typ')!r:.60}")
        if alg not in ALGORITHMS or not isinstance(kid, str):
            raise bad_token(
                "invalid_signature", "The token's signature is not valid.", f"alg={alg!r:.60} kid={kid!r:.60}"
            )
        key = self._issuer.key(kid)
        if key is None or key.get("alg") not in (None, alg):
            raise bad_token(
                "invalid_signature", "The token's signature is not valid.", f"no key {kid!r:.130} for {alg}"
            )
        try:
            return jwt.decode(token, key, algorithms=[alg]).claims
        except BadSignatureError:
            raise bad_token("invalid_signature", "The token's signature is not valid.") from None
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise _malformed(type(error).__name__) from None


def _presented(authorization: str | None) -> tuple[str, str]:
    """(scheme in lower case, token)."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() not in ("bearer", "dpop"):
        raise bad_token("missing_token", "Send an access token: Authorization: Bearer …")
    token = token.strip(" ")
    if len(token) > MAX_TOKEN_CHARS or not _TOKEN.fullmatch(token):
        raise _malformed("not a compact JWS")
    return scheme.lower(), token


def _malformed(reason: str) -> Exception:
    return bad_token("malformed_token", "The token cannot be read.", reason)


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name)
        if name == "nbf" and value is None:
            continue
        # Numbers beyond any date (and bool, NaN, infinity) would break comparisons further on.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e11:
            raise _malformed(f"{name} is not a time")
    if claims["exp"] <= now:
        raise bad_token("expired_token", "The token has expired.")
    if max(claims["iat"], claims.get("nbf", 0)) > now + LEEWAY_SECONDS:
        raise bad_token("not_yet_valid_token", "The token is not valid yet.")


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise _malformed(f"{name} is missing")
    return value


def _roles(value: object) -> frozenset[str]:
    return frozenset(role for role in value if isinstance(role, str)) if isinstance(value, list) else frozenset()


def _narrowed(found: _Verified, answer: Mapping[str, Any]) -> _Verified:
    """What the identity provider says now can take rights away before the token ends, never add any."""
    caller, bound = found.caller, found.binding.get("cnf")
    if answer["active"] is not True or answer.get("sub", caller.subject) != caller.subject:
        raise bad_token("revoked_token", "The token has been revoked.")
    if answer.get("cnf", bound) != bound:
        raise bad_token(
            "revoked_token", "The token has been revoked.", "the issuer says that it is bound to another key"
        )
    scopes, roles = answer.get(names.SCOPE), answer.get(names.ROLES)
    narrower = replace(
        caller,
        scopes=caller.scopes & frozenset(scopes.split()) if isinstance(scopes, str) else caller.scopes,
        roles=caller.roles & _roles(roles) if isinstance(roles, list) else caller.roles,
    )
    return replace(found, caller=narrower)
