"""What the store has acknowledged is there after the writer, or the server, was killed at any moment."""

import os
import select
import subprocess
import time

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.grant import AuthorizationCode
from idp.ports import Repository
from tests.storage.engines import Engine, workers

pytestmark = pytest.mark.slow


def killed_after(started: list["subprocess.Popen[str]"], enough: int, seconds: float = 60.0) -> list[str]:
    """Let them write until so many writes are acknowledged, kill -9 in the middle of it, and give all acknowledged ids."""
    for worker in started:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    outputs = {worker.stdout.fileno(): b"" for worker in started if worker.stdout}
    deadline = time.monotonic() + seconds
    while sum(text.count(b"\n") for text in outputs.values()) < enough:
        assert time.monotonic() < deadline, "the writers are too slow"
        for file in select.select(list(outputs), [], [], 1.0)[0]:
            outputs[file] += os.read(file, 65_536)
    for worker in started:
        worker.kill()
        worker.wait()
    for file in outputs:
        while more := os.read(file, 65_536):
            outputs[file] += more
    # The last line counts only when it is whole.
    return [line for text in outputs.values() for line in text.decode().split("\n")[:-1]]


def lost(repository: Repository, ids: list[str]) -> list[str]:
    return [id for id in ids if repository.get(AuditEvent, id) is None]


def test_every_acknowledged_write_survives_kill_9_of_the_writers(engine: Engine) -> None:
    enough = 1000 if engine.kind == "sqlite" else 60
    acknowledged: list[str] = []
    for run in range(3):
        with workers(engine, "write", 3, f"run{run}-") as started:
            acknowledged += killed_after(started, enough)
    with engine.opened() as repository:
        assert len(acknowledged) >= 3 * enough
        assert lost(repository, acknowledged) == []


def test_a_consumed_code_stays_consumed_after_kill_9(engine: Engine) -> None:
    with workers(engine, "consume_all", 2, "c-") as started:
        acknowledged = killed_after(started, 600 if engine.kind == "sqlite" else 40)
    with engine.opened() as repository:
        for id in acknowledged:
            assert repository.consume(AuthorizationCode, id) is None
            found = repository.get(AuthorizationCode, id)
            assert found is not None
            assert found.consumed_at is not None


def test_a_store_whose_writers_were_killed_is_whole(engine: Engine) -> None:
    """Every record can be read and every index agrees with it."""
    with workers(engine, "write", 2, "w-") as started:
        killed_after(started, 500 if engine.kind == "sqlite" else 30)
    with engine.opened() as repository:
        everything = repository.find(AuditEvent, limit=1_000_000)
        assert repository.find(AuditEvent, limit=1_000_000, name="sign_in.succeeded", subject="x" * 200) == everything
