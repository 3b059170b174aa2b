"""Owns the query language: what may be asked, refused by name; and its two compilers, Python matcher and MongoDB filter.

Client JSON is never passed on: it is parsed into nodes, and only nodes are compiled. Semantics are MongoDB's for the
operators below, with single values as operands. Updates are in update.py, cursors in cursor.py.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idp.api.problems import bad_request, quoted

MAX_DEPTH = 8
MAX_TERMS = 100
MAX_IN = 1000
MAX_SORT = 3
MAX_PATH = 16
COMPARISONS: Final = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not")
COMBINATIONS: Final = ("$and", "$or", "$nor")
SYSTEM_FIELDS: Final = {
    "_id": "id",
    "_version": "version",
    "_created_at": "created_at",
    "_created_by": "created_by",
    "_updated_at": "updated_at",
    "_updated_by": "updated_by",
}
_PART = re.compile(r"[^\W\d][\w-]*")  # letters of any script, digits, _ and -; never a bare array position
MISSING: Final = object()

Scalar = str | int | float | bool | None
Path = tuple[str, ...]
Predicate = Callable[[Mapping[str, Any]], bool]
Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Compare:
    path: Path
    op: str
    operand: Any


@dataclass(frozen=True, slots=True)
class Combine:
    """op: $and, $or or $nor. An empty $and matches everything; $nor of one is its negation."""

    op: str
    parts: tuple["Node", ...]


Node = Compare | Combine
Sort = tuple[tuple[Path, int], ...]


# --- parsing -------------------------------------------------------------------------------------------------------


def parse_filter(given: Mapping[str, Any]) -> Node:
    """Raises Refused 400: unknown_operator, bad_field_name, bad_operand, query_too_complex."""
    node = _all_of(given, 1)
    if _size(node) > MAX_TERMS:
        raise bad_request("query_too_complex", f"A filter holds at most {MAX_TERMS} conditions.")
    return node


def _all_of(given: object, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise bad_request("query_too_complex", f"Conditions nest at most {MAX_DEPTH} deep.")
    if not isinstance(given, dict):
        raise bad_request("bad_operand", "A filter is a JSON object.")
    parts: list[Node] = []
    for name, operand in given.items():
        if name in COMBINATIONS:
            parts.append(_combination(name, operand, depth))
        elif name.startswith("$"):
            raise _unknown(name, "filter", COMBINATIONS)
        else:
            parts.extend(_field(parse_path(name), operand, depth))
    return parts[0] if len(parts) == 1 else Combine("$and", tuple(parts))


def _combination(name: str, operand: object, depth: int) -> Node:
    if not isinstance(operand, list) or not operand:
        raise bad_request("bad_operand", f"{name} takes a list of filters.", operator=name)
    if len(operand) > MAX_TERMS:
        raise bad_request("query_too_complex", f"{name} takes at most {MAX_TERMS} filters.", operator=name)
    return Combine(name, tuple(_all_of(part, depth + 1) for part in operand))


def _field(path: Path, operand: object, depth: int) -> Iterator[Node]:
    if depth > MAX_DEPTH:
        raise bad_request("query_too_complex", f"Conditions nest at most {MAX_DEPTH} deep.")
    if not isinstance(operand, dict):
        yield Compare(path, "$eq", _scalar("$eq", operand))
        return
    if not operand or not any(name.startswith("$") for name in operand):
        raise bad_request(
            "bad_operand", f"Compare single values: write {quoted('.'.join(path) + '.…')} for inner fields."
        )
    for op, value in operand.items():
        if op == "$not":
            if not isinstance(value, dict):
                raise bad_request("bad_operand", "$not takes an object of operators.", operator=op)
            yield Combine("$nor", (Combine("$and", tuple(_field(path, value, depth + 1))),))
        else:
            yield Compare(path, op, _operand(op, value))


def _operand(op: str, value: object) -> object:
    if op not in COMPARISONS:
        raise _unknown(op, "field", COMPARISONS)
    if op in ("$in", "$nin"):
        if not isinstance(value, list) or len(value) > MAX_IN:
            raise bad_request("bad_operand", f"{op} takes a list of at most {MAX_IN} values.", operator=op)
        return tuple(_scalar(op, item) for item in value)
    if op == "$exists":
        if not isinstance(value, bool):
            raise bad_request("bad_operand", "$exists takes true or false.", operator=op)
        return value
    if op in ("$eq", "$ne"):
        return _scalar(op, value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise bad_request("bad_operand", f"{op} takes a number or a string.", operator=op)
    return value


def _scalar(op: str, value: object) -> Scalar:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise bad_request("bad_operand", f"{op} compares with a single value, not a list or an object.", operator=op)


def _unknown(name: str, where: str, allowed: tuple[str, ...]) -> Exception:
    message = f"The operator {quoted(name)} is not allowed here; a {where} may use {', '.join(allowed)}."
    return bad_request("unknown_operator", message, operator=name[:60])


def _size(node: Node) -> int:
    return 1 if isinstance(node, Compare) else sum(_size(part) for part in node.parts)


def parse_path(name: str, *, writable: bool = False) -> Path:
    """`address.city` -> ("address", "city"). Names that begin with _ are system fields, which only the server writes."""
    if name.startswith("_") and (writable or name not in SYSTEM_FIELDS):
        allowed = "they cannot be written or chosen" if writable else f"only {', '.join(SYSTEM_FIELDS)} can be queried"
        raise bad_request(
            "reserved_field", f"{quoted(name)}: fields that begin with _ are the server's; {allowed}.", field=name[:60]
        )
    parts = tuple(name.split("."))
    if len(name) > 255 or len(parts) > MAX_PATH or not all(_PART.fullmatch(part) for part in parts):
        raise bad_request(
            "bad_field_name", f"{quoted(name)} is not a field name that can be addressed.", field=name[:60]
        )
    return parts


def parse_sort(given: Mapping[str, int]) -> Sort:
    """{"age": -1, "name": 1} -> paths with direction; ties are always broken by _id."""
    if len(given) > MAX_SORT:
        raise bad_request("query_too_complex", f"Sort by at most {MAX_SORT} fields.")
    sort = tuple((parse_path(name), direction) for name, direction in given.items())
    return sort if any(path == ("_id",) for path, _ in sort) else (*sort, (("_id",), 1))


# --- compiled to Python --------------------------------------------------------------------------------------------


def to_predicate(node: Node, tick: Tick = lambda: None) -> Predicate:
    """tick: called before each comparison with one document, and may raise: a single document can be long work."""
    if isinstance(node, Compare):
        test = _compare(node)
        return lambda view: tick() or test(view)  # type: ignore[func-returns-value]
    parts = [to_predicate(part, tick) for part in node.parts]
    if node.op == "$and":
        return lambda view: all(part(view) for part in parts)
    if node.op == "$or":
        return lambda view: any(part(view) for part in parts)
    return lambda view: not any(part(view) for part in parts)


def _compare(node: Compare) -> Predicate:
    path, op, operand = node.path, node.op, node.operand
    if op in ("$ne", "$nin"):
        positive = _compare(Compare(path, {"$ne": "$eq", "$nin": "$in"}[op], operand))
        return lambda view: not positive(view)
    if op == "$exists":
        return lambda view: any(found is not MISSING for found in elements(view, path)) is operand
    if op == "$eq":
        return lambda view: any(_equal(found, operand) for found in elements(view, path))
    if op == "$in":
        wanted = frozenset(_key(item) for item in operand)
        return lambda view: any(_key(found) in wanted for found in elements(view, path))
    test = _ORDER[op]
    bracket = _bracket(operand)
    return lambda view: any(_bracket(found) == bracket and test(found, operand) for found in elements(view, path))


_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
}


def elements(value: object, path: Path) -> Iterator[object]:
    """Every value that MongoDB compares for a path: a list gives each item and then itself; MISSING where nothing is."""
    if not path:
        if isinstance(value, list):
            yield from value
        yield value
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield from elements(item, path)
    elif isinstance(value, dict) and path[0] in value:
        yield from elements(value[path[0]], path[1:])
    else:
        yield MISSING


def _bracket(value: object) -> int:
    """BSON order of types. Only values of one bracket compare with each other: true is not 1, "1" is not 1."""
    if value is None or value is MISSING:
        return 1
    if isinstance(value, bool):
        return 8
    if isinstance(value, (int, float)):
        return 2
    return 3 if isinstance(value, str) else 4 if isinstance(value, dict) else 5


def _key(value: object) -> tuple[int, object]:
    """Equal for values that $eq finds equal. No operand is a list or an object, so these need no value."""
    bracket = _bracket(value)
    return bracket, value if bracket in (2, 3, 8) else None


def _equal(found: object, operand: Scalar) -> bool:
    return _bracket(found) == _bracket(operand) and (operand is None or found == operand)


def sort_key(view: Mapping[str, Any], path: Path, direction: int) -> tuple[Any, ...]:
    """Compares like BSON. Of a list counts the smallest item (ascending) or the largest (descending)."""
    values = list(elements(view, path))
    if isinstance(values[-1] if values else None, list):
        values = values[:-1] or [[]]
        if values == [[]]:
            return (0,)  # an empty list sorts before null
    keys = [_order_key(value) for value in values] or [(1,)]
    return min(keys) if direction > 0 else max(keys)


def _order_key(value: object) -> tuple[Any, ...]:
    bracket = _bracket(value)
    if isinstance(value, dict):
        return (bracket, tuple((_bracket(v), k, _order_key(v)) for k, v in value.items()))
    if isinstance(value, list):
        return (bracket, tuple(_order_key(v) for v in value))
    return (bracket,) if bracket == 1 else (bracket, value)


# --- compiled to MongoDB -------------------------------------------------------------------------------------------


def to_mongo(node: Node) -> dict[str, Any]:
    """A filter on the stored form: system fields at the top, what the client wrote under `data`."""
    if isinstance(node, Compare):
        operand = list(node.operand) if isinstance(node.operand, tuple) else node.operand
        return {mongo_path(node.path): {node.op: operand}}
    if node.op == "$and" and not node.parts:
        return {}
    return {node.op: [to_mongo(part) for part in node.parts]}


def mongo_path(path: Path) -> str:
    if path[0] in SYSTEM_FIELDS:
        return "_id" if path[0] == "_id" else SYSTEM_FIELDS[path[0]]
    return "data." + ".".join(path)
