"""Keeps the processes of `idp run` alive: starts them, says where to go, restarts one that died, stops all.

Standard library only: this process stays in memory as long as Sheaf runs. Leaves checks and preparations to idp.cli.run.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

START_SECONDS = 60.0
STOP_SECONDS = 15.0
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
SETTLED_SECONDS = 60.0  # whoever lived that long starts again at once
LOOK_SECONDS = 1.0


@dataclass
class Child:
    """One half. command: argv; environment: on top of our own; host, port: where it answers /healthz. certificate: file with
    what it shows, and shown_for a name in it; without TLS empty."""

    name: str
    command: list[str]
    environment: dict[str, str]
    host: str
    port: int
    certificate: str = ""
    shown_for: str = ""
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    wait: float = 0.0
    due: float | None = field(default=None)

    def start(self) -> None:
        # Its standard input is a pipe that we hold: when we are gone, even by kill -9, it ends and the child stops.
        environment = {**os.environ, **self.environment}
        # Ctrl-C reaches every process of the terminal at once: children leave it to us to stop them in order.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, env=environment)  # noqa: S603
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        self.started_at, self.due = time.monotonic(), None

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def plan_restart(self) -> float:
        """Back-off: 1 s, 2 s, … 30 s; from the start again for one that had settled."""
        settled = time.monotonic() - self.started_at > SETTLED_SECONDS
        self.wait = FIRST_WAIT if settled or not self.wait else min(LONGEST_WAIT, self.wait * 2)
        self.due = time.monotonic() + self.wait
        return self.wait

    def terminate(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def join(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()


class Supervisor:
    """plan: see idp.cli.run. follow_issuer: the issuer comes from the set-up page; the companion must hear of it."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.children = [Child(**one) for one in plan["children"]]
        self.greeting: str = plan["greeting"]
        self.follow_issuer: bool = plan["follow_issuer"]
        self.stopping = False
        self._wake = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: self._wake.set())

    def _stop(self, *_: object) -> None:
        self.stopping = True
        self._wake.set()

    def run(self) -> int:
        """Exit code: 0 when asked to stop, 1 when a half did not start."""
        for child in self.children:
            child.start()
        code = self._until_up()
        if code is None:
            print(self.greeting, flush=True)
            self._watch()
            code = 0
        self._end()
        return code

    def _until_up(self) -> int | None:
        deadline, waiting = time.monotonic() + START_SECONDS, list(self.children)
        while waiting and not self.stopping:
            failed = next((child for child in self.children if child.ended()), None)
            if failed is not None or time.monotonic() > deadline:
                name = (failed or waiting[0]).name
                what = "ended at once" if failed else f"did not answer within {START_SECONDS:.0f} s"
                _say(f"error: {name} {what}. Its own lines above say why; check with: idp doctor")
                return 1
            waiting = [child for child in waiting if _get(child, "/healthz") is None]
            self._wake.wait(0.05)
            self._wake.clear()
        return 0 if self.stopping else None

    def _watch(self) -> None:
        while not self.stopping:
            self._wake.wait(self._pause())
            self._wake.clear()
            for child in self.children:
                self._tend(child)
            if self.follow_issuer and not self.stopping:
                self._tell_issuer()

    def _pause(self) -> float | None:
        now = time.monotonic()
        due = [max(0.0, child.due - now) for child in self.children if child.due is not None]
        return min([*due, *([LOOK_SECONDS] if self.follow_issuer else [])], default=None)

    def _tend(self, child: Child) -> None:
        if self.stopping:
            return
        if child.due is not None:
            if time.monotonic() >= child.due:
                try:
                    child.start()
                except OSError as error:  # no memory or no process left on the machine, just now
                    _say(f"{child.name} cannot start ({error.strerror}); next try in {child.plan_restart():g} s")
        elif child.ended():
            assert child.process is not None
            code = child.process.returncode
            _say(f"{child.name} ended (exit code {code}); it starts again in {child.plan_restart():g} s")

    def _tell_issuer(self) -> None:
        """The set-up page may store another base URL: the companion then trusts that one, after a restart of a moment."""
        idp, *companions = self.children
        answer = _get(idp, "/.well-known/openid-configuration")
        issuer = _issuer(answer or b"")
        told = [
            api for api in companions if issuer and issuer != api.environment["IDP_API__ISSUER"] and api.due is None
        ]
        for api in told:
            api.environment["IDP_API__ISSUER"] = issuer or ""
            api.terminate()
        for api in told:
            api.join(time.monotonic() + STOP_SECONDS)
            api.due = time.monotonic()  # started like one that had died: with another try when the machine has no room

    def _end(self) -> None:
        for child in self.children:
            child.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.join(deadline)


def _issuer(body: bytes) -> str | None:
    try:
        value = json.loads(body)["issuer"]
    except (ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, str) else None


def _get(child: Child, path: str) -> bytes | None:
    """Body of a 200 answer, else None. By hand: an HTTP client would cost this process more memory than all the rest."""
    with contextlib.suppress(OSError), _connected(child) as connection:
        authority = f"[{child.host}]:{child.port}" if ":" in child.host else f"{child.host}:{child.port}"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: connection.recv(65_536), b"")).partition(b"\r\n\r\n")
        return body if head.split(b" ", 2)[1:2] == [b"200"] else None
    return None


def _connected(child: Child) -> socket.socket:
    plain = socket.create_connection((child.host, child.port), 2.0)
    if not child.certificate:
        return plain
    import ssl  # here: it takes memory that is not needed without TLS

    try:
        context = ssl.create_default_context(cafile=child.certificate)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it vouches for itself
        return context.wrap_socket(plain, server_hostname=child.shown_for)
    except OSError:
        plain.close()
        raise


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(read: Callable[[], bytes]) -> NoReturn:
    """read: gives the plan as JSON, which may hold the set-up link and so comes neither as argument nor in a variable."""
    sys.exit(Supervisor(json.loads(read())).run())


if __name__ == "__main__":
    with os.fdopen(int(sys.argv[1]), "rb") as pipe:
        content = pipe.read()
    main(lambda: content)
