"""Owns documents in a SQLite file. SQL narrows by collection, ACL and position; the matcher of query.py decides.

What client JSON holds never becomes part of an SQL text: every value is bound, and field names stay in Python.
"""

import heapq
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import islice
from pathlib import Path
from typing import Any

from idp.api import acl
from idp.api.document_store.contract import QUERY_SECONDS, Document, Duplicate, Find, Found, page_of, view
from idp.api.problems import bad_request
from idp.api.query import Sort, Tick, sort_key, to_predicate
from idp.api.sqlite_file import SqliteFile

SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
  collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  created_at TEXT NOT NULL, created_by TEXT NOT NULL, updated_at TEXT NOT NULL, updated_by TEXT NOT NULL,
  acl TEXT, data TEXT NOT NULL, PRIMARY KEY (collection, id)
);
CREATE TABLE IF NOT EXISTS rule (
  collection TEXT NOT NULL, key TEXT NOT NULL, effect TEXT NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (collection, key, effect, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rule_of_document ON rule (collection, id, effect, key)
"""
COLUMNS = "collection, id, version, created_at, created_by, updated_at, updated_by, acl, data"


class SqliteDocumentStore:
    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, SCHEMA, "store")

    def insert(self, document: Document) -> None:
        with self._file.transaction() as connection:
            try:
                connection.execute(f"INSERT INTO document ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)", _row(document))  # noqa: S608  (constant)
            except sqlite3.IntegrityError:
                raise Duplicate(document.id) from None
            _write_rules(connection, document)

    def get(self, collection: str, id: str) -> Document | None:
        with self._file.reading() as connection:
            row = _get(connection, collection, id)
        return _document(row) if row else None

    def find(self, collection: str, asked: Find) -> Found:
        in_time = _limit_of_time()
        matches = to_predicate(asked.where, in_time)
        with self._file.reading() as connection:
            found = (d for d in self._visible(connection, collection, asked, in_time) if matches(view(d[0])))
            if asked.sort == ((("_id",), 1),):  # the order in which they are read
                return page_of(islice(found, asked.skip, None), asked.limit)
            # Only places and ids are held while all are sorted; the documents of the page are read again, as they were.
            places = (_Sorted.by(asked.sort, d) for d, _ in found)
            ids = [s.id for s in heapq.nsmallest(asked.skip + asked.limit + 1, places)][asked.skip :]
            rows = (_get(connection, collection, id) for id in ids)
            return page_of(((_document(row), len(row[8])) for row in rows if row), asked.limit)

    def replace_if(self, document: Document) -> bool:
        row = _row(document)
        with self._file.transaction() as connection:
            changed = connection.execute(
                "UPDATE document SET version = ?, created_at = ?, created_by = ?, updated_at = ?, updated_by = ?, acl = ?,"
                " data = ? WHERE collection = ? AND id = ? AND version = ?",
                (*row[2:], document.collection, document.id, document.version - 1),
            ).rowcount
            if changed:
                _write_rules(connection, document)
        return bool(changed)

    def delete_if(self, collection: str, id: str, version: int) -> bool:
        with self._file.transaction() as connection:
            sql = "DELETE FROM document WHERE collection = ? AND id = ? AND version = ?"
            changed = connection.execute(sql, (collection, id, version)).rowcount
            if changed:
                connection.execute("DELETE FROM rule WHERE collection = ? AND id = ?", (collection, id))
        return bool(changed)

    def ready(self) -> None:
        with self._file.reading() as connection:
            connection.execute("SELECT 1 FROM document LIMIT 1")

    def close(self) -> None:
        self._file.close()

    def _visible(
        self, connection: sqlite3.Connection, collection: str, asked: Find, in_time: Tick
    ) -> Iterator[tuple[Document, int]]:
        """With the bytes of their data, in the order of ids. As acl.may: one allowed key at least, no denied one."""
        where, values = ["collection = ?"], [collection]
        if asked.after is not None:
            where.append("id > ?")
            values.append(asked.after)
        if asked.visible is not None:
            keys = sorted(asked.visible)
            marks = ",".join("?" * len(keys))
            for effect, verb in (("allow", "IN"), ("deny", "NOT IN")):
                chosen = f"SELECT id FROM rule WHERE collection = ? AND effect = '{effect}' AND key IN ({marks})"  # noqa: S608
                where.append(f"id {verb} ({chosen})")
                values += [collection, *keys]
        sql = f"SELECT {COLUMNS} FROM document WHERE {' AND '.join(where)} ORDER BY id"  # noqa: S608  (constants and marks)
        for row in connection.execute(sql, values):
            in_time()
            yield _document(row), len(row[8])


def _limit_of_time() -> Tick:
    """To be called while a query works. Raises Refused 400 query_too_slow."""
    deadline = time.monotonic() + QUERY_SECONDS

    def in_time() -> None:
        if time.monotonic() > deadline:
            raise bad_request("query_too_slow", f"The query took longer than {QUERY_SECONDS:g} s. Narrow it.")

    return in_time


def _get(connection: sqlite3.Connection, collection: str, id: str) -> Any:
    sql = f"SELECT {COLUMNS} FROM document WHERE collection = ? AND id = ?"  # noqa: S608  (constant)
    return connection.execute(sql, (collection, id)).fetchone()


def _row(document: Document) -> tuple[Any, ...]:
    d = document
    entries = acl.to_json(d.acl)
    return (
        d.collection, d.id, d.version, d.created_at, d.created_by, d.updated_at, d.updated_by,
        None if entries is None else json.dumps(entries), json.dumps(d.data),
    )  # fmt: skip


def _document(row: tuple[Any, ...]) -> Document:
    entries = None if row[7] is None else acl.from_json(json.loads(row[7]))
    collection, id, version, created_at, created_by, updated_at, updated_by = row[:7]
    data = json.loads(row[8])
    return Document(collection, id, version, created_at, created_by, updated_at, updated_by, entries, data)


def _write_rules(connection: sqlite3.Connection, document: Document) -> None:
    connection.execute("DELETE FROM rule WHERE collection = ? AND id = ?", (document.collection, document.id))
    keys = acl.stored_keys(document.acl)
    connection.executemany(
        "INSERT INTO rule (collection, key, effect, id) VALUES (?,?,?,?)",
        [(document.collection, key, "allow", document.id) for key in keys.allow]
        + [(document.collection, key, "deny", document.id) for key in keys.deny],
    )


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The id of a document with its place in a sort of several directions."""

    place: tuple[Any, ...]
    id: str

    @classmethod
    def by(cls, sort: Sort, document: Document) -> "_Sorted":
        seen = view(document)
        return cls(tuple(_place(sort_key(seen, path, way), way) for path, way in sort), document.id)

    def __lt__(self, other: "_Sorted") -> bool:
        return self.place < other.place


def _compare_backwards(a: tuple[Any, ...], b: tuple[Any, ...]) -> int:
    return (a < b) - (a > b)


_descending = cmp_to_key(_compare_backwards)


def _place(key: tuple[Any, ...], direction: int) -> Any:
    return key if direction > 0 else _descending(key)
