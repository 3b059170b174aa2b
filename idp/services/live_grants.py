"""Is a grant good at this moment, and who stands behind it? And the one way to end it.

Leaves making grants to issue_grant and looking at tokens to check_token.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from idp.base.claims import GRANT
from idp.base.clock import Clock
from idp.domain.audit_event import EventName
from idp.domain.grant import Grant
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from idp.services.record_audit import Audit
from idp.services.sessions import Sessions


class LiveGrants:
    def __init__(self, repo: Repository, clock: Clock, sessions: Sessions, audit: Audit) -> None:
        self._repo = repo
        self._clock = clock
        self._sessions = sessions
        self._audit = audit

    def get(self, grant_id: str) -> Grant | None:
        return self._repo.get(Grant, grant_id)

    def user_of(self, grant: Grant, *, unborn: bool = False) -> User | None:
        """The user, if the grant is good: not revoked, the user there and not disabled, the password not changed since and
        not turned off for them, and its session alive unless it is for offline use, or there never was one. unborn: it still
        waits in a code, so the session must be alive in any case."""
        if grant.revoked_at is not None or grant.user_id is None:
            return None
        user = self._repo.get(User, grant.user_id)
        if user is None or user.disabled:
            return None
        if user.password_changed_at is not None and grant.created_at < user.password_changed_at:
            return None
        if not self._sessions.grant_stands(grant, user):
            return None
        outlives = grant.sessionless or (grant.offline and not unborn)
        if not outlives and self._sessions.by_sid(grant.session_sid or "") is None:
            return None
        return user

    def actors_good(self, act: Mapping[str, Any]) -> bool:
        """Are all people who act in a token (its `act` claim, RFC 8693 4.1) still signed in and not disabled?"""
        while act:
            grant_id = act.get(GRANT)
            grant = self.get(str(grant_id)) if grant_id is not None else None
            if grant_id is not None and (grant is None or self.user_of(grant) is None):
                return False
            act = act.get("act", {})
        return True

    def revoke(self, grant_id: str, event: EventName, *, actor: str, why: str) -> None:
        """End the refresh-token family and every access token that hangs on it. Does nothing the second time."""
        while (grant := self._repo.get(Grant, grant_id)) is not None and grant.revoked_at is None:
            if self._repo.replace_if(replace(grant, revoked_at=self._clock())) is not None:
                self._audit.record(
                    event, actor=actor, subject=grant.user_id or grant.client_id, grant=grant.id, why=why
                )
                return

    def revoke_reused(self, grant: Grant, *, actor: str, why: str) -> None:
        """End the grant of a code that was used twice. Where it is not stored yet, for its first use is under way on
        MongoDB (or failed), a revoked one takes its place, so that whatever comes of that use is dead."""
        if self._repo.get(Grant, grant.id) is None and grant.expires_at > self._clock():
            now = self._clock()
            event = self._audit.event(
                "grant.reuse_detected", actor=actor, subject=grant.user_id or actor, grant=grant.id, why=why
            )
            with suppress(Duplicate):
                self._repo.insert_all(replace(grant, revoked_at=now), event)
                self._audit.stored(event)
                return
        self.revoke(grant.id, "grant.reuse_detected", actor=actor, why=why)
