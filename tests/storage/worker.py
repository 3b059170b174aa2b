"""A process of its own that uses a store: `python -m tests.storage.worker KIND WHERE ROLE …`. Started by engines.workers.

It prints `ready`, waits for one line, and prints one line for each thing that the store has acknowledged.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from idp.domain.audit_event import AuditEvent, StoredSetting
from idp.domain.grant import AuthorizationCode, RefreshToken
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from tests.storage.engines import Engine


def main() -> None:
    kind, where, role, *arguments = sys.argv[1:]
    engine = Engine(kind, where)
    if role == "open":
        say("ready")
        sys.stdin.readline()
    # Many processes on a busy machine: patience here, the store's own limits have tests of their own.
    repository = engine.open(**{"busy_seconds" if kind == "sqlite" else "operation_seconds": 30.0})  # type: ignore[arg-type]
    repository.get(User, "nobody")
    if role != "open":
        say("ready")
        sys.stdin.readline()
    ROLES[role](repository, *arguments)
    repository.close()


def say(text: object) -> None:
    """One whole line in one write: what stands there was acknowledged, even when this process is killed right after."""
    os.write(sys.stdout.fileno(), f"{text}\n".encode())


def redeem(repository: Repository, *codes: str) -> None:
    for code in codes:
        if repository.consume(AuthorizationCode, code):
            say(code)


def register(repository: Repository, *names: str) -> None:
    """Insert a user of each name; they differ in everything but the name."""
    for name in names:
        id = f"{name}-{time.monotonic_ns()}-{os.getpid()}"
        try:
            repository.insert(User(id, name, name, None, None, False, "", 0.0))
        except Duplicate:
            continue
        say(name)


def count_up(repository: Repository, id: str, times: str) -> None:
    """Add one, so many times, however often somebody else is faster."""
    done = 0
    while done < int(times):
        setting = repository.get(StoredSetting, id)
        assert setting is not None
        if repository.replace_if(replace(setting, value=str(int(setting.value) + 1))):
            done += 1
            say(done)


def write(repository: Repository, prefix: str) -> None:
    """Insert without end, until killed."""
    number = 0
    while True:
        id = f"{prefix}{os.getpid()}-{number:08d}"
        repository.insert(AuditEvent(id, 1.0, "sign_in.succeeded", "worker", "x" * 200))
        say(id)
        number += 1


def consume_all(repository: Repository, prefix: str) -> None:
    """Insert a code and consume it, without end, until killed; prints what is acknowledged as consumed."""
    number = 0
    while True:
        id = f"{prefix}{os.getpid()}-{number:08d}"
        now = time.time()
        repository.insert(AuthorizationCode(id, "g", "c", "https://app.example/cb", None, now, now + 3600))
        assert repository.consume(AuthorizationCode, id)
        say(id)
        number += 1


def rotate(repository: Repository, *tokens: str) -> None:
    """Consume each; an audit event comes into being with it."""
    for token in tokens:
        event = AuditEvent(f"{token}-{os.getpid()}", 1.0, "grant.issued", "worker", token)
        if repository.consume(RefreshToken, token, also=[event]):
            say(token)


def rotate_all(repository: Repository, prefix: str) -> None:
    """Insert a token and replace it by a successor, without end, until killed; prints what is acknowledged."""
    number = 0
    while True:
        id, now = f"{prefix}{os.getpid()}-{number:08d}", time.time()
        repository.insert(RefreshToken(id, "old", "c", now, now + 3600))
        successor = RefreshToken(f"new-{id}", "new", "c", now, now + 3600)
        event = AuditEvent(id, 1.0, "grant.issued", "worker", id)
        assert repository.consume(RefreshToken, id, also=[successor, event])
        say(id)
        number += 1


def nothing(repository: Repository) -> None:
    say("opened")


ROLES: dict[str, Callable[..., None]] = {
    "redeem": redeem,
    "register": register,
    "count_up": count_up,
    "write": write,
    "consume_all": consume_all,
    "rotate": rotate,
    "rotate_all": rotate_all,
    "open": nothing,
}

if __name__ == "__main__":
    main()
