"""Users: add, find, change password, disable. Leaves factors, links and sessions to their own services."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from idp.base import ids
from idp.base.claims import ADMINISTRATOR
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.crypto.passwords import Passwords
from idp.domain.audit_event import StoredSetting
from idp.domain.claims import check_claims, check_groups
from idp.domain.user import User, display_name, email_key, username_key
from idp.ports import Duplicate, Repository
from idp.services.record_audit import Audit
from idp.services.sessions import Sessions

HAS_ADMINISTRATOR = "has_administrator"
MOST_ADMINISTRATORS = 10_000
MOST_MERGES = 20  # one after the other


class Users:
    """keep_a_way_in: raises Refused when without this administrator nobody who administers could come in."""

    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        passwords: Passwords,
        sessions: Sessions,
        audit: Audit,
        keep_a_way_in: Callable[[User], None] = lambda _: None,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._passwords = passwords
        self._sessions = sessions
        self._audit = audit
        self._keep_a_way_in = keep_a_way_in

    def get(self, user_id: str) -> User | None:
        return self._repo.get(User, user_id)

    def by_login(self, text: str) -> User | None:
        """By user name, else by e-mail; None when unknown or not even well formed."""
        try:
            found = self._repo.find(User, username_key=username_key(text))
            return found[0] if found else self.by_email(text)
        except Refused:
            return self.by_email(text)

    def by_email(self, email: str) -> User | None:
        try:
            return next(iter(self._repo.find(User, email_key=email_key(email))), None)
        except Refused:
            return None

    @property
    def there_is_an_administrator(self) -> bool:
        """Has there ever been one? Then the set-up link opens nothing any more, however many users there are."""
        return self._repo.get(StoredSetting, HAS_ADMINISTRATOR) is not None

    def note_administrator(self) -> None:
        with contextlib.suppress(Duplicate):
            self._repo.insert(StoredSetting(HAS_ADMINISTRATOR, "yes", self._clock()))

    def all(self, limit: int = 1000) -> list[User]:
        return self._repo.find(User, limit=limit)

    def administrators(self) -> list[User]:
        """Disabled ones, too."""
        return self._repo.find(User, limit=MOST_ADMINISTRATORS, administers="yes")

    def remaining(self, user: User) -> User | None:
        """Whoever this user was merged into, and so on; themselves when they were not. None: that one is gone."""
        found: User | None = user
        for _ in range(MOST_MERGES):
            if found is None or found.merged_into is None:
                return found
            found = self.get(found.merged_into)
        return None

    def add(
        self,
        username: str,
        *,
        email: str | None,
        name: str = "",
        administrator: bool = False,
        password: str | None = None,
        email_verified: bool = False,
        roles: tuple[str, ...] = (),
        groups: tuple[str, ...] = (),
        claims: Mapping[str, object] | None = None,
        actor: str,
    ) -> User:
        """claims: as in User.claims. Raises Refused(username_taken | email_taken | weak_password | invalid_…)."""
        if password is not None:
            self._passwords.check_new(password)
        now = self._clock()
        user = User(
            id=ids.public_id("usr"),
            username=username.strip(),
            username_key=username_key(username),
            email=email.strip() if email else None,
            email_key=email_key(email) if email else None,
            email_verified=email_verified and email is not None,
            name=display_name(name) or username.strip(),
            created_at=now,
            roles=_roles(roles, administrator),
            password_hash=self._passwords.hash(password) if password is not None else None,
            password_changed_at=now if password is not None else None,
            groups=check_groups(groups),
            claims=check_claims(claims or {}),
        )
        try:
            self._repo.insert(user)
        except Duplicate as duplicate:
            raise _taken(duplicate) from None
        if administrator:
            self.note_administrator()
        self._audit.record("user.created", actor=actor, subject=user.id, username=user.username)
        return user

    def set_password(self, user: User, password: str, *, actor: str) -> User:
        """Ends every session and grant: a changed password must also shut out whoever knew the old one."""
        self._passwords.check_new(password)
        changed = self._change(user.id, password_hash=self._passwords.hash(password), password_changed_at=self._clock())
        self._sessions.end_all(user.id, actor=actor)
        self._audit.record("user.changed", actor=actor, subject=user.id, what="password")
        return changed

    def store_rehash(self, user: User, fresh_hash: str) -> None:
        """After a change of hash parameters; losing the race to a newer change is right."""
        self._repo.replace_if(replace(user, password_hash=fresh_hash))

    def make_administrator(self, user: User, *, actor: str) -> User:
        roles = tuple(dict.fromkeys([*user.roles, ADMINISTRATOR]))
        changed = self._change(user.id, roles=roles)
        self.note_administrator()
        self._audit.record("user.changed", actor=actor, subject=user.id, what="roles", roles=" ".join(roles))
        return changed

    def edit(
        self,
        user: User,
        *,
        name: str | None = None,
        email: str | None = None,
        roles: tuple[str, ...] | None = None,
        groups: tuple[str, ...] | None = None,
        claims: Mapping[str, object] | None = None,
        actor: str,
    ) -> User:
        """What is given replaces what was; claims replace those of the same name, and None takes one away. An e-mail
        address given here counts as verified; the role of administrators is kept as it is.

        Raises Refused(email_taken | invalid_…).
        """
        changes: dict[str, object] = {}
        if name is not None:
            changes["name"] = display_name(name) or user.username
        if email is not None:
            changes |= {"email": email.strip(), "email_key": email_key(email), "email_verified": True}
        if roles is not None:
            changes["roles"] = _roles(roles, user.is_administrator)
        if groups is not None:
            changes["groups"] = check_groups(groups)
        if claims is not None:
            kept = {**user.claims, "updated_at": int(self._clock()), **claims}
            changes["claims"] = check_claims({key: value for key, value in kept.items() if value is not None})
        try:
            changed = self._repo.replace_if(replace(user, **changes))  # type: ignore[arg-type]
        except Duplicate as duplicate:
            raise _taken(duplicate) from None
        if changed is None:
            raise changed_meanwhile()
        self._audit.record("user.changed", actor=actor, subject=user.id, what=" ".join(changes))
        return changed

    def set_disabled(self, user: User, disabled: bool, *, actor: str) -> User:
        """Enabling who was put into quarantine releases them. Raises Refused(last_administrator | already_merged)."""
        if user.merged_into is not None:
            # Off they are; to say it again would be forgotten when the merge is undone.
            raise Refused("already_merged", "This account was joined to another one. Undo that first.", status=409)
        if disabled and user.is_administrator:
            self.check_other_administrator(user)
        if user.disabled and not disabled:
            # Nothing of before comes alive again, should ending it have been cut off.
            self._sessions.end_all(user.id, actor=actor)
        released = not disabled and user.quarantined_at is not None
        changed = self._change(user.id, disabled=disabled, **({"quarantined_at": None} if released else {}))
        if disabled:
            self._sessions.end_all(user.id, actor=actor)
        self._audit.record("user.disabled" if disabled else "user.enabled", actor=actor, subject=user.id)
        if released:
            self._audit.record("user.released", actor=actor, subject=user.id)
        return changed

    def set_never_auto_link(self, user: User, never: bool, *, actor: str) -> User:
        """never: no login joins this user without a proof of their own."""
        changed = self._change(user.id, never_auto_link=never)
        before, after = _yes_no(user.never_auto_link), _yes_no(never)
        self._audit.record(
            "user.changed", actor=actor, subject=user.id, what="never_auto_link", before=before, after=after
        )
        return changed

    def set_administrator(self, user: User, administrator: bool, *, actor: str) -> User:
        """Raises Refused(last_administrator | user_disabled)."""
        if administrator == user.is_administrator:
            return user
        if administrator:
            if user.disabled:
                raise Refused("user_disabled", "This account is switched off.", status=409)
            return self.make_administrator(user, actor=actor)
        self.check_other_administrator(user)
        roles = tuple(role for role in user.roles if role != ADMINISTRATOR)
        changed = self._change(user.id, roles=roles)
        # Two administrators who demote each other at once: whoever finds nobody left takes it back.
        try:
            self.check_other_administrator(changed)
        except Refused:
            self._change(user.id, roles=(ADMINISTRATOR, *roles))
            raise
        self._sessions.end_all(user.id, actor=actor)
        self._audit.record("user.changed", actor=actor, subject=user.id, what="roles", roles=" ".join(roles))
        return changed

    def check_other_administrator(self, user: User) -> None:
        """Before an administrator goes, in whatever way. Raises Refused(last_administrator | last_way_in_for_administrators)."""
        if not any(not one.disabled and one.id != user.id for one in self.administrators()):
            raise Refused("last_administrator", "This is the last administrator. Make another one first.", status=409)
        self._keep_a_way_in(user)

    def _change(self, user_id: str, **values: object) -> User:
        while True:
            user = self._repo.get(User, user_id)
            if user is None:
                raise Refused("unknown_user", "There is no such user.", status=404)
            stored = self._repo.replace_if(replace(user, **values))  # type: ignore[arg-type]
            if stored is not None:
                return stored


def changed_meanwhile() -> Refused:
    return Refused("changed_meanwhile", "Somebody else changed it at the same time. Look again.", status=409)


def _yes_no(flag: bool) -> str:
    return "yes" if flag else "no"


def _roles(given: tuple[str, ...], administrator: bool) -> tuple[str, ...]:
    """Raises Refused(invalid_role): who administers is never decided in passing."""
    if ADMINISTRATOR in given and not administrator:
        raise Refused("invalid_role", "Nobody becomes an administrator by a list of roles.")
    return check_groups((ADMINISTRATOR, *given) if administrator else given)


def _taken(duplicate: Duplicate) -> Refused:
    if "email_key" in duplicate.key:
        return Refused("email_taken", "Another user has this e-mail address.", status=409)
    return Refused("username_taken", "This user name is taken. Choose another one.", status=409)
