"""Owns documents in MongoDB: one collection per collection, what the client wrote under `data`, ACL keys indexed beside it.

Every write waits for the majority and the journal; reads see only what the majority has.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bson
import pymongo
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, ExecutionTimeout, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from idp.api import acl
from idp.api.document_store.contract import QUERY_SECONDS, Document, Duplicate, Find, Found, page_of
from idp.api.problems import bad_request, unavailable
from idp.api.query import mongo_path, to_mongo
from idp.base.errors import Misconfigured

CALL_SECONDS = 8.0
PREFIX = "docs."  # no collection of a client can meet one of somebody else in the same database
DEFAULT_DATABASE = "sheaf_api"
Raw = dict[str, Any]


class MongoDocumentStore:
    """`uri` may name a database: mongodb://host/name."""

    def __init__(self, uri: str) -> None:
        try:
            self._client: pymongo.MongoClient[Raw] = pymongo.MongoClient(
                uri, serverSelectionTimeoutMS=3000, connectTimeoutMS=3000, appname="sheaf-api", connect=False
            )
        except (PyMongoError, ValueError):
            # The message of pymongo may hold the URI and with it the password.
            raise Misconfigured("api.store", "The MongoDB URI cannot be read.", "Check it.") from None
        self._database: Database[Raw] = self._client.get_default_database(DEFAULT_DATABASE).with_options(
            write_concern=WriteConcern(w="majority", j=True, wtimeout=5000),
            read_concern=ReadConcern("majority"),
            read_preference=pymongo.ReadPreference.PRIMARY,
        )
        self._indexed: set[str] = set()
        self._lock = threading.Lock()

    def insert(self, document: Document) -> None:
        with _errors():
            collection = self._collection(document.collection)
            self._index(collection)
            try:
                collection.insert_one(_raw(document))
            except DuplicateKeyError:
                raise Duplicate(document.id) from None

    def get(self, collection: str, id: str) -> Document | None:
        with _errors():
            raw = self._collection(collection).find_one({"_id": id})
        return _document(collection, raw) if raw else None

    def find(self, collection: str, asked: Find) -> Found:
        parts: list[Raw] = []
        if asked.visible is not None:  # first, so that the index on it is used
            keys = sorted(asked.visible)
            parts += [{"allow": {"$in": keys}}, {"deny": {"$nin": keys}}]
        if asked.after is not None:
            parts.append({"_id": {"$gt": asked.after}})
        if where := to_mongo(asked.where):
            parts.append(where)
        sort = [(mongo_path(path), direction) for path, direction in asked.sort]
        with _errors():
            cursor = self._collection(collection).find({"$and": parts} if parts else {})
            cursor = cursor.sort(sort).skip(asked.skip).limit(asked.limit + 1).max_time_ms(int(QUERY_SECONDS * 1000))
            try:
                return page_of(((_document(collection, raw), len(bson.encode(raw))) for raw in cursor), asked.limit)
            except ExecutionTimeout:
                message = f"The query took longer than {QUERY_SECONDS:g} s. Narrow it."
                raise bad_request("query_too_slow", message) from None

    def replace_if(self, document: Document) -> bool:
        with _errors():
            match = {"_id": document.id, "version": document.version - 1}
            return bool(self._collection(document.collection).replace_one(match, _raw(document)).matched_count)

    def delete_if(self, collection: str, id: str, version: int) -> bool:
        with _errors():
            return bool(self._collection(collection).delete_one({"_id": id, "version": version}).deleted_count)

    def ready(self) -> None:
        with _errors():
            self._client.admin.command("ping")

    def close(self) -> None:
        self._client.close()

    def _collection(self, name: str) -> Collection[Raw]:
        return self._database[PREFIX + name]

    def _index(self, collection: Collection[Raw]) -> None:
        if collection.name in self._indexed:
            return
        collection.create_index([("allow", 1), ("_id", 1)])
        with self._lock:
            self._indexed.add(collection.name)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        with pymongo.timeout(CALL_SECONDS):
            yield
    except PyMongoError as error:
        raise unavailable("store", f"{type(error).__name__} (code {getattr(error, 'code', None)})") from error


def _raw(document: Document) -> Raw:
    d, keys = document, acl.stored_keys(document.acl)
    return {
        "_id": d.id,
        "version": d.version,
        "created_at": d.created_at,
        "created_by": d.created_by,
        "updated_at": d.updated_at,
        "updated_by": d.updated_by,
        "acl": acl.to_json(d.acl),
        "allow": sorted(keys.allow),
        "deny": sorted(keys.deny),
        "data": d.data,
    }


def _document(collection: str, raw: Raw) -> Document:
    return Document(
        collection=collection,
        id=raw["_id"],
        version=raw["version"],
        created_at=raw["created_at"],
        created_by=raw["created_by"],
        updated_at=raw["updated_at"],
        updated_by=raw["updated_by"],
        acl=acl.from_json(raw["acl"]),
        data=raw["data"],
    )
