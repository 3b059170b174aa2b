"""Owns the update language and what a document may hold. Pure: gives new data, the store writes it at the old version.

Only what a client wrote can be reached: system fields and the ACL are kept elsewhere and have no path here.
"""

import copy
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from idp.api.problems import bad_request, quoted
from idp.api.query import Path, parse_path
from idp.base.errors import Refused

OPERATORS: Final = ("$set", "$unset", "$inc", "$push")
MAX_NESTING = 32
MAX_DOCUMENT_BYTES = 1_000_000
MAX_INTEGER = 2**63 - 1

Data = dict[str, Any]


def check_data(data: Mapping[str, Any]) -> None:
    """Names of fields: not empty, no dot, no NUL, no leading $; at the top no leading _. Nesting and size are limited."""
    for name in data:
        if name.startswith("_"):
            raise bad_request(
                "reserved_field", f"{quoted(name)}: fields that begin with _ are the server's.", field=name[:60]
            )
    _check_names(data, 1)
    _check_size(data)


def _check_names(value: object, depth: int) -> None:
    if depth > MAX_NESTING:
        raise bad_request("document_too_deep", f"Documents nest at most {MAX_NESTING} deep.")
    if isinstance(value, dict):
        for name, inner in value.items():
            if not name or name.startswith("$") or "." in name or "\0" in name or len(name) > 255:
                raise bad_request("bad_field_name", f"{quoted(name)} cannot be a field name.", field=name[:60])
            _check_names(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_names(inner, depth + 1)


def _check_size(data: Mapping[str, Any]) -> None:
    size = len(json.dumps(data, ensure_ascii=False).encode())
    if size > MAX_DOCUMENT_BYTES:
        raise Refused(
            "document_too_large",
            f"A document holds at most {MAX_DOCUMENT_BYTES} bytes as JSON.",
            status=413,
            detail={"limit": MAX_DOCUMENT_BYTES},
        )


Step = tuple[str, Path, Any]


def parse_update(given: Mapping[str, Any]) -> tuple[Step, ...]:
    """Raises Refused 400: unknown_operator, bad_operand, bad_field_name, reserved_field, conflicting_paths."""
    steps: list[Step] = []
    if not given:
        raise bad_request("bad_operand", f"An update holds at least one of {', '.join(OPERATORS)}.")
    for op, fields in given.items():
        if op not in OPERATORS:
            message = f"The operator {quoted(op)} is not allowed here; an update may use {', '.join(OPERATORS)}."
            raise bad_request("unknown_operator", message, operator=op[:60])
        if not isinstance(fields, dict) or not fields:
            raise bad_request("bad_operand", f"{op} takes an object of fields.", operator=op)
        for name, operand in fields.items():
            _check_operand(op, operand)
            steps.append((op, parse_path(name, writable=True), operand))
    _check_apart([path for _, path, _ in steps])
    return tuple(steps)


def _check_operand(op: str, operand: object) -> None:
    if op == "$inc" and (isinstance(operand, bool) or not isinstance(operand, (int, float))):
        raise bad_request("bad_operand", "$inc takes a number.", operator=op)
    if op == "$unset" and operand is not True and operand != "":
        raise bad_request("bad_operand", "$unset takes true.", operator=op)


def _check_apart(paths: list[Path]) -> None:
    """Two steps on one field, or on a field and its inside, would depend on their order."""
    seen: set[Path] = set()
    for path in sorted(paths):
        if any(path[:length] in seen for length in range(1, len(path) + 1)):
            raise bad_request("conflicting_paths", f"The update touches {quoted('.'.join(path))} twice.")
        seen.add(path)


def apply(data: Data, steps: tuple[Step, ...]) -> Data:
    """Raises Refused 409 type_conflict when what is stored does not fit the operator; 400, 413 when the result is not
    a document."""
    result = copy.deepcopy(data)
    for op, path, operand in steps:
        _APPLY[op](result, path, operand)
    check_data(result)
    return result


def _set(data: Data, path: Path, operand: object) -> None:
    _parent(data, path)[path[-1]] = copy.deepcopy(operand)


def _unset(data: Data, path: Path, _operand: object) -> None:
    place: object = data
    for part in path[:-1]:
        place = place.get(part) if isinstance(place, dict) else None
    if isinstance(place, dict):
        place.pop(path[-1], None)


def _inc(data: Data, path: Path, operand: Any) -> None:
    parent = _parent(data, path)
    old = parent.get(path[-1], 0)
    if isinstance(old, bool) or not isinstance(old, (int, float)):
        raise _conflict(path, "not a number")
    new = old + operand
    if not math.isfinite(new) or (isinstance(new, int) and abs(new) > MAX_INTEGER):
        raise bad_request("number_out_of_range", f"$inc of {quoted('.'.join(path))} leaves the range of numbers.")
    parent[path[-1]] = new


def _push(data: Data, path: Path, operand: object) -> None:
    target = _parent(data, path).setdefault(path[-1], [])
    if not isinstance(target, list):
        raise _conflict(path, "not a list")
    target.append(copy.deepcopy(operand))


_APPLY: Final[Mapping[str, Callable[[Data, Path, Any], None]]] = {
    "$set": _set,
    "$unset": _unset,
    "$inc": _inc,
    "$push": _push,
}


def _parent(data: Data, path: Path) -> Data:
    place = data
    for length, part in enumerate(path[:-1], 1):
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            raise _conflict(path[:length], "not an object")
        place = inner
    return place


def _conflict(path: Path, what: str) -> Refused:
    return Refused("type_conflict", f"The stored {quoted('.'.join(path))} is {what}.", status=409)


def project(data: Data, paths: tuple[Path, ...]) -> Data:
    """Only the named fields, through objects and lists of objects. No paths: everything."""
    return data if not paths else _project(data, paths)


def _project(data: Data, paths: tuple[Path, ...]) -> Data:
    result: Data = {}
    for name, value in data.items():
        inner = tuple(path[1:] for path in paths if path[0] == name)
        if () in inner:
            result[name] = value
        elif inner and isinstance(value, dict):
            result[name] = _project(value, inner)
        elif inner and isinstance(value, list):
            result[name] = list(_project_items(value, inner))
    return result


def _project_items(items: list[Any], paths: tuple[Path, ...]) -> Iterator[Any]:
    return (_project(item, paths) for item in items if isinstance(item, dict))
