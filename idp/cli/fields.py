"""`--set key=value`: text from the command line as values of the fields of a dataclass.

Leaves whether a value makes sense to the service that stores it.
"""

import json
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click


def pairs(given: Iterable[str], allowed: Callable[[str], bool] = bool) -> dict[str, str]:
    """`key=value` texts; `allowed` says which keys there are. Raises UsageError."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set {text!r} is not key=value")
        if not allowed(name):
            raise click.UsageError(f"--set {name}: there is no such setting")
        if name in found:
            raise click.UsageError(f"--set {name} is given twice")
        found[name] = value
    return found


def values(kind: type[Any], given: Mapping[str, str], allowed: Iterable[str]) -> dict[str, Any]:
    """The fields of dataclass `kind` that `given` names, as values of their types. Raises UsageError."""
    hints, names = get_type_hints(kind), sorted(allowed)
    for name in given:
        if name not in names:
            raise click.UsageError(f"--set {name}: there is no such field. Use one of: {', '.join(names)}")
    return {name: value(name, text, hints[name]) for name, text in given.items()}


def value(name: str, text: str, wanted: Any) -> Any:
    """One value. Lists are separated by commas or blanks. Raises UsageError."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        if text.lower() in ("", "none", "null"):
            return None
        return value(name, text, next(one for one in inner if one is not type(None)))
    if origin is Literal:
        return _one_of(name, text, inner)
    if origin is tuple:
        return tuple(text.replace(",", " ").split())
    return _plain(name, text, wanted)


def claims_of(given: Iterable[str]) -> dict[str, Any]:
    """`name=value` texts as claims about a person: text, or JSON where the value is that. Nothing after `=`: None.

    Raises UsageError. Leaves which claims and values there may be to idp.domain.claims.
    """
    from idp.domain.claims import TEXTS

    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--claim {text!r} is not NAME=VALUE")
        if name in found:
            raise click.UsageError(f"--claim {name} is given twice")
        found[name] = None if value == "" else value if name in TEXTS else _json_or_text(value)
    return found


def _json_or_text(value: str) -> Any:
    """Numbers, true, false, lists, objects and quoted text are JSON; everything else is text as it stands."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _plain(name: str, text: str, wanted: Any) -> Any:
    if wanted is bool:
        return _one_of(name, text.lower(), ("true", "false")) == "true"
    if wanted is int:
        try:
            return int(text)
        except ValueError:
            raise click.UsageError(f"--set {name}: {text!r} is not a whole number") from None
    return text


def _one_of(name: str, text: str, allowed: Iterable[str]) -> str:
    if text not in allowed:
        raise click.UsageError(f"--set {name}: use one of {', '.join(allowed)}")
    return text
