"""Applications that rely on us: OIDC clients and SAML service providers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

AuthMethod = Literal["none", "client_secret_basic", "client_secret_post"]


@dataclass(frozen=True, slots=True)
class Client:
    """An OIDC relying party (RFC 7591 names). secret_digest: SHA-256 of a 256-bit random secret, None for public clients."""

    id: str
    name: str
    created_at: float
    secret_digest: str | None = field(default=None, repr=False)
    auth_method: AuthMethod = "client_secret_basic"
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = ("authorization_code",)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    audiences: tuple[str, ...] = ()
    pkce_required: bool = True
    consent: Literal["ask", "skip"] = "ask"
    second_factor_required: bool = False
    access_token_seconds: int | None = None
    version: int = 0

    @property
    def is_public(self) -> bool:
        return self.auth_method == "none"


@dataclass(frozen=True, slots=True)
class ServiceProvider:
    """A SAML service provider. id = entityID; metadata: the XML that was registered, checked on the way in.

    attributes: SAML attribute name -> user field (`username`, `email`, `name`, `id`, `roles`).
    """

    id: str
    name: str
    metadata: str = field(repr=False)
    created_at: float = 0.0
    name_id_format: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    sign_response: bool = True
    encrypt: Literal["when_possible", "never", "always"] = "never"
    second_factor_required: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True)
class PersistentNameId:
    """Random name of a user at one service provider (never shared between them). Unique per (user, sp)."""

    id: str
    user_id: str
    sp_id: str
    created_at: float


@dataclass(frozen=True, slots=True)
class SamlRequestSeen:
    """An AuthnRequest that was answered or is being answered. id = digest of issuer and request ID: accepted once."""

    id: str
    seen_at: float
    expires_at: float
