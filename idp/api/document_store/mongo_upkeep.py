"""Owns what is done to a MongoDB store as a whole: indexes of clients, dropping, sealed fields, sweeping what has expired."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure

from idp.api import language
from idp.api.document_store.contract import Index, Memory, NotUnique, Sealed, Write
from idp.api.document_store.mongo_link import MongoLink, answering, refusing
from idp.api.document_store.mongo_rows import Raw, Seals, seals_to_raw, to_seals

INDEX_PREFIX = "by."  # of the names of clients' indexes; ours have none
SWEPT_AT_ONCE = 500
NO_SUCH_INDEX, NO_SUCH_COLLECTION = 27, 26
ANOTHER_OF_THAT_NAME = (85, 86)


class MongoUpkeep:
    def __init__(self, link: MongoLink) -> None:
        self._link = link

    def ensure_index(self, collection: str, index: Index) -> None:
        self._link.prepare(collection)
        with refusing():
            try:
                self._make_index(collection, index)
            except OperationFailure as error:
                if error.code not in ANOTHER_OF_THAT_NAME:
                    raise
                self._drop_index(collection, index.name)
                self._make_index(collection, index)

    def _make_index(self, collection: str, index: Index) -> None:
        fields = [(language.mongo_path(path), direction) for path, direction in index.paths]
        try:
            if index.unique:
                present = {field: {"$exists": True} for field, _ in fields}
                options: Raw = {"unique": True, "partialFilterExpression": present}
            else:
                fields, options = [*fields, ("_id", 1)], {}  # sorts are completed by the id
            self._link.documents(collection).create_index(fields, name=INDEX_PREFIX + index.name, **options)
        except DuplicateKeyError:
            raise NotUnique(index.name) from None

    def drop_index(self, collection: str, name: str) -> None:
        with refusing():
            self._drop_index(collection, name)

    def _drop_index(self, collection: str, name: str) -> None:
        try:
            self._link.documents(collection).drop_index(INDEX_PREFIX + name)
        except OperationFailure as error:
            if error.code not in (NO_SUCH_INDEX, NO_SUCH_COLLECTION):
                raise

    def drop(self, collection: str) -> None:
        with refusing():
            self._link.documents(collection).drop()
            self._link.history.delete_many({"collection": collection})
        # It stands again, empty: other processes believe that its indexes are there.
        self._link.forget(collection)
        self._link.prepare(collection)

    # --- sealed fields ---------------------------------------------------------------------------------------------

    def sealed_under(self, key_id: str, limit: int) -> list[Sealed]:
        found: list[Sealed] = []
        with answering():
            for name in self._link.collections():
                for raw in self._sealed(self._link.documents(name), key_id, limit - len(found)):
                    found.append(Sealed(name, raw["_id"], 0, raw["data"], to_seals(raw)))
            for raw in self._sealed(self._link.history, key_id, limit - len(found)):
                found.append(Sealed(raw["collection"], raw["id"], raw["version"], raw["delta"], to_seals(raw)))
        return found

    def _sealed(self, collection: Collection[Raw], key_id: str, limit: int) -> list[Raw]:
        return list(collection.find({"seals.key": key_id}).limit(limit)) if limit > 0 else []

    def count_sealed(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        pipeline: list[Raw] = [
            {"$match": {"seals.key": {"$exists": True}}},
            {"$unwind": "$seals"},
            {"$group": {"_id": {"key": "$seals.key", "of": "$_id"}}},
            {"$group": {"_id": "$_id.key", "count": {"$sum": 1}}},
        ]
        with refusing():
            for collection in (*map(self._link.documents, self._link.collections()), self._link.history):
                for raw in collection.aggregate(pipeline):
                    counts[raw["_id"]] = counts.get(raw["_id"], 0) + raw["count"]
        return counts

    def reseal(self, old: Sealed, body: dict[str, Any], seals: Seals) -> bool:
        if old.past_version:
            collection, name = self._link.history, "delta"
            wanted: Raw = {"collection": old.collection, "id": old.id, "version": old.past_version}
        else:
            collection, name, wanted = self._link.documents(old.collection), "data", {"_id": old.id}
        stands = {name: {"$eq": old.body}, **seals_to_raw(old.seals)}
        change: Raw = {"$set": {name: body, **seals_to_raw(seals)}}
        if not seals:
            change["$unset"] = {"seals": True}
        with answering():
            return bool(collection.update_one(wanted | stands, change).matched_count)

    # --- what has expired ------------------------------------------------------------------------------------------
    # Not by a TTL index: MongoDB would delete the documents at times of its own, and leave their history behind.

    def sweep(self, now: float) -> int:
        with answering():
            names = self._link.collections()
            forgotten = self._link.memories.delete_many({"until": {"$lte": now}}).deleted_count
        return forgotten + sum(self._sweep(name, now) for name in names)

    def _forget_expired(self, writes: Sequence[Write], remember: Memory | None) -> int:
        """What stands in the way of a commit though it has expired."""
        count = 0
        if remember:
            with answering():
                old = {"_id": remember.key, "until": {"$lte": remember.at}}
                count += self._link.memories.delete_one(old).deleted_count
        if writes:
            now = max(datetime.fromisoformat(write.document.updated_at).timestamp() for write in writes)
            count += sum(self._sweep(name, now) for name in {write.document.collection for write in writes})
        return count

    def _sweep(self, collection: str, now: float) -> int:
        documents = self._link.documents(collection)
        expired = {"expires_at": {"$lte": now}}

        def forget(session: ClientSession) -> int:
            ids = [raw["_id"] for raw in documents.find(expired, {"_id": 1}, session=session).limit(SWEPT_AT_ONCE)]
            if ids:
                documents.delete_many({"_id": {"$in": ids}, **expired}, session=session)
                self._link.history.delete_many({"collection": collection, "id": {"$in": ids}}, session=session)
            return len(ids)

        with answering():
            found = documents.find_one(expired, {"_id": 1})
        return self._link.transaction(forget) if found else 0
