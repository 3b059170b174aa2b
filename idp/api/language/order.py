"""Owns the order and equality of values, as bytes: compare the keys of two values and you have compared the values like BSON.

Pure. Numbers compare by value (1 is 1.0, and no integer of 64 bits is rounded), text by code points, true is not 1. Which
place a whole document has in a sort stands here as well.
"""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from idp.api.language.paths import MISSING, Path, ends, parse_path
from idp.api.problems import bad_request

MAX_SORT = 3
EMPTY_LIST, NULL, NUMBER, TEXT, OBJECT, LIST, BOOLEAN = 0, 1, 2, 3, 4, 5, 8  # the order of types
_BRACKETS: Final[dict[type, int]] = {
    type(None): NULL,
    int: NUMBER,
    float: NUMBER,
    str: TEXT,
    dict: OBJECT,
    list: LIST,
    bool: BOOLEAN,
}
_INVERTED = bytes(range(255, -1, -1))

Sort = tuple[tuple[Path, int], ...]


class _Empty:
    """A list without items, as one value of its field: before null."""


_EMPTY: Final = _Empty()


def bracket(value: object) -> int:
    """Only values of one bracket are ever equal or ordered. What is not there counts as null."""
    kind = _BRACKETS.get(type(value))
    if kind is not None:
        return kind
    return NUMBER if isinstance(value, int) else NULL  # integers of the MongoDB driver are a subclass


def key_of(value: object, direction: int = 1) -> bytes:
    """No key of a value begins with the key of another one, so keys can be joined."""
    key = _key(value)
    return key if direction > 0 else inverted(key)


def inverted(key: bytes) -> bytes:
    return key.translate(_INVERTED)


def parse_sort(given: Mapping[str, int]) -> Sort:
    """{"age": -1, "name": 1} -> paths with direction; ties are always broken by _id."""
    if len(given) > MAX_SORT:
        raise bad_request("query_too_complex", f"Sort by at most {MAX_SORT} fields.")
    sort = tuple((parse_path(name), direction) for name, direction in given.items())
    return sort if any(path == ("_id",) for path, _ in sort) else (*sort, (("_id",), 1))


def place(view: Mapping[str, Any], sort: Sort) -> bytes:
    """Where a document stands in a sort: a list counts as its smallest item, in a descending sort as its largest.

    Raises Refused 400 parallel_lists.
    """
    rows = rows_at(view, [path for path, _ in sort])
    return min(b"".join(key_of(value, way) for value, (_, way) in zip(row, sort, strict=True)) for row in rows)


def rows_at(view: Mapping[str, Any], paths: Sequence[Path]) -> Iterator[tuple[Any, ...]]:
    """What is found at several paths at once, as MongoDB makes the keys of an index: one row for each item of a list.

    MISSING where nothing is; of an empty list a value before null. Raises Refused 400 parallel_lists for two lists.
    """
    return _rows(paths, [(view, path) for path in paths])


def _rows(paths: Sequence[Path], found: list[tuple[Any, Path | None]]) -> Iterator[tuple[Any, ...]]:
    """found: for each path how far it has come, and what remains of it; None: it is at its end."""
    found = [_descend(value, rest) for value, rest in found]
    lists = {
        n: path[: len(path) - len(rest)]
        for n, (path, (_, rest)) in enumerate(zip(paths, found, strict=True))
        if rest is not None
    }
    if not lists:
        yield tuple(value for value, _ in found)
        return
    if len(set(lists.values())) > 1:
        names = " and ".join(sorted(".".join(path) for path in set(lists.values())))
        raise bad_request("parallel_lists", f"Two lists in one order have no order: {names[:120]}.")
    items = found[next(iter(lists))][0] or [_EMPTY]
    for item in items:
        yield from _rows(
            paths, [_inner(item, rest) if n in lists else (value, rest) for n, (value, rest) in enumerate(found)]
        )


def _descend(value: Any, rest: Path | None) -> tuple[Any, Path | None]:
    """Through objects, until a list (rest is a path, perhaps the empty one), the end or nothing (rest is None)."""
    if rest is None:
        return value, None
    while rest and isinstance(value, dict):
        value, rest = value.get(rest[0], MISSING), rest[1:]
    if isinstance(value, list):
        return value, rest
    return (MISSING if rest else value), None


def _inner(item: Any, rest: Path | None) -> tuple[Any, Path | None]:
    """A list directly in a list is a value of its own."""
    if not rest:
        return item, None
    return (item, rest) if isinstance(item, dict) else (MISSING, None)


def distinct_values(view: Mapping[str, Any], path: Path) -> Iterator[Any]:
    """The values at a path, each item of a list for itself; nothing for what is not there and for empty lists."""
    for found in ends(view, path):
        if isinstance(found, list):
            yield from found
        elif found is not MISSING:
            yield found


def _key(value: Any) -> bytes:
    if value is _EMPTY:
        return bytes([EMPTY_LIST])
    kind = bracket(value)
    if kind == NULL:
        return b"\1"
    if kind == NUMBER:
        return b"\2" + _number(value)
    if kind == TEXT:
        return b"\3" + _text(value)
    if kind == OBJECT:
        inner = (bytes([bracket(v)]) + _text(name) + _key(v) for name, v in value.items())
        return b"\4" + b"".join(inner) + b"\0"
    if kind == LIST:
        return b"\5" + b"".join(map(_key, value)) + b"\0"
    return b"\x08\1" if value else b"\x08\0"


def _text(value: str) -> bytes:
    return value.encode().replace(b"\0", b"\0\xff") + b"\0\1"


def _number(value: float) -> bytes:
    """The largest double that is not above it, and how much is missing: between doubles of 64 bits lie up to 2047 integers."""
    below = float(value)
    if isinstance(value, int) and int(below) > value:
        below = math.nextafter(below, -math.inf)
    rest = value - int(below) if isinstance(value, int) else 0
    (bits,) = struct.unpack(">Q", struct.pack(">d", below + 0.0))  # + 0.0: there is one zero
    bits = ~bits & 0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else bits | 1 << 63
    return struct.pack(">QH", bits, rest)
