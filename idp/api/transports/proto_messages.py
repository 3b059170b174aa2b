"""Owns protocol buffers as bytes: a message becomes the members of a request, an answer a message. Both ways work for both, so
that a client in Python can use them, too.

What the messages are is proto_schema.py's. Whatever is not in the schema is refused: a member that is ignored may be a condition.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from idp.api.commands.streams import STREAMS
from idp.api.problems import bad_request
from idp.api.transports.proto_schema import PACKAGE, Field, Schema, method_of, schema
from idp.api.wire import read_value

FILE: Final = "companion.proto"
Json = dict[str, Any]


class Messages:
    """pool: holds the descriptors, and nothing else of this process."""

    def __init__(self, of: Schema) -> None:
        self._shapes = of.shapes
        self.pool = DescriptorPool()
        self.pool.Add(_file(of))
        self._classes = {
            name: GetMessageClass(self.pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in of.shapes
        }

    def read(self, name: str, raw: bytes) -> Json:
        """The members that are given. Raises Refused 400."""
        message = self._classes[name]()
        try:
            message.ParseFromString(raw)
        except DecodeError:
            raise bad_request("malformed_message", f"These bytes are no message {PACKAGE}.{name}.") from None
        return self._members(name, message)

    def write(self, name: str, members: Mapping[str, Any]) -> bytes:
        raw: bytes = self._message(name, members).SerializeToString()
        return raw

    def _members(self, name: str, message: Any) -> Json:
        if len(UnknownFieldSet(message)):
            raise bad_request(
                "invalid_request", f"The request is not valid: {name} has fields that are not known here."
            )
        return {
            field.name: self._value(field, getattr(message, field.name))
            for field in self._shapes[name].fields
            if _is_given(field, message)
        }

    def _value(self, field: Field, given: Any) -> Any:
        if field.how == "order":
            return _ordered(field.name, given)
        if field.many:
            return [self._one(field, one) for one in given]
        return self._one(field, given)

    def _one(self, field: Field, given: Any) -> Any:
        if field.how == "json":
            return read_value(given.encode())
        if field.type not in self._shapes:
            return given
        members = self._members(field.type, given)
        if field.how == "maybe":
            return members.get("value")
        if field.how == "list":
            return _listed(field, members)
        return members

    def _message(self, name: str, members: Mapping[str, Any]) -> Any:
        given = {
            field.name: self._written(field, members[field.name])
            for field in self._shapes[name].fields
            if field.name in members and (members[field.name] is not None or not field.nullable or field.how == "list")
        }
        return self._classes[name](**given)

    def _written(self, field: Field, value: Any) -> Any:
        if field.how == "order":
            return [self._message(field.type, {"field": name, "direction": one}) for name, one in value.items()]
        if field.many:
            return [self._written_one(field, one) for one in value]
        return self._written_one(field, value)

    def _written_one(self, field: Field, value: Any) -> Any:
        if field.how == "json":
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if field.how == "maybe":
            return self._message(field.type, {"value": value})
        if field.how == "list":
            return self._message(field.type, {"null": True} if value is None else {"items": value})
        return self._message(field.type, value) if field.type in self._shapes else value


@lru_cache(maxsize=1)
def messages() -> Messages:
    return Messages(schema())


def _is_given(field: Field, message: Any) -> bool:
    if field.many:
        return field.required or len(getattr(message, field.name)) > 0
    descriptor = message.DESCRIPTOR.fields_by_name[field.name]
    return not descriptor.has_presence or message.HasField(field.name)


def _ordered(name: str, given: Any) -> Json:
    found = {one.field: one.direction for one in given}
    if len(found) != len(given):
        raise bad_request("invalid_request", f"The request is not valid: {name} names a field twice.")
    return found


def _listed(field: Field, members: Json) -> list[Any] | None:
    if not members["null"]:
        items: list[Any] = members["items"]
        return items
    if members["items"]:
        raise bad_request("invalid_request", f"The request is not valid: {field.name} is null and has items.")
    return None


def _file(of: Schema) -> FileDescriptorProto:
    file = FileDescriptorProto(name=FILE, package=PACKAGE, syntax="proto3")
    for shape in of.shapes.values():
        message = file.message_type.add(name=shape.name)
        for field in shape.fields:
            _describe(message, field)
    for service, operations in of.services().items():
        described = file.service.add(name=service)
        for one in operations:
            described.method.add(
                name=method_of(one.name), server_streaming=one.name in STREAMS,
                input_type=f".{PACKAGE}.{one.request.__name__}", output_type=f".{PACKAGE}.{one.response.__name__}",
            )  # fmt: skip
    return file


def _describe(message: Any, field: Field) -> None:
    kinds = FieldDescriptorProto
    described = message.field.add(name=field.name, number=field.number)
    described.label = kinds.LABEL_REPEATED if field.many else kinds.LABEL_OPTIONAL
    scalar = {"string": kinds.TYPE_STRING, "int64": kinds.TYPE_INT64, "bool": kinds.TYPE_BOOL}.get(field.type)
    described.type = scalar or kinds.TYPE_MESSAGE
    if scalar is None:
        described.type_name = f".{PACKAGE}.{field.type}"
    if field.optional:  # in proto3 that is a oneof of its own
        described.proto3_optional = True
        described.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{field.name}")
