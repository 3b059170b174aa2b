"""The settings of an upstream that speaks OpenID Connect; the kinds are this with an issuer and defaults of their own.

Leaves what each setting does to oidc_kind.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from idp.upstream.authlib_client import AuthorizeParams
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
