"""Removing a user for good, with everything that hangs on them. Whoever comes later under the same name inherits nothing.

The user is shut out first and goes last: cut off in between, the same command goes on. What was audited stays.
"""

from typing import Any

from idp.base.errors import Refused
from idp.domain.decision import SignInRecord
from idp.domain.factor import ConfirmedTotp, PendingTotp, RecoveryCode
from idp.domain.grant import Consent, Grant, OpaqueToken, RefreshToken
from idp.domain.link_change import Invitation, LinkChange
from idp.domain.local_login import FederatedProof
from idp.domain.relying import PersistentNameId
from idp.domain.session import Session
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.ports import Repository
from idp.services.manage_users import Users
from idp.services.record_audit import Audit
from idp.services.sessions import Sessions

MANY = 100_000
_BY_USER: tuple[type[Any], ...] = (
    *(FederatedLogin, Invitation, RecoveryCode, Consent, PersistentNameId, SignInRecord, LinkChange, Session),
)
_OF_USER: tuple[type[Any], ...] = (ConfirmedTotp, PendingTotp, FederatedProof)


class RemoveUser:
    def __init__(self, repo: Repository, users: Users, sessions: Sessions, audit: Audit) -> None:
        self._repo = repo
        self._users = users
        self._sessions = sessions
        self._audit = audit

    def remove(self, user: User, *, actor: str) -> None:
        """Also those who were merged into this user: they are the same person.

        Raises Refused(last_administrator | last_way_in_for_administrators | unknown_user).
        """
        if self._users.get(user.id) is None:
            raise Refused("unknown_user", "There is no such user.", status=404)
        self._shut_out(user, actor)
        for merged in self._repo.find(User, limit=MANY, merged_into=user.id):
            self.remove(merged, actor=actor)
        for grant in self._repo.find(Grant, limit=MANY, user_id=user.id):
            for token in (RefreshToken, OpaqueToken):
                self._repo.delete_where(token, grant_id=grant.id)
            self._repo.delete(Grant, grant.id)
        for kind in _BY_USER:
            self._repo.delete_where(kind, user_id=user.id)
        self._repo.delete_where(LinkChange, other_id=user.id)
        for kind in _OF_USER:
            self._repo.delete(kind, user.id)
        if self._repo.delete(User, user.id):
            self._audit.record("user.removed", actor=actor, subject=user.id, username=user.username)

    def _shut_out(self, user: User, actor: str) -> None:
        """Apps hear of the end of every session, while there is still somebody to tell them of."""
        if user.disabled:
            self._sessions.end_all(user.id, actor=actor)
        else:
            self._users.set_disabled(user, True, actor=actor)
