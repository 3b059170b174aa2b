"""Owns the embedded document store: the verbs of the contract on one SQLite file, each in its transaction.

What client JSON holds never becomes part of an SQL text: every value is bound, and field names stay in Python.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

from idp.api import language
from idp.api.document_store import sqlite_feed, sqlite_indexes, sqlite_search, sqlite_writes
from idp.api.document_store.contract import Document, Find, Found, Index, Memory, Past, Sealed, Sight, Write
from idp.api.document_store.sqlite_schema import CHANGES, DOCUMENT, EXPIRES, FIRST, Seals, to_document, to_text
from idp.api.sqlite_file import SqliteFile


class SqliteDocumentStore:
    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, FIRST, "store", CHANGES)
        self._closed = Event()

    def commit(self, writes: Sequence[Write], remember: Memory | None = None) -> None:
        with self._file.transaction() as connection:
            sqlite_writes.commit(connection, writes, remember)

    def recall(self, key: str, now: float) -> Memory | None:
        sql = "SELECT key, request, answer, until FROM memory WHERE key = ? AND until > ?"
        with self._file.single() as connection:
            row = connection.execute(sql, (key, now)).fetchone()
        return Memory(*row) if row else None

    def conclude(self, memory: Memory) -> None:
        sql = "UPDATE memory SET answer = ?, until = ? WHERE key = ? AND answer = ''"
        with self._file.transaction() as connection:
            connection.execute(sql, (memory.answer, memory.until, memory.key))

    def get(self, collection: str, id: str, now: float) -> Document | None:
        sql = f"SELECT {DOCUMENT} FROM document WHERE collection = ? AND id = ?"  # noqa: S608  (constant)
        with self._file.single() as connection:
            row = connection.execute(sql, (collection, id)).fetchone()
        return to_document(row) if row and (row[EXPIRES] is None or row[EXPIRES] > now) else None

    def find(self, collection: str, asked: Find) -> Found:
        with self._file.reading() as connection:
            return sqlite_search.find(connection, collection, asked)

    def count(self, collection: str, where: language.Node, sight: Sight, at_most: int) -> int:
        with self._file.reading() as connection:
            return sqlite_search.count(connection, collection, where, sight, at_most)

    def distinct(
        self, collection: str, path: language.Path, where: language.Node, sight: Sight, at_most: int
    ) -> list[Any]:
        with self._file.reading() as connection:
            return sqlite_search.distinct(connection, collection, path, where, sight, at_most)

    def aggregate(self, collection: str, stages: language.Pipeline, sight: Sight, at_most: int) -> list[dict[str, Any]]:
        with self._file.reading() as connection:
            return sqlite_search.aggregate(connection, collection, stages, sight, at_most)

    def ensure_index(self, collection: str, index: Index) -> None:
        sqlite_indexes.ensure(self._file.transaction, collection, index)

    def drop_index(self, collection: str, name: str) -> None:
        with self._file.transaction() as connection:
            sqlite_indexes.drop(connection, collection, name)

    def explain(self, collection: str, asked: Find) -> dict[str, Any]:
        with self._file.reading() as connection:
            return sqlite_search.explain(connection, collection, asked)

    def drop(self, collection: str) -> None:
        more = True
        while more:
            with self._file.transaction() as connection:
                more = sqlite_writes.drop_some(connection, collection)

    def past(self, collection: str, id: str, upto: int | None = None) -> list[Past]:
        with self._file.single() as connection:
            return sqlite_feed.past(connection, collection, id, upto)

    def history(self, collection: str, id: str, before: int | None, limit: int) -> list[Past]:
        with self._file.single() as connection:
            return sqlite_feed.history(connection, collection, id, before, limit)

    def position(self) -> str:
        with self._file.single() as connection:
            return sqlite_feed.position(connection)

    def feed(self, after: str, limit: int, wait_seconds: float) -> list[Past]:
        return sqlite_feed.feed(self._file.reading, after, limit, time.monotonic() + wait_seconds, self._closed)

    def sealed_under(self, key_id: str, limit: int) -> list[Sealed]:
        with self._file.reading() as connection:
            return sqlite_feed.sealed_under(connection, key_id, limit)

    def count_sealed(self) -> dict[str, int]:
        with self._file.single() as connection:
            return sqlite_feed.count_sealed(connection)

    def reseal(self, old: Sealed, body: dict[str, Any], seals: Seals) -> bool:
        with self._file.transaction() as connection:
            return sqlite_writes.reseal(connection, old, to_text(body), seals)

    def sweep(self, now: float) -> int:
        with self._file.transaction() as connection:
            return sqlite_writes.sweep(connection, now)

    def ready(self) -> None:
        with self._file.single() as connection:
            connection.execute("SELECT 1 FROM document LIMIT 1")

    def close(self) -> None:
        self._closed.set()
        self._file.close()
