"""Owns a small load generator: keep-alive HTTP/1.1 over a few sockets in one thread, every answer checked.

Which requests are sent is left to subjects.py. Only loopback addresses, and only for a few seconds.
"""

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

CONNECTIONS = 8


@dataclass(frozen=True)
class Request:
    """What goes over the wire, and what the body of a good answer contains."""

    raw: bytes
    expect: bytes


def http_request(
    method: str, port: int, path: str, *, headers: dict[str, str] | None = None, body: str = "", expect: str = ""
) -> Request:
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return Request(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), expect.encode())


@dataclass(frozen=True)
class Result:
    operations: int
    errors: int
    seconds: float
    first_error: str = ""


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.request: Request | None = None

    def send(self, request: Request) -> None:
        self.request = request
        self.socket.sendall(request.raw)

    def read(self) -> tuple[bytes, bytes] | None:
        """Status line and body once the answer is complete."""
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError("the server closed the connection")
        self.buffer += piece
        head, gap, rest = self.buffer.partition(b"\r\n\r\n")
        if not gap:
            return None
        length = _content_length(bytes(head))
        if len(rest) < length:
            return None
        self.buffer.clear()
        return bytes(head.partition(b"\r\n")[0]), bytes(rest[:length])


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError("an answer without Content-Length")


def run(
    port: int, next_request: Callable[[], Request | None], answered: Callable[[bytes], None], seconds: float
) -> Result:
    """Keep the connections busy for so long. `next_request` may give None when there is nothing to send just now."""
    selector = selectors.DefaultSelector()
    connections = [_Connection(port) for _ in range(CONNECTIONS)]
    busy, done, errors, first_error = 0, 0, 0, ""
    begun = time.perf_counter()
    for connection in connections:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        if request := next_request():
            connection.send(request)
            busy += 1
    while busy:
        for key, _ in selector.select(timeout=10):
            connection = key.data
            answer = connection.read()
            if answer is None:
                continue
            busy -= 1
            done += 1
            status, body = answer
            if b" 200 " not in status + b" " or connection.request.expect not in body:
                errors += 1
                first_error = first_error or f"{status.decode()} {body[:200].decode(errors='replace')}"
            else:
                answered(body)
            if time.perf_counter() - begun < seconds and errors < 10 and (request := next_request()):
                connection.send(request)
                busy += 1
    elapsed = time.perf_counter() - begun
    for connection in connections:
        connection.socket.close()
    selector.close()
    return Result(done, errors, elapsed, first_error)
