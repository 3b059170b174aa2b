"""A node is killed with -9 under load, again and again: nothing that was acknowledged is lost, and nothing happens twice.

Each request has an idempotency key; whoever gets no answer sends the same request again, to the node that was started in its
place. The stores and brokers by themselves are killed in tests/api/stores and tests/api/brokers.
"""

import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from idp.api.documents.keyring import fresh
from tests.api.issuer import Issuer
from tests.api.transports.talking import Lines
from tests.support.clock import FakeClock
from tests.support.running import Running

pytestmark = pytest.mark.slow
CLIENTS = 4
BETWEEN_KILLS = 40  # requests that are acknowledged
WRITES = ("documents.insert", "queues.publish", "work_items.add")


@dataclass
class Node:
    """start, then kill, as often as wanted. The socket is where it listens."""

    env: dict[str, str]
    folder: Path
    running: Running | None = None

    @property
    def socket(self) -> str:
        return str(self.folder / "node.sock")

    def start(self) -> None:
        command = [sys.executable, "-m", "idp.api.streams"]
        self.running = Running("node", command, log=self.folder / "node.log", env=self.env).start()
        self.running.wait_for(self._answers, "it answers", seconds=60)

    def kill(self) -> None:
        assert self.running
        self.running.kill()

    def _answers(self) -> bool:
        with suppress(OSError, EOFError):
            Lines(self.socket).close()
            return True
        return False


@dataclass
class Client:
    """Sends its requests one after the other, each until it is answered."""

    node: Node
    token: str
    name: str
    told: Callable[[], None]
    done: threading.Event
    acknowledged: list[str] = field(default_factory=list)
    again: int = 0

    def run(self) -> None:
        number = 0
        while not self.done.is_set():
            body = f"{self.name}-{number}"
            self._until_answered(WRITES[number % len(WRITES)], body)
            self.acknowledged.append(body)
            self.told()
            number += 1

    def _until_answered(self, operation: str, body: str) -> None:
        request: dict[str, Any] = {"idempotency_key": body}
        if operation == "documents.insert":
            request |= {"collection": "notes", "data": {"body": body}}
        else:
            request |= {"name": operation.split(".")[0].replace("_", "-")}
            request |= {"body": body} if operation == "queues.publish" else {"payload": {"body": body}}
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with suppress(OSError, EOFError), connected(self.node) as talk:
                answer = talk.ask(operation, request, self.token)
                if answer.status == 200:
                    return
                assert answer.status == 503, answer.body
            self.again += 1
            time.sleep(0.05)
        raise AssertionError("the node does not come back")


@contextmanager
def connected(node: Node) -> Iterator[Lines]:
    talk = Lines(node.socket)
    try:
        yield talk
    finally:
        talk.close()


@pytest.fixture(params=["embedded", pytest.param("mongodb and rabbitmq", marks=pytest.mark.peer)])
def node(request: pytest.FixtureRequest, issuer: Issuer, tmp_path: Path) -> Iterator[Node]:
    issuer.clock = FakeClock(time.time())
    env = {
        "IDP_DATA": str(tmp_path / "data"),
        "IDP_API__ISSUER": issuer.url,
        "IDP_API__UNIX_SOCKET": str(tmp_path / "node.sock"),
        "IDP_API__KEYRING": fresh(),
        **{f"IDP_API__LIMIT_{kind}": "0" for kind in ("USER", "CLIENT", "ADDRESS")},
    }
    if request.param != "embedded":
        env["IDP_API__STORE"] = f"{request.getfixturevalue('mongo_uri')}/killed_{secrets.token_hex(4)}"
        env["IDP_API__BROKER"] = request.getfixturevalue("rabbitmq_url")
    node = Node(env, tmp_path)
    node.start()
    yield node
    node.kill()


def test_a_node_killed_under_load_loses_nothing_acknowledged_and_does_nothing_twice(node: Node, issuer: Issuer) -> None:
    token, run = issuer.mint(), secrets.token_hex(4)
    with connected(node) as talk:
        assert talk.ask("queues.declare", {"name": "queues"}, token).status == 200
        assert talk.ask("queues.declare", {"name": "work-items", "kind": "work_items"}, token).status == 200
    count, done = threading.Semaphore(0), threading.Event()
    clients = [Client(node, token, f"{run}-{n}", count.release, done) for n in range(CLIENTS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    for _ in range(3 if "IDP_API__STORE" not in node.env else 1):
        for _ in range(BETWEEN_KILLS):
            assert count.acquire(timeout=120)
        node.kill()
        node.start()
    done.set()
    for thread in threads:
        thread.join(120)
    acknowledged = Counter(body for client in clients for body in client.acknowledged)
    assert sum(client.again for client in clients) > 0, "nobody was cut off"
    with connected(node) as talk:
        assert Counter(_found(talk, token)) == acknowledged


def _found(talk: Lines, token: str) -> Iterator[str]:
    cursor, after = None, None
    while True:
        page = talk.ask(
            "documents.query", {"collection": "notes", **({"cursor": cursor} if cursor else {})}, token
        ).body
        yield from (document["data"]["body"] for document in page["documents"])
        if (cursor := page["cursor"]) is None:
            break
    while (message := talk.ask("queues.take", {"name": "queues"}, token).body["message"]) is not None:
        assert talk.ask("queues.ack", {"name": "queues", "receipt": message["receipt"]}, token).status == 200
        yield message["body"]
    while True:
        page = talk.ask("work_items.query", {"name": "work-items", **({"after": after} if after else {})}, token).body
        yield from (item["payload"]["body"] for item in page["items"])
        if (after := page["after"]) is None:
            break
