"""Owns a client of gRPC for tests that speaks as those of the other transports do: JSON in, JSON out."""

import json
from collections.abc import Mapping
from typing import Any

import grpc

from idp.api.commands import OPERATIONS
from idp.api.commands.streams import STREAMS
from idp.api.transports.proto_messages import messages
from idp.api.transports.proto_schema import PACKAGE, method_of, schema, service_of
from tests.api.transports.talking import SECONDS, Answer, Framed, Json

UNKNOWN_FIELD = b"\xc0\xbb\x78\x01"  # number 123,384


class Grpc:
    def __init__(self, port: int, certificate: bytes, *options: tuple[str, Any], **tls: Any) -> None:
        """certificate: of the server, the only one that is believed."""
        credentials = grpc.ssl_channel_credentials(certificate, **tls)
        self.channel = grpc.secure_channel(f"127.0.0.1:{port}", credentials, options)
        self._streams: list[tuple[Any, str]] = []

    def ask(self, operation: str, request: Json, token: str | None, dpop: str | None = None, **more: Any) -> Answer:
        call = self.channel.unary_unary(path(operation))
        try:
            raw = call(sent(operation, request), SECONDS, metadata(token, dpop), **more)
        except grpc.RpcError as error:
            return refused(error)
        return Answer(200, received(OPERATIONS[operation].response.__name__, raw))

    def send(
        self, operation: str, request: Json | None = None, token: str | None = None, dpop: str | None = None
    ) -> int:
        """Opens a stream; what comes of it is read as from a framed transport."""
        call = self.channel.unary_stream(path(operation))(sent(operation, request or {}), None, metadata(token, dpop))
        self._streams.append((call, STREAMS[operation].response.__name__))
        return len(self._streams) - 1

    def read(self, of: int) -> Json:
        call, name = self._streams[of]
        try:
            return {"id": of, "event": received(name, next(call))}
        except grpc.RpcError as error:
            return {"id": of, "problem": refused(error).body}

    changes = Framed.changes

    def cancel(self, of: int) -> None:
        self._streams[of][0].cancel()

    def close(self) -> None:
        self.channel.close()


def path(operation: str) -> str:
    return f"/{PACKAGE}.{service_of(operation)}/{method_of(operation)}"


def sent(operation: str, request: Json) -> bytes:
    """What protobuf has no way to write goes as a field of no such type, as somebody could send it by hand."""
    known = OPERATIONS.get(operation) or STREAMS.get(operation)
    if known is None:
        return b""
    name = known.request.__name__
    fields = {field.name for field in schema().shapes[name].fields}
    try:
        return messages().write(name, request) + (b"" if request.keys() <= fields else UNKNOWN_FIELD)
    except (TypeError, ValueError, AttributeError):
        return UNKNOWN_FIELD


def received(name: str, raw: bytes) -> Json:
    return filled(name, messages().read(name, raw))


def filled(name: str, members: Mapping[str, Any]) -> Json:
    """With null for what an answer leaves out."""
    shapes = schema().shapes
    found: Json = {}
    for field in shapes[name].fields:
        value = members.get(field.name)
        if field.how == "plain" and field.type in shapes and value is not None:
            value = [filled(field.type, one) for one in value] if field.many else filled(field.type, value)
        found[field.name] = value
    return found


def metadata(token: str | None, dpop: str | None = None) -> list[tuple[str, str]]:
    shown = [] if token is None else [("authorization", f"{'DPoP' if dpop else 'Bearer'} {token}")]
    return [*shown, ("dpop", dpop)] if dpop else shown


def refused(error: Any) -> Answer:
    told = dict(error.trailing_metadata() or ())
    assert "problem" in told, error
    body = json.loads(told["problem"])
    assert error.details() == body["detail"]
    return Answer(body["status"], body)
