"""Connections to one SQLite file: opened as needed, used by one thread at a time, never carried over a fork.
Leaves statements and schema to the other files here."""

import sqlite3
import threading
import time
from pathlib import Path

from idp.ports import StoreUnavailable
from idp.storage import forks

# wal_autocheckpoint: pages. Four times the usual, as most of them are the same few that are written again and again.
_PRAGMAS = ("fullfsync=ON", "trusted_schema=OFF", "wal_autocheckpoint=4000")
FULL, NORMAL = "FULL", "NORMAL"  # sync at every commit; before the log is copied into the file only


class NotText(Exception):  # noqa: N818
    """A text column holds bytes that are not UTF-8."""


class Own(threading.local):
    """What a thread has for itself while it commits without syncing (sync_later)."""

    unsynced = False
    connection: sqlite3.Connection | None = None


class Pool:
    """`with pool.connection() as connection`: autocommit, WAL, every commit synced. SQLite errors that leave the block
    become StoreUnavailable (the cause is kept), and that connection is closed. busy_seconds: how long to wait for other
    writers."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self._path = path
        self._busy = busy_seconds
        self._idle: list[sqlite3.Connection] = []
        self._opened: list[sqlite3.Connection] = []
        self._used: set[sqlite3.Connection] = set()  # by a thread, just now
        self._closed = False
        self.own = Own()
        forks.watch(self)

    def connection(self) -> "Borrowed":
        """An idle connection of this process, or a new one."""
        return Borrowed(self)

    def take(self) -> sqlite3.Connection:
        own = self.own
        if own.unsynced:
            connection, own.connection = own.connection, None
        else:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = None
        if connection is None:
            connection = self._open(NORMAL if own.unsynced else FULL)
        self._used.add(connection)
        if self._closed:
            self.discard(connection)
            raise StoreUnavailable("the repository is closed")
        return connection

    def give_back(self, connection: sqlite3.Connection) -> None:
        if self.own.unsynced:
            self.own.connection = connection
        else:
            self._idle.append(connection)
        self._used.discard(connection)
        if self._closed:
            connection.close()

    def close(self) -> None:
        """Closes the connections of this process, those that a thread is just using when it is done: SQLite does not bear it
        before. A later call gets StoreUnavailable."""
        self._closed = True
        for connection in tuple(self._opened):
            if connection not in self._used:
                connection.close()
        self._opened.clear()
        self._idle.clear()
        self.own = Own()

    def __del__(self) -> None:
        self.close()

    def _open(self, synchronous: str) -> sqlite3.Connection:
        if self._closed:
            raise StoreUnavailable("the repository is closed")
        connection = None
        try:
            # The pool sees to it that no two threads use one connection at the same time.
            connection = sqlite3.connect(self._path, timeout=self._busy, isolation_level=None, check_same_thread=False)
            self._used.add(connection)
            self._opened.append(connection)
            self._set_up(connection, synchronous)
        except sqlite3.Error as error:
            if connection is not None:
                self.discard(connection)
            raise StoreUnavailable(f"SQLite: {error}") from error
        return connection

    def _set_up(self, connection: sqlite3.Connection, synchronous: str) -> None:
        """The first opener turns WAL on; SQLite does not wait by itself while another process does the same."""
        deadline = time.monotonic() + self._busy
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL").fetchall()
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        for pragma in (f"synchronous={synchronous}", *_PRAGMAS):
            connection.execute(f"PRAGMA {pragma}").fetchall()

    def discard(self, connection: sqlite3.Connection) -> None:
        if connection in self._opened:  # not when the pool was closed meanwhile
            self._opened.remove(connection)
        self._used.discard(connection)
        connection.close()

    def after_fork(self) -> None:
        for connection in self._opened:
            forks.keep_for_good(connection)
        if self.own.connection is not None:
            forks.keep_for_good(self.own.connection)
        self._opened, self._idle, self._used, self.own = [], [], set(), Own()


class Borrowed:
    """A connection for one block. A class, and no generator: every read of the store goes through it."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __enter__(self) -> sqlite3.Connection:
        self._connection = self._pool.take()
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or not isinstance(error, sqlite3.Error):
            self._pool.give_back(self._connection)
            return
        self._pool.discard(self._connection)
        if "Could not decode to UTF-8" in str(error):
            raise NotText from None
        raise StoreUnavailable(f"SQLite: {error}") from error


class transaction:  # noqa: N801  (to be read as a verb)
    """IMMEDIATE: the write lock is taken before anything is read, so no other writer comes in between."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._connection.rollback()
        else:
            self._connection.execute("COMMIT")
