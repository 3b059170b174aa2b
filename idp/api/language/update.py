"""Owns the update language. Pure: gives new data, the store writes it at the old version.

Only what a client wrote can be reached: system fields and the ACL are kept elsewhere and have no path here.
"""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idp.api.language.data import MAX_INTEGER, Data, check_data
from idp.api.language.filter import MAX_IN, parse_item, unknown
from idp.api.language.matching import item_test
from idp.api.language.order import key_of
from idp.api.language.paths import Path, check_apart, parse_path
from idp.api.problems import bad_request, quoted
from idp.base.errors import Refused

ON_INSERT: Final = "$setOnInsert"
BLIND: Final = ("$set", "$unset", ON_INSERT)  # they do not look at what is stored

Step = tuple[str, Path, Any]


@dataclass(frozen=True, slots=True)
class Push:
    """keep: how many items stay, from the front, or from the end when negative; None: all."""

    items: tuple[Any, ...]
    keep: int | None = None


def parse_update(given: Mapping[str, Any]) -> tuple[Step, ...]:
    """Raises Refused 400: unknown_operator, bad_operand, bad_field_name, reserved_field, conflicting_paths."""
    steps: list[Step] = []
    if not given:
        raise bad_request("bad_operand", f"An update holds at least one of {', '.join(OPERATORS)}.")
    for op, fields in given.items():
        if op not in OPERATORS:
            raise unknown(op, "update", OPERATORS)
        if not isinstance(fields, dict) or not fields:
            raise bad_request("bad_operand", f"{op} takes an object of fields.", operator=op)
        for name, operand in fields.items():
            steps.append((op, parse_path(name, writable=True), _operand(op, operand)))
    check_apart(path for step in steps for path in _written(step))
    return tuple(steps)


def apply(data: Data, steps: tuple[Step, ...], inserting: bool = False) -> Data:
    """Raises Refused 409 type_conflict when what is stored does not fit the operator; 400, 413 when the result is not
    a document. inserting: a new document is made of `data`, so $setOnInsert counts."""
    result = copy.deepcopy(data)
    for op, path, operand in steps:
        if op != ON_INSERT or inserting:
            _APPLY[op](result, path, operand)
    check_data(result)
    return result


def read_by(steps: tuple[Step, ...]) -> frozenset[Path]:
    """The fields whose stored value decides what the steps do."""
    return frozenset(path for step in steps if step[0] not in BLIND for path in _written(step))


def _written(step: Step) -> tuple[Path, ...]:
    op, path, operand = step
    return (path, operand) if op == "$rename" else (path,)


# --- operands ------------------------------------------------------------------------------------------------------


def _operand(op: str, operand: Any) -> Any:
    if op in ("$inc", "$mul"):
        if isinstance(operand, bool) or not isinstance(operand, (int, float)):
            raise bad_request("bad_operand", f"{op} takes a number.", operator=op)
    elif op == "$unset":
        if operand is not True and operand != "":
            raise bad_request("bad_operand", "$unset takes true.", operator=op)
    elif op == "$rename":
        if not isinstance(operand, str):
            raise bad_request("bad_operand", "$rename takes the new name of the field.", operator=op)
        return parse_path(operand, writable=True)
    elif op in ("$push", "$addToSet"):
        return _pushed(op, operand)
    elif op == "$pull":
        return parse_item(operand)
    return operand


def _pushed(op: str, operand: Any) -> Push:
    if not isinstance(operand, dict) or not any(name.startswith("$") for name in operand):
        return Push((operand,))
    allowed = ("$each", "$slice") if op == "$push" else ("$each",)
    for name in operand:
        if name not in allowed:
            raise unknown(name, op, allowed)
    items, keep = operand.get("$each"), operand.get("$slice")
    if not isinstance(items, list) or len(items) > MAX_IN:
        raise bad_request("bad_operand", f"$each takes a list of at most {MAX_IN} values.", operator="$each")
    if "$slice" in operand and (isinstance(keep, bool) or not isinstance(keep, int)):
        raise bad_request("bad_operand", "$slice takes a whole number.", operator="$slice")
    return Push(tuple(items), keep)


