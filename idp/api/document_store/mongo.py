"""Owns documents in MongoDB (a replica set): one collection per collection, and one history of all, which is the feed.

How they lie there is left to mongo_rows.py, the connection to mongo_link.py, watching to mongo_feed.py, what operators do
(indexes, sealing, sweeping) to mongo_upkeep.py.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import bson
from pymongo import DeleteOne, InsertOne, ReplaceOne
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError, DuplicateKeyError

from idp.api import language
from idp.api.document_store.contract import (
    Document,
    DoneBefore,
    Duplicate,
    Find,
    Found,
    Memory,
    NotUnique,
    Overtaken,
    Past,
    Sight,
    Write,
    page_of,
)  # fmt: skip
from idp.api.document_store.mongo_feed import MongoFeed
from idp.api.document_store.mongo_link import MongoLink, answering, searching
from idp.api.document_store.mongo_rows import (
    Raw,
    document_to_raw,
    memory_to_raw,
    past_to_raw,
    to_document,
    to_memory,
    to_past,
    visible,
)  # fmt: skip
from idp.api.document_store.mongo_upkeep import INDEX_PREFIX, MongoUpkeep

DUPLICATE_KEY = 11000
Operation = InsertOne[Raw] | ReplaceOne[Raw] | DeleteOne


class MongoDocumentStore(MongoUpkeep):
    """`uri` may name a database: mongodb://host/name. Raises Misconfigured."""

    def __init__(self, uri: str) -> None:
        super().__init__(MongoLink(uri))
        self._feed = MongoFeed(self._link)

    def commit(self, writes: Sequence[Write], remember: Memory | None = None) -> None:
        self._link.prepare(*{write.document.collection for write in writes})
        try:
            self._link.transaction(lambda session: self._write(session, writes, remember))
        except (Duplicate, NotUnique, DoneBefore):
            if not self._forget_expired(writes, remember):
                raise
            self._link.transaction(lambda session: self._write(session, writes, remember))

    def _write(self, session: ClientSession, writes: Sequence[Write], remember: Memory | None) -> None:
        if remember:  # first: of a command that comes again, nothing else may be looked at
            try:
                self._link.memories.insert_one(memory_to_raw(remember), session=session)
            except DuplicateKeyError:
                raise DoneBefore(remember.key) from None
        for collection, group in groupby(writes, key=lambda write: write.document.collection):
            self._write_documents(session, collection, list(group))
        if lines := [past_to_raw(write.past) for write in writes if write.past]:
            self._link.history.insert_many(lines, session=session)

    def _write_documents(self, session: ClientSession, collection: str, writes: list[Write]) -> None:
        try:
            done = self._link.documents(collection).bulk_write([_operation(w) for w in writes], session=session)
        except BulkWriteError as error:
            fault = error.details["writeErrors"][0]
            if fault["code"] != DUPLICATE_KEY:
                raise
            index = re.search(r"index: (\S+)", fault["errmsg"])
            if index is None or not index[1].startswith(INDEX_PREFIX):
                raise Duplicate(writes[fault["index"]].document.id) from None
            raise NotUnique(index[1].removeprefix(INDEX_PREFIX)) from None
        if done.inserted_count + done.matched_count + done.deleted_count != len(writes):
            raise Overtaken(self._overtaken(collection, writes))

    def _overtaken(self, collection: str, writes: list[Write]) -> str:
        """Which one it was is not in the answer of the server; versions only grow, so it can still be seen."""
        wanted = {write.document.id: write.was for write in reversed(writes) if write.was}
        found = self._link.documents(collection).find({"_id": {"$in": list(wanted)}}, {"version": 1})
        stored = {raw["_id"]: raw["version"] for raw in found}
        return next((id for id, was in wanted.items() if stored.get(id) != was), next(iter(wanted)))

    def recall(self, key: str, now: float) -> Memory | None:
        with answering():
            raw = self._link.memories.find_one({"_id": key, "until": {"$gt": now}})
        return to_memory(raw) if raw else None

    def conclude(self, memory: Memory) -> None:
        with answering():
            answered = {"answer": memory.answer, "until": memory.until}
            self._link.memories.update_one({"_id": memory.key, "answer": ""}, {"$set": answered})

    def get(self, collection: str, id: str, now: float) -> Document | None:
        with answering():
            raw = self._link.documents(collection).find_one({"_id": id})
        document = to_document(collection, raw) if raw else None
        return document if document and (document.expires_at is None or document.expires_at > now) else None

    def find(self, collection: str, asked: Find) -> Found:
        sort = [(language.mongo_path(path), direction) for path, direction in asked.sort]
        cursor = (
            self._link.documents(collection).find(_filter(asked)).sort(sort).skip(asked.skip).limit(asked.limit + 1)
        )
        with searching(), cursor:
            return page_of(((to_document(collection, raw), len(bson.encode(raw))) for raw in cursor), asked.limit)

    def count(self, collection: str, where: language.Node, sight: Sight, at_most: int) -> int:
        with searching():
            return self._link.documents(collection).count_documents(_seen(sight, where), limit=at_most)

    def distinct(
        self, collection: str, path: language.Path, where: language.Node, sight: Sight, at_most: int
    ) -> list[Any]:
        pipeline = [{"$match": _seen(sight, where)}, *_values(path), {"$sort": {"_id": 1}}, {"$limit": at_most + 1}]
        with self._running(collection, pipeline) as rows:
            return [raw["_id"]["value"] for raw in rows]

    def aggregate(self, collection: str, stages: language.Pipeline, sight: Sight, at_most: int) -> list[dict[str, Any]]:
        pipeline = [{"$match": visible(sight)}, *language.pipeline_to_mongo(stages, at_most)]
        with self._running(collection, pipeline) as rows:
            return language.check_rows(stages, rows, at_most)

    @contextmanager
    def _running(self, collection: str, pipeline: list[Raw]) -> Iterator[Iterator[Raw]]:
        with searching(), self._link.documents(collection).aggregate(pipeline, allowDiskUse=False) as cursor:
            yield cursor

    def explain(self, collection: str, asked: Find) -> dict[str, Any]:
        question = {
            "find": self._link.documents(collection).name,
            "filter": _filter(asked),
            "sort": {language.mongo_path(path): direction for path, direction in asked.sort},
            "skip": asked.skip,
            "limit": asked.limit + 1,
        }
        with searching():
            plan = self._link.database.command("explain", question, verbosity="executionStats")
        indexes = [step["indexName"] for step in _steps(plan["queryPlanner"]["winningPlan"]) if "indexName" in step]
        run = plan["executionStats"]
        examined = run["totalKeysExamined"] + run["totalDocsExamined"]
        index = indexes[0].removeprefix(INDEX_PREFIX) if indexes else None
        return {"index": index, "examined": examined, "engine": plan["queryPlanner"]["winningPlan"]}

    def past(self, collection: str, id: str, upto: int | None = None) -> list[Past]:
        lines = []
        with answering():
            for line in self._versions(collection, id, {} if upto is None else {"$lte": upto}):
                lines.append(line)
                if "whole" in line.delta:
                    break
        return lines[::-1]

    def history(self, collection: str, id: str, before: int | None, limit: int) -> list[Past]:
        with answering():
            return list(self._versions(collection, id, {} if before is None else {"$lt": before}, limit))

    def _versions(self, collection: str, id: str, version: Raw, limit: int = 0) -> Iterator[Past]:
        wanted = {"collection": collection, "id": id} | ({"version": version} if version else {})
        with self._link.history.find(wanted).sort([("version", -1), ("_id", -1)]).limit(limit) as cursor:
            yield from map(to_past, cursor)

    def position(self) -> str:
        return self._feed.position()

    def feed(self, after: str, limit: int, wait_seconds: float) -> list[Past]:
        return self._feed.lines(after, limit, wait_seconds)

    def ready(self) -> None:
        self._link.ready()

    def close(self) -> None:
        self._feed.close()
        self._link.client.close()


