"""Owns how a test, or a process that a test starts, opens a store; and those processes. What they do is in worker.py."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idp.base.clock import Clock, system_clock
from idp.ports import Repository

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Engine:
    """kind: sqlite or mongo; where: a path or a URI."""

    kind: str
    where: str

    def open(self, clock: Clock = system_clock, **options: Any) -> Repository:
        if self.kind == "sqlite":
            from idp.storage.sqlite import SqliteRepository

            return SqliteRepository(Path(self.where), clock, **options)
        from idp.storage.mongo import MongoRepository

        return MongoRepository(self.where, clock, **options)

    @contextlib.contextmanager
    def opened(self, clock: Clock = system_clock, **options: Any) -> Iterator[Repository]:
        repository = self.open(clock, **options)
        try:
            yield repository
        finally:
            repository.close()


@contextlib.contextmanager
def workers(engine: Engine, role: str, count: int, *arguments: str) -> Iterator[list["subprocess.Popen[str]"]]:
    """So many processes of worker.py, each ready to go."""
    command = [sys.executable, "-m", "tests.storage.worker", engine.kind, engine.where, role, *arguments]
    started = [
        subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)
        for _ in range(count)
    ]
    try:
        for worker in started:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        yield started
    finally:
        for worker in started:
            worker.kill()
            worker.communicate()


def race(engine: Engine, role: str, count: int, *arguments: str) -> list[list[str]]:
    """Let them run at the same moment; the lines that each printed."""
    with workers(engine, role, count, *arguments) as started:
        for worker in started:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        return [worker.communicate(timeout=120)[0].split() for worker in started]
