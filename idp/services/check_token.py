"""Our own access tokens, looked at from outside: verify, introspect (RFC 7662), revoke (RFC 7009); JWTs and opaque ones.

Leaves making them to the OIDC door and client authentication to it as well.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from idp.base import ids
from idp.base.claims import ACCESS_TOKEN_TYPE, AUTHORIZATION_DETAILS, CLIENT_ID, GRANT, SCOPE
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.crypto import tokens
from idp.crypto.keys import KeyRing
from idp.domain.grant import Grant, OpaqueToken, RefreshToken, RevokedToken
from idp.domain.relying import Client
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from idp.services.live_grants import LiveGrants
from idp.services.release import may_have
from idp.services.subjects import Subjects

VERIFIED_AT_MOST = 2048  # signatures remembered, about 2 kB each
OPAQUE_PREFIX = "sheaf_at_"  # recognised where tokens are looked for that leaked; no dot, as JWTs have

Claims = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Access:
    """A good access token. grant and user are None when an app acts for itself (client_credentials)."""

    claims: Claims
    grant: Grant | None
    user: User | None

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(str(self.claims.get(SCOPE, "")).split())

    @property
    def audiences(self) -> tuple[str, ...]:
        aud = self.claims.get("aud", ())
        return (aud,) if isinstance(aud, str) else tuple(aud)


class CheckToken:
    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        keys: KeyRing,
        live: LiveGrants,
        issuer: Callable[[], str],
        subjects: Subjects,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._keys = keys
        self._live = live
        self._issuer = issuer
        self._subjects = subjects
        self._verified: dict[bytes, tuple[str, Claims]] = {}
        self._lock = threading.Lock()

    def access(self, token: str) -> Access | None:
        """What a token says, if it is one of ours and good at this moment: signature, type, issuer, expiry, revocation,
        grant, session, user, client."""
        opaque = token.startswith(OPAQUE_PREFIX)
        claims = self._stored(token) if opaque else self._claims(token)
        if claims is None or claims["iss"] != self._issuer() or self._clock() >= claims["exp"]:
            return None
        if not opaque and self._repo.get(RevokedToken, claims["jti"]) is not None:
            return None
        grant_id = claims.get(GRANT)
        if grant_id is None:
            return Access(claims, None, None) if self._of_client(claims) else None
        grant = self._live.get(grant_id)
        user = self._live.user_of(grant) if grant is not None else None
        if grant is None or user is None or not self._still_exchanged(claims, grant):
            return None
        return Access(claims, grant, user)

    def _still_exchanged(self, claims: Claims, grant: Grant) -> bool:
        """What was exchanged (RFC 8693) ends with the app that got it and with whoever acts in it, too."""
        if claims[CLIENT_ID] != grant.client_id and not self._of_client(claims):
            return False
        return "act" not in claims or self._live.actors_good(claims["act"])

    def _stored(self, token: str) -> Claims | None:
        found = self._repo.get(OpaqueToken, ids.digest(token))
        return dict(found.claims) if found is not None else None

    def _of_client(self, claims: Claims) -> bool:
        """Is the app still there, and not another one of the same name?"""
        client = self._repo.get(Client, claims[CLIENT_ID])
        return client is not None and int(client.created_at) <= claims["iat"]

    # ---------------------------------------------------------------- introspection

    def introspect(self, client: Client, token: str) -> Claims:
        """The answer of RFC 7662 2.2. Whoever is neither the token's app nor among its audiences learns nothing.

        What kind of token it is can be seen by its form, so no hint is needed (RFC 7662 2.1: hints only save time)."""
        inactive: Claims = {"active": False}
        if not _is_access(token):
            return self._introspect_refresh(client, token) or inactive
        access = self.access(token)
        if access is None or not _may_know(client, access):
            return inactive
        bound = access.claims.get("cnf", {})
        answer = {"active": True, "token_type": "DPoP" if "jkt" in bound else "Bearer", **access.claims}
        if access.user is not None and _may_know_name(client, access):
            answer["username"] = access.user.username
        return answer

    def _introspect_refresh(self, client: Client, token: str) -> Claims | None:
        found = self._repo.get(RefreshToken, ids.digest(token))
        if found is None or found.consumed_at is not None or found.client_id != client.id:
            return None
        grant = self._live.get(found.grant_id)
        user = self._live.user_of(grant) if grant is not None else None
        if grant is None or user is None:
            return None
        answer: Claims = {
            "active": True,
            "iss": self._issuer(),
            "sub": self._subjects.of(client, user.id),
            CLIENT_ID: client.id,
            SCOPE: " ".join(grant.scopes),
            "iat": int(found.created_at),
            "exp": int(found.expires_at),
        }
        if _has_name(client, grant.scopes):
            answer["username"] = user.username
        if grant.confirmation:
            answer["cnf"] = dict(grant.confirmation)
        if grant.actor:
            answer["act"] = dict(grant.actor)
        if grant.details:
            answer[AUTHORIZATION_DETAILS] = list(grant.details)
        return answer

    # ---------------------------------------------------------------- revocation

    def revoke(self, client: Client, token: str) -> None:
        """A refresh token ends its whole grant, an access token only itself. Unknown tokens are no error (RFC 7009 2.2).

        Raises Refused(invalid_request) for a token of another app.
        """
        if token.startswith(OPAQUE_PREFIX):
            opaque = self._repo.get(OpaqueToken, ids.digest(token))
            if opaque is not None:
                _must_own(client, opaque.client_id)
                self._repo.delete(OpaqueToken, opaque.id)
        elif _is_access(token):
            self._revoke_jwt(client, token)
        else:
            found = self._repo.get(RefreshToken, ids.digest(token))
            if found is not None:
                _must_own(client, found.client_id)
                self._live.revoke(found.grant_id, "grant.revoked", actor=client.id, why="revoked by the app")

    def _revoke_jwt(self, client: Client, token: str) -> None:
        claims = self._claims(token)
        if claims is None or self._clock() >= claims["exp"]:
            return
        _must_own(client, claims[CLIENT_ID])
        try:
            self._repo.insert(RevokedToken(claims["jti"], self._clock(), float(claims["exp"])))
        except Duplicate:
            return

    # ---------------------------------------------------------------- signatures

    def _claims(self, token: str) -> Claims | None:
        """Claims of a token with a good signature. Remembered, as checking an ES256 signature costs most of an answer;
        forgotten at once when its key is published no longer."""
        key = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        known = self._verified.get(key)
        if known is not None:
            kid, claims = known
            return claims if self._keys.verifier(kid, "access_token") is not None else None
        read = tokens.read(self._keys, token, use="access_token", typ=ACCESS_TOKEN_TYPE)
        if read is None:
            return None
        with self._lock:
            if len(self._verified) >= VERIFIED_AT_MOST:
                for old in list(self._verified)[: VERIFIED_AT_MOST // 4]:
                    del self._verified[old]
            self._verified[key] = (tokens.kid_of(token), read)
        return read


def _is_access(token: str) -> bool:
    return "." in token or token.startswith(OPAQUE_PREFIX)


def _may_know(client: Client, access: Access) -> bool:
    """RFC 7662 4, RFC 9701 5: the app that it was issued to, and the APIs that it is for."""
    return access.claims[CLIENT_ID] == client.id or not set(access.audiences).isdisjoint((client.id, *client.audiences))


def _may_know_name(client: Client, access: Access) -> bool:
    """For a pairwise app the user name would undo what its own `sub` is for; and an app gets it by its own token only with
    the scope that people allow it with."""
    if access.claims[CLIENT_ID] == client.id:
        return _has_name(client, access.scopes)
    return access.user is not None and (access.claims["sub"] == access.user.id or "profile" in access.scopes)


def _has_name(client: Client, scopes: tuple[str, ...]) -> bool:
    return "profile" in scopes and may_have(client, "preferred_username")


def _must_own(client: Client, owner: str) -> None:
    if owner != client.id:
        raise Refused(
            "invalid_request", "This token was issued to another app.", reason="revocation of a foreign token"
        )
