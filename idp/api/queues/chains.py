"""Owns what follows when a work item is completed or has failed: a new item in the queue that its queue names for that.

Both are one commit. The right to publish there is that of whoever declared the chain, at this moment: when it is gone, the item
ends all the same and says why nothing followed.
"""

from dataclasses import replace
from typing import Any, Final

from idp.api.caller import Caller
from idp.api.commands.queues import DeclareQueue
from idp.api.document_store.contract import Document, Write
from idp.api.problems import bad_request
from idp.api.queues import items
from idp.api.queues.declarations import Declarations, kind_of, place_of, settings_of
from idp.api.queues.standing import Standing
from idp.api.times import timestamp
from idp.base import ids

SYSTEM: Final = "sys.items"  # no client can name a collection with a dot
FOLLOWS: Final = {"completed": "on_success", "failed": "on_failure"}


class Chains:
    def __init__(self, declarations: Declarations, standing: Standing) -> None:
        self._declarations = declarations
        self._standing = standing

    def declared(self, caller: Caller, asked: DeclareQueue) -> dict[str, Any]:
        """What a queue that names others keeps of whoever declares it. Raises Refused."""
        targets = [target for target in (asked.on_success, asked.on_failure) if target]
        if asked.name in targets:
            raise bad_request("invalid_request", "A queue of work items cannot be followed by itself.")
        found = [self._declarations.find(caller, target, ("publish",), "work_items") for target in targets]
        return {"chained_by": self._standing.of(caller, *(("publish", there) for there in found))}

    def changed(self, queue: Document, old: Document, item: items.Data, by: str, now: float) -> list[Write]:
        """The item as it is now, first; and what follows it."""
        writes = []
        if item["finished_at"] and (target := getattr(settings_of(queue), FOLLOWS[item["state"]])):
            follower, problem = self._follower(queue, old, item, target, now)
            item = {**item, "followed_by": {"queue": target, "id": follower and follower.id, "problem": problem}}
            writes = [Write("insert", follower, 0)] if follower else []
        # What has failed stays until somebody has looked at it.
        expires = now + settings_of(queue).keep_seconds if item["state"] == "completed" else None
        new = replace(
            old, version=old.version + 1, updated_at=timestamp(now), updated_by=by, data=item, expires_at=expires
        )
        return [Write("replace", new, old.version), *writes]

    def _follower(
        self, queue: Document, old: Document, item: items.Data, target: str, now: float
    ) -> tuple[Document | None, str | None]:
        there, by = self._declarations.known(target), queue.data["chained_by"]
        if there is None or kind_of(there) != "work_items":
            return None, "unknown_queue"
        if not self._standing.may(by, "publish", there):
            return None, "not_permitted"
        priority = min(item["priority"], self._standing.highest_priority(by, there))
        content = {"payload": item["payload"], "files": item["files"]}
        new = items.new(place_of(there), content, priority, item["added_by"], None)
        came_from = {"queue": queue.id, "id": old.id}
        return inserted({**new, "came_from": came_from}, f"queue:{queue.id}", now), None


def inserted(item: items.Data, by: str, now: float) -> Document:
    at = timestamp(now)
    return Document(SYSTEM, ids.ordered_id("itm", now), 1, at, by, at, by, None, item)
