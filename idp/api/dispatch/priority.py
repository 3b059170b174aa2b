"""Owns the priority of a request: which there are, and who may use them."""

from collections.abc import Iterable, Mapping
from typing import Final

from idp.api.caller import Caller
from idp.api.problems import bad_request
from idp.base.errors import Misconfigured, Refused

RANKS: Final[Mapping[str, int]] = {"low": 0, "normal": 1, "high": 2}
KINDS: Final = ("role", "client", "user")

Principals = frozenset[tuple[str, str]]


def principals(texts: Iterable[str]) -> Principals:
    """Of the setting api.high_priority. Raises Misconfigured."""
    found = set()
    for text in texts:
        kind, _, id = text.partition(":")
        if kind not in KINDS or not id:
            raise Misconfigured("api.high_priority", f"{text!r} names nobody.", "Use role:…, client:… or user:….")
        found.add((kind, id))
    return frozenset(found)


def rank(caller: Caller, asked: str | None, urgent: Principals) -> int:
    """Raises Refused 400 bad_priority, 403 priority_too_high: nobody goes before others by wishing to."""
    if asked is None:
        return RANKS["normal"]
    if asked not in RANKS:
        raise bad_request("bad_priority", "A request has the priority high, normal or low.")
    if asked == "high" and not caller.is_administrator and not caller.principals & urgent:
        message = "Your requests may have at most the priority normal."
        raise Refused("priority_too_high", message, status=403, detail={"max_priority": "normal"})
    return RANKS[asked]
