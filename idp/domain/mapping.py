"""What a person gets here because of what an upstream says of them: roles, groups, claims. Adds and removes; pure.

Only what an administrator listed is taken over. Each login keeps what it gave (FederatedLogin), so that what it no longer says
goes again, while what somebody was given by hand, or by another login, stays.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from idp.base.claims import ADMINISTRATOR
from idp.base.errors import Refused
from idp.domain.claims import FIELDS, check_claims, check_groups
from idp.domain.upstream import FederatedLogin, UpstreamIdentity, UpstreamProvider
from idp.domain.user import User

MAX_GIVEN = 200


@dataclass(frozen=True, slots=True)
class Given:
    """What one login gives, or what a user has. left_out: names of claims, roles and groups that do not fit."""

    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def given_by(identity: UpstreamIdentity, provider: UpstreamProvider) -> Given:
    """By the lists of the provider, and by nothing else. `administrator` comes from administrator_groups alone."""
    roles: list[str] = []
    groups: list[str] = []
    for group in identity.groups:
        roles += [role for role in provider.group_roles.get(group, ()) if role != ADMINISTRATOR]
        if group in provider.administrator_groups:
            roles.append(ADMINISTRATOR)
        if group in provider.group_names:
            groups.append(provider.group_names[group])
        elif any(fnmatchcase(group, pattern) for pattern in provider.keep_groups):
            groups.append(group)
    claims, left_out = _claims(identity, provider)
    return Given(_fitting(roles), _fitting(groups), claims, left_out)


def applied(user: User, before: FederatedLogin | None, now: Given, others: Iterable[FederatedLogin]) -> Given:
    """Roles, groups and claims that the user has then. before: the same login until now; others: the user's other logins.

    A claim that somebody was given by hand stays as it is. left_out: what there was no room for besides what the user has.
    """
    elsewhere = list(others)
    roles, no_role = _merged(user.roles, before.roles if before else (), now.roles, _all(elsewhere, "roles"))
    groups, no_group = _merged(user.groups, before.groups if before else (), now.groups, _all(elsewhere, "groups"))
    claims, no_claim = _claimed(user, before, now, elsewhere)
    return Given(roles, groups, claims, (*now.left_out, *no_role, *no_group, *no_claim))


def owed(user: User, before: FederatedLogin | None, now: Given, others: Iterable[FederatedLogin]) -> Given:
    """The part of `now` that the login is to remember as its own: not what the user was given by hand."""
    elsewhere = list(others)
    by_login_roles = {*(before.roles if before else ()), *_all(elsewhere, "roles")}
    by_login_groups = {*(before.groups if before else ()), *_all(elsewhere, "groups")}
    by_hand = _by_hand(user, before, elsewhere)
    return Given(
        tuple(one for one in now.roles if one in by_login_roles or one not in user.roles),
        tuple(one for one in now.groups if one in by_login_groups or one not in user.groups),
        {name: value for name, value in now.claims.items() if name not in by_hand},
        now.left_out,
    )


def _all(logins: Iterable[FederatedLogin], part: Literal["roles", "groups"]) -> set[str]:
    return {one for login in logins for one in getattr(login, part)}


def _by_hand(user: User, before: FederatedLogin | None, elsewhere: list[FederatedLogin]) -> set[str]:
    """Names of the claims that no login has given."""
    by_logins = {name for login in (*elsewhere, *([before] if before else [])) for name in login.claims}
    return {name for name in user.claims if name not in by_logins}


def _merged(
    have: tuple[str, ...], before: Iterable[str], now: Iterable[str], elsewhere: set[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(what there is then, what there was no room for)."""
    wanted = tuple(now)
    gone = {one for one in before if one not in wanted and one not in elsewhere}
    return _with(tuple(one for one in have if one not in gone), wanted)


def _claimed(
    user: User, before: FederatedLogin | None, now: Given, elsewhere: list[FederatedLogin]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    others = {name: value for login in elsewhere for name, value in login.claims.items()}
    by_hand = _by_hand(user, before, elsewhere)
    mine = set(before.claims if before else ())
    # What this login says no longer goes back to what another one says of it, or away.
    said = {name: others[name] for name in mine if name in others} | dict(now.claims)
    kept = {name: value for name, value in user.claims.items() if name in by_hand or name not in mine or name in said}
    left_out: list[str] = []
    for name, value in said.items():
        if name in by_hand:
            continue
        try:
            kept = check_claims({**kept, name: value})
        except Refused:
            kept.pop(name, None)
            left_out.append(name)
    return kept, tuple(left_out)


def _fitting(names: Iterable[str]) -> tuple[str, ...]:
    """One that cannot be a group here is left out, and not the others with it."""
    return _with((), names)[0]


def _with(have: tuple[str, ...], more: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(have and as many of the others as there is room for, those left out)."""
    wanted = [one for one in dict.fromkeys(more) if one not in have]
    if not wanted:
        return have, ()
    if len(wanted) <= MAX_GIVEN:
        try:
            return check_groups((*have, *wanted)), ()
        except Refused:
            pass  # one by one, to find those that do not fit
    found, left_out = list(have), list(wanted[MAX_GIVEN:])
    for name in wanted[:MAX_GIVEN]:
        try:
            check_groups((*found, name))
        except Refused:
            left_out.append(name)
            continue
        found.append(name)
    return tuple(found), tuple(left_out)


def _claims(identity: UpstreamIdentity, provider: UpstreamProvider) -> tuple[dict[str, Any], tuple[str, ...]]:
    found: dict[str, Any] = {}
    left_out: list[str] = []
    for name, attribute in provider.claim_map.items():
        values = identity.attributes.get(attribute, ())
        if not values or name in FIELDS:
            continue
        value: Any = values[0] if len(values) == 1 else list(values)
        try:
            check_claims({**found, name: value})
        except Refused:
            left_out.append(name)
            continue
        found[name] = value
    return found, tuple(left_out)
