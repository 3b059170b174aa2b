"""Owns a small web server on loopback that plays the app's side: it keeps what it is sent and answers as it is told.

What the requests mean is for the tests.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode("ascii"), strict_parsing=True)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)


@dataclass
class Receiver:
    """statuses: of the next answers, 200 after the last. pages: HTML by path, or a function of what was received.
    `silent`: requests are kept, and answered only when it is cleared."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    pages: dict[str, str | Callable[[Received], str]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    silent: bool = False

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.silent = False
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def wait(self, count: int = 1, seconds: float = 15.0) -> list[Received]:
        """Until it has received so many requests."""
        end = time.monotonic() + seconds
        while len(self.received) < count and time.monotonic() < end:
            time.sleep(0.01)
        assert len(self.received) >= count, f"{len(self.received)} of {count} requests came"
        return list(self.received)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            got = Received(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            receiver.received.append(got)
            while receiver.silent:
                time.sleep(0.01)
            page: Any = receiver.pages.get(urlsplit(self.path).path, "")
            html = (page(got) if callable(page) else page).encode()
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(html)))
            self.end_headers()
            self.wfile.write(html)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None: ...

    return Handler
