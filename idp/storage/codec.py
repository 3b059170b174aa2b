"""Frozen dataclasses as plain JSON and back, driven by their type hints: the stored form of every record.
Leaves names, keys and expiry to collections, and where the text is kept to the engines.

Both ways check every field, so what was written can be read again, and what cannot be read is refused by name. Fields
that an older row does not have take their default; fields that a newer row has besides are ignored. A `tuple` inside a
`Mapping[str, Any]` comes back as a list, as JSON has no tuples.
"""

import json
import types
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any, Generic, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Change = Callable[[Any], Any]


class WrongShape(ValueError):  # noqa: N818
    """A value does not fit its type hint. The message names class and field, never the value (it may be a secret)."""


@dataclass(frozen=True, slots=True)
class Form:
    """How one type hint is stored. python and plain: the exact types accepted on the way in and on the way out, empty
    when anything goes. encode and decode are None when the value stays as it is; they never see None."""

    python: frozenset[type]
    plain: frozenset[type]
    encode: Change | None = None
    decode: Change | None = None


Types = tuple[type, ...]
Steps = tuple[tuple[int, str, Change], ...]
MOST_SHAPES = 256  # remembered for a class


class Codec(Generic[T]):
    """Encodes and decodes one dataclass. Use `codec(kind)`, which keeps one for each class.

    Which fields must be changed follows from the types of all values, so it is worked out once for each combination of
    them. What does not fit is left to the slow way, which names the field."""

    def __init__(self, kind: type[T]) -> None:
        hints = get_type_hints(kind)
        members = [field for field in fields(kind) if field.init]  # type: ignore[arg-type]
        forms = [_form(hints[field.name]) for field in members]
        names = [field.name for field in members]
        self.kind = kind
        required = [field.default is MISSING and field.default_factory is MISSING for field in members]
        self._values = attrgetter(*names) if len(names) > 1 else lambda record: (getattr(record, names[0]),)
        self._out = [(name, form.python, form.encode) for name, form in zip(names, forms, strict=True)]
        reading = zip(names, forms, required, strict=True)
        self._in = [(name, form.plain, form.decode, needed) for name, form, needed in reading]
        self._names = tuple(names)
        self._pick = itemgetter(*names) if len(names) > 1 else lambda plain: (plain[names[0]],)
        self._steps_out: dict[Types, Steps] = {}
        self._steps_in: dict[Types, Steps] = {}

    def encode(self, record: T) -> dict[str, Any]:
        """A dict of JSON types. Raises WrongShape when a field does not hold what its type hint says."""
        values = self._values(record)
        given = tuple(map(type, values))
        steps = self._steps_out.get(given)
        if steps is None:
            steps = _steps(given, self._out, self._steps_out)
        if steps is None:
            return self._encode_slowly(record)
        plain = dict(zip(self._names, values, strict=True))
        for at, name, change in steps:
            plain[name] = self._apply(name, change, values[at])
        return plain

    def decode(self, plain: Mapping[str, Any]) -> T:
        """The record. Raises WrongShape when a field is missing that has no default, or has the wrong type."""
        if not isinstance(plain, dict):
            raise WrongShape(f"{self.kind.__name__}: not a JSON object")
        try:
            values = list(self._pick(plain))
        except KeyError:
            return self._decode_slowly(plain)
        given = tuple(map(type, values))
        steps = self._steps_in.get(given)
        if steps is None:
            steps = _steps(given, self._in, self._steps_in)
        if steps is None:
            return self._decode_slowly(plain)
        for at, name, change in steps:
            values[at] = self._apply(name, change, values[at])
        return self.kind(*values)

    def _encode_slowly(self, record: T) -> dict[str, Any]:
        plain = {}
        for (name, accepted, change), given in zip(self._out, self._values(record), strict=True):
            value = self._nearly(name, given, accepted) if accepted and type(given) not in accepted else given
            plain[name] = value if change is None or value is None else self._apply(name, change, value)
        return plain

    def _decode_slowly(self, plain: Mapping[str, Any]) -> T:
        """Of an older version, with fields that are missing; or it does not fit."""
        values = {}
        name = ""
        try:
            for name, accepted, change, required in self._in:
                value = plain.get(name, MISSING)
                if value is MISSING:
                    if required:
                        raise WrongShape("missing")
                    continue
                if accepted and type(value) not in accepted:
                    raise WrongShape("wrong type")
                values[name] = value if change is None or value is None else change(value)
        except WrongShape as error:
            raise WrongShape(f"{self.kind.__name__}.{name}: {error}") from None
        return self.kind(**values)

    def _apply(self, name: str, change: Change, value: Any) -> Any:
        try:
            return change(value)
        except WrongShape as error:
            raise WrongShape(f"{self.kind.__name__}.{name}: {error}") from None

    def _nearly(self, name: str, value: object, accepted: frozenset[type]) -> object:
        """What means the same: a subclass of str (StrEnum, Markup), another Mapping, a list for a tuple."""
        if isinstance(value, str) and str in accepted:
            return str.__str__(value)
        if isinstance(value, Mapping) and dict in accepted:
            return dict(value)
        if isinstance(value, list) and tuple in accepted:
            return tuple(value)
        raise WrongShape(f"{self.kind.__name__}.{name}: wrong type")


