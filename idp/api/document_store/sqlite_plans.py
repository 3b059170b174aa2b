"""Owns the ways to reach documents of the embedded store: by id, by who may read, by an index; each as a walk of candidates.

A walk gives at least the documents that are asked for. What is shown of them is left to sqlite_search.py, which judges
each candidate by its own ACL and by the whole filter.
"""

import heapq
import sqlite3
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice, product
from typing import Any, Final

from idp.api import language
from idp.api.document_store.keys import after_all
from idp.api.document_store.sqlite_schema import DOCUMENT, Row
from idp.api.document_store.sqlite_writes import READ, StoredIndex, indexes_of

MAX_POINTS = 1000
MAX_INDEXES = 3  # that are tried for one search
BY_ID = ((("_id",), 1),)
BACK_BY_ID = ((("_id",), -1),)
Bounds = tuple[bytes, bytes | None]
UNBOUNDED: Final[Bounds] = (b"", None)
COLUMNS: Final = ", ".join(f"d.{name}" for name in DOCUMENT.split(", "))
LAST_ID: Final = "\U0010ffff"
FIRST_PART, MAX_PART = 32, 1024
TOGETHER = 24  # documents; a usual page needs 21
MARKS: Final = ", ".join("?" * TOGETHER)


@dataclass(frozen=True, slots=True)
class Search:
    """after: only documents behind this id, in the order of ids. columns: COLUMNS, or the same with some left empty."""

    connection: sqlite3.Connection
    collection: str
    where: language.Node
    keys: frozenset[str] | None
    sort: language.Sort | None = None
    after: str = ""
    columns: str = COLUMNS

    def rows(self, ids: Iterable[str], way: str = "ASC") -> Iterator[Row]:
        """ids: in order, DESC or ASC. Many with one statement: one for each id costs more than all else of a page."""
        sql = f"SELECT {self.columns} FROM document d WHERE collection = ? AND id IN ({MARKS}) ORDER BY id {way}"  # noqa: S608  (constants)
        following = iter(ids)
        while part := list(islice(following, TOGETHER)):
            unused = [None] * (TOGETHER - len(part))
            yield from self.connection.execute(sql, (self.collection, *part, *unused))

    def joined(self, table: str, condition: str, *values: object) -> Iterator[Row]:
        """Documents by the ids of another table, in its order."""
        sql = (
            f"SELECT {self.columns} FROM {table} t CROSS JOIN document d ON d.collection = ? AND d.id = t.id"  # noqa: S608  (constants)
            f" WHERE {condition}"
        )
        return self.connection.execute(sql, (self.collection, *values))


@dataclass(frozen=True, slots=True)
class Plan:
    """name: of the index. sorted: the walk has the order that is asked for. sharp: how many conditions it makes use of."""

    name: str | None
    sorted: bool
    sharp: int
    walk: Callable[[], Iterator[Row]]


def plans(search: Search) -> list[Plan]:
    """The promising ones, at least one; those in the order that is asked for come first."""
    tests = _tests(search.where)
    if (ids := _wanted(tests, ("_id",))) is not None:
        return [Plan("_id", search.sort in (BY_ID, None), 1, lambda: search.rows(sorted({*map(str, ids)})))]
    by_index = [
        plan
        for stored in indexes_of(search.connection, search.collection)
        if stored.ready
        for plan in _by_index(search, stored, tests)
    ]
    return sorted([*sorted(by_index, key=_promise)[:MAX_INDEXES], _by_reader(search, tests)], key=_promise)


def leaps(search: Search, path: language.Path, known: Container[bytes]) -> Iterator[Plan]:
    """For the different values of a field: walks that leave out the rest of a value when `known` holds its key."""
    for stored in indexes_of(search.connection, search.collection):
        if stored.ready and len(stored.index.paths) == 1 and stored.index.paths[0][0] == path:
            yield Plan(stored.index.name, True, 0, partial(_leaping, search, stored, known))


def _leaping(search: Search, stored: StoredIndex, known: Container[bytes]) -> Iterator[Row]:
    following, key = "SELECT min(key) FROM entry WHERE number = ? AND key > ?", b""
    while key := search.connection.execute(following, (stored.number, key)).fetchone()[0]:
        ascending = key if stored.index.paths[0][1] > 0 else language.inverted(key)
        for row in _at_point(search, stored, key):
            yield row
            if ascending in known:
                break


