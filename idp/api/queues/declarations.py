"""Owns what is declared under a name, with its ACL: queues of messages, queues of work items, exchanges. One space of names.

Declarations are documents of a collection that no client can name, so that every node and both brokers share them. What is
in a queue is left to the broker and to work_items.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from idp.api import acl
from idp.api.caller import Caller
from idp.api.commands.queues import Kind, QueueSettings
from idp.api.document_store.contract import Document, DocumentStore, Write
from idp.api.times import timestamp
from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused

SYSTEM = "sys.queues"
USUAL_PRIORITY = 4
NAMES: Mapping[str, str] = {
    "messages": "a queue of messages",
    "work_items": "a queue of work items",
    "exchange": "an exchange",
}
# Whoever took something may bring it to its end, if it still has a right to take.
TAKERS: tuple[acl.QueueRight, ...] = ("consume", "manage")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A declaration as it is asked for. given: whether an ACL was; if not, an old one stays, and a new one is the caller's."""

    name: str
    kind: Kind
    acl: acl.Acl | None
    given: bool
    settings: Mapping[str, Any]


class Declarations:
    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def find(self, caller: Caller, name: str, rights: tuple[acl.QueueRight, ...], kind: Kind | None) -> Document:
        """One of the rights is needed. Without any right there is no such thing for the caller. kind None: any queue."""
        narrowed_to = [right for right in rights if _token_allows(caller, name, right)]
        if not narrowed_to:
            caller.require_on_queue(name, rights[0])
        found = self.known(name)
        if found is None or not any(acl.may(caller, right, found.acl) for right in acl.QUEUE_RIGHTS):
            raise Refused("unknown_queue", "There is no such queue, or you have no right on it.", status=404)
        if not any(acl.may(caller, right, found.acl) for right in narrowed_to):
            right = rights[0]
            raise Refused("not_permitted", f"You may not {right} on this queue.", status=403, detail={"right": right})
        if kind_of(found) != kind and (kind or kind_of(found) == "exchange"):
            raise _wrong_kind(found)
        return found

    def known(self, name: str) -> Document | None:
        """Without asking for rights."""
        return self._store.get(SYSTEM, name, self._clock())

    def declared(self, caller: Caller, wanted: Wanted, now: float) -> tuple[list[Write], Document]:
        """What to write, and the declaration as it then stands."""
        caller.require_on_queue(wanted.name, "manage")
        if wanted.given and wanted.acl is None and not caller.is_administrator:
            raise Refused("not_permitted", "Only administrators may declare a queue without an ACL.", status=403)
        old = self.known(wanted.name)
        if old is None:
            return _made(caller, wanted, now)
        if not acl.may(caller, "manage", old.acl):
            raise Refused("name_taken", "The name is taken by a queue that you may not manage.", status=409)
        if kind_of(old) != wanted.kind:
            raise _wrong_kind(old)
        rules = wanted.acl if wanted.given else old.acl
        return changed(caller, replace(old, acl=rules, data={**old.data, **wanted.settings}), now)


def changed(caller: Caller, new: Document, now: float) -> tuple[list[Write], Document]:
    """new: a declaration with other contents, of the version that was read."""
    after = replace(new, version=new.version + 1, updated_at=timestamp(now), updated_by=caller.name)
    return [Write("replace", after, new.version)], after


def _made(caller: Caller, wanted: Wanted, now: float) -> tuple[list[Write], Document]:
    at = timestamp(now)
    rules = wanted.acl if wanted.given else acl.owned_by(caller.principal, acl.QUEUE_RIGHTS)
    # A place of its own: what was left in a deleted queue of the same name never comes to its next owner.
    place = f"{wanted.name}~{ids.ordered_id('q', now)}"
    data = {**wanted.settings, "kind": wanted.kind, "place": place}
    new = Document(SYSTEM, wanted.name, 1, at, caller.name, at, caller.name, rules, data)
    return [Write("insert", new, 0)], new


def kind_of(declared: Document) -> Kind:
    kind: Kind = declared.data.get("kind", "messages")
    return kind


def place_of(declared: Document) -> str:
    """Under which name its contents are kept; queues of old have only their own."""
    return str(declared.data.get("place", declared.id))


def may(caller: Caller, right: acl.QueueRight, declared: Document) -> bool:
    """By the ACL and by the token: one right of the ACL and another one of the token are none."""
    return acl.may(caller, right, declared.acl) and _token_allows(caller, declared.id, right)


def settings_of(declared: Document) -> QueueSettings:
    return QueueSettings(**{name: declared.data[name] for name in QueueSettings.model_fields if name in declared.data})


def back_off(settings: QueueSettings, attempts: int) -> int:
    """Seconds until the next attempt: doubled each time, up to the longest."""
    return min(settings.retry_max_seconds, settings.retry_seconds << min(attempts, 20) - 1)


def priority_for(caller: Caller, declared: Document, asked: int | None) -> int:
    """None: the usual one, or the highest that is allowed. Raises Refused 403 priority_too_high, narrowed_token."""
    highest = acl.highest_priority(caller, declared.acl)
    if asked is not None and asked > highest:
        message = f"You may publish with a priority of at most {highest} here."
        raise Refused("priority_too_high", message, status=403, detail={"max_priority": highest})
    priority = min(USUAL_PRIORITY, highest) if asked is None else asked
    caller.require_on_queue(declared.id, "publish", priority)
    return priority


def holder_of(caller: Caller) -> str:
    """Who may settle what was taken: the same subject through the same app, with whatever token it then has."""
    return f"{caller.client_id}\n{caller.subject}"


def unknown_receipt() -> Refused:
    message = "You do not hold this message: wrong receipt, settled already, or the lease has ended."
    return Refused("unknown_receipt", message, status=404)


def _token_allows(caller: Caller, name: str, right: acl.QueueRight) -> bool:
    try:
        caller.require_on_queue(name, right)
    except Refused:
        return False
    return True


def _wrong_kind(found: Document) -> Refused:
    what = NAMES[kind_of(found)]
    return Refused("wrong_kind", f"Under this name {what} is declared.", status=409, detail={"kind": kind_of(found)})
