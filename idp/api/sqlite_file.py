"""Owns how the companion opens a SQLite file: durable, private, one connection per thread, made after fork.

What is in the file is left to document_store/sqlite.py and brokers/embedded.py.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from idp.api.problems import unavailable
from idp.base.errors import Misconfigured, Refused
from idp.base.waiting import about_to_wait

BUSY_SECONDS = 5.0
MAX_IDLE_WAL = 64 * 2**20  # what the -wal file keeps of its greatest size
# Oldest SQLite with everything used here (UPDATE … RETURNING).
MINIMUM_VERSION = (3, 35)


class SqliteFile:
    """`part` names the file in refusals: "document store", "broker". `changes` bring a file of an earlier release to the
    present form, each once and in this order; how many a file has had is its user_version. durable: what has returned
    outlives the machine, not only the process."""

    def __init__(
        self, path: Path, schema: str, part: str, changes: Sequence[str] = (), *, durable: bool = True
    ) -> None:
        if sqlite3.sqlite_version_info < MINIMUM_VERSION:
            raise RuntimeError(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 is needed")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made before SQLite opens it: its -wal and -shm files take the mode of the file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._path, self._part, self._durable = path, part, durable
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._writing = (os.getpid(), threading.Lock())
        with self.transaction() as connection:
            self._migrate(connection, schema, changes)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Takes the write lock at once: a read that turns into a write could otherwise fail half-way."""
        about_to_wait()  # for other writers, and for the disk
        # First among the threads of this process: SQLite lets those who wait sleep, and a busy neighbour overtakes them for ever.
        writing = self._turns()
        if not writing.acquire(timeout=BUSY_SECONDS):
            raise unavailable(self._part, f"{self._path.name}: no turn to write")
        try:
            with self._within("BEGIN IMMEDIATE") as connection:
                yield connection
        finally:
            writing.release()

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """All statements see the same moment, whatever others write meanwhile."""
        return self._within("BEGIN")

    def single(self) -> "_Errors":
        """For one statement that reads: it is a transaction of its own."""
        return _Errors(self)

    @contextmanager
    def _within(self, begin: str) -> Iterator[sqlite3.Connection]:
        with _Errors(self) as connection:
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # Also after a COMMIT that failed: it would leave this thread's connection within a transaction for ever.
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def refusal(self, error: Exception) -> Refused:
        return unavailable(self._part, f"{self._path.name}: {error}")

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.pop().close()
            self._local = threading.local()

    def _migrate(self, connection: sqlite3.Connection, schema: str, changes: Sequence[str]) -> None:
        had = connection.execute("PRAGMA user_version").fetchone()[0]
        if had > len(changes):
            raise Misconfigured(str(self._path), "The file is of a later release.", "Use that release, or its backup.")
        for script in ([schema] if had == 0 else []) + list(changes[had:]):
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(changes)}")

    def _turns(self) -> threading.Lock:
        pid, lock = self._writing
        if pid != os.getpid():  # whoever held it does not live in this process
            self._writing = (os.getpid(), lock := threading.Lock())
        return lock

    def connection(self) -> sqlite3.Connection:
        found: tuple[int, sqlite3.Connection] | None = getattr(self._local, "connection", None)
        if found and found[0] == os.getpid():  # a connection does not survive a fork
            return found[1]
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'OFF'}")
        connection.execute(f"PRAGMA journal_size_limit={MAX_IDLE_WAL}")
        self._local.connection = (os.getpid(), connection)
        with self._lock:
            self._open.append(connection)
        return connection


class _Errors:
    """This thread's connection; what SQLite complains of becomes a refusal. A class, for it stands around every get."""

    __slots__ = ("_file",)

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def __enter__(self) -> sqlite3.Connection:
        try:
            return self._file.connection()
        except (sqlite3.Error, OSError) as error:
            raise self._file.refusal(error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (sqlite3.Error, OSError)):
            raise self._file.refusal(error) from error
