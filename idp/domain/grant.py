"""What a user allowed an application, and the codes and refresh tokens that hang on it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Consent:
    """User × Client × scopes, remembered. id = digest of both ids."""

    id: str
    user_id: str
    client_id: str
    scopes: tuple[str, ...]
    granted_at: float
    version: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """One authorization: the refresh-token family and every access token hang on it. revoked_at ends them all.

    user_id is None for client_credentials.
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
    revoked_at: float | None = None
    version: int = 0

    @property
    def offline(self) -> bool:
        """The user allowed offline_access: this outlives the session (OIDC Core 11)."""
        return "offline_access" in self.scopes


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """id = digest of the code. Consumed atomically; a second use revokes the grant (RFC 9700 2.1.1, OAuth 2.1 4.1.3)."""

    id: str
    grant_id: str
    client_id: str
    redirect_uri: str
    code_challenge: str | None
    created_at: float
    expires_at: float
    consumed_at: float | None = None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """id = digest of the token. Consumed by rotation; a second use revokes the family (the Grant)."""

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
