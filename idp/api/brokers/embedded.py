"""Owns queues in a SQLite file: one table of messages, a lease is two columns. Any number of processes may share it."""

import sqlite3
from pathlib import Path

from idp.api.brokers.contract import MAX_TAKEN, Counts, Delivery, Envelope, Want, too_many_taken, worn_out
from idp.api.sqlite_file import SqliteFile
from idp.api.times import timestamp
from idp.base import ids
from idp.base.clock import Clock

SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
  number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, dead INTEGER NOT NULL, priority INTEGER NOT NULL,
  envelope BLOB NOT NULL, deliveries INTEGER NOT NULL DEFAULT 0,
  receipt TEXT, holder TEXT, leased_until REAL NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS message_next ON message (queue, dead, priority DESC, number);
CREATE UNIQUE INDEX IF NOT EXISTS message_receipt ON message (receipt) WHERE receipt IS NOT NULL
"""
NEXT = """
SELECT number, envelope, deliveries FROM message WHERE queue = ? AND dead = ? AND leased_until <= ?
ORDER BY priority DESC, number LIMIT 1
"""
HELD = "queue = ? AND receipt = ? AND holder = ? AND leased_until > ?"


class EmbeddedBroker:
    def __init__(self, path: Path, clock: Clock) -> None:
        self._file = SqliteFile(path, SCHEMA, "broker")
        self._clock = clock

    def declare(self, queue: str) -> None:
        """A queue is the messages that name it."""

    def publish(self, queue: str, envelope: Envelope) -> None:
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT INTO message (queue, dead, priority, envelope) VALUES (?, 0, ?, ?)",
                (queue, envelope.priority, envelope.pack()),
            )

    def take(self, want: Want) -> Delivery | None:
        now = self._clock()
        with self._file.transaction() as connection:
            if self._taken(connection, want, now) >= MAX_TAKEN:
                raise too_many_taken()
            while row := connection.execute(NEXT, (want.queue, want.dead, now)).fetchone():
                number, envelope, deliveries = row[0], Envelope.unpack(row[1]), row[2]
                if want.dead or deliveries < want.max_deliveries:
                    return self._lease(connection, want, number, envelope, deliveries + 1, now)
                self._bury(connection, number, envelope, worn_out(want.max_deliveries))
        return None

    def ack(self, queue: str, receipt: str, holder: str) -> bool:
        held = (queue, ids.digest(receipt), holder, self._clock())
        with self._file.transaction() as connection:
            return bool(connection.execute(f"DELETE FROM message WHERE {HELD}", held).rowcount)  # noqa: S608  (constant)

    def reject(self, queue: str, receipt: str, holder: str, dead_reason: str | None) -> bool:
        held = (queue, ids.digest(receipt), holder, self._clock())
        with self._file.transaction() as connection:
            row = connection.execute(f"SELECT number, envelope FROM message WHERE {HELD}", held).fetchone()  # noqa: S608  (constant)
            if row is None:
                return False
            if dead_reason is None:
                self._release(connection, row[0])
            else:
                self._bury(connection, row[0], Envelope.unpack(row[1]), dead_reason)
        return True

    def count(self, queue: str) -> Counts:
        sql = "SELECT count(*) FROM message WHERE queue = ? AND dead = ? AND leased_until <= ?"
        now = self._clock()
        with self._file.reading() as connection:
            ready, dead = (connection.execute(sql, (queue, which, now)).fetchone()[0] for which in (0, 1))
        return Counts(ready, dead)

    def ready(self) -> None:
        with self._file.reading() as connection:
            connection.execute("SELECT 1 FROM message LIMIT 1")

    def close(self) -> None:
        self._file.close()

    def _taken(self, connection: sqlite3.Connection, want: Want, now: float) -> int:
        sql = "SELECT count(*) FROM message WHERE queue = ? AND dead = ? AND holder = ? AND leased_until > ?"
        return int(connection.execute(sql, (want.queue, want.dead, want.holder, now)).fetchone()[0])

    def _lease(
        self, connection: sqlite3.Connection, want: Want, number: int, envelope: Envelope, deliveries: int, now: float
    ) -> Delivery:
        receipt, until = ids.secret(), now + want.lease_seconds
        connection.execute(
            "UPDATE message SET deliveries = ?, receipt = ?, holder = ?, leased_until = ? WHERE number = ?",
            (deliveries, ids.digest(receipt), want.holder, until, number),
        )
        return Delivery(envelope, receipt, deliveries, until)

    def _release(self, connection: sqlite3.Connection, number: int) -> None:
        connection.execute(
            "UPDATE message SET receipt = NULL, holder = NULL, leased_until = 0 WHERE number = ?", (number,)
        )

    def _bury(self, connection: sqlite3.Connection, number: int, envelope: Envelope, reason: str) -> None:
        dead = envelope.dead(reason, timestamp(self._clock())).pack()
        connection.execute("UPDATE message SET dead = 1, envelope = ? WHERE number = ?", (dead, number))
        self._release(connection, number)
