"""What a token is narrowed to (`authorization_details`, RFC 9396): read strictly and bounded, and what lies within what.

A narrowing only takes away from what scopes and the companion's own rules allow. No details: not narrowed. What the companion
makes of them is left to the companion.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from idp.base import claims
from idp.base.errors import Refused

PARAMETER = claims.AUTHORIZATION_DETAILS
MAX_CHARS = 8192
MAX_DETAILS = 20
MAX_NAMES = 100
MAX_NAME = 100
HIGHEST_PRIORITY = 9

Details = tuple[Mapping[str, Any], ...]
# (list of names, rights) of the types that have both.
_LISTS: Final = {
    claims.DETAIL_DOCUMENTS: ("collections", frozenset(claims.COLLECTION_RIGHTS)),
    claims.DETAIL_QUEUES: ("queues", frozenset(claims.QUEUE_RIGHTS)),
}


def parse(text: str) -> Details:
    """The parameter as it came. Raises Refused(invalid_authorization_details) (RFC 9396 5)."""
    if len(text) > MAX_CHARS:
        raise bad(f"It is longer than {MAX_CHARS} characters.")
    try:
        tree = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise bad("It is not JSON, or says something twice.") from None
    if not isinstance(tree, list) or not 0 < len(tree) <= MAX_DETAILS:
        raise bad(f"It must be a list of 1 to {MAX_DETAILS} objects.")
    return tuple(_detail(one) for one in tree)


def narrowed(asked: Details, allowed: Details, *, handover: bool = False) -> Details:
    """What was asked for if it lies within what is allowed, all of that if nothing was asked. handover: a token that may be
    sent along may be made of one that may not. Raises Refused(invalid_authorization_details)."""
    if not asked:
        return allowed
    kept = [one for one in asked if one["type"] != claims.DETAIL_HANDOVER]
    handed = _handed(allowed)
    if _handed(asked) != handed and (handed or not handover):
        raise bad("Where a token may be sent along is said once, when it is exchanged for that.")
    if allowed and kept and not within(tuple(kept), allowed):
        raise bad("It goes beyond what was granted.")
    return asked


def within(asked: Details, allowed: Details) -> bool:
    """Does this narrowing allow nothing that the other one does not? Where it may be sent along is not looked at."""
    if not allowed:
        return True
    if not asked:
        return False
    highest = _on_queues(allowed)
    return _on_collections(asked) <= _on_collections(allowed) and all(
        priority <= highest.get(on, -1) for on, priority in _on_queues(asked).items()
    )


def without_handover(asked: Details) -> Details:
    """Raises Refused(invalid_authorization_details): only an exchange makes a token that may be sent along."""
    if _handed(asked):
        raise bad(f"{claims.DETAIL_HANDOVER} can be asked for at a token exchange only.")
    return asked


def bad(message: str) -> Refused:
    return Refused("invalid_authorization_details", f"{PARAMETER} cannot be accepted. {message}")


def _detail(given: object) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise bad("Each of its members must be an object.")
    kind = given.get("type")
    if kind == claims.DETAIL_HANDOVER:
        _only(given, "type", "queue")
        return {"type": kind, "queue": _name(given.get("queue"))}
    if not isinstance(kind, str) or kind not in _LISTS:
        raise bad(f"The types are {', '.join(claims.DETAIL_TYPES)}.")
    names, known = _LISTS[kind]
    rights = _texts(given.get("rights"), "rights")
    if unknown := set(rights) - known:
        raise bad(f"{kind} knows no right {sorted(unknown)[0]!r:.50}; it knows {', '.join(sorted(known))}.")
    detail = {"type": kind, names: _texts(given.get(names), names), "rights": rights}
    if kind == claims.DETAIL_DOCUMENTS:
        _only(given, *detail)
        return detail
    _only(given, *detail, "max_priority")
    priority = given.get("max_priority", HIGHEST_PRIORITY)
    if isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority <= HIGHEST_PRIORITY:
        raise bad(f"max_priority is a number from 0 to {HIGHEST_PRIORITY}.")
    return {**detail, "max_priority": priority}


def _only(given: Mapping[str, Any], *known: str) -> None:
    """A member that is not understood could be a limit (RFC 9396 5)."""
    if unknown := given.keys() - set(known):
        raise bad(f"{given['type']} has no member {sorted(unknown)[0]!r:.50}.")


def _texts(given: object, member: str) -> list[str]:
    if not isinstance(given, list) or not 0 < len(given) <= MAX_NAMES:
        raise bad(f"{member} is a list of 1 to {MAX_NAMES} names.")
    return list(dict.fromkeys(_name(one) for one in given))


def _name(given: object) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= MAX_NAME or not given.isprintable() or not given.isascii():
        raise bad(f"A name has 1 to {MAX_NAME} plain characters.")
    return given


def _on_collections(details: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    ours = [one for one in details if one["type"] == claims.DETAIL_DOCUMENTS]
    return {(name, right) for one in ours for name in one["collections"] for right in one["rights"]}


def _on_queues(details: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """(queue, right) -> the highest priority of all that speak of it."""
    highest: dict[tuple[str, str], int] = {}
    for one in details:
        if one["type"] == claims.DETAIL_QUEUES:
            for on in ((name, right) for name in one["queues"] for right in one["rights"]):
                highest[on] = max(one["max_priority"], highest.get(on, 0))
    return highest


def _handed(details: Iterable[Mapping[str, Any]]) -> set[str]:
    return {one["queue"] for one in details if one["type"] == claims.DETAIL_HANDOVER}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("twice")
    return found
