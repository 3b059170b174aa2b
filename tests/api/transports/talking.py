"""Owns clients of every transport for tests: `ask` sends one request and gives its answer, the same for all of them.

A transport of its own joins by a class with `ask` and `close`, and a line in conftest.TRANSPORTS.
"""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from flask.testing import FlaskClient
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import CONNECTING
from websockets.uri import parse_uri

SECONDS = 20.0
Json = dict[str, Any]


@dataclass
class Answer:
    """status 200 for a result, that of the problem otherwise. body: the result or the problem."""

    status: int
    body: Json

    @property
    def told(self) -> tuple[int, str]:
        return self.status, self.body.get("code", "")


class Talk(Protocol):
    def ask(self, operation: str, request: Json, token: str | None, dpop: str | None = None) -> Answer: ...

    def close(self) -> None: ...


class Rest:
    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    def ask(self, operation: str, request: Json, token: str | None, dpop: str | None = None) -> Answer:
        headers = {} if token is None else {"Authorization": f"{'DPoP' if dpop else 'Bearer'} {token}"}
        headers |= {"DPoP": dpop} if dpop else {}
        body = json.dumps(request)  # the test client's own way would sort the members
        answer = self._client.post(
            f"/commands/{operation}", data=body, content_type="application/json", headers=headers
        )
        return Answer(answer.status_code, answer.json)

    def close(self) -> None: ...


class Framed:
    """What WebSocket, TCP and Unix sockets share. Frames that are no answer to `ask` are kept for `read`."""

    def __init__(self) -> None:
        self._kept: list[Json] = []
        self._next = 0

    def write(self, raw: str) -> None:
        raise NotImplementedError

    def _read(self) -> str:
        """Raises EOFError when the connection has ended."""
        raise NotImplementedError

    def send(self, operation: str, request: Json | None = None, **more: Any) -> int:
        self._next += 1
        self.write(json.dumps({"id": self._next, "operation": operation, "request": request or {}, **more}))
        return self._next

    def read(self, of: int | None = None) -> Json:
        """The next frame, or the next one with that id."""
        for frame in self._kept:
            if of in (None, frame["id"]):
                self._kept.remove(frame)
                return frame
        while True:
            found: Json = json.loads(self._read())
            if of in (None, found["id"]):
                return found
            self._kept.append(found)

    def ask(self, operation: str, request: Json, token: str | None, dpop: str | None = None) -> Answer:
        more = {name: value for name, value in (("token", token), ("dpop", dpop)) if value is not None}
        frame = self.read(self.send(operation, request, **more))
        return (
            Answer(200, frame["result"]) if "result" in frame else Answer(frame["problem"]["status"], frame["problem"])
        )

    def changes(self, of: int) -> Iterator[Json]:
        """The events of a watch that tell something; ends with a problem as AssertionError."""
        while True:
            frame = self.read(of)
            assert "event" in frame, frame
            if frame["event"].get("action") != "alive":
                yield frame["event"]


class WebSocket(Framed):
    """On one thread: OpenSSL does not take reading and writing at once, as the library's own blocking client does them."""

    def __init__(self, url: str, origin: str | None = None) -> None:
        """Raises websockets.exceptions.InvalidStatus."""
        super().__init__()
        parts = urlsplit(url)
        plain = socket.create_connection((parts.hostname, parts.port), SECONDS)
        self._socket = trusting().wrap_socket(plain) if parts.scheme == "wss" else plain
        self._protocol = ClientProtocol(parse_uri(url), origin=origin, max_size=None)  # type: ignore[arg-type]
        self._events: list[Any] = []
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        while self._protocol.state is CONNECTING:
            self._receive()
        if self._protocol.handshake_exc:
            self._socket.close()
            raise self._protocol.handshake_exc

    def write(self, raw: str) -> None:
        self._protocol.send_text(raw.encode())
        self._flush()

    def _read(self) -> str:
        while not self._events:
            self._receive()
        frame = self._events.pop(0)
        if not isinstance(frame, Frame) or frame.opcode is not Opcode.TEXT:
            raise EOFError
        return bytes(frame.data).decode()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(65_536)
        except ConnectionError:
            data = b""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
            self._events.append(None)
        pings = (Opcode.PING, Opcode.PONG)
        self._events += [
            e for e in self._protocol.events_received() if not isinstance(e, Response) and e.opcode not in pings
        ]
        self._flush()

    def _flush(self) -> None:
        with suppress(OSError):  # it has ended: reading tells
            for data in self._protocol.data_to_send():
                self._socket.sendall(data)

    def close(self) -> None:
        self._socket.close()


class Lines(Framed):
    """TCP with TLS, or a Unix socket."""

    def __init__(self, where: tuple[str, int] | str, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        plain = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
        plain.settimeout(SECONDS)
        try:
            plain.connect(where)
        except OSError:
            plain.close()
            raise
        self._socket = tls.wrap_socket(plain) if tls else plain
        self._file = self._socket.makefile("rb")

    def write(self, raw: str) -> None:
        self._socket.sendall(raw.encode() + b"\n")

    def _read(self) -> str:
        try:
            line = self._file.readline()
        except ConnectionError:
            line = b""
        if not line:
            raise EOFError
        return line.decode()

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class Events:
    """Server-sent events of one watch."""

    def __init__(self, port: int, request: Json, token: str | None, **headers: str) -> None:
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=SECONDS, context=trusting())
        sent = {
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **headers,
        }
        self._connection.request("POST", "/commands/documents.watch", json.dumps(request), sent)
        self.answer = self._connection.getresponse()

    def next(self) -> tuple[str, str | None, Json]:
        """Kind, id and data of the next event."""
        fields: dict[str, str] = {}
        while line := self.answer.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields["event"], fields.get("id"), json.loads(fields["data"])

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


def trusting() -> ssl.SSLContext:
    """Believes any certificate: who the server is, is not the question here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
