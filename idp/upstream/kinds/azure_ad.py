"""Upstream kind `azure_ad`: Microsoft Entra ID (Azure AD) by OpenID Connect, v2.0 endpoints; one tenant or several.

`oidc` with everything known. Owns which tenant a token speaks for, and what `oid`, `xms_edov` and `groups` mean. Leaves the
flow to idp.upstream.oidc_kind. A person is (tenant's issuer, oid): `oid` alone is unique within a tenant only.
"""

import logging
import re
from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from idp.base import log
from idp.domain.upstream import UpstreamProvider
from idp.ports import Tools
from idp.upstream import person
from idp.upstream.discovery import Metadata
from idp.upstream.id_token import Claims, subject_in
from idp.upstream.oidc_kind import OidcKind
from idp.upstream.oidc_settings import AuthTime, OidcSettings
from idp.upstream.refusals import answer_invalid, not_admitted
from idp.upstream.words import domains, words

SEVERAL = ("organizations", "common")
TEMPLATE = "{tenantid}"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")

_log = logging.getLogger("idp.upstream")


class Settings(OidcSettings):
    always: ClassVar[tuple[str, ...]] = ("openid", "profile")  # without `profile` there is no oid

    tenant: str = Field(max_length=253)
    """The tenant's id, or a domain of it; `organizations` or `common` for those of allowed_tenants."""
    allowed_tenants: Annotated[tuple[str, ...], BeforeValidator(words)] = ()
    """Ids of the tenants whose people may come in; needed for several. With a domain: the id that it must belong to."""
    auth_time: AuthTime = "optional"
    """As for `oidc`; Entra ID says `auth_time` only when the optional claim is added."""

    @field_validator("tenant")
    @classmethod
    def _tenant(cls, value: str) -> str:
        name = value.strip().lower()
        if name in SEVERAL or _ID.fullmatch(name):
            return name
        found = domains((name,))
        one = str(found[0]) if isinstance(found, tuple) else ""
        if not _DOMAIN.fullmatch(one):
            raise ValueError("A tenant is its id, a domain of it, organizations or common")
        return one

    @field_validator("allowed_tenants")
    @classmethod
    def _ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        found = tuple(one.lower() for one in value)
        if not all(_ID.fullmatch(one) for one in found):
            raise ValueError("Tenants are allowed by their ids, such as 72f988bf-86f1-41af-91ab-2d7cd011db47")
        return found

    @model_validator(mode="after")
    def _who_may_come(self) -> Self:
        if self.tenant in SEVERAL and not self.allowed_tenants:
            raise ValueError(
                f"tenant={self.tenant} needs allowed_tenants: without, anybody could come in by a tenant of their own"
            )
        if _ID.fullmatch(self.tenant) and self.allowed_tenants not in ((), (self.tenant,)):
            raise ValueError(
                "With the id of one tenant, allowed_tenants says nothing more: leave it out, or set tenant=organizations"
            )
        return self


class Kind(OidcKind):
    label = "Microsoft"
    known_by_label = True
    # Everything is in the ID token, and userinfo says nothing of xms_edov.
    asks_userinfo = False
    _place = "https://login.microsoftonline.com"  # another one in tests only

    def __init__(self, settings: Settings, tools: Tools) -> None:
        self._tenant = settings.tenant
        self._allowed = settings.allowed_tenants
        self._template = f"{self._place}/{TEMPLATE}/v2.0"
        super().__init__(settings, tools, self._of(settings.tenant), self._may_state)

    def _of(self, tenant: str) -> str:
        return self._template.replace(TEMPLATE, tenant)

    def _may_state(self, issuer: str) -> bool:
        """In its metadata: the template for several tenants, and the tenant's id also when we asked by a domain."""
        if self._tenant in SEVERAL:
            return issuer == self._template
        if _ID.fullmatch(self._tenant):
            return issuer == self._of(self._tenant)
        return any(issuer == self._of(part) for part in issuer.split("/") if _ID.fullmatch(part))

    def _tenants(self, metadata: Metadata) -> tuple[str, ...]:
        """Issuers of the tenants that are let in."""
        allowed = tuple(self._of(tenant) for tenant in self._allowed)
        if self._tenant in SEVERAL:
            return allowed
        return tuple(issuer for issuer in allowed or (metadata.issuer,) if issuer == metadata.issuer)

    def answers_as(self, stated: str | None, metadata: Metadata) -> str:
        """Before the token is there, any tenant that is let in may be the one."""
        return stated if stated in self._tenants(metadata) else metadata.issuer

    def token_issuer(self, claims: Claims) -> str:
        tenant = claims.get("tid")
        if not isinstance(tenant, str) or not _ID.fullmatch(tenant):
            raise answer_invalid("id_token: tid is missing, or not the id of a tenant")
        return self._of(tenant)

    def key_issuer(self, published: str, claims: Claims) -> str:
        """Some keys sign for one tenant only, the others for whichever."""
        return published.replace(TEMPLATE, claims["tid"])

    def admit(self, claims: Claims, metadata: Metadata) -> None:
        if claims["iss"] not in self._tenants(metadata):
            raise not_admitted(f"id_token: the tenant {claims['tid']} is not one that is allowed")

    def key_of(self, claims: Claims) -> tuple[str, str]:
        return claims["iss"], subject_in(claims, "oid")

    def email_of(self, claims: Claims) -> tuple[str | None, bool]:
        """`xms_edov`, and only as the Boolean that Microsoft documents: without it, whoever administers any tenant writes
        whatever address they like into `email`."""
        return person.email({"email": claims.get("email"), "email_verified": claims.get("xms_edov")})

    def groups_of(self, provider: UpstreamProvider, claims: Claims) -> tuple[str, ...]:
        if is_overage(claims):
            log.event(
                _log,
                "groups_left_out",
                logging.WARNING,
                upstream=provider.id,
                why="this person is in more groups than fit into an ID token, so none are known: at the app registration, "
                "send only groups that are assigned to the application",
            )
            return ()
        return super().groups_of(provider, claims)


def is_overage(claims: Claims) -> bool:
    """More groups than a token holds (200): it points to Microsoft Graph instead."""
    elsewhere = claims.get("_claim_names")
    return (isinstance(elsewhere, dict) and "groups" in elsewhere) or claims.get("hasgroups") in (True, "true")
