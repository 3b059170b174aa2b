"""Owns what a token was narrowed to (`authorization_details`, RFC 9396): which collections, which queues, which rights.

A narrowing only ever takes away: scopes and ACLs are asked as well, administrators are narrowed like everybody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from idp.api import acl
from idp.api.problems import bad_token
from idp.base import claims
from idp.base.errors import Refused

COLLECTION_RIGHTS: Final = frozenset((*acl.DOCUMENT_RIGHTS, *acl.COLLECTION_RIGHTS))
QUEUE_RIGHTS: Final = frozenset(acl.QUEUE_RIGHTS)
MAX_DETAILS = 50
MAX_NAMES = 100


@dataclass(frozen=True, slots=True)
class On:
    """names of collections or queues, the rights on them, and for queues the highest priority."""

    names: frozenset[str]
    rights: frozenset[str]
    max_priority: int = 9


@dataclass(frozen=True, slots=True)
class Narrowing:
    collections: tuple[On, ...]
    queues: tuple[On, ...]
    handover: frozenset[str]

    def require_on_collection(self, name: str, right: str) -> None:
        if not any(name in on.names and right in on.rights for on in self.collections):
            raise refusal(f"{right} in the collection {name}")

    def require_on_queue(self, name: str, right: str, priority: int = 0) -> None:
        if not any(name in on.names and right in on.rights and priority <= on.max_priority for on in self.queues):
            what = f"{right} on the queue {name}" + (f" with priority {priority}" if priority else "")
            raise refusal(what)


def read(details: object) -> Narrowing | None:
    """The claim as it stands in a token; None when it says nothing of this API. Raises Refused 401 malformed_token for
    what cannot be understood: a limit that is not understood must not be ignored."""
    if details is None:
        return None
    if not isinstance(details, list) or not 0 < len(details) <= MAX_DETAILS:
        raise _malformed()
    ours = [detail for detail in details if _type_of(detail) in claims.DETAIL_TYPES]
    if not ours:
        return None
    kinds: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind in claims.DETAIL_TYPES}
    for detail in ours:
        kinds[detail["type"]].append(detail)
    return Narrowing(
        tuple(_on(d, "collections", COLLECTION_RIGHTS) for d in kinds[claims.DETAIL_DOCUMENTS]),
        tuple(_on(d, "queues", QUEUE_RIGHTS) for d in kinds[claims.DETAIL_QUEUES]),
        frozenset(_text(d, "queue") for d in kinds[claims.DETAIL_HANDOVER]),
    )


def _type_of(detail: object) -> str:
    kind = detail.get("type") if isinstance(detail, dict) else None
    if not isinstance(kind, str) or (kind.startswith("sheaf_") and kind not in claims.DETAIL_TYPES):
        raise _malformed()
    return kind


def _on(detail: Mapping[str, Any], names: str, known: frozenset[str]) -> On:
    priority = detail.get("max_priority", 9)
    if isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority <= 9:
        raise _malformed()
    allowed = {"type", names, "rights"} | ({"max_priority"} if names == "queues" else set())
    rights = _texts(detail, "rights")
    if detail.keys() - allowed or rights - known:
        raise _malformed()
    return On(_texts(detail, names), rights, priority)


def _texts(detail: Mapping[str, Any], name: str) -> frozenset[str]:
    found = detail.get(name)
    if not isinstance(found, list) or not 0 < len(found) <= MAX_NAMES or not all(isinstance(t, str) for t in found):
        raise _malformed()
    return frozenset(found)


def _text(detail: Mapping[str, Any], name: str) -> str:
    found = detail.get(name)
    if not isinstance(found, str) or not found:
        raise _malformed()
    return found


def _malformed() -> Refused:
    return bad_token("malformed_token", "The token cannot be read.", "authorization_details is not understood")


def refusal(what: str) -> Refused:
    return Refused("narrowed_token", f"The token was narrowed and does not allow: {what}.", status=403)
