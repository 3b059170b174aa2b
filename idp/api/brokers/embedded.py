"""Owns queues in a SQLite file: one table of messages. Any number of processes may share it.

A message is ready while its ready_at is 0, otherwise it waits for that time: taken while there is a receipt, else delayed.
`_catch_up` turns times that have passed into states, so that everything else asks for states only.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from idp.api.brokers.contract import (
    EXPIRED,
    MAX_HELD_SECONDS,
    MAX_TAKEN,
    Counts,
    Delivery,
    Envelope,
    Hold,
    Want,
    too_many_taken,
    worn_out,
)
from idp.api.brokers.embedded_bell import Bell
from idp.api.brokers.waiting import take_waiting
from idp.api.sqlite_file import SqliteFile
from idp.api.times import timestamp
from idp.base import ids
from idp.base.clock import Clock

# The first release's table; its messages are kept.
FIRST = """
CREATE TABLE IF NOT EXISTS message (
  number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, dead INTEGER NOT NULL, priority INTEGER NOT NULL,
  envelope BLOB NOT NULL, deliveries INTEGER NOT NULL DEFAULT 0,
  receipt TEXT, holder TEXT, leased_until REAL NOT NULL DEFAULT 0
)
"""
STATES = """
CREATE TABLE letter (
  number INTEGER PRIMARY KEY, queue TEXT NOT NULL, dead INTEGER NOT NULL, priority INTEGER NOT NULL, ready_at REAL NOT NULL,
  expires_at REAL, deliveries INTEGER NOT NULL DEFAULT 0, holder TEXT, receipt TEXT, taken_at REAL, envelope BLOB NOT NULL
);
INSERT INTO letter (queue, dead, priority, ready_at, deliveries, envelope)
SELECT queue, dead, CASE dead WHEN 1 THEN 0 ELSE priority END, 0, deliveries, envelope FROM message ORDER BY number;
DROP TABLE message;
CREATE INDEX letter_next ON letter (queue, dead, ready_at, priority DESC, number);
CREATE INDEX letter_later ON letter (ready_at) WHERE ready_at > 0;
CREATE INDEX letter_expiring ON letter (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX letter_held ON letter (holder, queue, dead, receipt) WHERE receipt IS NOT NULL
"""
INSERT = "INSERT INTO letter (queue, dead, priority, ready_at, expires_at, envelope) VALUES (?, 0, ?, ?, ?, ?)"
NEXT = """
SELECT number, deliveries, envelope FROM letter WHERE queue = ? AND dead = ? AND ready_at = 0
ORDER BY priority DESC, number LIMIT ?
"""
DUE = "SELECT number FROM letter WHERE ready_at > 0 AND ready_at <= ? ORDER BY ready_at, number LIMIT 500"
OVERDUE = """
SELECT number, deliveries, envelope FROM letter
WHERE expires_at IS NOT NULL AND expires_at <= ? AND receipt IS NULL LIMIT 500
"""
LATE = f"EXISTS ({DUE}), EXISTS ({OVERDUE})"
LOOK = f"""
SELECT {LATE}, EXISTS ({NEXT}),
  (SELECT count(*) FROM letter INDEXED BY letter_held
   WHERE receipt IS NOT NULL AND holder = ? AND queue = ? AND dead = ? AND ready_at > ?)
"""  # noqa: S608  (constants)
# Left alone, SQLite would walk everything that is taken from the queue.
HELD = """
SELECT number, deliveries, envelope, ready_at, taken_at FROM letter INDEXED BY letter_held
WHERE receipt = ? AND holder = ? AND queue = ? AND dead IN (0, 1) AND ready_at > ?
"""
COUNT = """
SELECT (SELECT count(*) FROM letter WHERE queue = ? AND dead = 0 AND ready_at = 0),
  (SELECT count(*) FROM letter WHERE queue = ? AND dead = 1 AND ready_at = 0),
  (SELECT count(*) FROM letter WHERE queue = ? AND dead IN (0, 1) AND ready_at > 0 AND receipt IS NULL),
  (SELECT count(*) FROM letter WHERE queue = ? AND dead IN (0, 1) AND ready_at > 0 AND receipt IS NOT NULL)
"""
# Behind all others: whatever comes back has waited its turn already.
FREE = """
UPDATE letter SET number = (SELECT max(number) + 1 FROM letter), ready_at = ?, holder = NULL, receipt = NULL WHERE number = ?
"""
BURY = """
UPDATE letter SET number = (SELECT max(number) + 1 FROM letter), dead = 1, priority = 0, ready_at = 0, expires_at = NULL,
  holder = NULL, receipt = NULL, envelope = ? WHERE number = ?
"""
REVIVE = """
UPDATE letter SET number = (SELECT max(number) + 1 FROM letter), dead = 0, priority = ?, deliveries = 0, envelope = ?
WHERE number = ?
"""


class EmbeddedBroker:
    def __init__(self, path: Path, clock: Clock) -> None:
        self._file = SqliteFile(path, FIRST, "broker", (STATES,))
        self._clock = clock
        self._bell = Bell(self._file, clock)

    def declare(self, queue: str) -> None:
        """A queue is the messages that name it."""

    def delete(self, queue: str) -> None:
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM letter WHERE queue = ?", (queue,))

    def publish(self, messages: Sequence[tuple[str, Envelope]]) -> None:
        now = self._clock()
        rows = [(q, e.priority, e.not_before if e.not_before > now else 0, e.expires_at, e.pack()) for q, e in messages]
        with self._file.transaction() as connection:
            connection.executemany(INSERT, rows)
        for queue in {queue for queue, _ in messages}:
            self._bell.ring(queue)

    def take(self, want: Want) -> Delivery | None:
        return take_waiting(want, self._take, self.listen)

    def held(self, hold: Hold) -> Delivery | None:
        with self._file.single() as connection:
            row = self._find(connection, hold)
        return Delivery(_given(row[1], row[2]), hold.receipt, row[3]) if row else None

    def renew(self, hold: Hold, lease_seconds: int) -> float | None:
        with self._file.transaction() as connection:
            row = self._find(connection, hold)
            if row is None:
                return None
            until = min(self._clock() + lease_seconds, float(row[4]) + MAX_HELD_SECONDS)
            connection.execute("UPDATE letter SET ready_at = ? WHERE number = ?", (until, row[0]))
        return until

    def ack(self, hold: Hold) -> bool:
        sql = "DELETE FROM letter WHERE number = ?"
        return self._settle(hold, lambda connection, row: connection.execute(sql, (row[0],)))

    def requeue(self, hold: Hold, delay_seconds: float = 0.0) -> bool:
        ready_at = self._clock() + delay_seconds if delay_seconds > 0 else 0
        done = self._settle(hold, lambda connection, row: connection.execute(FREE, (ready_at, row[0])))
        self._bell.ring(hold.queue)
        return done

    def bury(self, hold: Hold, reason: str) -> bool:
        done = self._settle(hold, lambda c, row: self._bury(c, row[0], _given(row[1], row[2]), reason))
        self._bell.ring(hold.queue)
        return done

    def peek(self, queue: str, limit: int, dead: bool = False) -> Sequence[Envelope]:
        self._catch_up()
        with self._file.single() as connection:
            return [_given(row[1], row[2]) for row in connection.execute(NEXT, (queue, dead, limit))]

    def purge(self, queue: str, dead: bool = False) -> int:
        self._catch_up()  # a lease that has ended holds nothing
        with self._file.transaction() as connection:
            sql = "DELETE FROM letter WHERE queue = ? AND dead = ? AND receipt IS NULL"
            return connection.execute(sql, (queue, dead)).rowcount

    def redrive(self, queue: str, limit: int) -> int:
        self._catch_up()
        with self._file.transaction() as connection:
            rows = connection.execute(NEXT, (queue, True, limit)).fetchall()
            for number, _, raw in rows:
                envelope = Envelope.unpack(raw).revived()
                connection.execute(REVIVE, (envelope.priority, envelope.pack(), number))
        self._bell.ring(queue)
        return len(rows)

    def count(self, queue: str) -> Counts:
        self._catch_up()
        with self._file.single() as connection:
            return Counts(*connection.execute(COUNT, (queue,) * 4).fetchone())

    def listen(self, queue: str, wake: Callable[[], None]) -> Callable[[], None]:
        return self._bell.listen(queue, wake)

    def ready(self) -> None:
        with self._file.reading() as connection:
            connection.execute("SELECT 1 FROM letter LIMIT 1")

    def close(self) -> None:
        self._bell.close()
        self._file.close()

    def _take(self, want: Want) -> Delivery | None:
        now = self._clock()
        place = (want.queue, want.dead)
        with self._file.single() as connection:  # who finds nothing, and that is most of the asking, locks nobody out
            due, overdue, ready, taken = connection.execute(
                LOOK, (now, now, *place, 1, want.holder, *place, now)
            ).fetchone()
        if taken >= MAX_TAKEN:
            raise too_many_taken()
        if not (due or overdue or ready):
            return None
        with self._file.transaction() as connection:
            if due or overdue:
                self._catch_up_within(connection, now)
            while row := connection.execute(NEXT, (*place, 1)).fetchone():
                if want.dead or row[1] < want.max_deliveries:
                    return self._lease(connection, want, row, now)
                self._bury(connection, row[0], _given(row[1], row[2]), worn_out(want.max_deliveries))
        return None

    def _lease(self, connection: sqlite3.Connection, want: Want, row: Any, now: float) -> Delivery:
        receipt, until = ids.secret(), now + want.lease_seconds
        connection.execute(
            "UPDATE letter SET deliveries = ?, receipt = ?, holder = ?, ready_at = ?, taken_at = ? WHERE number = ?",
            (row[1] + 1, ids.digest(receipt), want.holder, until, now, row[0]),
        )
        return Delivery(_given(row[1] + 1, row[2]), receipt, until)

    def _settle(self, hold: Hold, act: Callable[[sqlite3.Connection, Any], object]) -> bool:
        with self._file.transaction() as connection:
            row = self._find(connection, hold)
            if row:
                act(connection, row)
        return row is not None

    def _find(self, connection: sqlite3.Connection, hold: Hold) -> Any:
        asked = (ids.digest(hold.receipt), hold.holder, hold.queue, self._clock())
        return connection.execute(HELD, asked).fetchone()

    def _bury(self, connection: sqlite3.Connection, number: int, envelope: Envelope, reason: str) -> None:
        dead = envelope.dead(reason, timestamp(self._clock())).pack()
        connection.execute(BURY, (dead, number))

    def _catch_up(self) -> None:
        now = self._clock()
        with self._file.single() as connection:
            late = any(connection.execute(f"SELECT {LATE}", (now, now)).fetchone())
        while late:
            with self._file.transaction() as connection:
                late = self._catch_up_within(connection, now)

    def _catch_up_within(self, connection: sqlite3.Connection, now: float) -> bool:
        """Some of what time has made ready or dead; whether there may be more."""
        due = connection.execute(DUE, (now,)).fetchall()
        connection.executemany(FREE, [(0, number) for (number,) in due])
        overdue = connection.execute(OVERDUE, (now,)).fetchall()
        for number, deliveries, raw in overdue:
            self._bury(connection, number, _given(deliveries, raw), EXPIRED)
        return bool(due or overdue)


def _given(deliveries: int, raw: bytes) -> Envelope:
    return Envelope.unpack(raw, deliveries)
