"""Owns making, filling and removing indexes of the embedded document store. Keeping them is left to sqlite_writes.py.

An index is filled in parts, each a transaction of its own, so that a large collection keeps nobody waiting. Whoever writes
meanwhile keeps it already; searches use it when it is whole.
"""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager

from idp.api.document_store.contract import Index, NotUnique
from idp.api.document_store.sqlite_schema import DOCUMENT, to_document, to_text
from idp.api.document_store.sqlite_writes import AT_ONCE, StoredIndex, drop_index, indexes_of, put_entries
from idp.base.errors import Refused

Transaction = Callable[[], AbstractContextManager[sqlite3.Connection]]


def ensure(transaction: Transaction, collection: str, index: Index) -> None:
    """Raises NotUnique, Refused 400 parallel_lists or too_many_index_keys; then there is no such index."""
    with transaction() as connection:
        stored = _begun(connection, collection, index)
    filled: str | None = ""
    try:
        while not stored.ready and filled is not None:
            with transaction() as connection:
                filled = _fill(connection, collection, stored, filled)
    except (NotUnique, Refused):  # refused: a document cannot be in it
        with transaction() as connection:
            drop(connection, collection, index.name)
        raise


def drop(connection: sqlite3.Connection, collection: str, name: str) -> None:
    if stored := _named(connection, collection, name):
        drop_index(connection, stored)


def _begun(connection: sqlite3.Connection, collection: str, index: Index) -> StoredIndex:
    """What is there of it: another definition under its name makes way, a half filled one is filled on."""
    found = _named(connection, collection, index.name)
    if found and found.index != index:
        drop(connection, collection, index.name)
    paths = to_text([[list(path), way] for path, way in index.paths])
    connection.execute(
        "INSERT OR IGNORE INTO field_index (collection, name, paths, is_unique) VALUES (?,?,?,?)",
        (collection, index.name, paths, index.unique),
    )
    begun = _named(connection, collection, index.name)
    assert begun
    return begun


def _named(connection: sqlite3.Connection, collection: str, name: str) -> StoredIndex | None:
    return next((stored for stored in indexes_of(connection, collection) if stored.index.name == name), None)


def _fill(connection: sqlite3.Connection, collection: str, stored: StoredIndex, after: str) -> str | None:
    """The last id that is in it now; None when it is whole."""
    sql = f"SELECT {DOCUMENT} FROM document WHERE collection = ? AND id > ? ORDER BY id LIMIT ?"  # noqa: S608  (constants)
    rows = connection.execute(sql, (collection, after, AT_ONCE)).fetchall()
    for row in rows:
        put_entries(connection, stored, None, to_document(row))
    if len(rows) == AT_ONCE:
        return str(rows[-1][1])
    connection.execute("UPDATE field_index SET ready = 1 WHERE number = ?", (stored.number,))
    return None
