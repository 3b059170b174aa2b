"""Owns who may do what: pure rules on entries, and the same rules as keys that a store can filter by.

`may` decides on one thing; `stored_keys` and `wanted_keys` say it so that a store finds all things a caller may see.
Both are compared with each other on random cases in the tests.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["user", "role", "client", "everyone"]
Effect = Literal["allow", "deny"]
DocumentRight = Literal["read", "update", "delete", "share", "unseal"]
CollectionRight = Literal["insert", "manage"]
QueueRight = Literal["publish", "consume", "manage"]

DOCUMENT_RIGHTS: tuple[DocumentRight, ...] = ("read", "update", "delete", "share", "unseal")
COLLECTION_RIGHTS: tuple[CollectionRight, ...] = ("insert", "manage")
QUEUE_RIGHTS: tuple[QueueRight, ...] = ("publish", "consume", "manage")
HIGHEST = 9  # priority of a message


class Holder(Protocol):
    """What the rules need of a Caller."""

    @property
    def is_administrator(self) -> bool: ...

    @property
    def principals(self) -> frozenset[tuple[str, str]]:
        """(kind, id) of everything the caller is: itself, its roles, and everyone (with an empty id)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an ACL. `id` is empty for everyone. max_priority: of messages that an entry for publishing allows."""

    kind: str
    id: str
    rights: tuple[str, ...]
    effect: str = "allow"
    max_priority: int = HIGHEST


Acl = tuple[Entry, ...]


def may(caller: Holder, right: str, acl: Acl | None) -> bool:
    """A missing ACL is for administrators only. A deny entry wins over every allow entry."""
    if caller.is_administrator:
        return True
    matching = [e for e in acl or () if right in e.rights and (e.kind, e.id) in caller.principals]
    return bool(matching) and all(e.effect == "allow" for e in matching)


def highest_priority(caller: Holder, acl: Acl | None) -> int:
    """Of the messages that somebody who may publish may send."""
    if caller.is_administrator:
        return HIGHEST
    matching = [e for e in acl or () if "publish" in e.rights and (e.kind, e.id) in caller.principals]
    return max((e.max_priority for e in matching), default=0)


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """What a store keeps beside a document: one key `right:kind:id` for each thing allowed and each denied."""

    allow: frozenset[str]
    deny: frozenset[str]


def stored_keys(acl: Acl | None) -> StoredKeys:
    def of(effect: str) -> frozenset[str]:
        return frozenset(_key(r, e.kind, e.id) for e in acl or () if e.effect == effect for r in e.rights)

    return StoredKeys(of("allow"), of("deny"))


def wanted_keys(caller: Holder, right: str) -> frozenset[str] | None:
    """A document passes when at least one of these is among its allowed keys and none among its denied ones.

    None: everything passes (administrators).
    """
    if caller.is_administrator:
        return None
    return frozenset(_key(right, kind, id) for kind, id in caller.principals)


def _key(right: str, kind: str, id: str) -> str:
    return f"{right}:{kind}:{id}"  # rights and kinds hold no colon, so the key has one reading


def owned_by(principal: tuple[str, str], rights: Iterable[str]) -> Acl:
    """The ACL of a new thing for which none was given: all rights for whoever made it."""
    return (Entry(principal[0], principal[1], tuple(rights)),)


def to_json(acl: Acl | None) -> list[dict[str, object]] | None:
    if acl is None:
        return None
    return [
        {"kind": e.kind, "id": e.id, "rights": list(e.rights), "effect": e.effect}
        | ({} if e.max_priority == HIGHEST else {"max_priority": e.max_priority})
        for e in acl
    ]


def from_json(entries: Sequence[Mapping[str, object]] | None) -> Acl | None:
    """The inverse of to_json, for what a store kept."""
    if entries is None:
        return None
    return tuple(
        Entry(
            str(e["kind"]),
            str(e["id"]),
            tuple(str(r) for r in e["rights"]),  # type: ignore[attr-defined]
            str(e["effect"]),
            int(e.get("max_priority", HIGHEST)),  # type: ignore[call-overload]
        )
        for e in entries
    )
