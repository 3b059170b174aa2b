"""Owns one companion for a module of tests, served in this process over every transport, beside a REST node of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from idp.api.app import create_app, open_api
from idp.api.gate import Api
from idp.api.streams import Streams
from idp.base.config import Settings
from idp.cli.certificate import pair_for
from tests.api.issuer import CLIENT, Issuer
from tests.api.transports.talking import Answer, Lines, Rest, Talk, WebSocket, trusting
from tests.api.transports.talking_grpc import Grpc
from tests.support.clock import FakeClock
from tests.support.ports import free_port

URL = "https://api.example.org"
TRANSPORTS = ("rest", "websocket", "tcp", "unix", "grpc")
FRAMED = ("websocket", "tcp", "unix")


@dataclass
class Served:
    """`rest` is another node than the one with the streams: they share the store and nothing else. apis: what both serve."""

    issuer: Issuer
    clock: FakeClock
    rest: Rest
    streams: Streams
    loop: asyncio.AbstractEventLoop
    port: int
    tcp_port: int
    unix_socket: str
    grpc_port: int
    certificate: bytes
    apis: tuple[Api, Api]
    opened: list[Talk] = field(default_factory=list)

    def open(self, transport: str) -> Any:
        if transport == "rest":
            return self.rest
        talk: Talk
        if transport == "websocket":
            talk = WebSocket(f"wss://127.0.0.1:{self.port}/frames")
        elif transport == "tcp":
            talk = Lines(("127.0.0.1", self.tcp_port), trusting())
        elif transport == "grpc":
            talk = Grpc(self.grpc_port, self.certificate)
        else:
            talk = Lines(self.unix_socket)
        self.opened.append(talk)
        return talk

    def token(self, name: str = "ada", **changes: Any) -> str:
        return self.issuer.mint(**{"sub": f"usr_{name}", **changes})

    def admin(self) -> str:
        return self.token("root", roles=["administrator"])

    def ask(self, operation: str, request: dict[str, Any], token: str) -> dict[str, Any]:
        """Over REST; it must succeed."""
        answer: Answer = self.rest.ask(operation, request, token)
        assert answer.status == 200, answer.body
        return answer.body

    def insert(self, collection: str, token: str, data: dict[str, Any], **more: Any) -> str:
        self.clock.advance(0.001)
        return str(self.ask("documents.insert", {"collection": collection, "data": data, **more}, token)["id"])


def serve(folder: Path, *, asking: bool = True, **api: Any) -> Iterator[Served]:
    """asking: the identity provider is asked about each token."""
    clock = FakeClock()
    issuer = Issuer()
    issuer.clock = clock
    ports = {
        "streams_port": free_port(),
        "tcp_port": free_port(),
        "grpc_port": free_port(),
        "unix_socket": str(folder / "api.sock"),
    }
    client = {"introspection_client_id": CLIENT[0], "introspection_client_secret": CLIENT[1]} if asking else {}
    tree = {
        "data": str(folder / "data"),
        "server": {"tls": True},
        "api": {"issuer": issuer.url, "url": URL, **ports, **client, **api},
    }
    settings = Settings.model_validate(tree)
    (folder / "data").mkdir(mode=0o700)
    pair = pair_for(settings)
    app = create_app(settings, clock)
    own = open_api(settings, clock)
    streams, loop = Streams(settings, own, clock), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="streams")
    thread.start()
    asyncio.run_coroutine_threadsafe(streams.start(), loop).result(30)
    served = Served(
        issuer,
        clock,
        Rest(app.test_client()),
        streams,
        loop,
        ports["streams_port"],
        ports["tcp_port"],
        ports["unix_socket"],
        ports["grpc_port"],
        pair.certificate.read_bytes() if pair else b"",
        (app.extensions["sheaf"], own),
    )
    yield served
    for talk in served.opened:
        talk.close()
    asyncio.run_coroutine_threadsafe(streams.stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
    own.close()
    app.extensions["sheaf"].close()
    issuer.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serve(tmp_path_factory.mktemp("streams"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """One with settings of its own."""
    running: list[Iterator[Served]] = []

    def begin(**api: Any) -> Served:
        running.append(serve(tmp_path, **api))
        return next(running[-1])

    yield begin
    for one in running:
        next(one, None)


@pytest.fixture(params=TRANSPORTS)
def talk(request: pytest.FixtureRequest, served: Served) -> Any:
    return served.open(request.param)


@pytest.fixture(params=(*FRAMED, "grpc"))
def streamed(request: pytest.FixtureRequest, served: Served) -> Any:
    """Every transport that has all streams."""
    return served.open(request.param)


@pytest.fixture(params=FRAMED)
def framed(request: pytest.FixtureRequest, served: Served) -> Any:
    return served.open(request.param)
