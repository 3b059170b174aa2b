"""Makes an example of any stored dataclass from its type hints, every field filled, so that no collection is forgotten."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
FAR = 32_503_680_000.0  # the year 3000: nothing expires


def example(kind: type[T], number: int = 1, **given: Any) -> T:
    """Every optional field has a value; two different numbers share none."""
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind) if field.init]  # type: ignore[arg-type]
    values = {name: _value(hints[name], f"{name}-{number}", number) for name in names}
    if "expires_at" in values:
        values["expires_at"] = FAR
    if "consumed_at" in values:
        values["consumed_at"] = None
    return kind(**values | given)


def _value(hint: Any, name: str, number: int) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    plain: dict[Any, Any] = {str: f"{name} ä€𝄞\x00'\"$", int: number, float: number + 0.25, bool: True}
    if hint in plain:
        return plain[hint]
    if hint is Any:
        return {"$where": [1, 2.5, None, True, {"a.b": "c"}]}
    if origin is Literal:
        return args[number % len(args)]
    if origin in (Union, types.UnionType):
        return _value(next(arg for arg in args if arg is not type(None)), name, number)
    if origin is tuple:
        return (_value(args[0], name, number), _value(args[0], name + "+", number))
    if origin is Mapping:
        return {
            "$gt": _value(args[1], name, number),
            "urn:oid:1.2.3": _value(args[1], name, number),
            "": _value(args[1], "", 1),
        }
    assert isinstance(hint, type)
    assert is_dataclass(hint)
    return example(hint, number)
