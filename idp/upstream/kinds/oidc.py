"""Upstream kind `oidc`: any OpenID Provider with discovery, authorization code flow, S256 PKCE (OpenID Connect Core 3.1).

Owns which issuer it is, and whether it may sign assertions. Leaves the flow to idp.upstream.oidc_kind.
"""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from idp.base.net import is_loopback_url
from idp.ports import Tools
from idp.upstream.discovery import WELL_KNOWN
from idp.upstream.exchange import Exchange
from idp.upstream.oidc_kind import OidcKind
from idp.upstream.oidc_settings import OidcSettings

if TYPE_CHECKING:
    from joserfc.jwk import Key


class Settings(OidcSettings):
    issuer: str = Field(max_length=500)
    """The upstream's issuer, exactly as its discovery document says it. The address of that document will do, too."""
    assertions: bool = False
    """May assertions that it signs stand for people at our token endpoint (RFC 7523)? Only for those who have linked it."""

    @field_validator("issuer")
    @classmethod
    def _address(cls, value: str) -> str:
        issuer = value.strip().removesuffix(WELL_KNOWN)
        parts = urlsplit(issuer)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_url(issuer)):
            raise ValueError("An issuer is an https:// URL (http:// only on this very machine)")
        if not parts.hostname or parts.query or parts.fragment or parts.username or not issuer.isprintable():
            raise ValueError("An issuer is a URL without user, ? and #")
        return issuer


class Kind(OidcKind):
    def __init__(self, settings: Settings, tools: Tools) -> None:
        super().__init__(settings, tools, settings.issuer)
        self._assertions = settings.assertions

    @property
    def assertion_issuer(self) -> str | None:
        """None unless an administrator allows it."""
        return self._issuer if self._assertions else None

    def assertion_keys(self, kid: str | None, alg: str) -> "list[Key]":
        """Raises Refused(upstream_unreachable | upstream_misconfigured | upstream_answer_invalid)."""
        exchange = Exchange(self._policy)
        return self._keys.fitting(self._discovery.metadata(exchange).jwks_uri, exchange, kid, alg)
