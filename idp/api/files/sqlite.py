"""Owns contents of files in a SQLite file of their own, so that documents stay small and quick to back up."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from idp.api.files.contract import Content
from idp.api.sqlite_file import SqliteFile

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS content (
  id TEXT PRIMARY KEY, space TEXT NOT NULL, file TEXT NOT NULL, began_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chunk (id TEXT NOT NULL, number INTEGER NOT NULL, bytes BLOB NOT NULL, UNIQUE (id, number))
"""
DELETED_AT_ONCE = 64  # 16 MB: others may write in between


class SqliteFileStore:
    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, SCHEMA, "store")

    def begin(self, content: Content) -> None:
        with self._file.transaction() as connection:
            row = (content.id, content.space, content.file, content.began_at)
            connection.execute("INSERT INTO content VALUES (?,?,?,?)", row)

    def append(self, id: str, number: int, chunk: bytes) -> None:
        with self._file.transaction() as connection:
            connection.execute("INSERT INTO chunk VALUES (?,?,?)", (id, number, chunk))

    def chunk(self, id: str, number: int) -> bytes | None:
        with self._file.single() as connection:
            row = connection.execute("SELECT bytes FROM chunk WHERE id = ? AND number = ?", (id, number)).fetchone()
        return row[0] if row else None

    def delete(self, id: str) -> None:
        """The chunks first: cut off in between, the content still stands there and is deleted again."""
        sql = "DELETE FROM chunk WHERE rowid IN (SELECT rowid FROM chunk WHERE id = ? LIMIT ?)"
        more = True
        while more:
            with self._file.transaction() as connection:
                more = connection.execute(sql, (id, DELETED_AT_ONCE)).rowcount == DELETED_AT_ONCE
                if not more:
                    connection.execute("DELETE FROM content WHERE id = ?", (id,))

    def walk(self, after: str, limit: int) -> Sequence[Content]:
        with self._file.single() as connection:
            sql = "SELECT id, space, file, began_at FROM content WHERE id > ? ORDER BY id LIMIT ?"
            return [Content(*row) for row in connection.execute(sql, (after, limit))]

    def close(self) -> None:
        self._file.close()
