"""The SQL of the embedded store: tables, indexes and the statements of every verb, made from the table of collections.
Leaves running them to sqlite.py. Every name in them comes from collections.py, every value is bound."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from idp.storage.rows import Rows

APPLICATION_ID = 0x53686661  # "Shfa": tells our files from other SQLite files

INDEX_NAMES = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"


class Statements:
    """The statements of one collection. Where its records expire, most take one more value: the time of now."""

    def __init__(self, rows: Rows[Any]) -> None:
        self._table = f'"{rows.name}"'
        self._live = " AND expires_at > ?" if rows.expires else ""
        columns = ["id", "version", "expires_at", "consumed_at", "body", *(f'"{key}"' for key in rows.keys)]
        changes = ", ".join(f"{column} = ?" for column in columns[2:])
        got = "id, body, version, consumed_at"
        self.get = f"SELECT {got} FROM {self._table} WHERE id = ?{self._live}"  # noqa: S608
        self.insert = f"INSERT INTO {self._table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
        # What is consumed stays consumed, whatever a writer holds in its hands.
        self.replace = (
            f"UPDATE {self._table} SET version = version + 1, {changes} "  # noqa: S608
            f"WHERE id = ? AND version = ? AND (consumed_at IS NULL OR consumed_at IS ?){self._live}"
        )
        self.consume = (
            f"UPDATE {self._table} SET consumed_at = ?, version = version + 1 "  # noqa: S608
            f"WHERE id = ? AND consumed_at IS NULL{self._live} RETURNING {got}"
        )
        self.delete = f"DELETE FROM {self._table} WHERE id = ?{self._live}"  # noqa: S608
        self.sweep = (
            f"DELETE FROM {self._table} WHERE id IN "  # noqa: S608
            f"(SELECT id FROM {self._table} WHERE expires_at <= ? LIMIT ?)"
        )
        self.find = cache(self._find)
        self.delete_where = cache(self._delete_where)

    def _find(self, given: tuple[tuple[str, bool], ...], newest: bool) -> str:
        """given: (key, is it None) in stable order. Bound: the values that are not None, the time of now, the limit."""
        order = "DESC" if newest else "ASC"
        return (
            f"SELECT id, body, version, consumed_at FROM {self._table} "  # noqa: S608
            f"WHERE {_matches(given)}{self._live} ORDER BY id {order} LIMIT ?"
        )

    def _delete_where(self, given: tuple[tuple[str, bool], ...]) -> str:
        return f"DELETE FROM {self._table} WHERE {_matches(given)}{self._live}"  # noqa: S608

    def free(self, group: tuple[str, ...]) -> str:
        """Delete an expired record that still holds a unique key. Values bound: those of the group, then now."""
        held = " AND ".join(f'"{key}" = ?' for key in group)
        return f"DELETE FROM {self._table} WHERE {held} AND expires_at <= ?"  # noqa: S608


def _matches(given: tuple[tuple[str, bool], ...]) -> str:
    return " AND ".join(f'"{key}" IS NULL' if none else f'"{key}" = ?' for key, none in given) or "1"


def table(rows: Rows[Any]) -> str:
    keys = "".join(f', "{key}" TEXT' for key in rows.keys)
    return (
        f'CREATE TABLE IF NOT EXISTS "{rows.name}" (id TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, '
        f"expires_at REAL, consumed_at REAL, body TEXT NOT NULL{keys})"
    )


def add_key(rows: Rows[Any], key: str) -> str:
    return f'ALTER TABLE "{rows.name}" ADD COLUMN "{key}" TEXT'


def bodies(rows: Rows[Any]) -> str:
    """The next thousand (id, body) after an id."""
    return f'SELECT id, body FROM "{rows.name}" WHERE id > ? ORDER BY id LIMIT 1000'  # noqa: S608


def rewrite(rows: Rows[Any]) -> str:
    changes = "".join(f', "{key}" = ?' for key in rows.keys)
    return f'UPDATE "{rows.name}" SET expires_at = ?, body = ?{changes} WHERE id = ?'  # noqa: S608


def indexes(rows: Rows[Any]) -> dict[str, str]:
    """Name -> statement. Look-up indexes end in id, so that newest and limit read only what they give."""
    found = {}
    for group in rows.collection.unique:
        name = f"unique_{rows.name}_{'_'.join(group)}"
        columns = ", ".join(f'"{key}"' for key in group)
        some = " AND ".join(f'"{key}" IS NOT NULL' for key in group)
        found[name] = f'CREATE UNIQUE INDEX "{name}" ON "{rows.name}" ({columns}) WHERE {some}'
    for key in rows.collection.lookup:
        name = f"lookup_{rows.name}_{key}"
        found[name] = f'CREATE INDEX "{name}" ON "{rows.name}" ("{key}", id)'
    if rows.expires:
        name = f"expiry_{rows.name}"
        found[name] = f'CREATE INDEX "{name}" ON "{rows.name}" (expires_at)'
    return found


def ours(names: Iterable[str]) -> set[str]:
    """The indexes that this file made (not those of SQLite or of an administrator)."""
    return {name for name in names if name.startswith(("unique_", "lookup_", "expiry_"))}
