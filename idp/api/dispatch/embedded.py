"""Owns how requests travel between the processes of one machine: a SQLite file with two small tables, and a thread that looks at it.

Nothing in it is worth an fsync: whoever asked waits for the answer, and after a power cut nobody does.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from idp.api.dispatch.contract import Answered, Execute
from idp.api.sqlite_file import SqliteFile
from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.log import event

logger = logging.getLogger("idp.api.dispatch")

LOOK_SECONDS: Final = 0.005
IDLE_SECONDS: Final = 0.02  # when nothing has happened for a second
LEASE_SECONDS: Final = 5.0  # the requests of a process that was killed are given to another one after this
RENEW_SECONDS: Final = 1.0
KEPT_SECONDS: Final = 60.0  # what nobody fetches
SCHEMA = """
CREATE TABLE IF NOT EXISTS request (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, rank INTEGER NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL,
  at REAL NOT NULL, holder TEXT, leased_until REAL
);
CREATE INDEX IF NOT EXISTS request_next ON request (rank DESC, number) WHERE holder IS NULL;
CREATE INDEX IF NOT EXISTS request_held ON request (leased_until) WHERE holder IS NOT NULL;
CREATE TABLE IF NOT EXISTS answer (
  number INTEGER PRIMARY KEY, sender TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS answer_sender ON answer (sender)
"""
NEWS = """
SELECT EXISTS (SELECT 1 FROM request WHERE holder IS NULL), EXISTS (SELECT 1 FROM answer WHERE sender = ?)
"""
OLD = """
SELECT EXISTS (SELECT 1 FROM request WHERE holder IS NOT NULL) OR EXISTS (SELECT 1 FROM request WHERE at < ?1)
  OR EXISTS (SELECT 1 FROM answer WHERE at < ?1)
"""
NEXT = "SELECT number, id, sender, body FROM request WHERE holder IS NULL ORDER BY rank DESC, number LIMIT ?"


class EmbeddedCourier:
    def __init__(self, path: Path, clock: Clock) -> None:
        self._file = SqliteFile(path, SCHEMA, "broker", durable=False)
        self._clock = clock
        self._name = ids.secret()
        self._rung = threading.Event()
        self._closing = False
        self._held: set[int] = set()
        self._thread: threading.Thread | None = None

    def start(self, threads: int, execute: Execute, answered: Answered, lost: Callable[[], None]) -> None:
        """lost: never; the file outlives everybody."""
        self._threads, self._execute, self._answered = threads, execute, answered
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="dispatch")
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()

    def send(self, id: str, rank: int, body: str) -> None:
        row = (id, rank, self._name, body, self._clock())
        with self._file.transaction() as connection:
            connection.execute("INSERT INTO request (id, rank, sender, body, at) VALUES (?, ?, ?, ?, ?)", row)
        self._rung.set()

    def ready(self) -> None:
        with self._file.single() as connection:
            connection.execute("SELECT 1 FROM request LIMIT 1").fetchone()

    def close(self) -> None:
        self._closing = True
        self._rung.set()
        if self._thread:
            self._thread.join()
            self._pool.shutdown()  # what was begun is ended and answered
        self._file.close()

    def _run(self) -> None:
        seen, renewed, moved = -1, 0.0, 0.0
        while not self._closing:
            rung = self._rung.wait(LOOK_SECONDS if time.monotonic() - moved < 1 else IDLE_SECONDS)
            self._rung.clear()  # before the look, so that what comes after it rings
            try:
                if time.monotonic() - renewed > RENEW_SECONDS:
                    renewed = time.monotonic()
                    rung = self._renew() or rung
                with self._file.single() as connection:
                    version = connection.execute("PRAGMA data_version").fetchone()[0]
                if rung or version != seen:
                    if self._look():
                        moved = time.monotonic()
                    seen = version
            except Refused as refused:
                event(logger, "courier_waits", logging.WARNING, reason=refused.reason)
            except Exception:  # were it to end, nobody here would get an answer any more
                logger.exception("fault while carrying requests")

    def _look(self) -> bool:
        """Whether there was something."""
        free = self._threads - len(self._held)
        with self._file.single() as connection:
            requests, answers = connection.execute(NEWS, (self._name,)).fetchone()
        taken: list[Any] = []
        fetched: list[Any] = []
        if not (answers or (requests and free)):
            return bool(requests)
        with self._file.transaction() as connection:
            if answers:
                found = connection.execute("SELECT id, body FROM answer WHERE sender = ?", (self._name,))
                fetched = found.fetchall()
                connection.execute("DELETE FROM answer WHERE sender = ?", (self._name,))
            if free:
                taken = connection.execute(NEXT, (free,)).fetchall()
                until = self._clock() + LEASE_SECONDS
                marks = [(self._name, until, number) for number, *_ in taken]
                connection.executemany("UPDATE request SET holder = ?, leased_until = ? WHERE number = ?", marks)
        for id, body in fetched:
            self._answered(id, body)
        for row in taken:
            self._held.add(row[0])
            try:
                self._pool.submit(self._work, *row)
            except RuntimeError:  # this process ends: others take it
                self._closing = True
                self._give_back(row[0])
        return True

    def _work(self, number: int, id: str, sender: str, body: str) -> None:
        try:
            answer = self._execute(id, body)
            with self._file.transaction() as connection:
                connection.execute("DELETE FROM request WHERE number = ?", (number,))
                if answer is not None and sender != self._name:
                    row = (sender, id, answer, self._clock())
                    connection.execute("INSERT INTO answer (sender, id, body, at) VALUES (?, ?, ?, ?)", row)
            if answer is not None and sender == self._name:
                self._answered(id, answer)
        except Refused as refused:  # the file does not answer: when the lease ends, another one tries
            event(logger, "answer_not_sent", logging.ERROR, request=id, reason=refused.reason)
        finally:
            self._held.discard(number)
            self._rung.set()

    def _give_back(self, number: int) -> None:
        self._held.discard(number)
        with self._file.transaction() as connection:
            connection.execute("UPDATE request SET holder = NULL WHERE number = ?", (number,))

    def _renew(self) -> bool:
        """Whether a lease has ended."""
        now = self._clock()
        with self._file.single() as connection:
            if not connection.execute(OLD, (now - KEPT_SECONDS,)).fetchone()[0]:
                return False
        marks = [(now + LEASE_SECONDS, number, self._name) for number in list(self._held)]
        with self._file.transaction() as connection:
            connection.executemany("UPDATE request SET leased_until = ? WHERE number = ? AND holder = ?", marks)
            sql = "UPDATE request SET holder = NULL WHERE holder IS NOT NULL AND leased_until <= ?"
            ended = connection.execute(sql, (now,)).rowcount
            for table in ("request", "answer"):
                connection.execute(f"DELETE FROM {table} WHERE at < ?", (now - KEPT_SECONDS,))  # noqa: S608
        return ended > 0
