"""Owns what changes the embedded document store, within a transaction of the caller: documents with the keys that searches
use, their history, memories, sealed places.
"""

import json
import sqlite3
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from idp.api.document_store.contract import (
    Document,
    DoneBefore,
    Duplicate,
    Index,
    Memory,
    NotUnique,
    Overtaken,
    Past,
    Sealed,
    Write,
    view,
)
from idp.api.document_store.keys import holds_all, keys_of
from idp.api.document_store.sqlite_schema import (
    DOCUMENT,
    EXPIRES,
    PAST,
    Row,
    Seals,
    acl_text,
    document_row,
    key_ids,
    keys_of_acl,
    past_row,
    seals_text,
    to_document,
    to_seals,
    to_text,
)

READ = "read:"  # only this right is searched by
AT_ONCE = 500  # documents in one transaction, so that nobody waits long for his turn


@dataclass(frozen=True, slots=True)
class StoredIndex:
    """several: some document has more than one key in it. ready: every document is in it."""

    number: int
    index: Index
    several: bool
    ready: bool


def indexes_of(connection: sqlite3.Connection, collection: str) -> list[StoredIndex]:
    sql = "SELECT number, name, paths, is_unique, several, ready FROM field_index WHERE collection = ? ORDER BY name"
    return [
        StoredIndex(
            number,
            Index(name, tuple((tuple(path), way) for path, way in json.loads(paths)), bool(unique)),
            bool(several),
            bool(ready),
        )
        for number, name, paths, unique, several, ready in connection.execute(sql, (collection,))
    ]


def commit(connection: sqlite3.Connection, writes: Sequence[Write], remember: Memory | None) -> None:
    """Raises Duplicate, Overtaken, NotUnique, DoneBefore."""
    if remember is not None:
        _remember(connection, remember)
    indexes: dict[str, list[StoredIndex]] = {}
    for write in writes:
        collection = write.document.collection
        if collection not in indexes:
            indexes[collection] = indexes_of(connection, collection)
        _write(connection, write, indexes[collection])


def _remember(connection: sqlite3.Connection, memory: Memory) -> None:
    connection.execute("DELETE FROM memory WHERE key = ? AND until <= ?", (memory.key, memory.at))
    try:
        row = (memory.key, memory.request, memory.answer, memory.until)
        connection.execute("INSERT INTO memory (key, request, answer, until) VALUES (?,?,?,?)", row)
    except sqlite3.IntegrityError:
        raise DoneBefore(memory.key) from None


def _write(connection: sqlite3.Connection, write: Write, indexes: list[StoredIndex]) -> None:
    document = write.document
    row = _stored(connection, document.collection, document.id)
    if write.was == 0 and row is not None:
        if not _over(row, document):
            raise Duplicate(document.id)
        _forget(connection, row, indexes)
        row = None
    elif write.was and (row is None or row[2] != write.was):
        raise Overtaken(document.id)
    old = to_document(row) if row else None
    _put(connection, old, None if write.action == "delete" else document, indexes)
    if write.past is not None:
        _add_past(connection, write.past)


def _put(
    connection: sqlite3.Connection, old: Document | None, new: Document | None, indexes: list[StoredIndex]
) -> None:
    """Exchange the whole of a document (None: nothing) with everything that is kept beside it."""
    place = (new or old).collection, (new or old).id  # type: ignore[union-attr]
    if new is None:
        connection.execute("DELETE FROM document WHERE collection = ? AND id = ?", place)
    elif old is None:
        connection.execute(f"INSERT INTO document ({DOCUMENT}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", document_row(new))  # noqa: S608  (constant)
    else:
        connection.execute(
            "UPDATE document SET version = ?, created_at = ?, created_by = ?, updated_at = ?, updated_by = ?, acl = ?,"
            " data = ?, expires_at = ?, seals = ? WHERE collection = ? AND id = ?",
            (*document_row(new)[2:], *place),
        )
    _put_readers(connection, old, new)
    for stored in indexes:
        put_entries(connection, stored, old, new)
    _put_seals(connection, (*place, 0), old.seals if old else frozenset(), new.seals if new else frozenset())


def _put_readers(connection: sqlite3.Connection, old: Document | None, new: Document | None) -> None:
    before, after = _readers(old), _readers(new)
    connection.executemany("DELETE FROM allowed WHERE collection = ? AND key = ? AND id = ?", before - after)
    connection.executemany("INSERT INTO allowed (collection, key, id) VALUES (?,?,?)", after - before)


def _readers(document: Document | None) -> set[tuple[str, str, str]]:
    if document is None:
        return set()
    keys = keys_of_acl(acl_text(document.acl)).allow
    return {(document.collection, key, document.id) for key in keys if key.startswith(READ)}


def put_entries(
    connection: sqlite3.Connection, stored: StoredIndex, old: Document | None, new: Document | None
) -> None:
    """Raises NotUnique."""
    before = keys_of(view(old), stored.index) if old else frozenset()
    after = keys_of(view(new), stored.index) if new else frozenset()
    id = (new or old).id  # type: ignore[union-attr]
    _exchange(connection, "entry", stored, id, (before, after))
    if stored.index.unique:
        held = before if old and holds_all(view(old), stored.index) else frozenset()
        wanted = after if new and holds_all(view(new), stored.index) else frozenset()
        for key in wanted - held:
            _make_free(connection, stored, key, new)  # type: ignore[arg-type]
        _exchange(connection, "taken", stored, id, (held, wanted))
    if len(after) > 1 and not stored.several:
        connection.execute("UPDATE field_index SET several = 1 WHERE number = ?", (stored.number,))


