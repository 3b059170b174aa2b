"""Puts a user into quarantine who held an address without ever having proved it, when the owner of the address comes.

Leaves when that is right to idp.domain.linking, and releasing and merging such users to administrators (manage_users,
change_links).
"""

from dataclasses import replace

from idp.base.clock import Clock
from idp.domain.upstream import UpstreamIdentity
from idp.domain.user import User
from idp.ports import Repository
from idp.services.overtaken import Overtaken
from idp.services.record_audit import Audit
from idp.services.sessions import Sessions


class Quarantine:
    def __init__(self, repo: Repository, clock: Clock, sessions: Sessions, audit: Audit) -> None:
        self._repo = repo
        self._clock = clock
        self._sessions = sessions
        self._audit = audit

    def displace(self, holder: User, arrived: UpstreamIdentity) -> None:
        """The address goes, every session and grant ends, the user is disabled. One conditional write decides, so that a
        holder who proved the address at this very moment keeps it. Raises Overtaken."""
        closed = replace(
            holder,
            email=None,
            email_key=None,
            email_verified=False,
            disabled=True,
            quarantined_at=self._clock(),
        )
        if self._repo.replace_if(closed) is None:
            raise Overtaken
        actor = f"upstream:{arrived.provider_id}"
        # First the record: should we be cut off, who looks after it sees why the user can no longer sign in.
        self._audit.record(
            "user.quarantined",
            actor=actor,
            subject=holder.id,
            before=holder.email,
            after="",
            provider=arrived.provider_id,
            issuer=arrived.issuer,
        )
        self._sessions.end_all(holder.id, actor=actor)
