"""Owns roles of the companion: who is in them, and which a caller has with them. Roles are members of roles, to any depth.

Roles that the token gives count as well. Exact on every node at every request: one small document says whether anything
changed since this node read them all. `administrator` comes from the token alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from idp.api.caller import Caller
from idp.api.commands import roles as commands
from idp.api.commands.common import Nothing
from idp.api.document_store.contract import Document, DocumentStore, Sight, Write
from idp.api.documents.collections import every
from idp.api.once import Once
from idp.api.problems import bad_request
from idp.api.times import timestamp
from idp.base import claims
from idp.base.clock import Clock
from idp.base.errors import Refused

SYSTEM: Final = "sys.roles"
STAMP: Final = "."  # no role can have this name; its version changes with every role

Principal = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Known:
    """given: the roles whose member somebody is. version: of the stamp when they were read."""

    version: int
    given: Mapping[Principal, frozenset[str]]


class Roles:
    def __init__(self, store: DocumentStore, once: Once, clock: Clock) -> None:
        self._store = store
        self._once = once
        self._clock = clock
        self._known = _Known(0, {})

    def complete(self, caller: Caller) -> Caller:
        """The caller with all roles that it has at this moment."""
        given = self._current().given
        if not given:
            return caller
        roles, new = set(caller.roles), [caller.principal, *(("role", role) for role in caller.roles)]
        while new:
            found = given.get(new.pop(), frozenset()) - roles  # what was found before is not followed again: cycles end
            roles |= found
            new += [("role", role) for role in found]
        return caller if roles == caller.roles else replace(caller, roles=frozenset(roles))

    def set(self, caller: Caller, asked: commands.SetRole) -> commands.RoleReply:
        def plan(now: float) -> tuple[list[Write], commands.RoleReply]:
            old = self._store.get(SYSTEM, asked.name, now)
            data = {"members": [member.model_dump() for member in asked.members]}
            new = _document(old, asked.name, caller, data, now)
            return [Write("replace", new, new.version - 1), self._stamp(caller, now)], _reply(new)

        _check(caller)
        if asked.name == claims.ADMINISTRATOR:
            raise bad_request("reserved_role", "Who administers is said by the identity provider alone.")
        return self._once.commit(caller, "roles.set", asked, plan)

    def delete(self, caller: Caller, asked: commands.DeleteRole) -> Nothing:
        def plan(now: float) -> tuple[list[Write], Nothing]:
            old = self._role(asked.name, now)
            return [Write("delete", old, old.version), self._stamp(caller, now)], Nothing()

        _check(caller)
        return self._once.commit(caller, "roles.delete", asked, plan)

    def get(self, caller: Caller, asked: commands.GetRole) -> commands.RoleReply:
        _check(caller)
        return _reply(self._role(asked.name, self._clock()))

    def list(self, caller: Caller, _asked: commands.ListRoles) -> commands.RolesReply:
        _check(caller)
        return commands.RolesReply(roles=[_reply(stored) for stored in self._all()])

    def _current(self) -> _Known:
        stamp = self._store.get(SYSTEM, STAMP, self._clock())
        version = stamp.version if stamp else 0
        if version != self._known.version:
            # Read after the stamp: what is newer than the stamp is read again with the next request.
            given: dict[Principal, frozenset[str]] = {}
            for stored in self._all():
                for member in stored.data["members"]:
                    key = (str(member["kind"]), str(member["id"]))
                    given[key] = given.get(key, frozenset()) | {stored.id}
            self._known = _Known(version, given)
        return self._known

    def _all(self) -> Iterator[Document]:
        return (stored for stored in every(self._store, SYSTEM, Sight(None, self._clock())) if stored.id != STAMP)

    def _role(self, name: str, now: float) -> Document:
        stored = self._store.get(SYSTEM, name, now)
        if stored is None:
            raise Refused("unknown_role", "No such role is defined here.", status=404)
        return stored

    def _stamp(self, caller: Caller, now: float) -> Write:
        new = _document(self._store.get(SYSTEM, STAMP, now), STAMP, caller, {}, now)
        return Write("replace", new, new.version - 1)


def _check(caller: Caller) -> None:
    """Administrators only: whoever says who is in a role can be in every role."""
    caller.require_unnarrowed("say who is in a role")
    if not caller.is_administrator:
        raise Refused("not_permitted", "Only administrators may read and define roles.", status=403)


def _document(old: Document | None, name: str, caller: Caller, data: dict[str, Any], now: float) -> Document:
    at = timestamp(now)
    if old:
        return replace(old, version=old.version + 1, updated_at=at, updated_by=caller.name, data=data)
    return Document(SYSTEM, name, 1, at, caller.name, at, caller.name, None, data)


def _reply(stored: Document) -> commands.RoleReply:
    return commands.RoleReply(name=stored.id, members=[commands.Member(**member) for member in stored.data["members"]])
