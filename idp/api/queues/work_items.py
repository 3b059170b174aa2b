"""Owns what callers do with work items: rights, leases, who holds what. The store keeps them.

One item is one document of a collection that no client can name, and each change is one commit: an item, what follows it in
another queue, and what is remembered of the request stand or fall together. The states are items.py's, what follows chains.py's.
"""

from collections.abc import Callable, Sequence
from typing import Final

from idp.api import acl, language
from idp.api.caller import Caller
from idp.api.commands import work_items as commands
from idp.api.commands.common import Message, Nothing
from idp.api.commands.queues import QueueSettings
from idp.api.document_store.contract import Document, DocumentStore, Find, Index, Overtaken, Sight, Write
from idp.api.language import Compare, Node, Sort
from idp.api.once import Once
from idp.api.queues import items
from idp.api.queues.chains import SYSTEM, Chains, inserted
from idp.api.queues.declarations import (
    TAKERS,
    Declarations,
    holder_of,
    may,
    place_of,
    priority_for,
    settings_of,
    unknown_receipt,
)
from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.secret import Secret

INDEXES: Final = (
    Index("next", ((("queue",), 1), (("state",), 1), (("priority",), -1))),
    Index("due", ((("queue",), 1), (("due",), 1))),
)
BY_ID: Final[Sort] = ((("_id",), 1),)
NEXT: Final[Sort] = ((("priority",), -1), (("_id",), 1))
DUE: Final[Sort] = ((("due",), 1), (("_id",), 1))
MAX_COUNT = 10_000
MAX_PURGED = 10_000
MAX_RETURNED = 1000
MAX_TRIES = 50
BATCH = 100
Change = Callable[[items.Data, QueueSettings, float], items.Data]


