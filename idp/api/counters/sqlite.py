"""Owns counters in a SQLite file, for the processes of one machine. Nothing in it is worth an fsync."""

from pathlib import Path

from idp.api.sqlite_file import SqliteFile

SCHEMA = """
CREATE TABLE IF NOT EXISTS counter (key TEXT PRIMARY KEY, used INTEGER NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counter_until ON counter (until)
"""
SWEEP_EVERY = 256


class SqliteCounters:
    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, SCHEMA, "store", durable=False)
        self._calls = 0

    def reserve(self, key: str, amount: int, limit: int, until: float) -> int:
        self._calls += 1
        with self._file.transaction() as connection:
            if self._calls % SWEEP_EVERY == 0:
                connection.execute("DELETE FROM counter WHERE until < ?", (until - 600.0,))
            row = connection.execute("SELECT used FROM counter WHERE key = ?", (key,)).fetchone()
            used = row[0] if row else 0
            given = max(0, min(amount, limit - used))
            if given:
                connection.execute(
                    "INSERT INTO counter VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET used = excluded.used",
                    (key, used + given, until),
                )
        return given

    def close(self) -> None:
        self._file.close()
