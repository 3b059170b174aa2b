"""Authorization codes and refresh tokens: issue, redeem once, rotate once (RFC 6749 4.1 and 6, RFC 7636, RFC 9700).

Leaves the form of tokens to the OIDC door, and whether a grant is good at this moment to live_grants.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from idp.base import ids
from idp.base.clock import Clock
from idp.base.config import Oidc
from idp.base.errors import Refused
from idp.domain.grant import AuthorizationCode, Grant, RefreshToken
from idp.domain.relying import Client
from idp.domain.session import Session
from idp.domain.user import User
from idp.ports import Repository
from idp.services.live_grants import LiveGrants
from idp.services.record_audit import Audit

# A used code is remembered for longer than it can be used, so that a late second use still revokes.
REMEMBER_CODE_SECONDS = 3600.0
LONGEST_ACCESS_SECONDS = 86_400
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the app asked for and the person allowed."""

    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    redirect_uri: str
    code_challenge: str | None
    nonce: str | None


@dataclass(frozen=True, slots=True)
class Issued:
    """From what tokens are made. scopes and audiences: those of this answer, at most those of the grant."""

    grant: Grant
    user: User
    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    refresh_token: str | None = field(repr=False)


class IssueGrant:
    def __init__(self, repo: Repository, clock: Clock, live: LiveGrants, audit: Audit, settings: Oidc) -> None:
        self._repo = repo
        self._clock = clock
        self._live = live
        self._audit = audit
        self._settings = settings

    def access_seconds(self, client: Client) -> int:
        return min(client.access_token_seconds or self._settings.access_token_seconds, LONGEST_ACCESS_SECONDS)

    def issue_code(self, client: Client, user: User, session: Session, allowed: Allowed) -> str:
        """A fresh grant and its code, good once and for `oidc.code_seconds`."""
        now = self._clock()
        offline = "refresh_token" in client.grant_types
        life = self._settings.refresh_token_seconds if offline else self.access_seconds(client)
        grant = Grant(
            id=ids.public_id("gr"),
            client_id=client.id,
            created_at=now,
            expires_at=now + self._settings.code_seconds + life,
            user_id=user.id,
            session_sid=session.sid,
            scopes=allowed.scopes,
            audiences=allowed.audiences,
            auth_time=session.auth_time,
            acr=session.acr,
            amr=session.amr,
            nonce=allowed.nonce,
        )
        code = ids.secret()
        self._repo.insert(grant)
        self._repo.insert(
            AuthorizationCode(
                id=ids.digest(code),
                grant_id=grant.id,
                client_id=client.id,
                redirect_uri=allowed.redirect_uri,
                code_challenge=allowed.code_challenge,
                created_at=now,
                expires_at=now + REMEMBER_CODE_SECONDS,
            )
        )
        return code

    def redeem(
        self,
        client: Client,
        code: str,
        *,
        redirect_uri: str,
        verifier: str | None,
        audiences: tuple[str, ...] = (),
    ) -> Issued:
        """Exactly one caller gets it. Any attempt burns the code; a second use also revokes what the first one got.

        Raises Refused(invalid_grant | invalid_target).
        """
        found = self._repo.get(AuthorizationCode, ids.digest(code))
        if found is None:
            raise _invalid_grant("unknown or long expired code")
        # Read before the code is taken: of many at once one must win, even while the others already revoke what it gets.
        grant = self._live.get(found.grant_id)
        user = self._live.user_of(grant) if grant is not None else None
        if self._repo.consume(AuthorizationCode, found.id) is None:
            self._live.revoke(found.grant_id, "grant.reuse_detected", actor=client.id, why="code used twice")
            raise _invalid_grant("the code was already used; what was issued from it is revoked")
        if found.client_id != client.id:
            raise _invalid_grant(f"the code belongs to another client than {client.id}")
        if self._clock() >= found.created_at + self._settings.code_seconds:
            raise _invalid_grant("the code has expired")
        if not hmac.compare_digest(found.redirect_uri.encode(), redirect_uri.encode()):
            raise _invalid_grant("redirect_uri is not the one of the authorization request")
        _check_verifier(found.code_challenge, verifier)
        if grant is None or user is None:
            raise _not_live()
        chosen = narrowed_audiences(audiences, grant.audiences)
        token = self._new_refresh_token(grant) if "refresh_token" in client.grant_types else None
        self._audit.record(
            "grant.issued", actor=user.id, subject=client.id, grant=grant.id, scopes=" ".join(grant.scopes)
        )
        return Issued(grant, user, grant.scopes, chosen, token)

    def refresh(
        self, client: Client, token: str, *, scopes: tuple[str, ...] = (), audiences: tuple[str, ...] = ()
    ) -> Issued:
        """The successor of a refresh token, once. A second use ends the whole family. Empty scopes: those of the grant.

        Raises Refused(invalid_grant | invalid_scope | invalid_target).
        """
        found = self._repo.get(RefreshToken, ids.digest(token))
        if found is None or found.client_id != client.id:
            raise _invalid_grant("unknown refresh token" if found is None else "the token belongs to another client")
        if found.consumed_at is not None:
            raise self._reused(client, found)
        grant, user = self._good(found.grant_id)
        kept = narrowed_scopes(scopes, grant.scopes)
        chosen = narrowed_audiences(audiences, grant.audiences)
        # The successor is stored first: a crash in between leaves the app a token that works.
        successor = self._new_refresh_token(grant)
        if self._repo.consume(RefreshToken, found.id) is None:
            self._repo.delete(RefreshToken, ids.digest(successor))
            raise self._reused(client, found)
        return Issued(grant, user, kept, chosen, successor)

    def _reused(self, client: Client, found: RefreshToken) -> Refused:
        self._live.revoke(found.grant_id, "grant.reuse_detected", actor=client.id, why="refresh token used twice")
        return _invalid_grant("the refresh token was already used; its whole family is revoked")

    def _good(self, grant_id: str) -> tuple[Grant, User]:
        grant = self._live.get(grant_id)
        user = self._live.user_of(grant) if grant is not None else None
        if grant is None or user is None:
            raise _not_live()
        return grant, user

    def _new_refresh_token(self, grant: Grant) -> str:
        token = ids.secret()
        self._repo.insert(RefreshToken(ids.digest(token), grant.id, grant.client_id, self._clock(), grant.expires_at))
        return token


