"""Upstream kind `adfs_oidc`: Microsoft's AD FS (2016 and newer) by OpenID Connect. `oidc` with what it does otherwise.

AD FS has two issuers: `issuer`, of ID tokens, and `access_token_issuer`, of access tokens; only the first one counts here. Its
userinfo endpoint says nothing but `sub`: claims come in the ID token, and only with the scope `allatclaims`. Leaves the flow to
idp.upstream.oidc_kind.
"""

from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator

from idp.ports import Tools
from idp.upstream import person
from idp.upstream.id_token import Claims
from idp.upstream.oidc_kind import OidcKind
from idp.upstream.oidc_settings import IssuerSettings
from idp.upstream.words import words


class Settings(IssuerSettings):
    always: ClassVar[tuple[str, ...]] = ("openid", "allatclaims")

    issuer: str = Field(max_length=500)
    """Where AD FS is: `https://adfs.example.org` or `https://adfs.example.org/adfs`."""
    scopes: Annotated[tuple[str, ...], BeforeValidator(words)] = ("openid", "profile", "email", "allatclaims")
    """As for `oidc`; `allatclaims` is always part of it, else the ID token says only who."""
    username_claim: str = Field("upn", min_length=1, max_length=100)
    """As for `oidc`: the user principal name."""
    groups_claim: str = Field("group", min_length=1, max_length=200)
    """As for `oidc`: what the claim rule for groups makes."""
    email_trusted: bool = False
    """Take its e-mail addresses for verified: AD FS cannot say so. Only if people cannot change them themselves."""

    @field_validator("issuer")
    @classmethod
    def _whole(cls, value: str) -> str:
        return f"{value.rstrip('/')}/adfs" if urlsplit(value).path in ("", "/") else value


class Kind(OidcKind):
    label = "AD FS"
    asks_userinfo = False

    def __init__(self, settings: Settings, tools: Tools) -> None:
        super().__init__(settings, tools, settings.issuer)
        self._email_trusted = settings.email_trusted

    def email_of(self, claims: Claims) -> tuple[str | None, bool]:
        return person.email({"email": claims.get("email"), "email_verified": self._email_trusted})