class WorkItems:
    def __init__(
        self, store: DocumentStore, declarations: Declarations, chains: Chains, once: Once, clock: Clock
    ) -> None:
        self._store = store
        self._declarations = declarations
        self._chains = chains
        self._once = once
        self._clock = clock
        self._indexed = False

    def add(self, caller: Caller, asked: commands.AddItem) -> commands.ItemStamp:
        queue = self._queue(caller, asked.name, ("publish",))
        priority = priority_for(caller, queue, asked.priority)
        content = self._content(caller, asked)
        by = {"subject": caller.subject, "client_id": caller.client_id}

        def plan(now: float) -> tuple[list[Write], commands.ItemStamp]:
            start = now + asked.delay_seconds if asked.delay_seconds else None
            document = inserted(items.new(place_of(queue), content, priority, by, start), caller.name, now)
            return [Write("insert", document, 0)], items.stamp(document)

        return self._once.commit(caller, "work_items.add", asked, plan)

    def take(self, caller: Caller, asked: commands.TakeItem) -> commands.TakeItemReply:
        queue = self._queue(caller, asked.name, ("consume",))
        self._return_due(queue)
        ready = items.in_queue(place_of(queue), Compare(("state",), "$eq", "ready"))
        for _ in range(MAX_TRIES):
            found = self._find(ready, NEXT, 3)
            if not found:
                return commands.TakeItemReply(item=None)
            for document in found:
                now, receipt = self._clock(), ids.secret()
                item = items.taken(document.data, holder_of(caller), ids.digest(receipt), now + asked.lease_seconds)
                writes = self._chains.changed(queue, document, item, caller.name, now)
                if self._commit(writes):
                    return commands.TakeItemReply(item=items.given(writes[0].document, receipt))
        message = "Too many take from this queue at once. Try again."
        raise Refused("contended", message, status=503, headers={"Retry-After": "1"})

    def renew(self, caller: Caller, asked: commands.RenewItem) -> commands.ItemStamp:
        def change(item: items.Data, settings: QueueSettings, now: float) -> items.Data:
            return {**item, "due": now + asked.lease_seconds}

        return self._settle(caller, "work_items.renew", asked, change)

    def update(self, caller: Caller, asked: commands.UpdateItem) -> commands.ItemStamp:
        return self._settle(caller, "work_items.update", asked, lambda item, settings, now: item)

    def complete(self, caller: Caller, asked: commands.CompleteItem) -> commands.ItemStamp:
        return self._settle(
            caller, "work_items.complete", asked, lambda item, settings, now: items.completed(item, now)
        )

    def fail(self, caller: Caller, asked: commands.FailItem) -> commands.ItemStamp:
        def change(item: items.Data, settings: QueueSettings, now: float) -> items.Data:
            return items.given_back(item, settings, asked.reason, now, asked.delay_seconds, asked.retry)

        return self._settle(caller, "work_items.fail", asked, change)

    def get(self, caller: Caller, asked: commands.GetItem) -> commands.Item:
        """Also for whoever added it and has any right on the queue still."""
        queue = self._queue(caller, asked.name, acl.QUEUE_RIGHTS)
        self._return_due(queue)
        document = self._known(queue, asked.id)
        may_take = any(may(caller, right, queue) for right in TAKERS)
        if not (may_take or document.created_by == caller.name):
            raise _unknown_item()
        return items.shown(document)

    def query(self, caller: Caller, asked: commands.QueryItems) -> commands.ItemPage:
        where = self._asked_for(caller, asked, TAKERS)
        found = self._store.find(SYSTEM, Find(where, BY_ID, self._sight(), asked.limit, after=asked.after))
        after = found.documents[-1].id if found.more else None
        return commands.ItemPage(items=[items.shown(document) for document in found.documents], after=after)

    def count(self, caller: Caller, asked: commands.CountItems) -> commands.ItemCount:
        where = self._asked_for(caller, asked, TAKERS)
        counted = self._store.count(SYSTEM, where, self._sight(), MAX_COUNT + 1)
        return commands.ItemCount(count=min(counted, MAX_COUNT), more=counted > MAX_COUNT)

    def retry(self, caller: Caller, asked: commands.RetryItem) -> commands.ItemStamp:
        queue = self._queue(caller, asked.name, ("manage",))

        def plan(now: float) -> tuple[list[Write], commands.ItemStamp]:
            document = self._known(queue, asked.id)
            if document.data["state"] != "failed":
                raise Refused("not_failed", "Only an item that has failed can be retried.", status=409)
            return self._changed(caller, queue, document, items.fresh(document.data), now)

        return self._once.commit(caller, "work_items.retry", asked, plan)

    def delete(self, caller: Caller, asked: commands.DeleteItem) -> Nothing:
        queue = self._queue(caller, asked.name, ("manage",))

        def plan(now: float) -> tuple[list[Write], Nothing]:
            document = self._known(queue, asked.id)
            return [Write("delete", document, document.version)], Nothing()

        return self._once.commit(caller, "work_items.delete", asked, plan)

    def purge(self, caller: Caller, asked: commands.PurgeItems) -> Message:
        where = self._asked_for(caller, asked, ("manage",))
        return self._once.carry_out(caller, "work_items.purge", asked, lambda seed: self._purged(where))

    def check_few(self, queue: Document) -> None:
        """Asked before a queue is deleted: clearing it must end in time."""
        where = items.in_queue(place_of(queue))
        if self._store.count(SYSTEM, where, self._sight(), MAX_PURGED + 1) > MAX_PURGED:
            message = f"There are more than {MAX_PURGED} work items in this queue. Purge it first."
            raise Refused("too_many_items", message, status=409, detail={"limit": MAX_PURGED})

    def clear(self, queue: Document) -> None:
        """What is in a queue that was deleted."""
        self._purged(items.in_queue(place_of(queue)))

    # --- rights and what is asked for ----------------------------------------------------------------------------

    def _queue(self, caller: Caller, name: str, rights: tuple[acl.QueueRight, ...]) -> Document:
        queue = self._declarations.find(caller, name, rights, "work_items")
        if not self._indexed:
            for index in INDEXES:
                self._store.ensure_index(SYSTEM, index)
            self._indexed = True
        return queue

    def _asked_for(self, caller: Caller, asked: commands.CountItems, rights: tuple[acl.QueueRight, ...]) -> Node:
        queue = self._queue(caller, asked.name, rights)
        where = items.asked_for(place_of(queue), asked.filter)
        self._return_due(queue)
        return where

    def _content(self, caller: Caller, asked: commands.AddItem | commands.UpdateItem) -> items.Data:
        """What is given of payload and files. Who may not read a file cannot find out here whether it exists."""
        content = asked.model_dump(include={"payload", "files"}, exclude_none=True)
        language.check_data(content)
        for file in content.get("files", ()):
            caller.require_on_collection(file["collection"], "read")
            stored = self._store.get(f"files.{file['collection']}", file["id"], self._clock())
            if stored is None or not acl.may(caller, "read", stored.acl):
                raise Refused("unknown_file", "There is no such file, or you may not read it.", status=404)
        return content

    def _known(self, queue: Document, id: str) -> Document:
        document = self._store.get(SYSTEM, id, self._clock())
        if document is None or document.data["queue"] != place_of(queue):
            raise _unknown_item()
        return document

    def _held(self, caller: Caller, queue: Document, asked: commands.HeldItem, now: float) -> Document:
        document = self._store.get(SYSTEM, asked.id, now)
        if document is None or document.data["queue"] != place_of(queue) or document.data["state"] != "taken":
            raise unknown_receipt()
        item = document.data
        right_receipt = Secret(item["receipt"]).matches(ids.digest(asked.receipt))
        if not right_receipt or item["holder"] != holder_of(caller) or item["due"] <= now:
            raise unknown_receipt()
        return document

    # --- changing ------------------------------------------------------------------------------------------------

    def _settle(self, caller: Caller, operation: str, asked: commands.HeldItem, change: Change) -> commands.ItemStamp:
        """A change by whoever holds the item, with new contents if some are given."""
        queue = self._queue(caller, asked.name, TAKERS)
        content = self._content(caller, asked) if isinstance(asked, commands.UpdateItem) else {}

        def plan(now: float) -> tuple[list[Write], commands.ItemStamp]:
            document = self._held(caller, queue, asked, now)
            item = change({**document.data, **content}, settings_of(queue), now)
            return self._changed(caller, queue, document, item, now)

        return self._once.commit(caller, operation, asked, plan)

    def _changed(
        self, caller: Caller, queue: Document, document: Document, item: items.Data, now: float
    ) -> tuple[list[Write], commands.ItemStamp]:
        writes = self._chains.changed(queue, document, item, caller.name, now)
        return writes, items.stamp(writes[0].document)

    def _return_due(self, queue: Document) -> None:
        """Items whose time has come are ready again, or have failed. Nobody need be awake at that moment: whoever asks next
        for anything of the queue does it."""
        for _ in range(MAX_RETURNED // BATCH):
            now = self._clock()
            found = self._find(items.in_queue(place_of(queue), Compare(("due",), "$lte", now)), DUE, BATCH)
            for document in found:
                item = items.returned(document.data, settings_of(queue), now)
                self._commit(self._chains.changed(queue, document, item, document.updated_by, now))
            if not found:
                return

    def _purged(self, where: Node) -> commands.PurgedItems:
        deleted = 0
        for _ in range(MAX_PURGED // BATCH):
            found = self._find(where, BY_ID, BATCH)
            if self._commit([Write("delete", document, document.version) for document in found]):
                deleted += len(found)
            if not found:
                break
        return commands.PurgedItems(deleted=deleted, more=bool(self._find(where, BY_ID, 1)))

    def _commit(self, writes: list[Write]) -> bool:
        """False when somebody was faster."""
        try:
            self._store.commit(writes)
        except Overtaken:
            return False
        return True

    def _find(self, where: Node, sort: Sort, limit: int) -> Sequence[Document]:
        return self._store.find(SYSTEM, Find(where, sort, self._sight(), limit)).documents

    def _sight(self) -> Sight:
        """Rights are those of the queue, asked before."""
        return Sight(None, self._clock())


def _unknown_item() -> Refused:
    return Refused("unknown_item", "There is no such work item, or you may not see it.", status=404)
