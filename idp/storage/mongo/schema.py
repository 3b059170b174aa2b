"""How a record is laid out as a document, its indexes, and bringing a database up to date. Leaves the verbs to the repository."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, errors
from pymongo.collection import Collection as MongoCollection
from pymongo.database import Database

from idp.base.errors import Misconfigured
from idp.storage.codec import dumps
from idp.storage.migrations import Change, Step, missing
from idp.storage.rows import Row, Rows, Table

Document = dict[str, Any]
META = "sheaf"  # the collection that says what the others hold
GONE_AT = "gone_at"  # expires_at as a date, for the TTL index
KEEP_SECONDS = 3600  # MongoDB's own clock may be ahead of ours
LAST_DATE = 253_402_300_799.0  # 9999-12-31


def columns(rows: Rows[Any], row: Row) -> Document:
    """Everything but _id and version."""
    document: Document = {
        "consumed_at": row.consumed_at,
        "body": row.body,
        **dict(zip(rows.keys, row.keys, strict=True)),
    }
    if row.expires_at is not None:
        document |= {"expires_at": row.expires_at, GONE_AT: date(row.expires_at, up=True)}
    return document


def date(seconds: float, *, up: bool = False) -> datetime:
    """In whole milliseconds, as BSON has no finer ones; rounded so that nothing seems to end too early."""
    millis = (math.ceil if up else math.floor)(min(max(seconds, 0.0), LAST_DATE) * 1000)
    return datetime.fromtimestamp(millis / 1000, UTC)


def key_of(rows: Rows[Any], index: str) -> tuple[str, ...]:
    return next((group for group in rows.collection.unique if _unique_name(group) == index), ("id",))


def bring_up_to_date(database: Database[Document], table: Table, steps: Sequence[Step]) -> None:
    """Several processes may do this at once: each part gives the same when it is done twice. Raises Misconfigured."""
    meta = database[META].find_one({"_id": "schema"}) or {"version": 0, "keys": {}}
    due = missing(meta["version"], steps)
    for rows in table:
        changes = [step.change for step in due if step.collection == rows.name]
        if changes or not set(meta["keys"].get(rows.name, ())).issuperset(rows.keys):
            _rewrite(database[rows.name], rows, changes)
        _make_indexes(database[rows.name], rows)
    stands = {"version": len(steps), "keys": {rows.name: list(rows.keys) for rows in table}}
    if stands != {name: meta.get(name) for name in stands}:
        _remember(database[META], stands)


def _remember(meta: MongoCollection[Document], stands: Document) -> None:
    for last in (False, True):
        try:
            meta.update_one({"_id": "schema"}, {"$set": stands}, upsert=True)
        except errors.DuplicateKeyError:  # two upserts at once
            if last:
                raise
        else:
            return


def _rewrite(collection: MongoCollection[Document], rows: Rows[Any], changes: Sequence[Change]) -> None:
    for found in collection.find({}, {"body": 1}):
        current: Document | None = found
        while current is not None and not _changed(collection, rows, changes, current):
            current = collection.find_one({"_id": found["_id"]}, {"body": 1})


def _changed(
    collection: MongoCollection[Document], rows: Rows[Any], changes: Sequence[Change], found: Document
) -> bool:
    """False when somebody wrote the document meanwhile."""
    plain = rows.changed(found["_id"], found.get("body", ""), changes)
    document: Document = {"body": dumps(plain), **dict(zip(rows.keys, rows.key_values(plain), strict=True))}
    if rows.expires and plain.get("expires_at") is not None:
        document |= {"expires_at": plain["expires_at"], GONE_AT: date(plain["expires_at"], up=True)}
    return collection.update_one({"_id": found["_id"], "body": found["body"]}, {"$set": document}).matched_count > 0


def _make_indexes(collection: MongoCollection[Document], rows: Rows[Any]) -> None:
    wanted = _indexes(rows)
    there = set(collection.index_information())
    for name in sorted(there - wanted.keys()):
        if name.startswith(("unique_", "lookup_", "expiry")):  # ours, not an administrator's
            _drop(collection, name)
    for name, (keys, options) in wanted.items():
        if name not in there:
            _make_index(collection, name, keys, options)


def _make_index(collection: MongoCollection[Document], name: str, keys: list[Any], options: Document) -> None:
    try:
        collection.create_index(keys, name=name, **options)
    except errors.DuplicateKeyError:
        problem = f"The stored {collection.name} hold values twice that must be unique ({name})."
        raise Misconfigured("store.url", problem, "Remove the doubles with the previous version first.") from None


def _drop(collection: MongoCollection[Document], name: str) -> None:
    try:
        collection.drop_index(name)
    except errors.OperationFailure as error:
        if error.code != 27:  # IndexNotFound: another process was faster
            raise


def _indexes(rows: Rows[Any]) -> dict[str, tuple[list[Any], Document]]:
    found: dict[str, tuple[list[Any], Document]] = {}
    for group in rows.collection.unique:
        # `>= ""` holds for every string and for nothing else. Unlike {$type: "string"} the planner can see that an equality
        # implies it, so the index serves look-ups too.
        some = {key: {"$gte": ""} for key in group}
        keys = [(key, ASCENDING) for key in group]
        found[_unique_name(group)] = (keys, {"unique": True, "partialFilterExpression": some})
    for key in rows.collection.lookup:
        found[f"lookup_{key}"] = ([(key, ASCENDING), ("_id", ASCENDING)], {})
    if rows.expires:
        found["expiry"] = ([(GONE_AT, ASCENDING)], {"expireAfterSeconds": KEEP_SECONDS})
    return found


def _unique_name(group: tuple[str, ...]) -> str:
    return "unique_" + "_".join(group)