# --- applied -------------------------------------------------------------------------------------------------------


def _set(data: Data, path: Path, operand: object) -> None:
    _parent(data, path)[path[-1]] = copy.deepcopy(operand)


def _unset(data: Data, path: Path, _operand: object) -> None:
    _existing(data, path).pop(path[-1], None)


def _arithmetic(compute: Callable[[Any, Any], Any]) -> Callable[[Data, Path, Any], None]:
    def change(data: Data, path: Path, operand: Any) -> None:
        parent = _parent(data, path)
        old = parent.get(path[-1], 0)
        if isinstance(old, bool) or not isinstance(old, (int, float)):
            raise _conflict(path, "not a number")
        try:
            new = compute(old, operand)
            finite = math.isfinite(new)
        except OverflowError:  # an integer that no float can hold
            finite = False
        if not finite or (isinstance(new, int) and abs(new) > MAX_INTEGER):
            raise bad_request("number_out_of_range", f"{quoted('.'.join(path))} would leave the range of numbers.")
        parent[path[-1]] = new

    return change


def _extreme(wanted: Callable[[bytes, bytes], bool]) -> Callable[[Data, Path, Any], None]:
    def change(data: Data, path: Path, operand: Any) -> None:
        parent = _parent(data, path)
        if path[-1] not in parent or wanted(key_of(operand), key_of(parent[path[-1]])):
            parent[path[-1]] = copy.deepcopy(operand)

    return change


def _rename(data: Data, path: Path, new: Path) -> None:
    parent = _existing(data, path)
    if path[-1] in parent:
        value = parent.pop(path[-1])
        _parent(data, new)[new[-1]] = value


def _push(data: Data, path: Path, operand: Push) -> None:
    target = _list(data, path)
    target.extend(copy.deepcopy(operand.items))
    if operand.keep is not None:
        target[:] = target[: operand.keep] if operand.keep >= 0 else target[operand.keep :]


def _add_to_set(data: Data, path: Path, operand: Push) -> None:
    target = _list(data, path)
    there = {key_of(item) for item in target}
    for item in operand.items:
        if key_of(item) not in there:
            there.add(key_of(item))
            target.append(copy.deepcopy(item))


def _pull(data: Data, path: Path, operand: Any) -> None:
    parent = _existing(data, path)
    if path[-1] in parent:
        target, goes = _list(data, path), item_test(operand)
        target[:] = [item for item in target if not goes(item)]


_APPLY: Final[Mapping[str, Callable[[Data, Path, Any], None]]] = {
    "$set": _set,
    "$unset": _unset,
    "$inc": _arithmetic(lambda old, operand: old + operand),
    "$mul": _arithmetic(lambda old, operand: old * operand),
    "$min": _extreme(lambda new, old: new < old),
    "$max": _extreme(lambda new, old: new > old),
    "$rename": _rename,
    "$push": _push,
    "$addToSet": _add_to_set,
    "$pull": _pull,
    ON_INSERT: _set,
}
OPERATORS: Final = tuple(_APPLY)


def _parent(data: Data, path: Path) -> Data:
    """The object that holds the field, made on the way."""
    place = data
    for length, part in enumerate(path[:-1], 1):
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            raise _conflict(path[:length], "not an object")
        place = inner
    return place


def _existing(data: Data, path: Path) -> Data:
    """The object that holds the field, or one that is nowhere."""
    place: object = data
    for part in path[:-1]:
        place = place.get(part) if isinstance(place, dict) else None
    return place if isinstance(place, dict) else {}


def _list(data: Data, path: Path) -> list[Any]:
    target = _parent(data, path).setdefault(path[-1], [])
    if not isinstance(target, list):
        raise _conflict(path, "not a list")
    return target


def _conflict(path: Path, what: str) -> Refused:
    return Refused("type_conflict", f"The stored {quoted('.'.join(path))} is {what}.", status=409)
