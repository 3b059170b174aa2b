"""Owns what is read of history in the embedded document store: versions of a document, the feed, what is sealed.

The feed is the table `past` in the order of its numbers: writers take turns, so a number is visible before a greater one.
"""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event

from idp.api.document_store.contract import PAGE_BYTES, Past, PositionLost, Sealed
from idp.api.document_store.sqlite_schema import PAST, to_past, to_seals

Reading = Callable[[], AbstractContextManager[sqlite3.Connection]]

POLL_SECONDS = 0.03
DELTA, NUMBER = 7, 9  # places in a row of PAST


def past(connection: sqlite3.Connection, collection: str, id: str, upto: int | None) -> list[Past]:
    last = 2**63 - 1 if upto is None else upto
    sql = (
        f"SELECT {PAST} FROM past WHERE collection = ?1 AND id = ?2 AND version <= ?3 AND version >="  # noqa: S608  (constants)
        " (SELECT max(version) FROM past WHERE collection = ?1 AND id = ?2 AND version <= ?3 AND whole) ORDER BY version"
    )
    return [to_past(row) for row in connection.execute(sql, (collection, id, last))]


def history(connection: sqlite3.Connection, collection: str, id: str, before: int | None, limit: int) -> list[Past]:
    sql = (
        f"SELECT {PAST} FROM past WHERE collection = ? AND id = ? AND version < ?"  # noqa: S608  (constants)
        " ORDER BY version DESC LIMIT ?"
    )
    values = (collection, id, 2**63 - 1 if before is None else before, limit)
    return [to_past(row) for row in connection.execute(sql, values)]


def position(connection: sqlite3.Connection) -> str:
    store_id, number = _end(connection)
    return _position(store_id, number)


def feed(reading: Reading, after: str, limit: int, until: float, closed: Event) -> list[Past]:
    """until: when to stop waiting, by time.monotonic. Raises PositionLost."""
    with reading() as connection:
        seen = _data_version(connection)
        lines = _lines(connection, after, limit)
    while not lines and time.monotonic() < until and not closed.wait(POLL_SECONDS):
        with reading() as connection:
            if (version := _data_version(connection)) != seen:
                seen, lines = version, _lines(connection, after, limit)
    return lines


def _data_version(connection: sqlite3.Connection) -> int:
    """Another number after each commit of another connection; this one only reads."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _lines(connection: sqlite3.Connection, after: str, limit: int) -> list[Past]:
    store_id, end = _end(connection)
    of, _, number = after.partition(".")
    if of != store_id or not number.isdecimal() or int(number) > end:
        raise PositionLost(after)
    lines: list[Past] = []
    size = 0
    sql = f"SELECT {PAST} FROM past WHERE position > ? ORDER BY position LIMIT ?"  # noqa: S608  (constants)
    for row in connection.execute(sql, (int(number), limit)):
        lines.append(to_past(row, _position(store_id, row[NUMBER])))
        size += len(row[DELTA])
        if size >= PAGE_BYTES:
            break
    return lines


def _position(store_id: str, number: int) -> str:
    """Compares as text in the order of the feed."""
    return f"{store_id}.{number:016d}"


def _end(connection: sqlite3.Connection) -> tuple[str, int]:
    sql = "SELECT id, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'past'), 0) FROM store"
    store_id, number = connection.execute(sql).fetchone()
    return store_id, number


def sealed_under(connection: sqlite3.Connection, key_id: str, limit: int) -> list[Sealed]:
    found = []
    sql = "SELECT collection, id, past_version FROM seal WHERE key_id = ? LIMIT ?"
    size = 0
    for collection, id, version in connection.execute(sql, (key_id, limit)):
        if version:
            of = "SELECT delta, seals FROM past WHERE collection = ? AND id = ? AND version = ?"
            row = connection.execute(of, (collection, id, version)).fetchone()
        else:
            row = connection.execute(
                "SELECT data, seals FROM document WHERE collection = ? AND id = ?", (collection, id)
            ).fetchone()
        found.append(Sealed(collection, id, version, json.loads(row[0]), to_seals(row[1])))
        size += len(row[0])
        if size >= PAGE_BYTES:
            break
    return found


def count_sealed(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT key_id, count(*) FROM seal GROUP BY key_id").fetchall())