def _promise(plan: Plan) -> tuple[bool, int]:
    return not plan.sorted, -plan.sharp


def _tests(where: language.Node) -> list[language.Compare]:
    """Conditions that hold for every match."""
    if isinstance(where, language.Compare):
        return [where]
    if isinstance(where, language.Combine) and where.op == "$and":
        return [test for part in where.parts for test in _tests(part)]
    return []


def _wanted(tests: Sequence[language.Compare], path: language.Path) -> tuple[Any, ...] | None:
    """The values of which a match has one at `path`; None: any value may do."""
    for test in tests:
        if test.path == path and test.op in ("$eq", "$in"):
            values = test.operand if test.op == "$in" else (test.operand,)
            if all(value is None or isinstance(value, (str, int, float)) for value in values):
                return tuple(values)
    return None


# --- by id and by who may read -------------------------------------------------------------------------------------


def _by_reader(search: Search, tests: Sequence[language.Compare]) -> Plan:
    """All that the caller may see, in the order of ids."""
    way = "DESC" if search.sort == BACK_BY_ID else "ASC"
    low, high = _id_range(search, tests)

    def walk() -> Iterator[Row]:
        if search.keys is None or not all(key.startswith(READ) for key in search.keys):
            sql = (
                f"SELECT {search.columns} FROM document d WHERE collection = ? AND id BETWEEN ? AND ? ORDER BY id {way}"  # noqa: S608  (constants)
            )
            return search.connection.execute(sql, (search.collection, low, high))
        bounds, start = (("<= ? AND id >= ?", high), low) if way == "ASC" else ((">= ? AND id <= ?", low), high)
        sql = f"SELECT id FROM allowed WHERE collection = ? AND key = ? AND id {bounds[0]} ORDER BY id {way} LIMIT ?"  # noqa: S608  (constants)
        streams = [_in_parts(search, sql, (search.collection, key, bounds[1]), start) for key in sorted(search.keys)]
        return search.rows(_once(heapq.merge(*streams, reverse=way == "DESC")), way)

    return Plan(None, search.sort in (None, BY_ID, BACK_BY_ID), int((low, high) != ("", LAST_ID)), walk)


def _id_range(search: Search, tests: Sequence[language.Compare]) -> tuple[str, str]:
    """From, up to; both included."""
    of_id = [test for test in tests if test.path == ("_id",) and isinstance(test.operand, str)]
    lows = [test.operand for test in of_id if test.op in ("$gt", "$gte")]
    highs = [test.operand for test in of_id if test.op in ("$lt", "$lte")]
    return max([search.after, *lows]), min([LAST_ID, *highs])


def _in_parts(search: Search, sql: str, values: tuple[object, ...], start: str) -> Iterator[str]:
    """Ids from `start` on, some of them twice. Not one long walk: a caller may have hundreds of roles, and one prepared
    statement serves them all only if it is at its end each time."""
    size = FIRST_PART
    while True:
        part = [id for (id,) in search.connection.execute(sql, (*values, start, size))]
        yield from part
        if len(part) < size:
            return
        start, size = part[-1], min(2 * size, MAX_PART)


def _once(ids: Iterator[str]) -> Iterator[str]:
    """In their order, without repetitions."""
    return (id for id, _ in groupby(ids))


# --- by an index ---------------------------------------------------------------------------------------------------


def _by_index(search: Search, stored: StoredIndex, tests: Sequence[language.Compare]) -> Iterator[Plan]:
    name = stored.index.name
    heads, rest = _heads(stored, tests)
    depth = len(stored.index.paths) - len(rest)
    if not rest:
        yield Plan(name, search.sort in (None, BY_ID), depth, partial(_at_points, search, stored, heads))
        return
    bounds = _range(stored, depth, tests)
    bounded = bounds != UNBOUNDED
    served = _served(search.sort, stored, depth) if len(heads) == 1 else 0
    if served:  # of a list, an item outside the bounds may decide the place
        within = UNBOUNDED if stored.several else bounds
        yield Plan(name, True, depth + (within == bounds), partial(_through, search, stored, heads, within, served))
    if (depth or bounded) and not (served and not stored.several):
        yield Plan(name, search.sort is None, depth + bounded, partial(_through, search, stored, heads, bounds, 1))


