"""Is a grant good at this moment, and who stands behind it? And the one way to end it.

Leaves making grants to issue_grant and looking at tokens to check_token.
"""

from dataclasses import replace

from idp.base.clock import Clock
from idp.domain.audit_event import EventName
from idp.domain.grant import Grant
from idp.domain.user import User
from idp.ports import Repository
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

    def user_of(self, grant: Grant) -> User | None:
        """The user, if the grant is good: not revoked, the user there and not disabled, the password not changed since,
        and its session alive unless it is for offline use."""
        if grant.revoked_at is not None or grant.user_id is None:
            return None
        user = self._repo.get(User, grant.user_id)
        if user is None or user.disabled:
            return None
        if user.password_changed_at is not None and grant.created_at < user.password_changed_at:
            return None
        if not grant.offline and self._sessions.by_sid(grant.session_sid or "") is None:
            return None
        return user

    def revoke(self, grant_id: str, event: EventName, *, actor: str, why: str) -> None:
        """End the refresh-token family and every access token that hangs on it. Does nothing the second time."""
        while (grant := self._repo.get(Grant, grant_id)) is not None and grant.revoked_at is None:
            if self._repo.replace_if(replace(grant, revoked_at=self._clock())) is not None:
                self._audit.record(
                    event, actor=actor, subject=grant.user_id or grant.client_id, grant=grant.id, why=why
                )
                return
