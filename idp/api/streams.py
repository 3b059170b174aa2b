"""Owns the process for streams: WebSocket and server-sent events (uvicorn), TCP with TLS, a Unix socket and gRPC, on one event loop.

Run as `python -m idp.api.streams`; settings come from IDP_CONFIG and IDP_SECTION__KEY. Leaves REST to app.py.
"""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import ssl
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from idp.api.app import open_api
from idp.api.gate import Api
from idp.api.node import MAX_CONNECTIONS, Node
from idp.api.transports import asgi, lines
from idp.api.transports.framed import MAX_FRAME_BYTES
from idp.base.clock import Clock, system_clock
from idp.base.config import Settings, load
from idp.base.errors import Misconfigured
from idp.base.log import set_up

if TYPE_CHECKING:
    import uvicorn

    from idp.api.transports.grpc import Grpc

ABORT_SECONDS: Final = 10.0
PING_SECONDS: Final = 20.0


class Streams:
    """Everything that listens. `start`, then `stop`, on the event loop."""

    def __init__(self, settings: Settings, api: Api, clock: Clock = system_clock) -> None:
        self._settings = settings
        self._api = api
        self._clock = clock
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._web: uvicorn.Server | None = None
        self._grpc: Grpc | None = None

    async def start(self) -> None:
        """Raises Misconfigured and OSError."""
        api = self._settings.api
        self._api.start()
        # With a queue between, threads here do little but wait.
        self.node = Node(self._api, self._clock, max(api.threads, 32 if self._api.dispatch else 4))
        self.node.start()
        if api.tcp_port:
            await self._listen(
                asyncio.start_server, "tcp", host=api.host, port=api.tcp_port, ssl=tls_of(self._settings)
            )
        if api.unix_socket:
            path = Path(api.unix_socket)
            if path.exists() and not path.is_socket():
                raise Misconfigured("api.unix_socket", "Something else is there.", "Give a path of its own.")
            path.unlink(missing_ok=True)  # left by a process that was killed
            await self._listen(asyncio.start_unix_server, "unix", path=path)
            path.chmod(0o660)  # whoever may open it still needs a token
        if api.grpc_port:
            self._grpc = _grpc_server(self._settings, self.node)
            await self._grpc.start()
        if api.streams_port:
            self._web = _web_server(self._settings, self.node)
            self._tasks = [asyncio.create_task(self._web.serve()), asyncio.create_task(self._abort_stuck(self._web))]
            while not self._web.started and not self._tasks[0].done():
                await asyncio.sleep(0.01)
            if self._tasks[0].done():
                await self._tasks[0]
                raise OSError(f"cannot listen on {api.host} port {api.streams_port}")

    async def stop(self) -> None:
        """Lets go what is under way, for drain_seconds at most."""
        for server in self._servers:
            server.close()
        seconds = self._settings.api.drain_seconds
        await asyncio.gather(self.node.drain(seconds), *([self._grpc.stop(seconds)] if self._grpc else []))
        if self._web:
            self._web.should_exit = True
            await self._tasks[0]
            self._tasks[1].cancel()
        self.node.close()

    async def _listen(self, begin: Any, transport: str, **where: Any) -> None:
        serve = partial(lines.serve, self.node, transport)
        self._servers.append(await begin(serve, limit=MAX_FRAME_BYTES, **where))

    async def _abort_stuck(self, web: "uvicorn.Server") -> None:
        """Who does not take the rest of what a closed connection has for it, or never ends the head of its request, would hold
        the connection for ever."""
        before: set[Any] = set()
        while True:
            await asyncio.sleep(ABORT_SECONDS)
            stuck = {
                p for p in web.server_state.connections if p.transport.is_closing() or getattr(p, "cycle", p) is None
            }
            for protocol in stuck & before:
                protocol.transport.abort()
            before = stuck


def _web_server(settings: Settings, node: Node) -> "uvicorn.Server":
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Any:  # they are ours: streams are told before connections end
            yield

    config = uvicorn.Config(
        asgi.create(node, settings.api.origins),
        host=settings.api.host, port=settings.api.streams_port, loop="asyncio", http="h11", ws="websockets-sansio",
        ws_max_size=MAX_FRAME_BYTES, ws_per_message_deflate=False, ws_ping_interval=PING_SECONDS, ws_ping_timeout=PING_SECONDS,
        lifespan="off", interface="asgi3", access_log=False, log_config=None, server_header=False,
        # Who is connected is said by the connection alone; what a proxy says of certificates is base/mtls.py's.
        proxy_headers=False, limit_concurrency=MAX_CONNECTIONS, timeout_graceful_shutdown=5,
        ssl_context_factory=(lambda *_: tls_of(settings)) if settings.server.tls else None,
    )  # fmt: skip
    return Server(config)


def _grpc_server(settings: Settings, node: Node) -> "Grpc":
    from idp.api.transports.grpc import Grpc  # heavy; only where it is used

    api, tls = settings.api, None
    if settings.server.tls:
        tls_of(settings)  # says what is wrong with the files; gRPC would only say that something is
        tls = tls_files(settings)
    if api.grpc_client_certificates and not (tls and api.client_authorities):
        raise Misconfigured(
            "api.grpc_client_certificates",
            "Nothing is there to verify them with.",
            "Set server.tls and api.client_authorities.",
        )
    host = f"[{api.host}]" if ":" in api.host else api.host
    return Grpc(
        node, f"{host}:{api.grpc_port}", tls, Path(api.client_authorities) if api.grpc_client_certificates else None
    )


def tls_files(settings: Settings) -> tuple[Path, Path]:
    """Certificate and key. Raises Misconfigured."""
    certificate = settings.tls_certificate
    if certificate is None:
        raise Misconfigured(
            "api.tcp_port", "Tokens do not go over TCP in the clear.", "Set server.tls, or use a Unix socket."
        )
    return certificate, Path(settings.server.tls_key) if settings.server.tls_key else certificate.with_suffix(".key")


def tls_of(settings: Settings) -> ssl.SSLContext:
    """Raises Misconfigured."""
    certificate, key = tls_files(settings)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        why = error.strerror or str(error)
        raise Misconfigured("server.tls_certificate", f"It cannot be used ({why}).", "Give a pair in PEM.") from None
    if settings.api.client_authorities:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a certificate may vouch for itself (RFC 8705 2.2)
        context.load_verify_locations(settings.api.client_authorities)
    return context


async def _serve(settings: Settings, api: Api, supervised: bool) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if supervised:
        threading.Thread(target=_until_stdin_ends, name="supervisor-watch", daemon=True).start()
    streams = Streams(settings, api)
    await streams.start()
    gc.collect()
    gc.freeze()  # what is there now stays: no collection needs to look at it again
    if not supervised:
        sys.stderr.write(
            f"Serving streams on {settings.api.host} port {settings.api.streams_port}. Stop with Ctrl-C.\n"
        )
    await stopped.wait()
    await streams.stop()


def _until_stdin_ends() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _allow_files() -> None:
    """A connection is an open file, and the usual limit of 1024 is less than the connections that are allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MAX_CONNECTIONS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def main(words: list[str]) -> None:
    os.umask(0o077)
    _allow_files()
    try:
        settings = load(os.environ.get("IDP_CONFIG"))
        set_up(settings.log.level)
        api = open_api(settings)
        try:
            asyncio.run(_serve(settings, api, "supervised" in words))
        finally:
            api.close()
    except (Misconfigured, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
