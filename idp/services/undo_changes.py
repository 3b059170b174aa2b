"""Undoing a change of who logins belong to: looked at first, decided by one conditional write, completed even if cut off.

Refuses when the world has moved on since. Leaves finding the change, and who may undo it, to change_links and the doors.
"""

from collections.abc import Callable
from dataclasses import replace

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.link_change import UNDER_WAY, LinkChange, login_from_json
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from idp.services.manage_users import Users, changed_meanwhile
from idp.services.move_logins import MoveLogins
from idp.services.record_audit import Audit
from idp.services.sessions import Sessions
from idp.services.tell_changes import TellChanges


class UndoChanges:
    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        audit: Audit,
        *,
        users: Users,
        sessions: Sessions,
        moves: MoveLogins,
        tell: TellChanges,
        keep: Callable[..., None],
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._users = users
        self._sessions = sessions
        self._moves = moves
        self._tell = tell
        self._keep_a_way_in = keep

    def undo(self, change: LinkChange, *, actor: str, by_owner: bool = False) -> LinkChange:
        """by_owner: whoever had the logins undoes it, or has the link in the mail; no administrator."""
        problem = self.problem(change, hold=True) if change.undone_at is None else None
        if problem is None and by_owner and change.undone_at is None and self._lives_on(change):
            problem = _moved_on("somebody has signed in as the user that was split off")
        now = self._clock()
        marked = replace(change, undone_at=now, undone_by=actor, pending=UNDER_WAY, pending_since=now)
        taken = self._repo.replace_if(marked) if change.undone_at is None and problem is None else None
        if taken is None:
            # Undone already, perhaps at this very moment by somebody else: that is what was wanted.
            fresh = self._repo.get(LinkChange, change.id)
            if fresh is not None and fresh.undone_at is not None:
                return fresh
            raise problem or changed_meanwhile()
        return self.complete(taken)

    def complete(self, change: LinkChange) -> LinkChange:
        """What was decided is carried out; again, when it was cut off."""
        match change.what:
            case "linked":
                self._unlink(change)
            case "unlinked":
                self._link(change)
            case "merged":
                self._unmerge(change)
            case "split":
                self._unsplit(change)
        done = self._repo.replace_if(replace(change, pending=None)) or change
        self._audit.record(
            "login.undone",
            actor=change.undone_by,
            subject=change.user_id,
            what=change.what,
            change=change.id,
            logins=" ".join(change.logins),
            before=_owners(change)[0],
            after=_owners(change)[1],
        )
        user = self._users.get(change.user_id)
        if user is not None:
            self._tell.of_undoing(done, user)
        return done

    # ---------------------------------------------------------------- may it be undone?

    def problem(self, change: LinkChange, *, hold: bool = False) -> Refused | None:
        """Of a change that is not undone: why not, in the order in which a person understands it. hold: it is undone now."""
        if change.pending is not None:
            return Refused("change_under_way", "This change is still under way. Try again in a minute.", status=409)
        user = self._users.get(change.user_id)
        if user is None or user.merged_into is not None:
            return _moved_on("the user is gone or was merged")
        match change.what:
            case "linked":
                return self._problem_of_linked(change, user, hold=hold)
            case "unlinked":
                return self._problem_of_unlinked(change, user)
            case "merged":
                return self._problem_of_merge(change, user) or self._last_way_in(change, user, hold=hold)
            case "split":
                other = self._users.get(str(change.other_id))
                return self._problem_of_split(change, other) or self._last_way_in(change, other, hold=hold)

    def _problem_of_linked(self, change: LinkChange, user: User, *, hold: bool) -> Refused | None:
        login = self._repo.get(FederatedLogin, change.logins[0])
        if login is None or login.user_id != user.id:
            return _moved_on("the login is no longer linked to this user")
        others = [one for one in self._moves.of(user.id) if one.id != login.id]
        if not user.is_administrator:
            return None
        try:
            self._keep_a_way_in(login.id, hold=hold)
            if not others and user.password_hash is None:
                self._users.check_other_administrator(user)
        except Refused as refused:
            return refused
        return None

    def _problem_of_unlinked(self, change: LinkChange, user: User) -> Refused | None:
        if user.disabled:
            return _switched_off()
        login = self._same_login(change)
        if login is not None:
            return _moved_on("the login is linked again, to this user or to another")
        return None

    def _problem_of_merge(self, change: LinkChange, user: User) -> Refused | None:
        if user.disabled:
            # Whoever was shut out since does not come in again as the one that they were before.
            return _switched_off()
        gone = self._users.get(str(change.other_id))
        if gone is None or gone.merged_into != change.user_id:
            return _moved_on("the other user is gone, or no longer merged into this one")
        return self._elsewhere(change)

    def _problem_of_split(self, change: LinkChange, other: User | None) -> Refused | None:
        if other is None or other.merged_into is not None:
            return _moved_on("the user that was split off is gone or was merged")
        if other.disabled:
            return _switched_off()
        return self._elsewhere(change)

    def _last_way_in(self, change: LinkChange, user: User | None, *, hold: bool) -> Refused | None:
        """The user is about to lose these logins: does anybody who administers come in then?"""
        if user is None or not user.is_administrator:
            return None
        try:
            self._keep_a_way_in(*change.logins, hold=hold)
        except Refused as refused:
            return refused
        return None

    def _lives_on(self, change: LinkChange) -> bool:
        """Has somebody come in as the user that was split off? Then the old owner no longer gets that login back alone: it
        may have been taken off them because it was somebody else's."""
        if change.what != "split" or change.actor == change.user_id:
            return False
        other_id = str(change.other_id)
        used = any((one.last_used_at or 0.0) > change.at for one in self._moves.of(other_id))
        return used or bool(self._sessions.of(other_id))

    def _elsewhere(self, change: LinkChange) -> Refused | None:
        """One that was unlinked since stays unlinked; one that a third user has is theirs."""
        for login_id in change.logins:
            login = self._repo.get(FederatedLogin, login_id)
            if login is not None and login.user_id not in (change.user_id, change.other_id):
                return _moved_on(f"login {login.id} belongs to another user now")
        return None

    # ---------------------------------------------------------------- carrying it out

    def _unlink(self, change: LinkChange) -> None:
        login = self._repo.get(FederatedLogin, change.logins[0])
        if login is not None and login.user_id == change.user_id:
            self._repo.delete(FederatedLogin, login.id)
            self._moves.take_back(change.user_id, [login])
        # Whoever came in by it must not stay in.
        self._sessions.end_all(change.user_id, actor=change.undone_by)

    def _link(self, change: LinkChange) -> None:
        try:
            self._repo.insert(login_from_json(change.before["login"]))
        except Duplicate:
            login = self._same_login(change)
            if login is None or login.user_id != change.user_id:
                self._repo.replace_if(replace(change, undone_at=None, undone_by="", pending=None))
                raise _moved_on("another user has just got this login") from None

    def _unmerge(self, change: LinkChange) -> None:
        gone_id = str(change.other_id)
        moved = self._moves.move(change.logins, change.user_id, gone_id)
        self._moves.take_back(change.user_id, moved)
        # Sessions that were made by the other one's logins are sessions of this user.
        self._sessions.end_all(change.user_id, actor=change.undone_by)
        self._moves.part(gone_id, change.user_id, disabled=bool(change.before.get("disabled")))

    def _unsplit(self, change: LinkChange) -> None:
        other_id = str(change.other_id)
        self._moves.take_back(other_id, self._moves.move(change.logins, other_id, change.user_id))
        while (other := self._users.get(other_id)) is not None and other.merged_into is None:
            if self._moves.of(other_id) or other.password_hash is not None:
                break  # they have other ways in by now, and stay
            if self._repo.replace_if(replace(other, disabled=True, merged_into=change.user_id)) is not None:
                break
        self._sessions.end_all(other_id, actor=change.undone_by)

    def _same_login(self, change: LinkChange) -> FederatedLogin | None:
        kept = change.before["login"]
        found = self._repo.find(
            FederatedLogin, provider_id=kept["provider_id"], issuer=kept["issuer"], subject=kept["subject"]
        )
        return found[0] if found else None


def _owners(change: LinkChange) -> tuple[str, str]:
    """Whose the logins are before undoing, and after."""
    match change.what:
        case "linked":
            return change.user_id, "nobody"
        case "unlinked":
            return "nobody", change.user_id
        case "merged":
            return change.user_id, str(change.other_id)
        case "split":
            return str(change.other_id), change.user_id


def _switched_off() -> Refused:
    return Refused("user_disabled", "This account is switched off. Ask an administrator.", status=403)


def _moved_on(reason: str) -> Refused:
    return Refused(
        "undo_moved_on",
        "This cannot be undone any more: the logins have changed since. Ask an administrator.",
        status=409,
        reason=reason,
    )
