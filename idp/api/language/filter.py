"""Owns what may be asked of documents: parses a filter into nodes and refuses everything else by its name.

Client JSON is never passed on: only nodes are compiled, by matching.py (Python) and mongo.py. The semantics are MongoDB's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idp.api.language.data import check_value
from idp.api.language.paths import Path, parse_path
from idp.api.language.regex import parse_regex
from idp.api.problems import bad_request, quoted

MAX_DEPTH = 8
MAX_TERMS = 100
MAX_IN = 1000
MAX_LIST = 10_000_000
TYPES: Final = ("null", "bool", "number", "string", "object", "array")
_OF_ONE: Final = (
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$nin",
    "$type",
    "$size",
    "$regex",
    "$options",
    "$elemMatch",
)
COMPARISONS: Final = (*_OF_ONE, "$all", "$exists", "$not")
COMBINATIONS: Final = ("$and", "$or", "$nor")

Named = Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class Compare:
    """operand: of $in and $nin a tuple of values, of $type a tuple of names, of $regex a regex.Regex."""

    path: Path
    op: str
    operand: Any


@dataclass(frozen=True, slots=True)
class ElemMatch:
    """One item of the list at `path` satisfies `test`. of_values: the tests have the path () and look at the item itself;
    otherwise their paths lead into the item."""

    path: Path
    test: "Node"
    of_values: bool


@dataclass(frozen=True, slots=True)
class Combine:
    """op: $and, $or or $nor. An empty $and matches everything; $nor of one is its negation."""

    op: str
    parts: tuple["Node", ...]


Node = Compare | ElemMatch | Combine


def parse_filter(given: Mapping[str, Any], named: Named = parse_path) -> Node:
    """Raises Refused 400: unknown_operator, bad_field_name, reserved_field, bad_operand, bad_pattern, query_too_complex."""
    return _in_bounds(_all_of(given, 1, named))


def parse_item(operand: object) -> ElemMatch:
    """What an item of a list must be, for $pull: a value, an object of operators, or a filter on objects."""
    if not isinstance(operand, dict):
        test: Node = Compare((), "$eq", _value("$pull", operand))
        return ElemMatch((), test, of_values=True)
    node = _elem_match((), operand, 1)
    _in_bounds(node)
    return node


def _in_bounds(node: Node) -> Node:
    if _size(node) > MAX_TERMS:
        raise bad_request("query_too_complex", f"A filter holds at most {MAX_TERMS} conditions.")
    return node


def _size(node: Node) -> int:
    if isinstance(node, Combine):
        return sum(_size(part) for part in node.parts)
    return 1 if isinstance(node, Compare) else 1 + _size(node.test)


def _all_of(given: object, depth: int, named: Named) -> Node:
    if depth > MAX_DEPTH:
        raise bad_request("query_too_complex", f"Conditions nest at most {MAX_DEPTH} deep.")
    if not isinstance(given, dict):
        raise bad_request("bad_operand", "A filter is a JSON object.")
    parts: list[Node] = []
    for name, operand in given.items():
        if name in COMBINATIONS:
            parts.append(_combination(name, operand, depth, named))
        elif name.startswith("$"):
            raise unknown(name, "filter", COMBINATIONS)
        else:
            parts.extend(_field(named(name), operand, depth))
    return all_hold(parts)


def all_hold(parts: Iterable[Node]) -> Node:
    """One flat $and, so that a store finds what an index can answer."""
    flat: list[Node] = []
    for part in parts:
        flat += part.parts if isinstance(part, Combine) and part.op == "$and" else [part]
    return flat[0] if len(flat) == 1 else Combine("$and", tuple(flat))


def _combination(name: str, operand: object, depth: int, named: Named) -> Node:
    if not isinstance(operand, list) or not operand:
        raise bad_request("bad_operand", f"{name} takes a list of filters.", operator=name)
    if len(operand) > MAX_TERMS:
        raise bad_request("query_too_complex", f"{name} takes at most {MAX_TERMS} filters.", operator=name)
    return Combine(name, tuple(_all_of(part, depth + 1, named) for part in operand))


def _field(path: Path, operand: object, depth: int) -> Iterator[Node]:
    if depth > MAX_DEPTH:
        raise bad_request("query_too_complex", f"Conditions nest at most {MAX_DEPTH} deep.")
    if not isinstance(operand, (dict, list)):
        yield Compare(path, "$eq", operand)
        return
    if not operand or isinstance(operand, list) or not any(name.startswith("$") for name in operand):
        inner = quoted(".".join(path) + ".…")
        raise bad_request("bad_operand", f'Write {{"$eq": …}} to compare with a whole value, {inner} for inner fields.')
    for op, value in operand.items():
        if op not in COMPARISONS:
            raise unknown(op, "field", COMPARISONS)
        yield from _condition(path, op, value, operand, depth)


def _condition(path: Path, op: str, value: object, beside: Mapping[str, object], depth: int) -> Iterator[Node]:
    if op == "$not":
        if not isinstance(value, dict):
            raise bad_request("bad_operand", "$not takes an object of operators.", operator=op)
        yield Combine("$nor", (Combine("$and", tuple(_field(path, value, depth + 1))),))
    elif op == "$all":
        for item in _list(op, value):
            yield Compare(path, "$eq", _value(op, item))
    elif op == "$elemMatch":
        yield _elem_match(path, value, depth + 1)
    elif op == "$options":
        if "$regex" not in beside:
            raise bad_request("bad_operand", "$options belongs to a $regex.", operator=op)
    else:
        yield Compare(path, op, _operand(op, value, beside))


def _elem_match(path: Path, operand: object, depth: int) -> ElemMatch:
    if not isinstance(operand, dict) or not operand:
        raise bad_request("bad_operand", "$elemMatch takes an object of operators, or a filter.", operator="$elemMatch")
    if depth > MAX_DEPTH:
        raise bad_request("query_too_complex", f"Conditions nest at most {MAX_DEPTH} deep.")
    first = next(iter(operand))
    if not first.startswith("$") or first in COMBINATIONS:
        return ElemMatch(path, _all_of(operand, depth, lambda name: parse_path(name, inside=True)), of_values=False)
    for op in operand:
        if op not in _OF_ONE:
            raise unknown(op, "single item", _OF_ONE)
    tests = [node for op, value in operand.items() for node in _condition((), op, value, operand, depth)]
    return ElemMatch(path, all_hold(tests), of_values=True)


def _operand(op: str, value: object, beside: Mapping[str, object]) -> object:
    if op in ("$in", "$nin"):
        return tuple(_value(op, item) for item in _list(op, value, least=0))
    if op in ("$eq", "$ne"):
        return _value(op, value)
    if op == "$regex":
        return parse_regex(value, beside.get("$options", ""))
    if op == "$type":
        return _types(value)
    if op == "$exists":
        if not isinstance(value, bool):
            raise bad_request("bad_operand", "$exists takes true or false.", operator=op)
        return value
    if op == "$size":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_LIST:
            raise bad_request("bad_operand", "$size takes a number of items.", operator=op)
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise bad_request("bad_operand", f"{op} takes a number or a string.", operator=op)
    return value


def _list(op: str, value: object, least: int = 1) -> list[object]:
    if not isinstance(value, list) or not least <= len(value) <= MAX_IN:
        raise bad_request("bad_operand", f"{op} takes a list of {least} to {MAX_IN} values.", operator=op)
    return value


def _types(value: object) -> tuple[str, ...]:
    names = tuple(value) if isinstance(value, list) else (value,)
    if not names or len(names) > len(TYPES) or any(name not in TYPES for name in names):
        raise bad_request("bad_operand", f"$type takes one or more of {', '.join(TYPES)}.", operator="$type")
    return names


def _value(op: str, value: object) -> object:
    """A JSON value as it could be stored; an object with operators would be none."""
    check_value(value)
    return value


def unknown(name: str, where: str, allowed: tuple[str, ...]) -> Exception:
    message = f"The operator {quoted(name)} is not allowed here; a {where} may use {', '.join(allowed)}."
    return bad_request("unknown_operator", message, operator=name[:60])
