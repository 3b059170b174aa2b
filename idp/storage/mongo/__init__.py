"""The cluster store: idp.ports.Repository on MongoDB, every write acknowledged by the majority and in the journal.
Leaves the connection to connection, indexes and migrations to schema, the form of records to rows.

The body is the same JSON text as on SQLite: a key such as `$where` or `urn.oid` in it is never more than text. With the
companion's own stores this package is the only importer of pymongo.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pymongo import errors
from pymongo.collection import Collection as MongoCollection

from idp.base.clock import Clock
from idp.ports import Duplicate
from idp.storage.collections import COLLECTIONS, Collection
from idp.storage.migrations import STEPS, Step
from idp.storage.mongo import schema
from idp.storage.mongo.connection import OPERATION_SECONDS, Connection, Document
from idp.storage.rows import Row, Rows, Table, text

T = TypeVar("T")
R = TypeVar("R")
SHOWN = {"body": 1, "version": 1, "consumed_at": 1}


class MongoRepository:
    """Repository on a MongoDB replica set or sharded cluster (or a single server, then without fail-over).

    Connects at the first use in each process, and can raise Misconfigured there. `uri` may name the database; its other
    options are respected, but never those that would weaken durability. Raises Misconfigured for a URI that is none.
    """

    def __init__(
        self,
        uri: str,
        clock: Clock,
        *,
        collections: Iterable[Collection] = COLLECTIONS,
        steps: Sequence[Step] = STEPS,
        operation_seconds: float = OPERATION_SECONDS,
    ) -> None:
        self._clock = clock
        self._table = table = Table(collections)
        self._connection = Connection(
            uri, operation_seconds, lambda database: schema.bring_up_to_date(database, table, steps)
        )

    @property
    def engine(self) -> str:
        """Name and version of the server, for `idp doctor`."""
        rows = next(iter(self._table))
        version = self._run(rows, lambda found: str(found.database.client.server_info()["version"]), nothing="?")
        return f"MongoDB {version}"

    def get(self, kind: type[T], id: str) -> T | None:
        rows = self._table.of(kind)
        wanted = self._live(rows, {"_id": text(id)})
        found = self._run(rows, lambda collection: collection.find_one(wanted, SHOWN), nothing=None)
        return None if found is None else _record(rows, found)

    def find(self, kind: type[T], *, limit: int = 1000, newest: bool = False, **where: str | None) -> list[T]:
        rows = self._table.of(kind)
        wanted = self._live(rows, rows.checked(where))
        if limit < 1:  # 0 means no limit on MongoDB
            return []
        order = -1 if newest else 1
        nothing: list[Document] = []
        found = self._run(
            rows,
            lambda collection: list(collection.find(wanted, SHOWN).sort("_id", order).limit(limit)),
            nothing=nothing,
        )
        return [_record(rows, each) for each in found]

    def insert(self, record: object) -> None:
        self.insert_all(record)

    def insert_all(self, *records: object) -> None:
        """No transaction: it would need a replica set, and cost more than the writes. Callers know (idp.ports)."""
        self._add(self._dumped(records))

    def replace_if(self, record: T) -> T | None:
        rows = self._table.of(type(record))
        old = rows.version_of(record)
        new: T = replace(record, version=old + 1)  # type: ignore[type-var]
        row = rows.dump(new)
        # What is consumed stays consumed, whatever a writer holds in its hands.
        wanted = self._live(rows, {"_id": row.id, "version": old, "consumed_at": {"$in": [None, row.consumed_at]}})
        change = {"$set": {"version": old + 1, **schema.columns(rows, row)}}
        done = self._write(rows, row, lambda collection: collection.update_one(wanted, change).modified_count > 0)
        return new if done else None

    def consume(self, kind: type[T], id: str, also: Sequence[object] = ()) -> T | None:
        """A read and an update guarded by what was read, as find_one_and_update may be answered twice after a fail-over."""
        rows = self._table.of(kind)
        rows.must_be_consumable()
        dumped = self._dumped(also)
        wanted = self._live(rows, {"_id": text(id), "consumed_at": None})
        while found := self._run(rows, lambda collection: collection.find_one(wanted, SHOWN), nothing=None):
            consumed = self._consume(rows, wanted, found)
            if consumed is not None:
                self._add(dumped)
                return consumed
        return None  # else it was replaced meanwhile: look again

    def delete(self, kind: type[Any], id: str) -> bool:
        rows = self._table.of(kind)
        wanted = self._live(rows, {"_id": text(id)})
        return self._run(rows, lambda collection: collection.delete_one(wanted).deleted_count, nothing=0) > 0

    def delete_where(self, kind: type[Any], **where: str) -> int:
        rows = self._table.of(kind)
        given = rows.checked(where, none=False)
        if not given:
            raise ValueError("delete_where needs at least one key")
        wanted = self._live(rows, given)
        return self._run(rows, lambda collection: collection.delete_many(wanted).deleted_count, nothing=0)

    def sweep(self) -> int:
        ended = {schema.GONE_AT: {"$lte": schema.date(self._clock())}}
        ending = [rows for rows in self._table if rows.expires]
        return sum(self._run(rows, lambda each: each.delete_many(ended).deleted_count, nothing=0) for rows in ending)

    def close(self) -> None:
        """Closes the connections of this process. No call may be under way; a later one gets StoreUnavailable."""
        self._connection.close()

    def _live(self, rows: Rows[Any], wanted: Mapping[str, Any]) -> Document:
        """The TTL index only clears away, an hour late: what counts is the time of now in every filter."""
        return {**wanted, "expires_at": {"$gt": self._clock()}} if rows.expires else dict(wanted)

    def _run(self, rows: Rows[Any], act: Callable[[MongoCollection[Document]], R], *, nothing: R) -> R:
        """nothing: the answer when a value is no Unicode (a lone surrogate), which was never stored."""
        try:
            with self._connection.collection(rows.name) as collection:
                return act(collection)
        except UnicodeEncodeError:
            return nothing

    def _write(self, rows: Rows[Any], row: Row, act: Callable[[MongoCollection[Document]], bool]) -> bool:
        """Insert or update; an id or unique key that only an expired record holds is freed first. Raises Duplicate."""
        with self._connection.collection(rows.name) as collection:
            try:
                return act(collection)
            except errors.DuplicateKeyError as error:
                if not rows.expires:
                    raise _duplicate(rows, error) from None
            self._free(collection, rows, row)
            try:
                return act(collection)
            except errors.DuplicateKeyError as error:
                raise _duplicate(rows, error) from None

    def _dumped(self, records: Iterable[object]) -> list[tuple[Rows[Any], Row]]:
        """Before the first is written: what cannot be stored is refused while nothing has happened."""
        kinds = ((self._table.of(type(record)), record) for record in records)
        return [(rows, rows.dump(record)) for rows, record in kinds]

    def _add(self, dumped: Iterable[tuple[Rows[Any], Row]]) -> None:
        for rows, row in dumped:
            document = {"_id": row.id, "version": row.version, **schema.columns(rows, row)}
            self._write(rows, row, lambda collection, new=document: bool(collection.insert_one(new)))  # type: ignore[misc]

    def _free(self, collection: MongoCollection[Document], rows: Rows[Any], row: Row) -> None:
        held = dict(zip(rows.keys, row.keys, strict=True)) | {"_id": row.id}
        ended = {"expires_at": {"$lte": self._clock()}}
        for group in (("_id",), *rows.collection.unique):
            if all(held[key] is not None for key in group):
                collection.delete_many({key: held[key] for key in group} | ended)

    def _consume(self, rows: Rows[T], wanted: Document, found: Document) -> T | None:
        now, version = self._clock(), found["version"]
        guarded = {**wanted, "version": version}
        change = {"$set": {"consumed_at": now, "version": version + 1}}
        if not self._run(rows, lambda collection: collection.update_one(guarded, change).modified_count, nothing=0):
            return None
        return _record(rows, {**found, "version": version + 1, "consumed_at": now})


def _record(rows: Rows[T], found: Document) -> T:
    return rows.load(found["_id"], found.get("body", ""), found.get("version", 0), found.get("consumed_at"))


def _duplicate(rows: Rows[Any], error: errors.DuplicateKeyError) -> Duplicate:
    """Servers name the key in keyPattern; older ones only name the index, in the message."""
    pattern = (error.details or {}).get("keyPattern")
    if not pattern:
        named = re.search(r"index: (\S+)", str(error))
        pattern = schema.key_of(rows, named.group(1) if named else "")
    return Duplicate(rows.name, ["id" if key == "_id" else key for key in pattern])
