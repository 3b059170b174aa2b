"""Owns what the companion costs: CPU time of its server for each request, and of a token that is known already.

Run by `make bench`, or alone: python -m benchmarks.companion. Nothing is asserted: the goals stand beside the figures.
Of each figure the best of some rounds counts. A busy machine makes CPU time longer, too: the yardstick, measured between
the rounds, tells how much longer, and figures of two runs are compared as multiples of it.
"""

import http.client
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import processes
from tests.support.sheaf import Sheaf

WARM, TIMES, ROUNDS = 200, 400, 5
TURNS = 20_000
SCOPES = ("documents.read", "documents.write", "queues.publish", "queues.consume", "queues.manage")
Step = Callable[[], Any]
# Limits would end the run after a few thousand requests of one client.
NO_LIMITS = {"IDP_API__LIMIT_CLIENT": "0", "IDP_API__LIMIT_ADDRESS": "0"}


class Caller:
    """One keep-alive connection with a token of its own."""

    def __init__(self, sheaf: Sheaf) -> None:
        words = [word for scope in SCOPES for word in ("--scope", scope)]
        grant = ("--grant", "client_credentials", "--audience", "urn:sheaf:api")
        made = sheaf.cli("client", "add", "--name", "Bench", *grant, *words)
        self._token = _token(sheaf, made["client_id"], made["client_secret"])
        self._connection = http.client.HTTPConnection("127.0.0.1", sheaf.api_port, timeout=30)

    def send(self, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        raw = None
        if body is not None:
            raw, headers["Content-Type"] = json.dumps(body), "application/json"
        self._connection.request(method, path, raw, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status < 300, (answer.status, text)
        return json.loads(text) if text else None


def _token(sheaf: Sheaf, client: str, secret: str) -> str:
    import requests

    form = {"grant_type": "client_credentials", "resource": "urn:sheaf:api", "scope": " ".join(SCOPES)}
    answer = requests.post(sheaf.url("/token"), data=form, auth=(client, secret), timeout=10)
    return str(answer.json()["access_token"])


def companion_pids(sheaf: Sheaf) -> list[int]:
    """Of the processes that serve REST."""
    found = processes.tree(sheaf.process.pid)
    return [pid for pid in found if b"idp.api.app" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def print_companion(sheaf: Sheaf) -> None:
    caller = Caller(sheaf)
    ids = [
        caller.send("POST", "/documents/bench", {"data": {"n": n, "name": f"document {n}"}})["id"] for n in range(200)
    ]
    caller.send("PUT", "/queues/bench", {})

    def publish_and_take() -> None:
        caller.send("POST", "/queues/bench/messages", {"body": {"n": 1}})
        receipt = caller.send("POST", "/queues/bench/take", {})["message"]["receipt"]
        caller.send("POST", f"/queues/bench/messages/{receipt}/ack")

    steps: tuple[tuple[str, str, Step], ...] = (
        ("get a document", "0.35 ms", lambda: caller.send("GET", f"/documents/bench/{ids[7]}")),
        ("query of 20 documents", "1 ms", lambda: caller.send("POST", "/documents/bench/query", {"limit": 20})),
        ("insert a document", "-", lambda: caller.send("POST", "/documents/bench", {"data": {"n": 1}})),
        ("publish, take and ack", "1 ms + ack", publish_and_take),
    )
    roots = companion_pids(sheaf)
    turns = []
    for name, goal, step in steps:
        for _ in range(WARM):
            step()
        rounds = []
        for _ in range(ROUNDS):
            turns.append(yardstick_ms())
            rounds.append(_round(roots, step))
        cpu, wall = min(one[0] for one in rounds), min(one[1] for one in rounds)
        say(f"companion: {name}", f"{cpu:.2f} ms CPU", goal, f"{wall:.2f} ms on the clock")
    say("companion: a token that is known", f"{token_check_ms():.4f} ms CPU", "0.02 ms", "")
    busy = f"{statistics.median(turns):.2f} ms in the middle"
    say(f"companion: yardstick ({TURNS:,} turns of a loop)", f"{min(turns):.2f} ms CPU", "-", busy)


def _round(roots: list[int], step: Step) -> tuple[float, float]:
    """CPU time of the server and time on the clock, in ms for each."""
    before, begun = _cpu(roots), time.perf_counter()
    for _ in range(TIMES):
        step()
    return (_cpu(roots) - before) / TIMES * 1000, (time.perf_counter() - begun) / TIMES * 1000


def yardstick_ms() -> float:
    """The best of ten: what this machine does at this moment."""
    best = math.inf
    for _ in range(10):
        begun, sum = time.thread_time(), 0
        for turn in range(TURNS):
            sum += turn * turn % 7
        best = min(best, (time.thread_time() - begun) * 1000)
    return best


def _cpu(pids: list[int]) -> float:
    """Of these processes alone: each stands in the list itself."""
    total = 0
    for pid in pids:
        fields = processes._stat(pid)
        total += int(fields[11]) + int(fields[12]) if fields else 0
    return total / processes.TICKS


def token_check_ms() -> float:
    """In this process, against an issuer of the tests."""
    from idp.api.app import open_api
    from idp.base.clock import system_clock
    from idp.base.config import Settings
    from tests.api.issuer import Issuer

    issuer = Issuer()
    issuer.clock = system_clock  # type: ignore[assignment]
    with tempfile.TemporaryDirectory(prefix="sheaf-bench-") as folder:
        api = open_api(Settings.model_validate({"data": folder, "api": {"issuer": issuer.url}}))
        try:
            header = f"Bearer {issuer.mint()}"
            api.judge.judge(header)
            begun = time.process_time()
            for _ in range(20_000):
                api.judge.judge(header)
            return (time.process_time() - begun) / 20_000 * 1000
        finally:
            api.close()
            issuer.close()


def say(what: str, value: str, goal: str, remark: str) -> None:
    print(f"{what:<42} {value:>14}   goal {goal:<12} {remark}")


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(prefix="sheaf-bench-") as folder,
        Sheaf(Path(folder), api=True, env=NO_LIMITS) as running,
    ):
        print_companion(running)