def _heads(stored: StoredIndex, tests: Sequence[language.Compare]) -> tuple[list[bytes], language.Sort]:
    """How the keys of all matches begin, and the fields of the index that are open."""
    heads, paths = [b""], stored.index.paths
    for number, (path, way) in enumerate(paths):
        wanted = _wanted(tests, path)
        if wanted is None or len(wanted) * len(heads) > MAX_POINTS:
            return heads, paths[number:]
        parts = sorted({language.key_of(value, way) for value in wanted})
        heads = [b"".join(both) for both in product(heads, parts)]
    return heads, ()


def _range(stored: StoredIndex, depth: int, tests: Sequence[language.Compare]) -> Bounds:
    """Keys behind the head from the first on and below the second hold every match. Of a list, one item may satisfy one
    condition and another item the other: then only one of them counts."""
    path, way = stored.index.paths[depth]
    found = [_interval(test, way) for test in tests if test.path == path and test.op in ("$gt", "$gte", "$lt", "$lte")]
    if stored.several:
        found = found[:1]
    lows, highs = [low for low, _ in found], [high for _, high in found if high is not None]
    return max(lows, default=b""), min(highs, default=None)


def _interval(test: language.Compare, way: int) -> Bounds:
    key = language.key_of(test.operand)
    bracket = key[:1]  # only values of the same type compare
    first, last = (key, bracket) if test.op in ("$gt", "$gte") else (bracket, key)
    if way < 0:
        first, last = language.inverted(last), language.inverted(first)
    return first, after_all(last)


def _served(sort: language.Sort | None, stored: StoredIndex, depth: int) -> int:
    """1: the keys behind the first `depth` fields are in the order of the sort; -1: in the opposite one; 0: neither."""
    fixed, rest = stored.index.paths[:depth], stored.index.paths[depth:]
    if sort is None or sort[-1] != BY_ID[0]:
        return 0
    if stored.several and {path[0] for path, _ in fixed} & {path[0] for path, _ in rest}:
        return 0  # fields of the same list: not every item of it begins with the head
    if sort[:-1] == rest:
        return 1
    return -1 if sort[:-1] == tuple((path, -way) for path, way in rest) else 0


def _at_points(search: Search, stored: StoredIndex, points: Sequence[bytes]) -> Iterator[Row]:
    """In the order of ids."""
    sql = "SELECT id FROM entry WHERE number = ? AND key = ? AND id >= ? ORDER BY id LIMIT ?"
    streams = [_in_parts(search, sql, (stored.number, point), search.after) for point in points]
    return search.rows(_once(heapq.merge(*streams)))


def _at_point(search: Search, stored: StoredIndex, point: bytes) -> Iterator[Row]:
    return search.joined("entry", "t.number = ? AND t.key = ? ORDER BY t.id", stored.number, point)


def _through(
    search: Search, stored: StoredIndex, heads: Sequence[bytes], bounds: Bounds, direction: int
) -> Iterator[Row]:
    """In the order of the keys, or against it; ids of one key always forwards."""
    low, high = bounds
    walk = _forwards if direction > 0 else _backwards
    ends = ((head + low, after_all(head) if high is None else head + high) for head in heads)
    rows = (row for first, end in ends for row in walk(search, stored, first, end))
    return _first_time(rows) if stored.several else rows


def _forwards(search: Search, stored: StoredIndex, low: bytes, high: bytes | None) -> Iterator[Row]:
    condition = "t.number = ? AND t.key >= ? AND (? IS NULL OR t.key < ?) ORDER BY t.key, t.id"
    return search.joined("entry", condition, stored.number, low, high, high)


def _backwards(search: Search, stored: StoredIndex, low: bytes, high: bytes | None) -> Iterator[Row]:
    below = "SELECT max(key) FROM entry WHERE number = ? AND key >= ? AND (? IS NULL OR key < ?)"
    while key := search.connection.execute(below, (stored.number, low, high, high)).fetchone()[0]:
        yield from _at_point(search, stored, key)
        high = key


def _first_time(rows: Iterator[Row]) -> Iterator[Row]:
    seen = set()
    for row in rows:
        if row[1] not in seen:
            seen.add(row[1])
            yield row
