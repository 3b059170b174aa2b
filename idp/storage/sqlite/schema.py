"""Makes the file and brings its tables, indexes and stored bodies up to date. Leaves the verbs to the repository."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from idp.base.errors import Misconfigured
from idp.ports import StoreUnavailable
from idp.storage.codec import dumps
from idp.storage.migrations import Change, Step, missing
from idp.storage.rows import Rows, Table
from idp.storage.sqlite import statements
from idp.storage.sqlite.pool import Pool, transaction

OLDEST_SQLITE = (3, 35, 0)  # RETURNING


def make_file(path: Path) -> None:
    """Ours alone from the first moment on: SQLite gives -wal and -shm the mode of the file. Raises Misconfigured."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        problem = f"SQLite {sqlite3.sqlite_version} is too old."
        raise Misconfigured("store.url", problem, "Use a Python built with SQLite 3.35 or newer.")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        problem = f"{path} cannot be opened for writing ({error.strerror})."
        raise Misconfigured("store.url", problem, "Give a path in a folder that this user may write to.") from None


def bring_up_to_date(pool: Pool, path: Path, table: Table, steps: Sequence[Step]) -> None:
    """One transaction under the write lock, as several processes start at once. Raises Misconfigured when the file is
    not ours, is damaged or comes from a newer version."""
    try:
        with pool.connection() as connection, transaction(connection):
            _check_owner(connection, path)
            version: int = connection.execute("PRAGMA user_version").fetchone()[0]
            due = missing(version, steps)
            for rows in table:
                new_keys = _make_table(connection, rows)
                changes = [step.change for step in due if step.collection == rows.name]
                if new_keys or changes:
                    _rewrite(connection, rows, changes)
                _make_indexes(connection, rows)
            connection.execute(f"PRAGMA user_version={len(steps)}")
            connection.execute(f"PRAGMA application_id={statements.APPLICATION_ID}")
    except StoreUnavailable as error:
        if isinstance(error.__cause__, sqlite3.OperationalError):
            raise
        problem = f"{path} is damaged or not an SQLite database ({error.__cause__})."
        raise Misconfigured("store.url", problem, "Restore a backup, or name another file.") from None


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    strange = owner == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if owner not in (0, statements.APPLICATION_ID) or strange:
        raise Misconfigured("store.url", f"{path} belongs to another program.", "Name another file.")


def _make_table(connection: sqlite3.Connection, rows: Rows[Any]) -> bool:
    """True when an existing table got a new key column, which must be filled."""
    connection.execute(statements.table(rows))
    known = {row[1] for row in connection.execute(f'PRAGMA table_info("{rows.name}")')}
    for key in set(rows.keys) - known:
        connection.execute(statements.add_key(rows, key))
    return not known.issuperset(rows.keys)


def _rewrite(connection: sqlite3.Connection, rows: Rows[Any], changes: Sequence[Change]) -> None:
    """Raises Unreadable: a store is not brought up to date around a record that nobody can read."""
    for id, body in _bodies(connection, rows):
        plain = rows.changed(id, body, changes)
        values = (plain.get("expires_at"), dumps(plain), *rows.key_values(plain), id)
        connection.execute(statements.rewrite(rows), values)


def _bodies(connection: sqlite3.Connection, rows: Rows[Any]) -> Iterator[tuple[str, str]]:
    last = ""
    while batch := connection.execute(statements.bodies(rows), (last,)).fetchall():
        yield from batch
        last = batch[-1][0]


def _make_indexes(connection: sqlite3.Connection, rows: Rows[Any]) -> None:
    wanted = statements.indexes(rows)
    there = {row[0] for row in connection.execute(statements.INDEX_NAMES, (rows.name,))}
    for name in statements.ours(there) - wanted.keys():
        connection.execute(f'DROP INDEX "{name}"')
    for name in wanted.keys() - there:
        try:
            connection.execute(wanted[name])
        except sqlite3.IntegrityError:
            problem = f"The stored {rows.name} hold values twice that must be unique ({name})."
            raise Misconfigured("store.url", problem, "Remove the doubles with the previous version first.") from None
