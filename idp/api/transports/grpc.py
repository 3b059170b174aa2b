"""Owns gRPC: every operation as a unary RPC, every stream as one that the server streams, on the event loop of the streams.

Messages are proto_schema.py's, health and reflection grpc_public.py's. The token is judged before anything of the request is
read; so every method takes its one message from a stream, which looks the same to clients.
"""

import asyncio
import json
import os
import ssl
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # else every failed handshake of a stranger is a line on stderr

import grpc
from grpc import StatusCode, aio

from idp.api.caller import Caller
from idp.api.commands import OPERATIONS
from idp.api.commands.streams import STREAMS
from idp.api.node import MAX_CONNECTIONS, Node
from idp.api.problems import bad_request, tell
from idp.api.sender import Carried
from idp.api.transports import grpc_public
from idp.api.transports.framed import SEND_SECONDS
from idp.api.transports.http import authorization, proof, unknown_operation
from idp.api.transports.proto_messages import messages
from idp.api.transports.proto_schema import PACKAGE, method_of, service_of
from idp.api.watch.stream import Stream
from idp.api.wire import MAX_BODY_BYTES
from idp.base.errors import Refused
from idp.base.mtls import thumbprint

BODY_SECONDS: Final = 15.0
MAX_PROBLEM_CHARS: Final = 6000  # clients take 8 KiB of metadata
PROBLEM: Final = ("type", "title", "status", "detail", "code", "trace")  # the members that every one has
STATUS: Final = {
    400: StatusCode.INVALID_ARGUMENT, 401: StatusCode.UNAUTHENTICATED, 403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND, 408: StatusCode.DEADLINE_EXCEEDED, 409: StatusCode.ABORTED, 410: StatusCode.OUT_OF_RANGE,
    412: StatusCode.FAILED_PRECONDITION, 413: StatusCode.RESOURCE_EXHAUSTED, 422: StatusCode.INVALID_ARGUMENT,
    429: StatusCode.RESOURCE_EXHAUSTED, 503: StatusCode.UNAVAILABLE,
}  # fmt: skip
OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # a port that is in use is an error, not shared
    ("grpc.max_receive_message_length", MAX_BODY_BYTES),
    ("grpc.max_metadata_size", 32_768),
    ("grpc.absolute_max_metadata_size", 32_768),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    ("grpc.max_connection_idle_ms", 60_000),  # channels connect again by themselves
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.compression_enabled_algorithms_bitset", 1),  # none: a small message must not become a large one
)


class Grpc:
    """authorities: a file; every client must show a certificate of theirs. None: nobody is asked for one."""

    def __init__(self, node: Node, address: str, tls: tuple[Path, Path] | None, authorities: Path | None) -> None:
        self._node = node
        self._messages = messages()
        self._streams: set[Stream] = set()
        self._server = aio.server(options=OPTIONS, maximum_concurrent_rpcs=MAX_CONNECTIONS)
        self._server.add_generic_rpc_handlers((_Methods(self),))
        grpc_public.add_to(self._server, node, self._messages.pool)
        try:
            if tls:
                self._server.add_secure_port(address, _credentials(*tls, authorities))
            else:
                self._server.add_insecure_port(address)
        except RuntimeError:
            raise OSError(f"cannot listen on {address} for gRPC") from None

    async def start(self) -> None:
        await self._server.start()

    async def stop(self, seconds: float) -> None:
        """Takes nothing new, and lets what is under way end."""
        await self._server.stop(seconds)

    async def unary(self, operation: str, requests: Any, context: Any) -> bytes:
        try:
            return await self._answer(_asked(operation, context), requests)
        except Exception as error:
            await _refuse(context, error, operation)
            raise  # it has raised already

    async def streaming(self, operation: str, requests: Any, context: Any) -> None:
        try:
            await self._follow(_asked(operation, context), requests, context)
        except Exception as error:  # noqa: BLE001  (one of the two places where RPCs are refused; told and logged)
            await _refuse(context, error, operation)

    async def _answer(self, asked: "_Asked", requests: Any) -> bytes:
        if self._node.closing:
            raise self._node.closing
        if asked.operation not in OPERATIONS:
            raise unknown_operation(asked.operation)
        caller = await self._node.work(self._node.api.admit, *asked)
        raw, settled = await self._node.work(self._run, asked, caller, await _one(requests))
        for stream in self._streams:
            stream.settled(settled)
        return raw

    def _run(self, asked: "_Asked", caller: Caller, raw: bytes) -> tuple[bytes, str]:
        """The answer, and the receipt of the message that is settled by it."""
        operation, members = OPERATIONS[asked.operation], {}

        def read() -> dict[str, Any]:
            members.update(self._messages.read(operation.request.__name__, raw))
            return members

        answer = self._node.api.answer(asked.operation, caller, read, asked.authorization, asked.carried)
        settled = members["receipt"] if asked.operation in ("queues.ack", "queues.reject") else ""
        return self._messages.write(operation.response.__name__, answer.model_dump()), settled

    async def _follow(self, asked: "_Asked", requests: Any, context: Any) -> None:
        node, operation = self._node, STREAMS[asked.operation]
        caller = await node.work(node.api.admit, *asked)
        members = await node.work(self._messages.read, operation.request.__name__, await _one(requests))
        stream = await node.work(node.opened, operation.name, asked.authorization, caller, members)
        self._streams.add(stream)
        try:
            async with node.following(operation.name, stream) as events:
                async for event in events:
                    given = event.model_dump(exclude_unset=True)
                    await _send(context, self._messages.write(operation.response.__name__, given))
        finally:
            self._streams.discard(stream)


