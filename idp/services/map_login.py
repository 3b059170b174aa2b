"""Gives a user what their upstream says of them, and takes away what it no longer says, at each sign-in.

Leaves what that is to idp.domain.mapping, and what goes with a login that is taken off to move_logins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from idp.base.claims import ADMINISTRATOR
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.mapping import Given, applied, given_by, owed
from idp.domain.upstream import FederatedLogin, UpstreamIdentity, UpstreamProvider
from idp.domain.user import User
from idp.ports import Repository
from idp.services.manage_users import Users
from idp.services.overtaken import Overtaken
from idp.services.record_audit import Audit

SEEN_SECONDS = 60.0  # a login that is used more often is not written down each time
TRIES = 10
MANY = 10_000


@dataclass(frozen=True, slots=True)
class Mapped:
    """The user as they are then. given: what the upstream gives by the rules; added, removed: roles and groups; left_out:
    names of what did not fit; kept: the role of administrators stayed although nobody gives it any more, as this is the
    last one."""

    user: User
    given: Given
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    kept: bool = False


class MapLogin:
    def __init__(self, repo: Repository, clock: Clock, users: Users, audit: Audit) -> None:
        self._repo = repo
        self._clock = clock
        self._users = users
        self._audit = audit

    def apply(
        self, user: User, login: FederatedLogin, identity: UpstreamIdentity, provider: UpstreamProvider
    ) -> Mapped:
        """The login was just used. Raises Overtaken when it, or its user, is gone or somebody else's by now."""
        given = given_by(identity, provider)
        if not _anything(given) and not _anything(login):
            self._remember(login, identity, Given())
            return Mapped(user, given, left_out=given.left_out)
        for _ in range(TRIES):
            done = self._once(user, login, identity, given)
            if done is not None:
                return done
            found, again = self._users.get(user.id), self._repo.get(FederatedLogin, login.id)
            if found is None or again is None or again.user_id != user.id:
                raise Overtaken
            user, login = found, again
        raise Overtaken

    def _once(self, user: User, login: FederatedLogin, identity: UpstreamIdentity, given: Given) -> Mapped | None:
        others = [one for one in self._repo.find(FederatedLogin, limit=MANY, user_id=user.id) if one.id != login.id]
        mine, has = owed(user, login, given, others), applied(user, login, given, others)
        kept = user.is_administrator and ADMINISTRATOR not in has.roles and not self._is_there_another(user)
        if kept:
            has = replace(has, roles=(ADMINISTRATOR, *has.roles))
            mine = replace(mine, roles=(ADMINISTRATOR, *mine.roles))
        # What comes is remembered before the user has it, what goes after the user has lost it: cut off in between, nobody
        # keeps for ever what only a login gave.
        before, noted = user, self._remember(login, identity, _both(login, mine))
        after = replace(user, roles=has.roles, groups=has.groups, claims=dict(has.claims))
        if noted is None:
            return None
        if after != user:
            stored = self._repo.replace_if(after)
            if stored is None:
                return None
            self._changed(user, stored, login)
            if user.is_administrator and not stored.is_administrator and not self._is_there_another(stored):
                # Two who lose the role at the same moment: whoever finds nobody left gets it back.
                stored = self._users.make_administrator(stored, actor="sheaf")
                mine, kept = replace(mine, roles=(ADMINISTRATOR, *mine.roles)), True
            user = stored
        self._remember(noted, identity, mine)
        was, now = {*before.roles, *before.groups}, {*user.roles, *user.groups}
        return Mapped(
            user, given, tuple(sorted(now - was)), tuple(sorted(was - now)), tuple(dict.fromkeys(has.left_out)), kept
        )

    def _changed(self, before: User, after: User, login: FederatedLogin) -> None:
        if after.is_administrator and not before.is_administrator:
            self._users.note_administrator()
        changed = [name for name in sorted({*before.claims, *after.claims}) if _of(before, name) != _of(after, name)]
        self._audit.record(
            "login.mapped",
            actor=f"upstream:{login.provider_id}",
            subject=after.id,
            login=login.id,
            before=" ".join([*before.roles, *before.groups]),
            after=" ".join([*after.roles, *after.groups]),
            claims=" ".join(changed) or None,
        )

    def _is_there_another(self, user: User) -> bool:
        try:
            self._users.check_other_administrator(user)
        except Refused as refused:
            if refused.code == "changed_meanwhile":
                raise  # nobody knows yet; whoever lost the role must not keep it for coming at such a moment
            return False
        return True

    def _remember(self, login: FederatedLogin, identity: UpstreamIdentity, given: Given) -> FederatedLogin | None:
        now = self._clock()
        seen = login.last_used_at if login.last_used_at and now - login.last_used_at < SEEN_SECONDS else now
        wanted = replace(
            login,
            last_used_at=seen,
            email=identity.email,
            name=identity.name,
            roles=given.roles,
            groups=given.groups,
            claims=dict(given.claims),
        )
        return login if wanted == login else self._repo.replace_if(wanted)


def _both(login: FederatedLogin, mine: Given) -> Given:
    return Given(
        tuple(dict.fromkeys([*login.roles, *mine.roles])),
        tuple(dict.fromkeys([*login.groups, *mine.groups])),
        {**login.claims, **mine.claims},
    )


def _anything(one: Given | FederatedLogin) -> bool:
    return bool(one.roles or one.groups or one.claims)


def _of(user: User, name: str) -> Any:
    claims: Mapping[str, Any] = user.claims
    return claims.get(name)
