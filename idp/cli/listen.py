"""One HTTP server (granian): binds, starts worker processes that build the application, stops cleanly.

Runs in a process of its own that never loads the application: it holds the socket and watches the workers. Leaves the
choice of settings to idp.cli.serve, and keeping it alive to idp.cli.supervise.
"""

import contextlib
import gc
import importlib
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

WORKER_STOP_SECONDS = 10
CONNECTIONS = 4096  # per worker, at a time
_LOG = {
    "handlers": {"console": {"formatter": "generic", "class": "logging.StreamHandler", "stream": "ext://sys.stderr"}},
    "loggers": {"_granian": {"handlers": ["console"], "level": "ERROR", "propagate": False}},
}


@dataclass(frozen=True, slots=True)
class Listener:
    """application: `module:factory`, called in each worker. threads: per worker. supervised: stop when stdin ends.
    certificate, key: files; https and HTTP/2 when they are given."""

    application: str
    host: str
    port: int
    workers: int
    threads: int
    supervised: bool = False
    certificate: str = ""
    key: str = ""


class PortTaken(OSError):  # noqa: N818  (as for every refusal)
    """Somebody else listens there, or the address is not ours to bind."""


def check_free(host: str, port: int) -> None:
    """Raises PortTaken. The server itself would share the port with a second one of its kind (SO_REUSEPORT)."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as error:
        raise PortTaken(error.errno, error.strerror or str(error)) from None


def _address(host: str, port: int) -> str:
    """The server itself knows no names such as `localhost`."""
    return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][4][0])


def listen(listener: Listener) -> NoReturn:
    """Serve until SIGTERM or SIGINT; ends the process. Exit code 1 when the application cannot be built."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels

    if sys.platform == "linux":
        multiprocessing.set_start_method("fork", force=True)  # nothing of the application is loaded here yet
    _allow_files()
    server = Granian(
        listener.application,
        address=_address(listener.host, listener.port),
        port=listener.port,
        interface=Interfaces.RSGI,
        http=HTTPModes.auto if listener.certificate else HTTPModes.http1,
        websockets=False,
        workers=listener.workers,
        backlog=1024,
        # Connections, idle ones too: whoever comes beyond this waits until another one has gone.
        backpressure=CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=WORKER_STOP_SECONDS,
        log_dictconfig=_LOG,
        log_level=LogLevels.error,
        log_access=False,
        **_tls(listener),
    )
    failed: list[bool] = []
    said: list[bool] = []

    def give_up(*_: object) -> None:
        failed.append(True)
        server.signal_handler_interrupt()

    def ready(*_: object) -> None:
        if not said and not listener.supervised:
            said.append(True)
            sys.stderr.write(f"Serving on {listener.host} port {listener.port}. Stop with Ctrl-C.\n")

    def started() -> None:
        signal.signal(signal.SIGUSR1, give_up)
        signal.signal(signal.SIGUSR2, ready)
        if listener.supervised:
            threading.Thread(target=_until_stdin_ends, name="supervisor-watch", daemon=True).start()

    server.on_startup(started)
    server.serve(target_loader=partial(_application, threads=listener.threads))
    sys.exit(1 if failed else 0)


def _tls(listener: Listener) -> dict[str, Any]:
    from granian.constants import SSLProtocols

    if not listener.certificate:
        return {}
    # Many clients of today cannot do more than TLS 1.2; it is as good as 1.3 with the cipher suites of this server.
    files = {"ssl_cert": Path(listener.certificate), "ssl_key": Path(listener.key)}
    return {**files, "ssl_protocol_min": SSLProtocols.tls12}


def _application(target: str, threads: int) -> Any:
    """In the worker: build the application. One line instead of a stack trace when it cannot be built."""
    from idp.cli.bridge import Bridge  # only here: it loads much that the process above never needs

    _block_interrupt()
    threading.Thread(target=_until_parent_ends, name="parent-watch", daemon=True).start()
    module, _, factory = target.partition(":")
    try:
        built = getattr(importlib.import_module(module), factory)()
    except Exception as error:
        from idp.cli.failures import explained, say

        say(explained(error))
        if os.environ.get("IDP_DEBUG"):
            raise
        os.kill(os.getppid(), signal.SIGUSR1)  # trying again would fail in the same way
        raise SystemExit(1) from None
    gc.collect()
    gc.freeze()  # what is there now stays: no collection needs to look at it again
    os.kill(os.getppid(), signal.SIGUSR2)
    given = [built.extensions.get(f"sheaf_{name}") for name in ("lane", "waits", "streams", "short")]
    return Bridge(built, threads, *given)


def _allow_files() -> None:
    """A connection is an open file, and the usual limit of 1024 is less than the connections that are allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1024
    if soft != resource.RLIM_INFINITY and soft < wanted:
        highest = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))


def _block_interrupt() -> None:
    # Ctrl-C reaches every process of the terminal at once; the uppermost stops the others in order.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _until_stdin_ends() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _until_parent_ends() -> None:
    """A worker whose parent was killed would hold the port for ever."""
    from multiprocessing.connection import wait

    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def main(words: list[str]) -> NoReturn:
    application, host, port, workers, threads, *more = words
    given = dict(word.partition("=")[::2] for word in more)
    os.umask(0o077)
    try:
        listen(
            Listener(
                application,
                host,
                int(port),
                int(workers),
                int(threads),
                supervised="supervised" in given,
                certificate=given.get("certificate", ""),
                key=given.get("key", ""),
            )
        )
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