class _Asked(NamedTuple):
    """What an RPC brings beside its message."""

    operation: str
    authorization: str | None
    carried: Carried


class _Methods(grpc.GenericRpcHandler):
    """Which handler an RPC gets, by its path."""

    def __init__(self, of: Grpc) -> None:
        self._of = of
        self._known = {
            _path(name): grpc.stream_unary_rpc_method_handler(partial(of.unary, name)) for name in OPERATIONS
        }
        for name in STREAMS:
            self._known[_path(name)] = grpc.stream_stream_rpc_method_handler(partial(of.streaming, name))

    def service(self, details: Any) -> Any:
        path: str = details.method
        if path in self._known or not path.startswith(f"/{PACKAGE}."):
            return self._known.get(path)
        return grpc.stream_unary_rpc_method_handler(partial(self._of.unary, path[:100]))


def _path(operation: str) -> str:
    return f"/{PACKAGE}.{service_of(operation)}/{method_of(operation)}"


def _credentials(certificate: Path, key: Path, authorities: Path | None) -> Any:
    pair = (key.read_bytes(), certificate.read_bytes())
    roots = authorities.read_bytes() if authorities else None
    return grpc.ssl_server_credentials([pair], roots, require_client_auth=roots is not None)


def _asked(operation: str, context: Any) -> _Asked:
    """Raises Refused 400 for two tokens, or two proofs."""
    every: dict[str, list[str]] = {}
    for name, value in context.invocation_metadata():
        if isinstance(value, str) and "_" not in name:  # x_forwarded_for would else pass for x-forwarded-for
            every.setdefault(name, []).append(value)
    headers = {name: ",".join(values) for name, values in every.items()}
    shown = context.auth_context().get("x509_pem_cert")
    carried = Carried(
        "POST", f"/commands/{operation}", proof(every.get("dpop", [])), _address(context.peer()), headers,
        thumbprint(ssl.PEM_cert_to_DER_cert(shown[0].decode())) if shown else None, headers.get("sheaf-priority"),
    )  # fmt: skip
    return _Asked(operation, authorization(every.get("authorization", [])), carried)


def _address(peer: str) -> str:
    """Of `ipv4:127.0.0.1:5000` or `ipv6:%5B::1%5D:5000`."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")


async def _one(requests: Any) -> bytes:
    """The message of a request."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for raw in requests:
                return bytes(raw)
    except TimeoutError:
        message = f"Send the whole request within {BODY_SECONDS:g} seconds."
        raise Refused("slow_body", message, status=408) from None
    raise bad_request("malformed_message", "An RPC takes one message.")


async def _send(context: Any, raw: bytes) -> None:
    """Who takes nothing is cut off."""
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await context.write(raw)
    except TimeoutError:
        message = f"Nothing was taken for {SEND_SECONDS:g} seconds."
        raise Refused("too_slow", message, status=408) from None


async def _refuse(context: Any, error: Exception, operation: str) -> None:
    """Ends the RPC: the status says the kind, the problem document (RFC 9457) stands in the trailing metadata."""
    told = tell(error, transport="grpc", operation=operation)
    text = json.dumps(told.body)
    if len(text) > MAX_PROBLEM_CHARS:
        text = json.dumps({name: told.body[name] for name in PROBLEM})
    code = (
        StatusCode.UNIMPLEMENTED
        if told.body["code"] == "unknown_operation"
        else STATUS.get(told.status, StatusCode.INTERNAL)
    )
    headers = tuple((name.lower(), value) for name, value in told.headers.items())
    await context.abort(code, str(told.body["detail"]), (("problem", text), *headers))
