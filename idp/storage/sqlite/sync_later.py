"""Commits without a sync of their own, and one sync for all of them: idp.ports.SyncLater on SQLite's write-ahead log.

With synchronous=NORMAL a commit is whole and visible to everybody when it returns, but a power cut may undo it; the log is
a row of commits, so that whatever is undone is the newest. Syncing the log makes durable all that stands in it. Leaves who
may not be answered before that to the caller.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from idp.ports import StoreUnavailable
from idp.storage.sqlite.pool import Pool

R = TypeVar("R")
_FULL_SYNC = getattr(fcntl, "F_FULLFSYNC", None)  # macOS, where any other sync leaves it in the cache of the disk


class SyncLater:
    def __init__(self, pool: Pool, path: Path) -> None:
        self._pool = pool
        self._log = Path(f"{path}-wal")
        self._file = -1
        self._process = 0

    def run(self, function: Callable[..., R], *args: object) -> tuple[R, bool]:
        own = self._pool.own
        before = _state(own.connection)
        own.unsynced = True
        try:
            result = function(*args)
        finally:
            own.unsynced = False
        return result, _state(own.connection) != before

    def sync(self) -> None:
        """Not for two threads at the same time."""
        try:
            if self._process != os.getpid() or not os.fstat(self._file).st_nlink:
                self._open()
            _to_disk(self._file)
        except OSError as error:
            raise StoreUnavailable(f"SQLite: its log was not synced: {error}") from error

    def close(self) -> None:
        """SQLite's locks are on its other files: a process loses its locks on a file with any descriptor that it closes."""
        if self._process == os.getpid():
            os.close(self._file)
        self._process = 0

    def _open(self) -> None:
        self.close()
        self._file = os.open(self._log, os.O_RDONLY | os.O_CLOEXEC)
        self._process = os.getpid()
        folder = os.open(self._log.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # that there is such a file
        finally:
            os.close(folder)


def _state(connection: sqlite3.Connection | None) -> object:
    return connection, connection.total_changes if connection is not None else 0


def _to_disk(file: int) -> None:
    if _FULL_SYNC is None:
        os.fdatasync(file)
    else:
        fcntl.fcntl(file, _FULL_SYNC)
