"""Grants come into being here: authorization codes are issued and redeemed once (RFC 6749 4.1, RFC 7636, RFC 9700).

A code carries its whole grant; redeeming it stores grant, refresh token and audit event in one go. Leaves refreshing to
refresh_grant, the form of tokens to the OIDC door, and whether a grant is good at this moment to live_grants.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.sections import Oidc
from idp.domain.grant import AuthorizationCode, Consent, DeviceAuthorization, Grant, RefreshToken
from idp.domain.narrowing import Details, narrowed
from idp.domain.relying import Client
from idp.domain.session import Session, had_second_factor
from idp.domain.upstream import LOCAL
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from idp.services.attempts import consent_id
from idp.services.live_grants import LiveGrants
from idp.services.record_audit import Audit

# A used code is remembered for longer than it can be used, so that a late second use still revokes.
REMEMBER_CODE_SECONDS = 3600.0
LONGEST_ACCESS_SECONDS = 86_400
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the app asked for and the person allowed. confirmation: the key that must be proved when the code is redeemed
    (dpop_jkt, RFC 9449 10). claims: the `claims` parameter as far as it was understood. acr: what the tokens say, when it is
    not what the session says."""

    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    redirect_uri: str = ""
    code_challenge: str | None = None
    nonce: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)
    confirmation: Mapping[str, str] = field(default_factory=dict)
    acr: str | None = None
    details: Details = ()


@dataclass(frozen=True, slots=True)
class Issued:
    """From what tokens are made. scopes, audiences and details: those of this answer, at most those of the grant."""

    grant: Grant
    user: User
    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    refresh_token: str | None = field(repr=False)
    details: Details = ()


