"""Owns what callers change in documents: each operation is a number of drafts, carried out in one commit with its history.

What a draft is belongs to drafts.py; doing it once, and anew when somebody was faster, to once.py.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from idp.api.caller import Caller
from idp.api.commands import documents as commands
from idp.api.commands.common import Message, Nothing
from idp.api.document_store.contract import Write
from idp.api.documents.drafts import Drafts, Pen
from idp.api.documents.rights import acl_reply, stamp, stamp_of
from idp.api.once import Once
from idp.api.problems import bad_request
from idp.base.errors import Refused

MAX_BULK_BYTES: Final = 16_000_000

M = TypeVar("M", bound=Message)


class Writing:
    def __init__(self, once: Once, drafts: Drafts) -> None:
        self._once = once
        self._drafts = drafts

    def insert(self, caller: Caller, asked: commands.InsertDocument) -> commands.DocumentStamp:
        return self._one(caller, "insert", "insert", asked, self._drafts.insert, _stamp)

    def replace(self, caller: Caller, asked: commands.ReplaceDocument) -> commands.DocumentStamp:
        return self._one(caller, "replace", "update", asked, self._drafts.replace, _stamp)

    def update(self, caller: Caller, asked: commands.UpdateDocument) -> commands.DocumentStamp:
        return self._one(caller, "update", "update", asked, self._drafts.update, _stamp)

    def delete(self, caller: Caller, asked: commands.DeleteDocument) -> Nothing:
        return self._one(caller, "delete", "delete", asked, self._drafts.delete, lambda _: Nothing())

    def set_acl(self, caller: Caller, asked: commands.SetAcl) -> commands.AclReply:
        return self._one(caller, "set_acl", "share", asked, self._drafts.set_acl, lambda w: acl_reply(w.document))

    def restore(self, caller: Caller, asked: commands.RestoreVersion) -> commands.DocumentStamp:
        return self._one(caller, "restore", "update", asked, self._drafts.restore, _stamp)

    def upsert(self, caller: Caller, asked: commands.UpsertDocument) -> commands.Upserted:
        def answer(write: Write) -> commands.Upserted:
            return commands.Upserted(**stamp_of(write.document), created=write.action == "insert")

        caller.require_on_collection(asked.collection, "insert")
        return self._one(caller, "upsert", "update", asked, self._drafts.upsert, answer)

    def insert_many(self, caller: Caller, asked: commands.InsertDocuments) -> commands.Stamps:
        def answer(writes: list[Write]) -> commands.Stamps:
            return commands.Stamps(documents=[_stamp(write) for write in writes])

        caller.require_on_collection(asked.collection, "insert")
        return self._many(caller, "insert_many", asked, asked.documents, answer)

    def bulk(self, caller: Caller, asked: commands.Bulk) -> commands.BulkReply:
        def answer(writes: list[Write]) -> commands.BulkReply:
            return commands.BulkReply(results=[None if w.action == "delete" else _stamp(w) for w in writes])

        for right in sorted({change.right for change in asked.changes}):
            caller.require_on_collection(asked.collection, right)
        changes = [change.asked for change in asked.changes]
        named = [change.id for change in changes if change and not isinstance(change, commands.NewDocument)]
        if len(set(named)) != len(named):
            raise bad_request("invalid_request", "A bulk changes each document at most once.")
        return self._many(caller, "bulk", asked, changes, answer)

    def _draft(self, pen: Pen, change: object) -> Write:
        match change:
            case commands.NewDocument():
                return self._drafts.insert(pen, change)
            case commands.ReplaceIn():
                return self._drafts.replace(pen, change)
            case commands.UpdateIn():
                return self._drafts.update(pen, change)
            case commands.DeleteIn():
                return self._drafts.delete(pen, change)
        raise TypeError(change)

    def _one(
        self,
        caller: Caller,
        verb: str,
        right: str,
        asked: Any,
        draft: Callable[[Pen, Any], Write],
        answer: Callable[[Write], M],
    ) -> M:
        def plan(now: float) -> tuple[list[Write], M]:
            write = draft(self._drafts.pen(caller, asked.collection, now), asked)
            return [write], answer(write)

        caller.require_on_collection(asked.collection, right)
        return self._once.commit(caller, f"documents.{verb}", asked, plan)

    def _many(
        self,
        caller: Caller,
        verb: str,
        asked: commands.InsertDocuments | commands.Bulk,
        changes: Sequence[object],
        answer: Callable[[list[Write]], M],
    ) -> M:
        def plan(now: float) -> tuple[list[Write], M]:
            pen = self._drafts.pen(caller, asked.collection, now, len(changes))
            writes = list(_bounded(self._draft(pen, change) for change in changes))
            return writes, answer(writes)

        return self._once.commit(caller, f"documents.{verb}", asked, plan)


def _bounded(drafts: Iterator[Write]) -> Iterator[Write]:
    """A refusal says which of them it is about. Small updates of large documents would be too much for the memory."""
    size = number = 0
    try:
        for write in drafts:
            yield write
            number += 1
            size += len(json.dumps(write.document.data))
            if size > MAX_BULK_BYTES:
                message = f"The documents of one request hold at most {MAX_BULK_BYTES} bytes together."
                raise Refused("bulk_too_large", message, status=413, detail={"limit": MAX_BULK_BYTES})
    except Refused as refused:
        refused.detail["index"] = number
        raise


def _stamp(write: Write) -> commands.DocumentStamp:
    return stamp(write.document)
