"""Owns the figures of requests over the queue: three nodes, one client that floods them, and what the others feel of it.

Run by itself: python -m benchmarks.dispatch [--rabbitmq] [--seconds 8]. The flood comes from a process of its own; nothing is
asserted.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tests.api.dispatch.cluster import Client, Cluster, cluster
from tests.support.rabbitmq import rabbitmq

NODES, CONNECTIONS, DOCUMENTS = 3, 16, 2000
HEAVY = {"collection": "heavy", "pipeline": [{"$sort": {"n": 1}}, {"$group": {"_id": "$g", "sum": {"$sum": "$n"}}}]}


def main() -> None:
    wanted = argparse.ArgumentParser(description="Measure requests over the queue.")
    wanted.add_argument("--seconds", type=float, default=8.0, help="of each figure")
    wanted.add_argument("--rabbitmq", action="store_true", help="also on a RabbitMQ that is started for it")
    given = wanted.parse_args()
    with tempfile.TemporaryDirectory(prefix="sheaf-bench-") as name:
        folder = Path(name)
        measure("direct", folder / "direct", given.seconds, {})
        measure("queue, embedded", folder / "embedded", given.seconds, {"dispatch": "queue"})
        with rabbitmq(folder / "rabbitmq") if given.rabbitmq else nullcontext("") as url:
            if url:
                measure("queue, RabbitMQ", folder / "amqp", given.seconds, {"dispatch": "queue", "broker": url})


def measure(title: str, folder: Path, seconds: float, settings: dict[str, str]) -> None:
    folder.mkdir()
    with cluster(folder, NODES, **settings) as nodes:
        ports = [node.port for node in nodes.nodes]
        flooder, victim = nodes.token("flooder"), nodes.token("victim")
        id = prepare(ports[0], flooder, victim)
        print(title)
        once = Client(ports[0], flooder)
        tell("one heavy request, alone", [timed(lambda: once.ask("documents.aggregate", HEAVY)) for _ in range(30)])
        tell("get, alone", follow(ports, victim, id, seconds / 2))
        told: Any = multiprocessing.Queue()
        stop = multiprocessing.Event()
        flood = multiprocessing.Process(target=run_flood, args=(ports, flooder, stop, told))
        flood.start()
        told.get()
        tell("get, while one client floods", follow(ports, victim, id, seconds))
        if settings:
            overtake(nodes, ports, id)
        stop.set()
        print(f"  the flood was answered {dict(sorted(told.get().items()))}")
        flood.join()


def prepare(port: int, flooder: str, victim: str) -> str:
    client = Client(port, flooder)
    for start in range(0, DOCUMENTS, 500):
        rows = [{"data": {"n": n, "g": n % 7, "text": "x" * 100}} for n in range(start, start + 500)]
        client.ask("documents.insert_many", {"collection": "heavy", "documents": rows})
    _, made = Client(port, victim).ask("documents.insert", {"collection": "notes", "data": {"n": 1}})
    return str(made["id"])


def follow(ports: list[int], token: str, id: str, seconds: float) -> list[float]:
    clients, found = [Client(port, token) for port in ports], []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        client = clients[len(found) % len(clients)]
        found.append(timed(lambda client=client: client.ask("documents.get", {"collection": "notes", "id": id})))  # type: ignore[misc]
        time.sleep(0.02)
    return found


def overtake(nodes: Cluster, ports: list[int], id: str) -> None:
    """A hundred low requests of twenty callers, then a high one of somebody else."""
    done: list[float] = []
    admin, lows = nodes.token("root", roles=["administrator"]), [nodes.token(f"low{n}") for n in range(20)]

    def ask(n: int) -> None:
        status = 0
        while status != 200:
            status, _ = Client(ports[n % 3], lows[n % 20]).ask(
                "documents.query", {"collection": "heavy", "limit": 1}, "low"
            )
        done.append(time.perf_counter())

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    begun = time.perf_counter()
    Client(ports[0], admin).ask("documents.get", {"collection": "notes", "id": id}, "high")
    ended = time.perf_counter()
    before = sum(1 for at in done if at < ended)
    for thread in threads:
        thread.join()
    took, last = (ended - begun) * 1000, (max(done) - begun) * 1000
    print(f"  high one among 100 low ones: {took:.0f} ms, {before} of them before it; the last low one: {last:.0f} ms")


def run_flood(ports: list[int], token: str, stop: Any, told: Any) -> None:
    found: Counter[int] = Counter()

    def run(port: int) -> None:
        client = Client(port, token)
        while not stop.is_set():
            status, _ = client.ask("documents.aggregate", HEAVY)
            found[status] += 1
            if status == 429:
                time.sleep(0.05)  # it does not wait the second that it was told

    threads = [threading.Thread(target=run, args=(port,)) for port in ports for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    told.put("flooding")
    for thread in threads:
        thread.join()
    told.put(found)


def timed(work: Any) -> float:
    begun = time.perf_counter()
    status, told = work()
    assert status == 200, told
    return (time.perf_counter() - begun) * 1000


def tell(title: str, found: list[float]) -> None:
    cuts = statistics.quantiles(found, n=20)
    print(f"  {title:32} median {statistics.median(found):7.1f} ms, p95 {cuts[18]:7.1f} ms ({len(found)})")


if __name__ == "__main__":
    main()
