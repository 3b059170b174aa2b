"""Authorization requests as JWTs (RFC 9101, OIDC Core 6): fetched from registered addresses, verified, turned into parameters.

What they say counts, and nothing beside them. Leaves what the parameters mean to checks, keys to client_keys, and
pushed requests to services.pushed_requests.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any
from urllib.parse import urldefrag

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.jws import ASYMMETRIC, Opened, Unreadable, base64url, opened, same_alg, signed_by
from idp.base.net import NetPolicy, Unreachable, fetch, is_loopback_url
from idp.base.places import Places
from idp.domain.narrowing import PARAMETER
from idp.domain.profile import Rules, rules
from idp.domain.relying import Client
from idp.protocols.oidc.client_keys import ClientKeys
from idp.protocols.oidc.params import MAX_VALUE, Params

TYPES = frozenset({"oauth-authz-req+jwt", "jwt"})
LEEWAY_SECONDS = 30.0
FAPI_SECONDS = 3600.0  # FAPI 2.0 Message Signing 5.3.1
MAX_URI = 512  # RFC 9101 5.2
MAX_KEYS_TRIED = 8
# What an authorization request may say; members that are none of these mean nothing to us.
PARAMETERS = frozenset(
    {
        *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "resource"),
        *("code_challenge", "code_challenge_method", "dpop_jkt", "prompt", "max_age", "display", "ui_locales"),
        *("login_hint", "id_token_hint", "acr_values", "claims", "registration", "request", "request_uri"),
        PARAMETER,
    }
)
_HASH = re.compile(r"[A-Za-z0-9_-]{43}\Z")

Fetch = Callable[[str], bytes]


class RequestObjects:
    """fetched: the body behind an https address. Raises Unreachable, Refused(temporarily_unavailable)."""

    def __init__(self, keys: ClientKeys, issuer: Callable[[], str], clock: Clock, fetched: Fetch) -> None:
        self._keys = keys
        self._issuer = issuer
        self._clock = clock
        self._fetched = fetched

    def behind(self, client: Client, uri: str) -> str:
        """The request object at a registered address, and nowhere else (OIDC Core 6.2, OIDC Registration 2).
        Raises Refused(invalid_request_uri | temporarily_unavailable)."""
        address, fragment = urldefrag(uri)
        if len(uri) > MAX_URI or not (address.startswith("https://") or is_loopback_url(address)):
            raise _bad_uri("it is neither a pushed request nor an https address")
        if uri not in client.request_uris and address not in client.request_uris:
            raise _bad_uri(f"{uri!r} is not registered for client {client.id}")
        try:
            body = self._fetched(address)
        except Unreachable as problem:
            raise _bad_uri(f"{problem}") from None
        token = body.decode("ascii", "replace").strip()
        # A hash in the fragment is for caches, and there is none here. Apps may register one before they know what will be
        # there, as the Foundation's tests do. Only what nobody has signed is held to it.
        if token.endswith(".") and _HASH.match(fragment):
            made = base64url(hashlib.sha256(body).digest())
            if not hmac.compare_digest(made, fragment):
                raise _bad_uri("what is there does not have the hash that the address says")
        return token

    def read(self, client: Client, token: str) -> Params:
        """The parameters that a request object of this client says. Raises Refused(invalid_request_object)."""
        demanded = rules(client)
        try:
            jws = self._verified(client, demanded, token)
        except Unreadable as problem:
            raise _bad(str(problem)) from None
        _check_type(jws.header)
        self._check_claims(client, demanded, jws)
        return Params(list(_pairs(jws.claims)))

    def _verified(self, client: Client, demanded: Rules, token: str) -> Opened:
        """Raises Refused, Unreadable."""
        if token.endswith("."):
            return _unsigned(client, demanded, token)
        jws = opened(token, MAX_VALUE)
        alg, pinned = jws.alg, client.request_object_signing_alg
        # An HMAC is none of these: a public key is never taken for a shared secret.
        if alg not in ASYMMETRIC or (pinned is not None and not same_alg(alg, pinned)):
            raise _bad("the algorithm is not the one that is registered, or none that we take", f"alg {alg[:20]!r}")
        if demanded.signing_algs is not None and alg not in demanded.signing_algs:
            raise _bad("its profile does not allow the algorithm", f"profile {client.profile}, alg {alg}")
        keys = self._keys.signing(client, jws.kid, alg)[:MAX_KEYS_TRIED]
        if not any(signed_by(jws, key) for key in keys):
            raise _bad("no key of the app fits the signature", f"client {client.id}, {len(keys)} keys tried")
        return jws

    def _check_claims(self, client: Client, demanded: Rules, jws: Opened) -> None:
        """RFC 9101 5, 6.3 and 10.8. An unsigned object need not say who made it for whom."""
        said, signed, issuer = jws.claims, jws.alg != "none", self._issuer()
        if said.get("iss", None if signed else client.id) != client.id:
            raise _bad("iss must be the client_id")
        audience = said.get("aud", None if signed else issuer)
        named = [audience] if isinstance(audience, str) else audience
        if not isinstance(named, list) or issuer not in named or (demanded.issuer_audience and named != [issuer]):
            raise _bad("aud must be the issuer")
        if said.get("client_id", client.id) != client.id:
            raise _bad("client_id inside is not the one outside")
        if said.get("sub") == client.id:
            raise _bad("this is what the app authenticates with, not a request (RFC 9101 10.8)")
        for name in ("request", "request_uri"):
            if name in said:
                raise _bad(f"{name} must not stand inside")
        _check_times(said, self._clock(), strict=demanded.issuer_audience)


def fetcher(policy: Callable[[], NetPolicy], places: Places | None = None) -> Fetch:
    """Through the guard of all outbound requests; nothing larger than a parameter may be. Anybody can make us ask, so only
    as many at a time as there are places."""

    def fetched(address: str) -> bytes:
        headers = {"Accept": "application/oauth-authz-req+jwt, application/jwt"}
        with places.taken() if places is not None else nullcontext():
            answer = fetch("GET", address, replace(policy(), max_bytes=MAX_VALUE), headers=headers)
        if answer.status != 200:
            raise Unreachable(address[:100], f"the status is {answer.status}")
        return answer.body

    return fetched


def _unsigned(client: Client, demanded: Rules, token: str) -> Opened:
    """Only for a client that is registered so (OIDC Core 6.1): anybody can have made it."""
    jws = opened(token + "AA", MAX_VALUE)  # an empty signature is none that `opened` takes
    if jws.alg != "none":
        raise _bad("the signature is missing")
    if client.request_object_signing_alg != "none":
        raise _bad("this app is not registered for request objects without a signature")
    if client.require_signed_request_object or demanded.signing_algs is not None:
        raise _bad("request objects of this app must be signed")
    return jws


def _check_type(header: Mapping[str, Any]) -> None:
    """RFC 9101 10.8: a JWT of another kind that the same key has signed is no request."""
    kind = header.get("typ", "jwt")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in TYPES:
        raise _bad("typ must be oauth-authz-req+jwt")


def _check_times(said: Mapping[str, Any], now: float, *, strict: bool) -> None:
    until, since, made = (_moment(said, name) for name in ("exp", "nbf", "iat"))
    if until is not None and until <= now - LEEWAY_SECONDS:
        raise _bad("exp: it has expired")
    for name, moment in (("nbf", since), ("iat", made)):
        if moment is not None and moment > now + LEEWAY_SECONDS:
            raise _bad(f"{name} is in the future")
    if not strict:
        return
    if until is None or since is None:
        raise _bad("exp and nbf are needed")
    if since < now - FAPI_SECONDS or until - since > FAPI_SECONDS:
        raise _bad("nbf is more than an hour ago, or exp more than an hour after it")


def _moment(said: Mapping[str, Any], name: str) -> float | None:
    if name not in said:
        return None
    value = said[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise _bad(f"{name} is not a number of seconds")
    return float(value)


def _pairs(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in PARAMETERS.intersection(said):
        for value in _texts(name, said[name]):
            if len(value) > MAX_VALUE or "\x00" in value:
                raise _bad(f"{name} is too long or holds a character that is not allowed")
            if value:  # an empty one is as good as none, as in every other request (RFC 6749 3.1)
                yield name, value


def _texts(name: str, value: object) -> list[str]:
    """RFC 9101 4: text as text, numbers as numbers, the claims parameter as the object that it is."""
    if isinstance(value, str):
        return [value]
    if name == "max_age" and isinstance(value, int) and not isinstance(value, bool):
        return [str(value) if abs(value) < 2**53 else "too large"]
    if (name == "claims" and isinstance(value, dict)) or (name == PARAMETER and isinstance(value, list)):
        return [json.dumps(value, separators=(",", ":"))]
    if name == "resource" and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    raise _bad(f"{name} is not of the type that it must have")


def _bad(why: str, details: str = "") -> Refused:
    """details: for the log only; they may hold what came from outside."""
    reason = f"request object: {why}; {details}" if details else f"request object: {why}"
    return Refused("invalid_request_object", f"The request object is not accepted: {why}.", reason=reason)


def _bad_uri(why: str) -> Refused:
    return Refused("invalid_request_uri", "This request_uri is not accepted.", reason=f"request_uri: {why}"[:500])
