"""Moves logins from one user to another, one conditional write each, and takes what they gave from who had them.

Leaves when that is right to change_links and undo_changes.
"""

from collections.abc import Iterable
from dataclasses import replace

from idp.base.claims import ADMINISTRATOR
from idp.base.errors import Refused
from idp.domain.mapping import Given, applied
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.ports import Repository
from idp.services.manage_users import Users
from idp.services.record_audit import Audit

MANY = 10_000


class MoveLogins:
    def __init__(self, repo: Repository, audit: Audit, users: Users) -> None:
        self._repo = repo
        self._audit = audit
        self._users = users

    def of(self, user_id: str) -> list[FederatedLogin]:
        return self._repo.find(FederatedLogin, limit=MANY, user_id=user_id)

    def move_all(self, from_id: str, to_id: str) -> list[FederatedLogin]:
        """Those that came while we were at it as well. Gives them as they were."""
        moved: dict[str, FederatedLogin] = {}
        while found := self.of(from_id):
            for one in self.move([login.id for login in found], from_id, to_id):
                moved[one.id] = one
        return [*moved.values()]

    def move(self, login_ids: Iterable[str], from_id: str, to_id: str) -> list[FederatedLogin]:
        """Those of them that are still from_id's. Gives them as they were."""
        moved = []
        for login_id in login_ids:
            while (login := self._repo.get(FederatedLogin, login_id)) is not None and login.user_id == from_id:
                if self._repo.replace_if(replace(login, user_id=to_id)) is not None:
                    moved.append(login)
                    break
        return moved

    def part(self, gone_id: str, kept_id: str, *, disabled: bool) -> None:
        """Who was merged into the other one is a user of their own again."""
        while (gone := self._users.get(gone_id)) is not None and gone.merged_into == kept_id:
            if self._repo.replace_if(replace(gone, merged_into=None, disabled=disabled)) is not None:
                break

    def take_back(self, user_id: str, logins: Iterable[FederatedLogin]) -> None:
        """What the user had because of these logins and of no other (idp.domain.mapping). The last administrator stays one:
        an installation that nobody administers helps nobody."""
        for login in logins:
            while (user := self._users.get(user_id)) is not None:
                others = [one for one in self.of(user_id) if one.id != login.id]
                left = applied(user, login, Given(), others)
                roles = left.roles
                if user.is_administrator and ADMINISTRATOR not in roles and self._is_last(user):
                    roles = (ADMINISTRATOR, *roles)
                after = replace(user, roles=roles, groups=left.groups, claims=left.claims)
                if after == user:
                    break
                if self._repo.replace_if(after) is not None:
                    self._audit.record(
                        "login.mapped",
                        actor="sheaf",
                        subject=user_id,
                        login=login.id,
                        before=" ".join([*user.roles, *user.groups]),
                        after=" ".join([*after.roles, *after.groups]),
                    )
                    break

    def _is_last(self, user: User) -> bool:
        try:
            self._users.check_other_administrator(user)
        except Refused as refused:
            if refused.code == "changed_meanwhile":
                raise  # nobody knows yet
            return True
        return False
