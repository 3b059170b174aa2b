"""Owns how the companion opens a SQLite file: durable, private, one connection per thread, made after fork.

What is in the file is left to document_store/sqlite.py and brokers/embedded.py.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from idp.api.problems import unavailable

BUSY_SECONDS = 5.0
# Oldest SQLite with everything used here (UPDATE … RETURNING).
MINIMUM_VERSION = (3, 35)


class SqliteFile:
    """`part` names the file in refusals: "document store", "broker"."""

    def __init__(self, path: Path, schema: str, part: str) -> None:
        if sqlite3.sqlite_version_info < MINIMUM_VERSION:
            raise RuntimeError(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 is needed")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made before SQLite opens it: its -wal and -shm files take the mode of the file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._path, self._part = path, part
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        with self.transaction() as connection:
            for statement in schema.split(";"):
                connection.execute(statement)

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """Takes the write lock at once: a read that turns into a write could otherwise fail half-way."""
        return self._within("BEGIN IMMEDIATE")

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """All statements see the same moment, whatever others write meanwhile."""
        return self._within("BEGIN")

    @contextmanager
    def _within(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._errors():
            connection = self._connection()
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # Also after a COMMIT that failed: it would leave this thread's connection within a transaction for ever.
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.pop().close()
            self._local = threading.local()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise unavailable(self._part, f"{self._path.name}: {error}") from error

    def _connection(self) -> sqlite3.Connection:
        found: tuple[int, sqlite3.Connection] | None = getattr(self._local, "connection", None)
        if found and found[0] == os.getpid():  # a connection does not survive a fork
            return found[1]
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        self._local.connection = (os.getpid(), connection)
        with self._lock:
            self._open.append(connection)
        return connection
