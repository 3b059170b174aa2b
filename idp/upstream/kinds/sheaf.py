"""Upstream kind `sheaf`: another Sheaf, by OpenID Connect. `oidc` with everything known but the issuer and the client.

Owns that roles over there are groups here, under a name of their own. Leaves the flow to idp.upstream.oidc_kind.
"""

from typing import Annotated

from pydantic import BeforeValidator, Field

from idp.domain.upstream import UpstreamProvider
from idp.ports import Tools
from idp.upstream import person
from idp.upstream.id_token import Claims
from idp.upstream.oidc_kind import OidcKind
from idp.upstream.oidc_settings import IssuerSettings
from idp.upstream.words import words

ROLE = "role:"


class Settings(IssuerSettings):
    scopes: Annotated[tuple[str, ...], BeforeValidator(words)] = ("openid", "profile", "email", "groups", "roles")
    """As for `oidc`; without `groups` and `roles` it does not tell them."""
    logout: bool = Field(True)
    """As for `oidc`."""


class Kind(OidcKind):
    label = "Sheaf"

    def __init__(self, settings: Settings, tools: Tools) -> None:
        super().__init__(settings, tools, settings.issuer)
        self._told = {"email", "groups", "roles"}.intersection(settings.scopes)

    def more_is_wanted(self, provider: UpstreamProvider, claims: Claims) -> bool:
        """A Sheaf tells them all at its userinfo endpoint."""
        return any(name not in claims for name in self._told) or super().more_is_wanted(provider, claims)

    def groups_of(self, provider: UpstreamProvider, claims: Claims) -> tuple[str, ...]:
        """`administrator` over there is `role:administrator` here: a group like any other, until a mapping says more."""
        roles = person.groups(claims.get("roles"))
        # A group over there that is called so is none of its roles.
        groups = [one for one in super().groups_of(provider, claims) if not one.startswith(ROLE)]
        return person.groups([*(f"{ROLE}{role}" for role in roles), *groups])