def _steps(given: Types, fields: Sequence[tuple[Any, ...]], known: dict[Types, Steps]) -> Steps | None:
    """What to change in values of these types; None when one of them is not accepted as it is."""
    found = []
    for at, (kind, (name, accepted, change, *_)) in enumerate(zip(given, fields, strict=True)):
        if accepted and kind not in accepted:
            return None
        if change is not None and kind is not _NONE and change is not kind:
            found.append((at, name, change))
    if len(known) >= MOST_SHAPES:
        known.clear()
    steps = known[given] = tuple(found)
    return steps


def codec(kind: type[T]) -> Codec[T]:
    """The codec of a class. Raises TypeError when a type hint has no stored form."""
    return cast("Codec[T]", _codec(cast("Hashable", kind)))


@cache
def _codec(kind: Any) -> Codec[Any]:
    return Codec(kind)


def dumps(plain: Mapping[str, Any]) -> str:
    """Compact JSON. Raises WrongShape for what has no form there: NaN, bytes, lone surrogates, cycles, objects."""
    try:
        text = _ENCODER.encode(plain)
        text.encode()  # a lone surrogate would fail only inside an engine, each in its own way
    except (TypeError, ValueError, RecursionError) as error:
        raise WrongShape(f"not storable as JSON ({type(error).__name__})") from None
    return text


def loads(text: str | bytes) -> Any:
    """Raises WrongShape."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise WrongShape("not JSON") from None


def _foreign(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_foreign)
_NOTHING: frozenset[type] = frozenset()
_NONE = type(None)
_SIMPLE: dict[Any, Form] = {
    str: Form(frozenset({str}), frozenset({str})),
    int: Form(frozenset({int}), frozenset({int})),
    bool: Form(frozenset({bool}), frozenset({bool})),
    float: Form(frozenset({float, int}), frozenset({float, int}), decode=float),
    Any: Form(_NOTHING, _NOTHING),
    _NONE: Form(frozenset({_NONE}), frozenset({_NONE})),
}


def _form(hint: Any) -> Form:
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _literal(args)
    if origin in (Union, types.UnionType):
        return _optional(hint, args)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return _sequence(_form(args[0]), tuple)
    if origin is frozenset:
        return _sequence(_form(args[0]), frozenset)
    if origin in (dict, Mapping) and args[0] is str:
        return _mapping(_form(args[1]))
    if isinstance(hint, type) and is_dataclass(hint):
        inner: Codec[Any] = codec(hint)
        return Form(frozenset({hint}), frozenset({dict}), inner.encode, inner.decode)
    raise TypeError(f"{hint!r} has no stored form")


def _literal(allowed: tuple[Any, ...]) -> Form:
    accepted = frozenset(type(value) for value in allowed)

    def check(value: Any) -> Any:
        if value not in allowed:
            raise WrongShape("not one of the allowed values")
        return value

    return Form(accepted, accepted, check, check)


def _optional(hint: Any, args: tuple[Any, ...]) -> Form:
    some = [arg for arg in args if arg is not _NONE]
    if len(some) != 1 or len(args) != 2:
        raise TypeError(f"{hint!r} has no stored form")
    inner = _form(some[0])
    both = {_NONE}
    return Form(inner.python | both, inner.plain | both, inner.encode, inner.decode)


def _sequence(item: Form, kind: type) -> Form:
    each_out, each_in = _each(item.python, item.encode), _each(item.plain, item.decode)
    # A set has no order of its own; sorted, so that equal records have equal text.
    encode = each_out if kind is tuple else lambda value: sorted(each_out(value))
    empty = kind()
    return Form(frozenset({kind}), frozenset({list}), encode, lambda value: kind(each_in(value)) if value else empty)


def _mapping(item: Form) -> Form:
    each_out, each_in = _each(item.python, item.encode), _each(item.plain, item.decode)
    text = frozenset({str})

    def encode(value: dict[str, Any]) -> dict[str, Any]:
        if not text.issuperset(map(type, value)):
            raise WrongShape("a key is not text")
        return dict(zip(value, each_out(value.values()), strict=True))

    def decode(value: dict[str, Any]) -> dict[str, Any]:
        return dict(zip(value, each_in(value.values()), strict=True))

    return Form(frozenset({dict}), frozenset({dict}), encode, decode)


def _each(accepted: frozenset[type], change: Change | None) -> Callable[[Any], list[Any]]:
    def run(values: Any) -> list[Any]:
        if accepted and not accepted.issuperset(map(type, values)):
            raise WrongShape("an item has the wrong type")
        return list(values) if change is None else [None if value is None else change(value) for value in values]

    return run
