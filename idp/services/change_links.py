"""Merging users, splitting logins off, and undoing either within thirty days. Each change is kept, audited and told to its owner.

A merge or a split changes several records: first the LinkChange stands in the store as under way, then one conditional write
decides, then the rest follows; whoever finds one that was cut off completes it (`settle`). Leaves linking at a sign-in to
idp.services.link_login, undoing to undo_changes, moving logins to move_logins, and delivering mail to idp.services.mails.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.link_change import UNDER_WAY, UNDO_SECONDS, LinkChange, What, login_as_json
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User, username_key
from idp.ports import Duplicate, Repository
from idp.services.manage_users import Users, changed_meanwhile
from idp.services.move_logins import MoveLogins
from idp.services.record_audit import Audit
from idp.services.sessions import Sessions
from idp.services.tell_changes import TellChanges
from idp.services.undo_changes import UndoChanges

SETTLE_AFTER = 60.0  # seconds that a change may take before somebody else goes on with it
MANY = 1_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A change that is not stored yet. token: for the mail to `user`, who is its owner; None: nobody can be told."""

    change: LinkChange
    user: User
    login: FederatedLogin
    token: str | None = field(default=None, repr=False)


class LinkChanges:
    """keep_a_way_in(login ids, hold=): raises Refused when without these nobody who administers could come in."""

    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        audit: Audit,
        *,
        users: Users,
        sessions: Sessions,
        tell: TellChanges,
        keep_a_way_in: Callable[..., None] = lambda *_, **__: None,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._users = users
        self._sessions = sessions
        self._tell = tell
        self._keep_a_way_in = keep_a_way_in
        self._moves = MoveLogins(repo, audit, users)
        self._undoing = UndoChanges(
            repo, clock, audit, users=users, sessions=sessions, moves=self._moves, tell=tell, keep=keep_a_way_in
        )

    # ---------------------------------------------------------------- looking

    def get(self, change_id: str) -> LinkChange:
        """Raises Refused(unknown_change)."""
        found = self._repo.get(LinkChange, change_id)
        if found is None:
            raise Refused("unknown_change", "There is no such change, or it is older than 30 days.", status=404)
        return found

    def of(self, user_id: str) -> list[LinkChange]:
        """Of the last thirty days, the newest first, also those in which this user was the other one."""
        found = self._repo.find(LinkChange, limit=MANY, newest=True, user_id=user_id)
        found += self._repo.find(LinkChange, limit=MANY, newest=True, other_id=user_id)
        return sorted({one.id: one for one in found}.values(), key=lambda one: (one.at, one.id), reverse=True)

    def by_token(self, token: str) -> LinkChange:
        """What the link in a mail is about. Raises Refused(undo_link_dead)."""
        found = self._repo.find(LinkChange, undo_digest=ids.digest(token)) if 20 <= len(token) <= 100 else []
        if not found:
            raise Refused(
                "undo_link_dead", "This link is not good, or it is older than 30 days. Nothing was changed.", status=410
            )
        return found[0]

    # ---------------------------------------------------------------- one login came or went

    def draft(self, what: What, user: User, login: FederatedLogin, *, actor: str, why: str = "") -> Draft:
        """`linked` or `unlinked`, for who stores it together with the login; then call `told`. why: the rule, for those who
        look after it."""
        side = {"login": login_as_json(login), **({"why": why} if why else {})}
        change, token = self._made(
            what,
            user,
            actor,
            before={} if what == "linked" else side,
            after=side if what == "linked" else {},
            token=self._tell.reaches(user) and self._tell.may_undo_by_mail(what, user, login),
        )
        return Draft(change, user, login, token)

    def told(self, draft: Draft) -> None:
        """It stands in the store: the owner hears of it."""
        self._tell.of_login(draft.change, draft.user, draft.login, draft.token)

    def record(self, what: What, user: User, login: FederatedLogin, *, actor: str, why: str = "") -> LinkChange:
        """Draft, store and tell."""
        draft = self.draft(what, user, login, actor=actor, why=why)
        self._repo.insert(draft.change)
        self.told(draft)
        return draft.change

    def take_back(self, user_id: str, login: FederatedLogin) -> None:
        """Of the user what they had because of this login alone, once it is no longer theirs."""
        self._moves.take_back(user_id, [login])

    # ---------------------------------------------------------------- merge

    def check_merge(self, kept: User, gone: User) -> None:
        """Raises Refused(same_user | user_disabled | already_merged | last_administrator)."""
        if kept.id == gone.id:
            raise Refused("same_user", "These are the same account. Choose another one.", status=409)
        if kept.merged_into is not None or gone.merged_into is not None:
            raise Refused("already_merged", "One of these accounts was already joined to another one.", status=409)
        if kept.disabled:
            raise Refused(
                "kept_disabled", "The account that is to stay is switched off. Choose the other one.", status=409
            )
        if gone.is_administrator:
            self._users.check_other_administrator(gone)

    def merge(self, kept: User, gone: User, *, actor: str) -> LinkChange:
        """The logins of `gone` become those of `kept`, whose `sub`, roles, address and second step stay as they are; `gone`
        is disabled, its sessions and grants end. Refused as check_merge, and (changed_meanwhile)."""
        self.check_merge(kept, gone)
        logins = self._moves.of(gone.id)
        change, token = self._made(
            "merged",
            kept,
            actor,
            other_id=gone.id,
            before={
                "logins": [one.id for one in logins],
                "disabled": gone.disabled,
                "username": gone.username,
                "providers": [one.provider_id for one in logins],
            },
            after={"username": kept.username},
            token=self._tell.reaches(kept) or self._tell.reaches(gone),
        )
        self._repo.insert(change)
        closed = self._repo.replace_if(replace(gone, disabled=True, merged_into=kept.id))
        now_kept = self._users.get(kept.id)
        if closed is None or now_kept is None or now_kept.disabled or now_kept.merged_into is not None:
            # Two merges in opposite directions at once: each has closed the other's target, and both take it back.
            if closed is not None:
                self._moves.part(gone.id, kept.id, disabled=gone.disabled)
            self._repo.delete(LinkChange, change.id)
            raise changed_meanwhile()
        done = self._complete_merge(change)
        self._tell.of_merge(now_kept, gone, token)
        return done

    def _complete_merge(self, change: LinkChange) -> LinkChange:
        gone_id = str(change.other_id)
        moved = self._moves.move_all(gone_id, change.user_id)
        self._sessions.end_all(gone_id, actor=change.actor)
        ids_moved = dict.fromkeys([*change.logins, *(one.id for one in moved)])
        done = self._done(replace(change, before={**change.before, "logins": [*ids_moved]}))
        said = {"logins": " ".join(ids_moved), "before": gone_id, "after": change.user_id}
        self._audit.record("login.merged", actor=change.actor, subject=change.user_id, change=change.id, **said)
        self._audit.record("user.merged", actor=change.actor, subject=gone_id, change=change.id, **said)
        return done

    # ---------------------------------------------------------------- split

    def split(self, user: User, login_ids: tuple[str, ...], *, actor: str) -> tuple[LinkChange, User]:
        """These logins become those of a new user, without address, roles or password; every session of the old one ends.

        Raises Refused(unknown_login | last_way_in | already_merged).
        """
        if user.merged_into is not None:
            raise Refused("already_merged", "This account was joined to another one. Undo that first.", status=409)
        logins = {one.id: one for one in self._moves.of(user.id)}
        if not login_ids or any(one not in logins for one in login_ids):
            raise Refused("unknown_login", "This login is not linked to this account.", status=404)
        chosen = [logins[one] for one in dict.fromkeys(login_ids)]
        if len(chosen) == len(logins) and user.password_hash is None:
            raise Refused("last_way_in", "Nothing would be left to sign in with. Leave one login.", status=409)
        if user.is_administrator:
            self._keep_a_way_in(*login_ids)
        change, token = self._made(
            "split",
            user,
            actor,
            other_id=ids.public_id("usr"),
            before={"logins": [one.id for one in chosen], "providers": [one.provider_id for one in chosen]},
            after={"username": user.username},
            token=self._tell.reaches(user) and all(self._tell.may_undo_by_mail("split", user, one) for one in chosen),
        )
        change, made = self._with_new_user(change, user, chosen[0])
        done = self._complete_split(change)
        self._tell.of_split(user, chosen, token)
        return done, made

    def _with_new_user(self, change: LinkChange, user: User, login: FederatedLogin) -> tuple[LinkChange, User]:
        name = (login.name or "")[:200] or user.name
        while True:
            # Never the address of the login: nobody has proved it for this user.
            username = f"user-{ids.public_id('')[-12:]}"
            new = User(str(change.other_id), username, username_key(username), None, None, False, name, self._clock())
            change = replace(change, after={**change.after, "other": username})
            try:
                self._repo.insert_all(new, change)
            except Duplicate:
                continue
            return change, new

    def _complete_split(self, change: LinkChange) -> LinkChange:
        new_id = str(change.other_id)
        moved = self._moves.move(change.logins, change.user_id, new_id)
        self._moves.take_back(change.user_id, moved)
        # Who came in by one of these logins must not stay in.
        self._sessions.end_all(change.user_id, actor=change.actor)
        done = self._done(change)
        said = {"logins": " ".join(change.logins), "before": change.user_id, "after": new_id, "change": change.id}
        self._audit.record("login.split", actor=change.actor, subject=change.user_id, **said)
        self._audit.record("user.created", actor=change.actor, subject=new_id, by="split", change=change.id)
        return done

    # ---------------------------------------------------------------- undo

    def undo(self, change: LinkChange, *, actor: str, by_owner: bool = False) -> LinkChange:
        """Twice is as good as once. Raises Refused(undo_moved_on | change_under_way | …): nothing is changed then."""
        return self._undoing.undo(change, actor=actor, by_owner=by_owner)

    def undoable(self, change: LinkChange) -> Refused | None:
        """Why it cannot be undone now; None when it can. For showing it."""
        return self._undoing.problem(change)

    def settle(self) -> int:
        """Complete what was cut off. Gives the number."""
        late = self._clock() - SETTLE_AFTER
        found = [one for one in self._repo.find(LinkChange, limit=MANY, pending=UNDER_WAY) if one.pending_since <= late]
        for change in found:
            self._settle(change)
        return len(found)

    def _settle(self, change: LinkChange) -> None:
        claimed = self._repo.replace_if(replace(change, pending_since=self._clock()))
        if claimed is None:
            return
        if claimed.undone_at is not None:
            self._undoing.complete(claimed)
        elif claimed.what == "split":
            self._complete_split(claimed)
        else:
            gone = self._users.get(str(claimed.other_id))
            if gone is not None and gone.merged_into == claimed.user_id:
                self._complete_merge(claimed)
            else:  # it was cut off before anything had happened
                self._repo.delete(LinkChange, claimed.id)

    def _made(
        self,
        what: What,
        user: User,
        actor: str,
        *,
        before: dict[str, Any],
        after: dict[str, Any],
        token: bool,
        other_id: str | None = None,
    ) -> tuple[LinkChange, str | None]:
        now = self._clock()
        several = what in ("merged", "split")
        secret = ids.secret() if token else None
        change = LinkChange(
            ids.ordered_id("chg", now),
            now,
            now + UNDO_SECONDS,
            what,
            user.id,
            actor,
            other_id,
            before,
            after,
            undo_digest=ids.digest(secret) if secret is not None else None,
            pending=UNDER_WAY if several else None,
            pending_since=now if several else 0.0,
        )
        return change, secret

    def _done(self, change: LinkChange) -> LinkChange:
        return self._repo.replace_if(replace(change, pending=None)) or change
