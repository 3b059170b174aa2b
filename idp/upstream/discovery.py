"""Owns an OpenID Provider's metadata: fetching, checking and keeping it for ten minutes (OpenID Connect Discovery 1.0).

Leaves keys to jwks and what is done with the endpoints to the kinds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.net import NetPolicy, is_loopback_url
from idp.upstream.cache import Cached
from idp.upstream.exchange import Exchange
from idp.upstream.refusals import misconfigured, said

WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What we use of the document. iss_in_answers: the upstream promises RFC 9207 `iss`. tells_of_logout: it has
    back-channel logout."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    iss_in_answers: bool
    end_session_endpoint: str | None = None
    tells_of_logout: bool = False


class Discovery:
    """issuer: where the document is. stated_as: the issuers that it may state, if not exactly this one: Microsoft's is a
    template when several tenants are meant, and names the tenant's id when a domain was asked for."""

    def __init__(
        self, issuer: str, policy: NetPolicy, clock: Clock, stated_as: Callable[[str], bool] | None = None
    ) -> None:
        self._issuer = issuer
        # Discovery 4.3: exactly; else one provider could speak for another
        self._stated_as = stated_as or (lambda stated: stated == issuer)
        self._policy = policy
        self._cache: Cached[Metadata] = Cached(clock)

    def metadata(self, exchange: Exchange) -> Metadata:
        """Raises Refused(upstream_unreachable | upstream_misconfigured)."""
        return self._cache.get(lambda: self._fetch(exchange)).value

    def _fetch(self, exchange: Exchange) -> Metadata:
        url = self._issuer.rstrip("/") + WELL_KNOWN
        try:
            document = exchange.get_json(url)
        except Refused as refused:
            if refused.code != "upstream_answer_invalid":
                raise
            raise misconfigured(f"no discovery document: {refused.reason}") from None
        return self._read(document)

    def _read(self, document: Mapping[str, Any]) -> Metadata:
        stated = document.get("issuer")
        if isinstance(stated, str) and self._stated_as(stated):
            return read_metadata(document, stated, self._issuer, self._policy)
        raise misconfigured(
            f"the discovery document says issuer {said(stated)!r}, configured is {said(self._issuer)!r}"
        )


def read_metadata(document: Mapping[str, Any], issuer: str, fetched_from: str, policy: NetPolicy) -> Metadata:
    """Raises Refused(upstream_misconfigured)."""
    plain_http = policy.allow_private and is_loopback_url(fetched_from) and fetched_from.startswith("http:")
    userinfo = document.get("userinfo_endpoint")
    return Metadata(
        issuer=issuer,
        authorization_endpoint=_endpoint(document, "authorization_endpoint", plain_http),
        token_endpoint=_endpoint(document, "token_endpoint", plain_http),
        jwks_uri=_endpoint(document, "jwks_uri", plain_http),
        userinfo_endpoint=_endpoint(document, "userinfo_endpoint", plain_http) if userinfo else None,
        iss_in_answers=document.get("authorization_response_iss_parameter_supported") is True,
        end_session_endpoint=_end_session(document, plain_http),
        tells_of_logout=document.get("backchannel_logout_supported") is True,
    )


def _end_session(document: Mapping[str, Any], plain_http: bool) -> str | None:
    """One that cannot be used keeps nobody from signing in."""
    try:
        return _endpoint(document, "end_session_endpoint", plain_http)
    except Refused:
        return None


def _endpoint(document: Mapping[str, Any], name: str, plain_http: bool) -> str:
    url = document.get(name)
    if (
        not isinstance(url, str)
        or len(url) > 2000
        or not (url.isascii() and url.isprintable())
        or any(c in url for c in " #\\")
    ):
        raise misconfigured(f"the discovery document has no usable {name}")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise misconfigured(f"the discovery document has no usable {name}") from None
    if not parts.hostname or parts.username is not None:
        raise misconfigured(f"the discovery document has no usable {name}")
    if parts.scheme == "https" or (parts.scheme == "http" and plain_http and is_loopback_url(url)):
        return url
    raise misconfigured(f"{name} is not https: {said(url)}")
