"""Owns child processes of tests: start, wait until they answer, show their log when they do not, stop.

Only processes started here are ever stopped, each by its own process group.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

Found = TypeVar("Found")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def until(check: Callable[[], Found], what: str, *, seconds: float = 30.0, every: float = 0.05) -> Found:
    """Call `check` until it gives something true, and give that. AssertionError with `what` when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(every)


def answers(url: str, status: int = 200, timeout: float = 2.0) -> bool:
    """Does this address answer a GET with this status just now?"""
    try:
        with _DIRECT.open(url, timeout=timeout) as response:
            return bool(response.status == status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code == status
    except OSError:
        return False


def listens(port: int) -> bool:
    """Does somebody accept TCP connections on this port of 127.0.0.1?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Running:
    """A program that a test runs. Its output goes to `log`; `log_text()` and every failure show it.

    with Running("echo server", [...], log=tmp_path / "echo.log") as server:
        server.wait_http("http://127.0.0.1:20001/")
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | os.PathLike[str]],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.command = [os.fspath(part) for part in command]
        self.log = log
        self.env = dict(os.environ if env is None else env)
        self.cwd = cwd
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.cwd,
                start_new_session=True,
            )
        return self

    @property
    def pid(self) -> int:
        assert self.process, f"{self.name} was not started"
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_http(self, url: str, *, status: int = 200, seconds: float = 30.0) -> Self:
        """Wait until a GET of `url` gives `status`."""
        return self.wait_for(lambda: answers(url, status), f"{url} gives {status}", seconds=seconds)

    def wait_port(self, port: int, *, seconds: float = 30.0) -> Self:
        return self.wait_for(lambda: listens(port), f"port {port} accepts connections", seconds=seconds)

    def wait_log(self, text: str, *, seconds: float = 30.0) -> Self:
        """Wait until the log contains `text`."""
        return self.wait_for(lambda: text in self.log_text(), f"the log says {text!r}", seconds=seconds)

    def wait_for(self, check: Callable[[], object], what: str, *, seconds: float = 30.0) -> Self:
        """Wait until `check` is true. AssertionError with the end of the log when it is not, or the program ended."""

        def look() -> bool:
            if not self.alive:
                raise AssertionError(f"it ended with {self.exit_code}")
            return bool(check())

        try:
            until(look, what, seconds=seconds)
        except AssertionError as reason:
            raise AssertionError(f"{self.name}: {reason}\n--- end of {self.log} ---\n{self.tail()}") from None
        return self

    @property
    def exit_code(self) -> int | None:
        return self.process.poll() if self.process else None

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log_text().splitlines()[-lines:])

    def kill(self) -> None:
        """End it at once with all its children, as a power cut would."""
        self._signal(signal.SIGKILL)
        if self.process:
            self.process.wait(10)

    def stop(self, seconds: float = 10.0) -> int | None:
        """Ask it to end, then insist. Gives its exit code; harmless when it has ended already."""
        if self.process is None:
            return None
        if self.alive:
            self._signal(signal.SIGTERM, group=False)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        # Children that outlived their parent are still in the group that only we made.
        self._signal(signal.SIGKILL)
        return self.process.wait(10)

    def _signal(self, number: signal.Signals, *, group: bool = True) -> None:
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
