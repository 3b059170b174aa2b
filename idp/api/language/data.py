"""Owns what a document may hold, and which part of it a caller asked to see."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from idp.api.language.paths import Path
from idp.api.problems import bad_request, quoted
from idp.base.errors import Refused

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
    check_value(data)
    _check_size(data)


def check_value(value: object, depth: int = 1) -> None:
    if depth > MAX_NESTING:
        raise bad_request("document_too_deep", f"Documents nest at most {MAX_NESTING} deep.")
    if isinstance(value, dict):
        for name, inner in value.items():
            if not name or name.startswith("$") or "." in name or "\0" in name or len(name) > 255:
                raise bad_request("bad_field_name", f"{quoted(name)} cannot be a field name.", field=name[:60])
            check_value(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            check_value(inner, depth + 1)


def _check_size(data: Mapping[str, Any]) -> None:
    size = len(json.dumps(data, ensure_ascii=False).encode())
    if size > MAX_DOCUMENT_BYTES:
        raise Refused(
            "document_too_large",
            f"A document holds at most {MAX_DOCUMENT_BYTES} bytes as JSON.",
            status=413,
            detail={"limit": MAX_DOCUMENT_BYTES},
        )


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
    """Single values in a list have no fields and go; lists in lists are looked into."""
    for item in items:
        if isinstance(item, dict):
            yield _project(item, paths)
        elif isinstance(item, list):
            yield list(_project_items(item, paths))
