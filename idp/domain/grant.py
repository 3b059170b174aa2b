"""What a user allowed an application, and the codes and refresh tokens that hang on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from idp.domain.narrowing import Details


@dataclass(frozen=True, slots=True)
class Consent:
    """User × Client × scopes, remembered. id = digest of both ids. details: to what the scopes were narrowed, empty for
    all that they allow."""

    id: str
    user_id: str
    client_id: str
    scopes: tuple[str, ...]
    granted_at: float
    details: Details = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """One authorization: the refresh-token family and every access token hang on it. revoked_at ends them all.

    user_id is None for client_credentials. claims: the `claims` parameter of the request (OIDC Core 5.5) as far as it was
    understood. confirmation: the key that refresh tokens are bound to (`jkt` RFC 9449, `x5t#S256` RFC 8705); while it waits
    in a code, the key that must be proved for it. details: to what it is narrowed (RFC 9396). actor: the `act` claim of its
    tokens (RFC 8693 4.1). sessionless: it came from an assertion (RFC 7523), no browser is signed in; it ends by its own
    short life. way: the upstream that the person came by, LOCAL for the password; empty in grants of older versions.
    """

    id: str
    client_id: str
    created_at: float
    expires_at: float
    user_id: str | None = None
    session_sid: str | None = None
    scopes: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    auth_time: float | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    nonce: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)
    confirmation: Mapping[str, str] = field(default_factory=dict)
    actor: Mapping[str, Any] = field(default_factory=dict)
    revoked_at: float | None = None
    sessionless: bool = False
    way: str = ""
    details: Details = ()
    version: int = 0

    @property
    def offline(self) -> bool:
        """The user allowed offline_access: this outlives the session (OIDC Core 11)."""
        return "offline_access" in self.scopes


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """id = digest of the code. Consumed atomically; a second use revokes the grant (RFC 9700 2.1.1, OAuth 2.1 4.1.3).

    grant: the whole Grant, which is stored by itself only when the code is redeemed. None in codes of older versions.
    """

    id: str
    grant_id: str
    client_id: str
    redirect_uri: str
    code_challenge: str | None
    created_at: float
    expires_at: float
    consumed_at: float | None = None
    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """id = digest of the token. Consumed by rotation; a second use, but for a retry right after, revokes the family (the
    Grant). The successor is computed from the token, so that a retry gets the same."""

    id: str
    grant_id: str
    client_id: str
    created_at: float
    expires_at: float
    consumed_at: float | None = None


@dataclass(frozen=True, slots=True)
class RevokedToken:
    """An access token that was revoked on its own. id = jti; lives as long as the token would have."""

    id: str
    revoked_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class OpaqueToken:
    """An access token that says nothing by itself. id = digest of the token; claims: what the JWT would have said."""

    id: str
    client_id: str
    claims: Mapping[str, Any]
    expires_at: float
    grant_id: str | None = None


@dataclass(frozen=True, slots=True)
class PushedRequest:
    """An authorization request that the app sent beforehand (RFC 9126). id = digest of the random part of its request_uri.
    parameters: name and value pairs as they were sent. Used once."""

    id: str
    client_id: str
    parameters: tuple[tuple[str, ...], ...]
    created_at: float
    expires_at: float
    confirmation: Mapping[str, str] = field(default_factory=dict)
    consumed_at: float | None = None


@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    """A sign-in that a device without a browser asks for (RFC 8628). id = digest of the device code; user_code: what the
    person types, in canonical form. ends_at: not good any more; it is remembered until expires_at, to say so. interval:
    seconds between two polls. confirmation: the key that polling must prove. The approval brings the grant; polling
    consumes it."""

    id: str
    user_code: str
    client_id: str
    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    created_at: float
    ends_at: float
    expires_at: float
    state: Literal["pending", "approved", "denied"] = "pending"
    grant: Grant | None = None
    polled_at: float | None = None
    interval: float = 5.0
    details: Details = ()
    confirmation: Mapping[str, str] = field(default_factory=dict)
    consumed_at: float | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that is accepted once: the jti of an assertion or of a DPoP proof. id = digest of what it is and whose."""

    id: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class LogoutDelivery:
    """A logout token on its way to an app (Back-Channel Logout 1.0 2.5), or a LogoutRequest by SOAP (SAML Core 3.7). Tried
    again until `expires_at`; next_at: not before. subject: the `sub` that this app knows.

    client_id: of the app; for `saml` its entityID, for `upstream` the id of an identity provider. facts: whom a LogoutRequest
    names (NameID and session_index)."""

    id: str
    client_id: str
    uri: str
    user_id: str
    sid: str
    subject: str
    created_at: float
    next_at: float
    expires_at: float
    attempts: int = 0
    state: Literal["waiting", "reached", "failed"] = "waiting"
    problem: str = ""
    protocol: Literal["oidc", "saml", "upstream"] = "oidc"
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)
    version: int = 0
