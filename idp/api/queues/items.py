"""Owns what a work item is and how it goes from one state to the next: pure, on its data as the store keeps it.

ready -> taken -> completed or failed; back to ready or delayed when it is given back or its lease ends. `due` is a time in
epoch seconds and set only while the item waits for it: delayed for its start, taken for the end of the lease.
"""

from typing import Any, Final

from idp.api import language
from idp.api.commands import work_items as commands
from idp.api.commands.queues import QueueSettings, Sender
from idp.api.document_store.contract import Document
from idp.api.language import Combine, Compare, Node
from idp.api.problems import bad_request, quoted
from idp.api.queues.declarations import back_off
from idp.api.times import timestamp

Data = dict[str, Any]
LEASE_ENDED = "the lease ended"
# What may be asked for beside the fields of the system: nothing that tells of leases and receipts.
FIELDS: Final = ("state", "priority", "payload", "files", "attempts", "added_by", "finished_at", "failure", "came_from")
NOBODY: Final[Data] = {"due": None, "holder": None, "receipt": None}


def new(place: str, content: Data, priority: int, added_by: Data, start: float | None) -> Data:
    """content: payload and files. start: not before."""
    item = {**content, "queue": place, "priority": priority, "added_by": added_by, "attempts": 0, **NOBODY}
    item |= {"finished_at": None, "failure": None, "came_from": None, "followed_by": None}
    return waiting(item, start)


def waiting(item: Data, start: float | None) -> Data:
    return {**item, **NOBODY, "state": "ready" if start is None else "delayed", "due": start}


def taken(item: Data, holder: str, receipt: str, until: float) -> Data:
    return {
        **item,
        "state": "taken",
        "attempts": item["attempts"] + 1,
        "due": until,
        "holder": holder,
        "receipt": receipt,
    }


def completed(item: Data, at: float) -> Data:
    return {**item, **NOBODY, "state": "completed", "finished_at": timestamp(at)}


def given_back(item: Data, settings: QueueSettings, reason: str, at: float, delay: int | None, retry: bool) -> Data:
    """Waiting for the next attempt, or failed when there is none. delay: seconds; None: the queue's back-off."""
    item = {**item, "failure": {"reason": reason, "at": timestamp(at)}}
    if not retry or item["attempts"] >= settings.max_deliveries:
        return {**item, **NOBODY, "state": "failed", "finished_at": timestamp(at)}
    delay = back_off(settings, item["attempts"]) if delay is None else delay
    return waiting(item, at + delay if delay else None)


def returned(item: Data, settings: QueueSettings, at: float) -> Data:
    """What waited until now: its time has come, or its taker has died."""
    if item["state"] == "delayed":
        return waiting(item, None)
    return given_back(item, settings, LEASE_ENDED, at, None, True)


def fresh(item: Data) -> Data:
    """Ready again with all attempts before it."""
    return waiting({**item, "attempts": 0, "finished_at": None, "followed_by": None}, None)


# --- asking for them -----------------------------------------------------------------------------------------------


def in_queue(place: str, *more: Node) -> Node:
    return Combine("$and", (Compare(("queue",), "$eq", place), *more))


def asked_for(place: str, filter: Data) -> Node:
    """What a caller asks for. Raises Refused 400."""
    node = language.parse_filter(filter)
    for path in language.touched(node):
        if path[0] not in FIELDS and path[0] not in language.SYSTEM_FIELDS:
            message = f"{quoted(path[0])} is no field of a work item; they are {', '.join(FIELDS)}."
            raise bad_request("bad_field_name", message, field=path[0][:60])
    return in_queue(place, node)


# --- told ----------------------------------------------------------------------------------------------------------


def stamp(document: Document) -> commands.ItemStamp:
    return commands.ItemStamp(**_stamp(document))


def shown(document: Document) -> commands.Item:
    return commands.Item(**_shown(document))


def given(document: Document, receipt: str) -> commands.TakenItem:
    return commands.TakenItem(**_shown(document), receipt=receipt)


def _stamp(document: Document) -> Data:
    item = document.data
    due, followed = item["due"], item["followed_by"]
    return {
        "id": document.id,
        "state": item["state"],
        "due_at": None if due is None else timestamp(due),
        "followed_by": followed and commands.Elsewhere(**followed),
    }


def _shown(document: Document) -> Data:
    item = document.data
    plain = {name: item[name] for name in ("priority", "payload", "attempts", "finished_at")}
    return _stamp(document) | plain | {
        "added_at": document.created_at,
        "added_by": Sender(**item["added_by"]),
        "files": [commands.FileOfItem(**file) for file in item["files"]],
        "failure": item["failure"] and commands.Failure(**item["failure"]),
        "came_from": item["came_from"] and commands.Elsewhere(**item["came_from"]),
    }  # fmt: skip
