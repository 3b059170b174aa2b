"""The settings of an upstream that speaks OpenID Connect; the kinds are this with an issuer and defaults of their own.

Leaves what each setting does to oidc_kind.
"""

from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from idp.base.net import is_loopback_url
from idp.upstream.authlib_client import AuthorizeParams
from idp.upstream.discovery import WELL_KNOWN
from idp.upstream.words import words

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"]
AuthTime = Literal["required", "optional"]


class OidcSettings(BaseModel):
    """always: scopes without which the kind does not work."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    always: ClassVar[tuple[str, ...]] = ("openid",)

    client_id: str = Field(min_length=1, max_length=500)
    """Our client id at the upstream."""
    client_secret: SecretStr = SecretStr("")
    """Our secret there: the value, `env:NAME`, or `file:PATH`. Sealed at rest, never shown."""
    scopes: Annotated[tuple[str, ...], BeforeValidator(words)] = ("openid", "profile", "email")
    """What we ask for; `openid` is always part of it."""
    token_endpoint_auth_method: Literal["client_secret_basic", "client_secret_post", "none"] = "client_secret_basic"  # noqa: S105
    """How we authenticate at its token endpoint."""
    algorithms: Annotated[tuple[Algorithm, ...], BeforeValidator(words)] = Field(
        ("RS256", "PS256", "ES256", "ES384", "Ed25519"), min_length=1
    )
    """Signature algorithms that are accepted for ID tokens. Never `none`, never a shared secret (HS256)."""
    authorize_params: AuthorizeParams = Field(default_factory=dict)
    """Further parameters for its sign-in page, as a query string: `prompt=select_account&hd=example.org`."""
    username_claim: str = Field("preferred_username", min_length=1, max_length=100)
    """The claim that suggests a user name for new accounts."""
    groups_claim: str = Field("groups", min_length=1, max_length=200)
    """The claim with the groups of a person, in the ID token or from the userinfo endpoint: `groups`, `realm_access.roles`."""
    logout: bool = False
    """Lead people who sign out here to its sign-out page as well. Register our address …/signed-out there first."""
    auth_time: AuthTime = "required"
    """What shows that somebody proved themselves anew when we asked for it: required, a fresh `auth_time`; optional, the
    upstream says none (Google, Azure AD) and coming back is enough. One that is said is checked in any case."""

    @field_validator("scopes")
    @classmethod
    def _openid(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*cls.always, *value)))

    @model_validator(mode="after")
    def _secret_where_needed(self) -> Self:
        public = self.token_endpoint_auth_method == "none"  # noqa: S105  (a method, not a secret)
        if not public and not self.client_secret.get_secret_value():
            raise ValueError("client_secret is missing (or say token_endpoint_auth_method=none)")
        return self


class IssuerSettings(OidcSettings):
    """Of kinds whose issuer an administrator names."""

    issuer: str = Field(max_length=500)
    """The upstream's issuer, exactly as its discovery document says it. The address of that document will do, too."""

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