def _operation(write: Write) -> Operation:
    document = write.document
    if write.was == 0:
        return InsertOne(document_to_raw(document))
    stored = {"_id": document.id, "version": write.was}
    return DeleteOne(stored) if write.action == "delete" else ReplaceOne(stored, document_to_raw(document))


def _filter(asked: Find) -> Raw:
    behind = [{"_id": {"$gt": asked.after}}] if asked.after is not None else []
    return _seen(asked.sight, asked.where, *behind)


def _seen(sight: Sight, where: language.Node, *more: Raw) -> Raw:
    return {"$and": [visible(sight), *more, language.to_mongo(where)]}


def _values(path: language.Path) -> Iterator[Raw]:
    """Each item of a list for itself on every step of the path, as the command `distinct` goes, but with an end."""
    names = language.mongo_path(path).split(".")
    for length in range(1, len(names) + 1):
        field = ".".join(names[:length])
        if length > 1:  # a list within a list has no fields
            yield {"$match": {".".join(names[: length - 1]): {"$not": {"$type": "array"}}}}
        yield {"$unwind": {"path": f"${field}", "preserveNullAndEmptyArrays": True}}
    yield {"$match": {field: {"$exists": True}}}
    yield {
        "$group": {"_id": {"value": f"${field}"}}
    }  # within an object: sorted by itself, a list would be by its smallest item


def _steps(plan: Raw) -> Iterator[Raw]:
    yield plan
    for inner in (plan.get("inputStage"), plan.get("queryPlan"), *plan.get("inputStages", ())):
        if inner:
            yield from _steps(inner)