def narrowed_scopes(asked: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Raises Refused(invalid_scope): nothing is added that was not allowed (RFC 6749 6)."""
    for scope in asked:
        if scope not in allowed:
            raise Refused(
                "invalid_scope", "A scope was asked for that was not granted.", reason=f"scope {scope[:100]!r}"
            )
    return asked or allowed


def narrowed_audiences(asked: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Raises Refused(invalid_target) (RFC 8707 2.2)."""
    for audience in asked:
        if audience not in allowed:
            raise Refused(
                "invalid_target",
                "This app may not get tokens for that resource.",
                reason=f"resource {audience[:200]!r}",
            )
    return asked or allowed


def _check_verifier(challenge: str | None, verifier: str | None) -> None:
    """S256 only (RFC 7636 4.6). A verifier without a challenge means that the challenge was taken away on its way."""
    if challenge is None and verifier is None:
        return
    if challenge is None or verifier is None or not _VERIFIER.match(verifier):
        raise _invalid_grant("code_verifier is missing, malformed, or was not announced")
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    if not hmac.compare_digest(made, challenge.encode()):
        raise _invalid_grant("code_verifier does not fit")


def _not_live() -> Refused:
    return _invalid_grant("the grant is revoked or expired, its session has ended, or the user is disabled")


def _invalid_grant(reason: str) -> Refused:
    return Refused(
        "invalid_grant",
        "The code or token is not good: unknown, expired, already used, revoked or not yours.",
        reason=reason,
    )