class IssueGrant:
    def __init__(self, repo: Repository, clock: Clock, live: LiveGrants, audit: Audit, settings: Oidc) -> None:
        self._repo = repo
        self._clock = clock
        self._live = live
        self._audit = audit
        self._settings = settings

    def access_seconds(self, client: Client) -> int:
        return min(client.access_token_seconds or self._settings.access_token_seconds, LONGEST_ACCESS_SECONDS)

    def _life(self, client: Client) -> int:
        """Of a grant, from the moment it is collected: as long as its last token lives."""
        if "refresh_token" in client.grant_types:
            return client.refresh_token_seconds or self._settings.refresh_token_seconds
        return self.access_seconds(client)

    def drawn_up(self, client: Client, user: User, session: Session, allowed: Allowed, *, wait: float) -> Grant:
        """A grant that is stored nowhere yet. wait: seconds until it is collected, at most."""
        now = self._clock()
        return Grant(
            id=ids.timed_id("gr", now),
            client_id=client.id,
            created_at=now,
            expires_at=now + wait + self._life(client),
            user_id=user.id,
            session_sid=session.sid,
            scopes=allowed.scopes,
            audiences=allowed.audiences,
            auth_time=session.auth_time,
            acr=allowed.acr or session.acr,
            amr=session.amr,
            nonce=allowed.nonce,
            claims=allowed.claims,
            confirmation=allowed.confirmation,
            way=session.provider_id or LOCAL,
            details=allowed.details,
        )

    def keep(self, record: object) -> None:
        """Of a token that is good only when it is stored."""
        self._repo.insert(record)

    def issue_code(self, client: Client, user: User, session: Session, allowed: Allowed) -> str:
        """A code with its grant, good once and for `oidc.code_seconds`: one durable write."""
        grant = self.drawn_up(client, user, session, allowed, wait=self._settings.code_seconds)
        code = ids.secret()
        self._repo.insert(
            AuthorizationCode(
                id=ids.digest(code),
                grant_id=grant.id,
                client_id=client.id,
                redirect_uri=allowed.redirect_uri,
                code_challenge=allowed.code_challenge,
                created_at=grant.created_at,
                expires_at=grant.created_at + REMEMBER_CODE_SECONDS,
                grant=grant,
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
        confirmation: Mapping[str, str] | None = None,
        details: Details = (),
    ) -> Issued:
        """Exactly one caller gets it. Any attempt burns the code; a second use also revokes what the first one got.

        Raises Refused(invalid_grant | invalid_target | invalid_authorization_details).
        """
        found = self._repo.get(AuthorizationCode, ids.digest(code))
        if found is None or found.grant is None:
            raise invalid_grant("unknown or long expired code")
        grant = found.grant
        try:
            if found.client_id != client.id:
                raise invalid_grant(f"the code belongs to another client than {client.id}")
            if self._clock() >= found.created_at + self._settings.code_seconds:
                raise invalid_grant("the code has expired")
            if not hmac.compare_digest(found.redirect_uri.encode(), redirect_uri.encode()):
                raise invalid_grant("redirect_uri is not the one of the authorization request")
            _check_verifier(found.code_challenge, verifier)
            must_prove(grant.confirmation, confirmation)
            user = self.good_for(client, grant)
            grant = as_registered(client, grant)
            chosen = narrowed_audiences(audiences, grant.audiences)
            kept = narrowed(details, grant.details)
        except Refused:
            if self._repo.consume(AuthorizationCode, found.id) is None:
                raise self._reused(client, grant) from None
            raise
        return self.collected(found, client, grant, user, chosen, confirmation, kept)

    def collected(
        self,
        waiting: AuthorizationCode | DeviceAuthorization,
        client: Client,
        grant: Grant,
        user: User,
        audiences: tuple[str, ...],
        confirmation: Mapping[str, str] | None,
        details: Details,
    ) -> Issued:
        """The grant that waits in a code, for the one caller who takes it: stored in one go with what belongs to it.

        Raises Refused(invalid_grant) for everybody else, and revokes what the one got.
        """
        # An app that authenticates may change its key; one that cannot is known by it alone (RFC 9449 5, RFC 8705 4).
        bound, ends_at = dict(confirmation or {}) if client.is_public else {}, self._clock() + self._life(client)
        stored = replace(grant, confirmation=bound, expires_at=min(grant.expires_at, ends_at))
        event = self._audit.event(
            "grant.issued", actor=user.id, subject=client.id, grant=grant.id, scopes=" ".join(grant.scopes)
        )
        token = ids.secret() if "refresh_token" in client.grant_types else None
        # The grant comes last: without it nothing of the rest is good, so a crash half-way leaves nothing alive.
        also = [event, *([family_member(token, stored, self._clock())] if token else ()), stored]
        try:
            if self._repo.consume(type(waiting), waiting.id, also) is None:
                raise self._reused(client, grant)
        except Duplicate:
            # MongoDB: a second use came before our grant was stored and has put a revoked one in its place. Ours was the
            # first all the same, and what it gets is dead.
            pass
        self._audit.stored(event)
        if self._taken_back(client, user):  # looked at once more: while nothing was stored there was nothing to end
            self._live.revoke(stored.id, "grant.revoked", actor=user.id, why="consent taken back")
            raise invalid_grant("the person has taken the consent back")
        return Issued(stored, user, grant.scopes, audiences, token, details)

    def good_for(self, client: Client, grant: Grant) -> User:
        """Whose grant it is that waits in a code. Looked at again, as what revokes stored grants does not reach it there.

        Raises Refused(invalid_grant)."""
        user = self._live.user_of(grant, unborn=True)
        if user is None:
            raise not_live()
        if self._taken_back(client, user):
            raise invalid_grant("the person has taken the consent back")
        return user

    def _taken_back(self, client: Client, user: User) -> bool:
        return client.consent == "ask" and self._repo.get(Consent, consent_id(user.id, client.id)) is None

    def _reused(self, client: Client, grant: Grant) -> Refused:
        self._live.revoke_reused(grant, actor=client.id, why="code used twice")
        return invalid_grant("the code was already used; what was issued from it is revoked")


def family_member(token: str, grant: Grant, now: float) -> RefreshToken:
    return RefreshToken(ids.digest(token), grant.id, grant.client_id, now, grant.expires_at)


def as_registered(client: Client, grant: Grant) -> Grant:
    """The grant as far as the app may have it today: an operator may have taken something from it since, or demand more of
    the sign-in. Raises Refused(invalid_grant)."""
    if grant.created_at < client.created_at:
        raise invalid_grant("it was issued to an earlier client of the same id")
    if client.second_factor_required and not had_second_factor(grant.amr):
        raise invalid_grant("the app demands a second factor, and the sign-in behind it had none")
    if not came_as_accepted(client, grant):
        raise invalid_grant("the app does not accept the way by which the person came")
    # offline_access needs no registration: it comes with refresh tokens.
    scopes = tuple(one for one in grant.scopes if one in client.scopes or one == "offline_access")
    audiences = tuple(one for one in grant.audiences if one in client.audiences)
    if (scopes, audiences) == (grant.scopes, grant.audiences):
        return grant
    if not set(scopes) - {"offline_access"}:
        raise invalid_grant("the app is registered for none of its scopes any more")
    return replace(grant, scopes=scopes, audiences=audiences)


def came_as_accepted(client: Client, grant: Grant) -> bool:
    """An app that names the ways it accepts gets nothing from a sign-in by another one, or by nobody knows which."""
    return client.upstreams is None or grant.user_id is None or grant.way in client.upstreams


def must_prove(bound: Mapping[str, str], proved: Mapping[str, str] | None) -> None:
    """What is bound to a key is good only with a proof of that key. Raises Refused(invalid_grant)."""
    for way, key in bound.items():
        if not hmac.compare_digest(key.encode(), (proved or {}).get(way, "").encode()):
            raise invalid_grant(f"it is bound to another key ({way})")


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
        raise invalid_grant("code_verifier is missing, malformed, or was not announced")
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    if not hmac.compare_digest(made, challenge.encode()):
        raise invalid_grant("code_verifier does not fit")


def not_live() -> Refused:
    return invalid_grant("the grant is revoked or expired, its session has ended, or the user is disabled")


def invalid_grant(reason: str) -> Refused:
    return Refused(
        "invalid_grant",
        "The code or token is not good: unknown, expired, already used, revoked or not yours.",
        reason=reason,
    )
