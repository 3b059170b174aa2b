"""Owns who may read the history of a document, and what it says: its versions, and the document as it was.

Whoever may read a document today may read how it was; of deleted ones only administrators know.
"""

from idp.api.caller import Caller
from idp.api.commands import documents as commands
from idp.api.document_store.contract import Document, DocumentStore, Past
from idp.api.documents import history
from idp.api.documents.collections import Collections
from idp.api.documents.rights import may_unseal, permitted
from idp.api.documents.sealing import Sealer
from idp.base.clock import Clock
from idp.base.errors import Refused


class Versions:
    def __init__(self, store: DocumentStore, clock: Clock, collections: Collections, sealer: Sealer) -> None:
        self._store = store
        self._clock = clock
        self._collections = collections
        self._sealer = sealer

    def history(self, caller: Caller, asked: commands.GetHistory) -> commands.HistoryReply:
        caller.require_on_collection(asked.collection, "read")
        self.last(caller, "read", asked, self._clock())
        lines = self._store.history(asked.collection, asked.id, asked.before, asked.limit + 1)
        page = lines[: asked.limit]
        following = page[-1].version if len(lines) > len(page) else None
        return commands.HistoryReply(versions=[_stamp(past) for past in page], before=following)

    def get_version(self, caller: Caller, asked: commands.GetVersion) -> commands.VersionReply:
        caller.require_on_collection(asked.collection, "read")
        today = self.last(caller, "read", asked, self._clock())
        past, then = self.was(today, asked.number)
        # What is sealed may have been declared after this version: the collection was empty then, its history was not.
        sealed = self._collections.of(asked.collection, self._clock()).sealing
        shown = self._sealer.shown(then, may_unseal(caller, today), sealed)
        return commands.VersionReply(**_stamp(past).model_dump(), data=shown)

    def last(self, caller: Caller, right: str, asked: commands.GetDocument, now: float) -> Document:
        """The document as it stands, or for administrators as it stood before it was deleted; without its data then, and one
        version further. Raises Refused 404 or 403."""
        today = self._store.get(asked.collection, asked.id, now)
        if today is None and caller.is_administrator:
            today = self._deleted(asked)
        return permitted(caller, right, today)

    def was(self, today: Document, number: int) -> tuple[Past, Document]:
        """What the history says of version `number`, and `today` with the data of then. Raises Refused 404."""
        lines = self._store.past(today.collection, today.id, number)
        # A line of a delete is no version: there is nothing to be seen.
        if not lines or lines[-1].version != number or lines[-1].action == "delete":
            raise Refused("unknown_version", "The document has no such version.", status=404)
        return lines[-1], history.as_of(today, lines)

    def _deleted(self, asked: commands.GetDocument) -> Document | None:
        newest = self._store.history(asked.collection, asked.id, None, 1)
        if not newest:
            return None
        end, first = newest[0], self._store.history(asked.collection, asked.id, 2, 1)
        made = first[0] if first else end
        return Document(asked.collection, asked.id, end.version, made.at, made.by, end.at, end.by, end.acl, {})


def _stamp(past: Past) -> commands.VersionStamp:
    return commands.VersionStamp(version=past.version, action=past.action, at=past.at, by=past.by)
