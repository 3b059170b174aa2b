"""Owns a web server on loopback on which peers and federations publish their metadata for tests."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass
class Publisher:
    """documents: by path as it is sent; what is not there is a 404. moved: path -> other address. etags: answers have one, and
    "as you know it" is said. broken: every answer is a 500. asked: (path, status) of what came."""

    documents: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    etags: bool = False
    broken: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/metadata") -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def put(self, text: bytes, path: str = "/metadata") -> str:
        self.documents[path] = text
        return self.url(path)


def _handler(publisher: Publisher) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = publisher.documents.get(self.path, b"")
            tag = f'"{hash(text)}"'
            status = 500 if publisher.broken else 302 if self.path in publisher.moved else 200 if text else 404
            if status == 200 and publisher.etags and self.headers.get("If-None-Match") == tag:
                status, text = 304, b""
            publisher.asked.append((self.path, status))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", publisher.moved[self.path])
            if publisher.etags:
                self.send_header("ETag", tag)
            self.send_header("Content-Length", str(len(text) if status == 200 else 0))
            self.end_headers()
            if status == 200:
                self.wfile.write(text)

        def log_message(self, *_: object) -> None: ...

    return Handler
