"""Values of fields as JSON and back, types taken literally: `"5"` is no number, 1 is not true.

Leaves which fields there are to client_json and sp_json, and whether values make sense to the checks of idp.services.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from idp.base.errors import Refused

Bad = Callable[[str, str], Refused]  # (name of the field, why) -> the refusal
_MUST = {str: "it must be a string", int: "it must be a whole number", bool: "it must be true or false"}


def to_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: to_json(one) for name, one in value.items()}
    return list(value) if isinstance(value, tuple) else value


def from_json(name: str, value: Any, wanted: Any, bad: Bad) -> Any:
    """As the type `wanted` has it. Raises what `bad` gives."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        if value is None:
            return None
        return from_json(name, value, next(one for one in inner if one is not NoneType), bad)
    if origin is tuple:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise bad(name, "it must be an array of strings")
        return tuple(dict.fromkeys(value))
    if origin is Mapping:
        if not isinstance(value, dict):
            raise bad(name, "it must be an object")
        return {key: from_json(name, one, inner[1], bad) for key, one in value.items()}
    if origin is Literal:
        if not isinstance(value, str) or value not in inner:
            raise bad(name, f"it must be one of {', '.join(map(repr, inner))}")
        return value
    if type(value) is not wanted:
        raise bad(name, _MUST[wanted])
    return value


def is_same(value: object, known: object) -> bool:
    return type(value) is type(known) and value == known


def moment(seconds: float | None) -> str | None:
    """Epoch seconds as ISO 8601 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