def _exchange(
    connection: sqlite3.Connection, table: str, stored: StoredIndex, id: str, keys: tuple[Set[bytes], Set[bytes]]
) -> None:
    before, after = keys
    delete = f"DELETE FROM {table} WHERE number = ? AND key = ? AND id = ?"  # noqa: S608  (constants)
    connection.executemany(delete, [(stored.number, key, id) for key in before - after])
    insert = f"INSERT OR IGNORE INTO {table} (number, key, id) VALUES (?,?,?)"  # noqa: S608  (constants)
    connection.executemany(insert, [(stored.number, key, id) for key in after - before])


def _make_free(connection: sqlite3.Connection, stored: StoredIndex, key: bytes, new: Document) -> None:
    sql = "SELECT id FROM taken WHERE number = ? AND key = ? AND id != ?"
    if holder := connection.execute(sql, (stored.number, key, new.id)).fetchone():
        row = _stored(connection, new.collection, holder[0])
        if row is None or not _over(row, new):
            raise NotUnique(stored.index.name)
        _forget(connection, row, indexes_of(connection, new.collection))


def _over(row: Row, by: Document) -> bool:
    """Whether what is stored has expired for the writer of `by`, who stands in its way no more."""
    return row[EXPIRES] is not None and row[EXPIRES] <= datetime.fromisoformat(by.updated_at).timestamp()


def _forget(connection: sqlite3.Connection, row: Row, indexes: list[StoredIndex]) -> None:
    """A document with everything that is kept of it."""
    old = to_document(row)
    _put(connection, old, None, indexes)
    place = (old.collection, old.id)
    sql = "SELECT version, seals FROM past WHERE collection = ? AND id = ? AND seals IS NOT NULL"
    for version, seals in connection.execute(sql, place).fetchall():
        _put_seals(connection, (*place, version), to_seals(seals), frozenset())
    connection.execute("DELETE FROM past WHERE collection = ? AND id = ?", place)


def _stored(connection: sqlite3.Connection, collection: str, id: str) -> Row | None:
    sql = f"SELECT {DOCUMENT} FROM document WHERE collection = ? AND id = ?"  # noqa: S608  (constant)
    return connection.execute(sql, (collection, id)).fetchone()  # type: ignore[no-any-return]


def _add_past(connection: sqlite3.Connection, past: Past) -> None:
    columns = PAST.replace("position", "whole")
    connection.execute(f"INSERT INTO past ({columns}) VALUES (?,?,?,?,?,?,?,?,?,?)", past_row(past))  # noqa: S608  (constant)
    _put_seals(connection, (past.collection, past.id, past.version), frozenset(), past.seals)


def _put_seals(connection: sqlite3.Connection, place: tuple[str, str, int], before: Seals, after: Seals) -> None:
    if not before and not after:
        return
    old, new = key_ids(before), key_ids(after)
    sql = "DELETE FROM seal WHERE key_id = ? AND collection = ? AND id = ? AND past_version = ?"
    connection.executemany(sql, [(key_id, *place) for key_id in old - new])
    sql = "INSERT OR IGNORE INTO seal (key_id, collection, id, past_version) VALUES (?,?,?,?)"
    connection.executemany(sql, [(key_id, *place) for key_id in new - old])


def reseal(connection: sqlite3.Connection, old: Sealed, body: str, seals: Seals) -> bool:
    """`body` as JSON. False when what is stored is not what `old` says."""
    now = (body, seals_text(seals), old.collection, old.id)
    then = (to_text(old.body), seals_text(old.seals))
    if old.past_version:
        sql = "UPDATE past SET delta = ?, seals = ? WHERE collection = ? AND id = ? AND version = ? AND delta = ? AND seals = ?"
        done = connection.execute(sql, (*now, old.past_version, *then)).rowcount
    else:
        sql = "UPDATE document SET data = ?, seals = ? WHERE collection = ? AND id = ? AND data = ? AND seals = ?"
        done = connection.execute(sql, (*now, *then)).rowcount
    if done:
        _put_seals(connection, (old.collection, old.id, old.past_version), old.seals, seals)
    return bool(done)


def sweep(connection: sqlite3.Connection, now: float) -> int:
    """Some of what has expired: documents with their history, and memories."""
    forgotten = _forget_some(connection, "expires_at <= ? ORDER BY expires_at", now)
    sql = "DELETE FROM memory WHERE key IN (SELECT key FROM memory WHERE until <= ? LIMIT ?)"
    return forgotten + connection.execute(sql, (now, AT_ONCE)).rowcount


def drop_some(connection: sqlite3.Connection, collection: str) -> bool:
    """Forget documents of a collection, and with the last ones all the rest of it; then False."""
    if _forget_some(connection, "collection = ?", collection) == AT_ONCE:
        return True
    for stored in indexes_of(connection, collection):
        drop_index(connection, stored)
    for table in ("past", "seal"):
        connection.execute(f"DELETE FROM {table} WHERE collection = ?", (collection,))  # noqa: S608  (constants)
    return False


def drop_index(connection: sqlite3.Connection, stored: StoredIndex) -> None:
    for table in ("entry", "taken", "field_index"):
        connection.execute(f"DELETE FROM {table} WHERE number = ?", (stored.number,))  # noqa: S608  (constants)


def _forget_some(connection: sqlite3.Connection, condition: str, value: object) -> int:
    sql = f"SELECT {DOCUMENT} FROM document WHERE {condition} LIMIT ?"  # noqa: S608  (constants)
    rows = connection.execute(sql, (value, AT_ONCE)).fetchall()
    for row in rows:
        _forget(connection, row, indexes_of(connection, row[0]))
    return len(rows)
