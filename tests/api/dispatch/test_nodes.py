"""Three nodes as processes: some are killed under load, the broker too. Nothing that was answered is lost, nothing is done twice."""

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.api.dispatch.cluster import Client, Cluster, cluster
from tests.support.rabbitmq import node as rabbitmq_node
from tests.support.running import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CLIENTS = 6
KILLS = 2
REFUSED_SECONDS = 9.0


class Writers:
    """Each inserts numbered documents, with a key of its own for every second one. A document with a key is asked for until it is
    answered, at whichever node; one without is asked for once."""

    def __init__(self, nodes: Cluster) -> None:
        self.nodes = nodes
        self.answered: dict[str, str] = {}
        self.asked: list[str] = []
        self.statuses: Counter[int] = Counter()
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(CLIENTS)]

    def _run(self, number: int) -> None:
        token, n = self.nodes.token(f"writer{number}"), 0
        clients = [Client(node.port, token) for node in self.nodes.nodes]
        while not self._ending.is_set():
            name, n = f"{number}-{n}", n + 1
            self.asked.append(name)
            self._insert(clients, name, keyed=n % 2 == 0)
        for client in clients:
            client.close()

    def _insert(self, clients: list[Client], name: str, *, keyed: bool) -> None:
        request = {"collection": "notes", "data": {"name": name}} | ({"idempotency_key": name} if keyed else {})
        while True:
            try:
                status, body = random.choice(clients).ask("documents.insert", request)
            except (OSError, http.client.HTTPException):
                status, body = 0, {}
            self.statuses[status] += 1
            if status == 200:
                self.answered[name] = body["id"]
            if status == 200 or not keyed or self._ending.is_set():
                return
            time.sleep(0.02)

    @contextmanager
    def writing(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
            many = len(self.answered)
            until(lambda: len(self.answered) > many + 50, "they are answered again", seconds=120)
        finally:
            self._ending.set()
            for thread in self._threads:
                thread.join(60)

    def check(self) -> None:
        """Of each writer's documents, as the store has them."""
        for node in self.nodes.nodes:
            node.up()  # each finds the broker again by itself
        stored: Counter[str] = Counter()
        for number in range(CLIENTS):
            with closing(Client(self.nodes.nodes[0].port, self.nodes.token(f"writer{number}"))) as client:
                pipeline = [{"$group": {"_id": None, "names": {"$push": "$name"}}}]
                status, told = client.ask("documents.aggregate", {"collection": "notes", "pipeline": pipeline})
            assert status == 200, told
            stored.update(name for row in told["results"] for name in row["names"])
        assert self.answered.keys() <= stored.keys()
        assert set(stored) <= set(self.asked)
        assert [name for name, many in stored.items() if many > 1] == []


def kill_nodes(nodes: Cluster, writers: Writers, times: int) -> None:
    for n in range(times):
        many = len(writers.answered)
        until(lambda many=many: len(writers.answered) > many + 50, "some are answered")  # type: ignore[misc]
        node = nodes.nodes[n % len(nodes.nodes)]
        node.process.kill()
        node.process.start()
        node.up()


def test_killed_nodes_lose_nothing_that_was_answered_and_do_nothing_twice(tmp_path: Path) -> None:
    with cluster(tmp_path, 3, dispatch="queue") as nodes:
        writers = Writers(nodes)
        with writers.writing():
            kill_nodes(nodes, writers, KILLS)
        writers.check()


@pytest.mark.peer
def test_over_rabbitmq_too_and_while_it_is_away_requests_are_refused_in_time(tmp_path: Path) -> None:
    with (
        rabbitmq_node(tmp_path / "broker") as (broker, url),
        cluster(tmp_path, 3, dispatch="queue", broker=url) as nodes,
    ):
        writers = Writers(nodes)
        with writers.writing():
            kill_nodes(nodes, writers, KILLS)
            broker.kill()
            with closing(Client(nodes.nodes[0].port, nodes.token())) as client:
                for _ in range(20):
                    begun = time.monotonic()
                    status, body = client.ask("documents.query", {"collection": "notes"})
                    assert (status, body["code"]) == (503, "broker_unavailable")
                    assert time.monotonic() - begun < REFUSED_SECONDS
            broker.start()
        writers.check()
        assert set(writers.statuses) == {0, 200, 503}  # 0: the node was gone
