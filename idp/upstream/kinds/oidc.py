"""Upstream kind `oidc`: any OpenID Provider with discovery, authorization code flow, S256 PKCE (OpenID Connect Core 3.1).

Owns which issuer it is, and whether it may sign assertions. Leaves the flow to idp.upstream.oidc_kind.
"""

from typing import TYPE_CHECKING

from idp.ports import Tools
from idp.upstream.exchange import Exchange
from idp.upstream.oidc_kind import OidcKind
from idp.upstream.oidc_settings import IssuerSettings

if TYPE_CHECKING:
    from joserfc.jwk import Key


class Settings(IssuerSettings):
    assertions: bool = False
    """May assertions that it signs stand for people at our token endpoint (RFC 7523)? Only for those who have linked it."""


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
