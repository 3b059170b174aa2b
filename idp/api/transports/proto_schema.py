"""Owns the command set as protocol buffers: messages and services made from the commands, and their text, companion.proto.

Numbers of fields never change: field_numbers.json holds them in their order and only grows (scripts/make_proto.py). Bytes and
descriptors are left to proto_messages.py. JSON that has no fixed members travels as text, so that no digit is lost.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from idp.api.commands import OPERATIONS, Message, Operation
from idp.api.commands.streams import STREAMS

PACKAGE: Final = "sheaf.companion.v1"
NUMBERS: Final = Path(__file__).with_name("field_numbers.json")
SCALARS: Final[Mapping[Any, str]] = {str: "string", int: "int64", bool: "bool"}
ORDERED: Final = "FieldOrder"
How = Literal["plain", "json", "order", "list", "maybe"]


@dataclass(frozen=True, slots=True)
class Field:
    """type: a scalar of protobuf or the name of a message. how: `plain`; `json`, a text of JSON; `order`, an object of which
    the order of its members counts; `list`, a list that can be left out or null; `maybe`, items of a list that can be null."""

    name: str
    number: int
    type: str
    how: How = "plain"
    many: bool = False
    optional: bool = False
    nullable: bool = False
    required: bool = False
    said: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """A message. gone: numbers of fields that it had once."""

    name: str
    fields: tuple[Field, ...]
    said: str = ""
    gone: tuple[int, ...] = ()


class Kind(NamedTuple):
    type: str
    how: How = "plain"
    many: bool = False
    nullable: bool = False
    said: str = ""


class Schema:
    """numbers: names of the fields of each message, where those that are new are added."""

    def __init__(self, numbers: dict[str, list[str]]) -> None:
        self.numbers = numbers
        self.operations = {**OPERATIONS, **STREAMS}
        self.shapes: dict[str, Shape] = {
            ORDERED: Shape(ORDERED, (Field("field", 1, "string"), Field("direction", 2, "int64", said="1 or -1")))
        }
        self._models: dict[str, type[Message]] = {}
        for operation in self.operations.values():
            self._add(operation.request, asked=True)
        for operation in self.operations.values():
            self._add(operation.response, asked=False)

    def services(self) -> Mapping[str, list[Operation]]:
        found: dict[str, list[Operation]] = {}
        for name in sorted(self.operations, key=lambda name: name.partition(".")[0]):
            found.setdefault(service_of(name), []).append(self.operations[name])
        return found

    def _add(self, model: type[Message], *, asked: bool) -> str:
        """asked: clients fill it in, so what they left out has to be told from what is empty."""
        name = model.__name__
        if self._models.setdefault(name, model) is not model:
            raise TypeError(f"two messages are called {name}")
        if name not in self.shapes:
            fields = tuple(self._field(name, member, info, asked) for member, info in model.model_fields.items())
            known = [field.name for field in fields]
            gone = tuple(n for n, old in enumerate(self.numbers.get(name, ()), 1) if old not in known)
            self.shapes[name] = Shape(name, fields, _line(model.__dict__.get("__doc__") or ""), gone)
        return name

    def _field(self, message: str, name: str, info: FieldInfo, asked: bool) -> Field:
        kind = self._kind(info.annotation, asked)
        required = info.is_required()
        default = None if required else info.get_default(call_default_factory=True)
        if kind.many and kind.how != "order" and (kind.nullable or default):
            kind = self._listed(kind)
        optional = not kind.many and kind.type in SCALARS.values() and (asked or kind.nullable)
        said = "; ".join(part for part in (kind.said, "" if default in (None, [], {}) else _default(default)) if part)
        number = self._number(message, name)
        return Field(name, number, kind.type, kind.how, kind.many, optional, kind.nullable, required, said)

    def _kind(self, given: Any, asked: bool) -> Kind:
        origin, args = get_origin(given), get_args(given)
        if origin is Annotated:
            return self._kind(args[0], asked)
        if given in SCALARS:
            return Kind(SCALARS[given])
        if origin in (Union, UnionType):
            return self._union(args, asked)
        if origin is Literal:
            return Kind(SCALARS[type(args[0])], said=" or ".join(json.dumps(one) for one in args))
        if isinstance(given, type) and issubclass(given, Message):
            return Kind(self._add(given, asked=asked))
        if origin is list:
            return self._many(self._kind(args[0], asked))
        if origin is dict and get_origin(args[1]) is Literal:
            return Kind(ORDERED, "order", many=True, said="in this order")
        return Kind("string", "json", said="JSON")

    def _union(self, args: tuple[Any, ...], asked: bool) -> Kind:
        rest = [one for one in args if one is not NoneType]
        kind = self._kind(rest[0], asked) if len(rest) == 1 else Kind("string", "json", said="JSON")
        return kind._replace(nullable=len(rest) < len(args))

    def _many(self, kind: Kind) -> Kind:
        if not kind.nullable:
            return kind._replace(many=True)
        name = f"Maybe{kind.type}"
        self.shapes[name] = Shape(name, (Field("value", 1, kind.type, nullable=True),))
        return Kind(name, "maybe", many=True)

    def _listed(self, kind: Kind) -> Kind:
        name = "ListOf" + (
            "Json" if kind.how == "json" else kind.type.capitalize() if kind.type in SCALARS.values() else kind.type
        )
        said = "JSON" if kind.how == "json" else ""
        items = Field("items", 1, kind.type, kind.how, many=True, required=True, said=said)
        null = Field("null", 2, "bool", said="stands for null; items are empty then")
        self.shapes[name] = Shape(name, (items, null))
        return Kind(name, "list", nullable=kind.nullable, said="" if kind.how == "json" else kind.said)

    def _number(self, message: str, field: str) -> int:
        names = self.numbers.setdefault(message, [])
        if field not in names:
            names.append(field)
        return names.index(field) + 1


@lru_cache(maxsize=1)
def schema() -> Schema:
    return Schema(json.loads(NUMBERS.read_text()))


def service_of(operation: str) -> str:
    return _camel(operation.partition(".")[0])


def method_of(operation: str) -> str:
    return _camel(operation.partition(".")[2])


def text(of: Schema) -> str:
    """companion.proto."""
    return "\n".join(_lines(of)) + "\n"


def _lines(of: Schema) -> Iterator[str]:
    yield "// The companion API of Sheaf. Made from its commands by scripts/make_proto.py; do not edit."
    yield "// How to use it: docs/clients.md. Fields marked JSON hold a text of JSON."
    yield 'syntax = "proto3";'
    yield f"package {PACKAGE};"
    yield 'option go_package = "sheaf/companion/v1;companionv1";'
    yield 'option java_package = "sheaf.companion.v1";'
    yield "option java_multiple_files = true;"
    for service, operations in of.services().items():
        yield f"\nservice {service} {{"
        methods = {method_of(one.name) for one in operations}
        for one in operations:
            stream = "stream " if one.name in STREAMS else ""
            yield f"  // {one.summary}. Scope: {one.scope}."
            # Inside a service the name of a method hides a message of that name.
            asked, told = (
                f".{PACKAGE}.{name}" if name in methods else name
                for name in (one.request.__name__, one.response.__name__)
            )
            yield f"  rpc {method_of(one.name)}({asked}) returns ({stream}{told});"
        yield "}"
    for name in sorted(of.shapes):
        yield from _message(of.shapes[name])


def _message(shape: Shape) -> Iterator[str]:
    yield ""
    if shape.said:
        yield f"// {shape.said}"
    yield f"message {shape.name} {{"
    if shape.gone:
        yield f"  reserved {', '.join(map(str, shape.gone))};"
    for field in shape.fields:
        label = "repeated " if field.many else "optional " if field.optional else ""
        yield f"  {label}{field.type} {field.name} = {field.number};" + (f"  // {field.said}" if field.said else "")
    yield "}"


def _line(said: str) -> str:
    return re.sub(r"\s+", " ", said).strip()


def _default(value: object) -> str:
    return f"default {json.dumps(value)}"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
