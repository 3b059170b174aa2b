"""What is in our tokens: ID tokens (OIDC Core 2), access tokens (RFC 9068), and the claims that scopes release.

Leaves signing to idp.crypto.tokens and who may have a token to grants.
"""

import base64
import hashlib
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from idp.base.claims import ACCESS_TOKEN_TYPE, CLIENT_ID, GRANT, ROLES, SCOPE
from idp.base.clock import Clock
from idp.crypto import tokens
from idp.crypto.keys import KeyRing
from idp.domain.relying import Client
from idp.domain.user import User
from idp.services.issue_grant import Issued

ID_TOKEN_TYPE = "JWT"  # noqa: S105

Claims = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """expires_in: seconds from now."""

    value: str
    expires_in: int


class TokenMaker:
    def __init__(self, keys: KeyRing, clock: Clock, issuer: Callable[[], str], id_token_seconds: int) -> None:
        self._keys = keys
        self._clock = clock
        self._issuer = issuer
        self._id_token_seconds = id_token_seconds

    def access_for_user(self, client: Client, issued: Issued, seconds: int) -> AccessToken:
        """At most as long as the grant lives."""
        grant, user = issued.grant, issued.user
        life = max(1, min(seconds, math.floor(grant.expires_at - self._clock())))
        who: Claims = {"sub": user.id, GRANT: grant.id, "acr": grant.acr, "amr": list(grant.amr)}
        if grant.auth_time is not None:
            who["auth_time"] = int(grant.auth_time)
        if issued.audiences and user.roles:  # roles are for APIs; our own userinfo does not need them
            who[ROLES] = list(user.roles)
        return self._access(client, issued.scopes, issued.audiences, life, who)

    def access_for_client(
        self, client: Client, scopes: tuple[str, ...], audiences: tuple[str, ...], seconds: int
    ) -> AccessToken:
        """The app acts for itself: sub is the client (RFC 9068 2.2). No grant is stored: it is revoked by its jti."""
        return self._access(client, scopes, audiences, seconds, {"sub": client.id})

    def _access(
        self, client: Client, scopes: tuple[str, ...], audiences: tuple[str, ...], seconds: int, who: Claims
    ) -> AccessToken:
        now, issuer = int(self._clock()), self._issuer()
        claims: Claims = {
            "iss": issuer,
            **who,
            "aud": _audience(issuer, scopes, audiences),
            "exp": now + seconds,
            "iat": now,
            "jti": secrets.token_urlsafe(16),
            CLIENT_ID: client.id,
            SCOPE: " ".join(scopes),
        }
        return AccessToken(tokens.sign(self._keys.signer("access_token"), ACCESS_TOKEN_TYPE, claims), seconds)

    def id_token(self, client: Client, issued: Issued, access: AccessToken, *, nonce: str | None) -> str:
        """aud is one string: clients that compare it as such are many. auth_time is that of the sign-in, at refresh too."""
        grant, now = issued.grant, int(self._clock())
        claims: Claims = {
            "iss": self._issuer(),
            "sub": issued.user.id,
            "aud": client.id,
            "exp": now + self._id_token_seconds,
            "iat": now,
            "acr": grant.acr,
            "amr": list(grant.amr),
            "sid": grant.session_sid,
            "at_hash": half_hash(access.value),
            **released(issued.user, issued.scopes),
        }
        if grant.auth_time is not None:
            claims["auth_time"] = int(grant.auth_time)
        if nonce is not None:
            claims["nonce"] = nonce
        return tokens.sign(self._keys.signer("id_token"), ID_TOKEN_TYPE, claims)

    def read_id_token(self, token: str) -> Claims | None:
        """An ID token of ours as a hint: it may have expired (RP-Initiated Logout 2). None for any other token."""
        claims = tokens.read(self._keys, token, use="id_token", typ=ID_TOKEN_TYPE)
        return claims if claims is not None and claims.get("iss") == self._issuer() else None


def released(user: User, scopes: tuple[str, ...]) -> Claims:
    """The claims about a person that these scopes release (OIDC Core 5.4)."""
    claims: Claims = {}
    if "profile" in scopes:
        claims |= {"name": user.name, "preferred_username": user.username}
    if "email" in scopes and user.email:
        claims |= {"email": user.email, "email_verified": user.email_verified}
    if "roles" in scopes:
        claims[ROLES] = list(user.roles)
    return claims


def half_hash(token: str) -> str:
    """at_hash (OIDC Core 3.1.3.6) for algorithms that end in 256."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode("ascii")).digest()[:16]).rstrip(b"=").decode()


def _audience(issuer: str, scopes: tuple[str, ...], audiences: tuple[str, ...]) -> str | list[str]:
    meant = [*audiences, issuer] if "openid" in scopes or not audiences else list(audiences)
    return meant[0] if len(meant) == 1 else meant
