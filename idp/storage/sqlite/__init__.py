"""The embedded store: idp.ports.Repository on SQLite (WAL, every commit synced to disk).
Leaves SQL to statements, connections to pool, tables to schema, the form of records to rows.

With the companion's own stores this package is the only importer of sqlite3.
"""

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from idp.base.clock import Clock
from idp.ports import Duplicate
from idp.storage.collections import COLLECTIONS, Collection
from idp.storage.migrations import STEPS, Step
from idp.storage.rows import Row, Rows, Table, Unreadable, text
from idp.storage.sqlite import schema
from idp.storage.sqlite.pool import Borrowed, NotText, Pool, transaction
from idp.storage.sqlite.statements import Statements
from idp.storage.sqlite.sync_later import SyncLater

T = TypeVar("T")
BUSY_SECONDS = 5.0
SWEEP_BATCH = 500  # rows deleted in one transaction, so that a sweep never holds up the sign-ins


class SqliteRepository:
    """Repository on one SQLite file, for any number of threads and processes of one machine (no network file system).

    The file is made if absent, mode 0600. Raises Misconfigured when it cannot be our store. Text that is no Unicode (a
    lone surrogate) is a ValueError on the way in, and looking for it finds nothing.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        collections: Iterable[Collection] = COLLECTIONS,
        steps: Sequence[Step] = STEPS,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        path = Path(path)
        self._clock = clock
        self._table = Table(collections)
        self._sql = {rows.name: Statements(rows) for rows in self._table}
        self._pool = Pool(path, busy_seconds)
        schema.make_file(path)
        schema.bring_up_to_date(self._pool, path, self._table, steps)
        self.sync_later = SyncLater(self._pool, path)

    @property
    def engine(self) -> str:
        """Name and version, for `idp doctor`."""
        return f"SQLite {sqlite3.sqlite_version}"

    def get(self, kind: type[T], id: str) -> T | None:
        rows = self._table.of(kind)
        values = (text(id), self._clock()) if rows.expires else (text(id),)
        found = self._rows_of(rows, id, self._sql[rows.name].get, values)
        return rows.load(*found[0]) if found else None

    def find(self, kind: type[T], *, limit: int = 1000, newest: bool = False, **where: str | None) -> list[T]:
        rows = self._table.of(kind)
        given = rows.checked(where)
        if limit < 1:
            return []
        values = self._with_now(rows, *(value for value in given.values() if value is not None))
        sql = self._sql[rows.name].find(_shape(given), newest)
        return [rows.load(*found) for found in self._rows_of(rows, "?", sql, (*values, limit))]

    def insert(self, record: object) -> None:
        rows = self._table.of(type(record))
        row = rows.dump(record)
        self._write(rows, row, self._sql[rows.name].insert, _values(row))

    def insert_all(self, *records: object) -> None:
        dumped = self._dumped(records)
        with self._pool.connection() as connection, transaction(connection):
            self._add(connection, dumped)

    def replace_if(self, record: T) -> T | None:
        rows = self._table.of(type(record))
        old = rows.version_of(record)
        new: T = replace(record, version=old + 1)  # type: ignore[type-var]
        row = rows.dump(new)
        changed = (row.expires_at, row.consumed_at, row.body, *row.keys)
        values = self._with_now(rows, *changed, row.id, old, row.consumed_at)
        return new if self._write(rows, row, self._sql[rows.name].replace, values) else None

    def consume(self, kind: type[T], id: str, also: Sequence[object] = ()) -> T | None:
        rows = self._table.of(kind)
        rows.must_be_consumable()
        dumped = self._dumped(also)
        values = (self._clock(), *self._with_now(rows, text(id)))
        found = self._rows_of(rows, id, self._sql[rows.name].consume, values, dumped)
        return rows.load(*found[0]) if found else None

    def delete(self, kind: type[Any], id: str) -> bool:
        rows = self._table.of(kind)
        return self._count(self._sql[rows.name].delete, self._with_now(rows, text(id))) > 0

    def delete_where(self, kind: type[Any], **where: str) -> int:
        rows = self._table.of(kind)
        given = rows.checked(where, none=False)
        if not given:
            raise ValueError("delete_where needs at least one key")
        return self._count(self._sql[rows.name].delete_where(_shape(given)), self._with_now(rows, *given.values()))

    def sweep(self) -> int:
        total = 0
        for rows in self._table:
            count = SWEEP_BATCH if rows.expires else 0
            while count == SWEEP_BATCH:
                count = self._count(self._sql[rows.name].sweep, (self._clock(), SWEEP_BATCH))
                total += count
        return total

    def close(self) -> None:
        """Closes the connections of this process. No call may be under way; a later one gets StoreUnavailable."""
        self._pool.close()
        self.sync_later.close()

    def _with_now(self, rows: Rows[Any], *values: Any) -> tuple[Any, ...]:
        return (*values, self._clock()) if rows.expires else values

    def _rows_of(
        self, rows: Rows[Any], id: str, sql: str, values: Sequence[Any], also: Sequence[tuple[Rows[Any], Row]] = ()
    ) -> list[Any]:
        """One statement, a transaction of its own; what it found brings `also` into being. fetchall: a write is committed
        only once its rows have been read."""
        try:
            with Borrowed(self._pool) as connection:
                if not also:
                    return connection.execute(sql, values).fetchall()
                with transaction(connection):
                    found = connection.execute(sql, values).fetchall()
                    if found:
                        self._add(connection, also)
                return found
        except UnicodeEncodeError:
            return []
        except NotText:
            raise Unreadable(rows.name, id, "not UTF-8") from None

    def _count(self, sql: str, values: Sequence[Any]) -> int:
        try:
            with self._pool.connection() as connection:
                return connection.execute(sql, values).rowcount
        except UnicodeEncodeError:
            return 0

    def _write(self, rows: Rows[Any], row: Row, sql: str, values: Sequence[Any]) -> bool:
        """Insert or update; an id or unique key that only an expired record holds is freed first. Raises Duplicate."""
        with self._pool.connection() as connection:
            try:
                return connection.execute(sql, values).rowcount > 0
            except sqlite3.IntegrityError as error:
                if not rows.expires:
                    raise _duplicate(rows, error) from None
            with transaction(connection):
                return self._freed_write(connection, rows, row, sql, values)

    def _freed_write(
        self, connection: sqlite3.Connection, rows: Rows[Any], row: Row, sql: str, values: Sequence[Any]
    ) -> bool:
        self._free(connection, rows, row)
        try:
            return connection.execute(sql, values).rowcount > 0
        except sqlite3.IntegrityError as error:
            raise _duplicate(rows, error) from None

    def _dumped(self, records: Iterable[object]) -> list[tuple[Rows[Any], Row]]:
        """Before the write lock is taken: what cannot be stored is refused while nobody waits."""
        kinds = ((self._table.of(type(record)), record) for record in records)
        return [(rows, rows.dump(record)) for rows, record in kinds]

    def _add(self, connection: sqlite3.Connection, dumped: Iterable[tuple[Rows[Any], Row]]) -> None:
        """Within a transaction. Raises Duplicate."""
        for rows, row in dumped:
            sql, values = self._sql[rows.name].insert, _values(row)
            try:
                connection.execute(sql, values)
            except sqlite3.IntegrityError as error:  # undoes this statement only
                if not rows.expires:
                    raise _duplicate(rows, error) from None
                self._freed_write(connection, rows, row, sql, values)

    def _free(self, connection: sqlite3.Connection, rows: Rows[Any], row: Row) -> None:
        now = self._clock()
        held = dict(zip(rows.keys, row.keys, strict=True)) | {"id": row.id}
        for group in (("id",), *rows.collection.unique):
            connection.execute(self._sql[rows.name].free(group), (*(held[key] for key in group), now))


def _values(row: Row) -> tuple[Any, ...]:
    return (row.id, row.version, row.expires_at, row.consumed_at, row.body, *row.keys)


def _shape(given: Mapping[str, str | None]) -> tuple[tuple[str, bool], ...]:
    return tuple((key, value is None) for key, value in given.items())


def _duplicate(rows: Rows[Any], error: sqlite3.IntegrityError) -> Duplicate:
    """SQLite names the columns: `UNIQUE constraint failed: users.username_key`."""
    columns = re.findall(rf"\b{rows.name}\.(\w+)", str(error))
    if not columns:
        raise error  # not a unique key: a mistake of ours
    return Duplicate(rows.name, columns)
