"""Owns the figures of the brokers alone: what publishing, taking and acking cost, one after the other and from eight threads.

Run by itself: python -m benchmarks.companion_queues [--rabbitmq]. CPU time is this process's; nothing is asserted.
"""

import argparse
import secrets
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from idp.api.brokers.contract import Broker, Envelope, Hold, Want
from idp.api.brokers.embedded import EmbeddedBroker
from idp.base.clock import system_clock
from tests.support.rabbitmq import rabbitmq

QUEUE, BODY, LONG, THREADS = "bench", {"text": "x" * 180}, 20_000, 8


def main() -> None:
    wanted = argparse.ArgumentParser(description="Measure the brokers of the companion.")
    wanted.add_argument("--rounds", type=int, default=500, help="of each figure (default 500)")
    wanted.add_argument("--rabbitmq", action="store_true", help="also on a RabbitMQ that is started for it")
    options = wanted.parse_args()
    with tempfile.TemporaryDirectory(prefix="sheaf-bench-") as folder:
        print("embedded")
        measure(EmbeddedBroker(Path(folder) / "queues.db", system_clock), options.rounds)
        if options.rabbitmq:
            from idp.api.brokers.rabbitmq import RabbitBroker

            with rabbitmq(Path(folder) / "node") as url:
                print("RabbitMQ")
                measure(RabbitBroker(url, system_clock), options.rounds)


def measure(broker: Broker, rounds: int) -> None:
    broker.declare(QUEUE)
    print_cost("publish", rounds, lambda: publish(broker, 1))
    print_cost("take and ack", rounds, lambda: settle(broker, "worker"))
    print_cost("take when there is nothing", rounds, lambda: settle(broker, "worker"))
    print_cost("publish, take and ack", rounds, lambda: (publish(broker, 1), settle(broker, "worker")))
    print_cost("publish 100 in one go", max(rounds // 20, 1), lambda: publish(broker, 100))
    broker.purge(QUEUE)
    print_threads("publish", rounds, lambda holder: publish(broker, 1))
    print_threads("take and ack", rounds, lambda holder: settle(broker, holder))
    broker.purge(QUEUE)
    for _ in range(LONG // 500):
        publish(broker, 500)
    print_cost(f"take and ack, {LONG:,} wait", rounds, lambda: settle(broker, "worker"))
    print_cost(f"count, {LONG:,} wait", max(rounds // 20, 1), lambda: broker.count(QUEUE))
    broker.delete(QUEUE)
    broker.close()


def publish(broker: Broker, many: int) -> None:
    at = "2026-11-21T00:00:00.000000Z"
    broker.publish([(QUEUE, Envelope(secrets.token_hex(8), BODY, 4, "usr_ada", "app", at)) for _ in range(many)])


def settle(broker: Broker, holder: str) -> None:
    delivery = broker.take(Want(QUEUE, holder, 60, 5))
    if delivery:
        broker.ack(Hold(QUEUE, delivery.receipt, holder))


def print_cost(title: str, rounds: int, work: Callable[[], object]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"  {title:32}{wall / rounds * 1000:9.3f} ms{cpu / rounds * 1000:9.3f} ms CPU")


def print_threads(title: str, rounds: int, work: Callable[[str], object]) -> None:
    def run(holder: str) -> None:
        for _ in range(rounds):
            work(holder)

    threads = [threading.Thread(target=run, args=(f"worker {n}",)) for n in range(THREADS)]
    wall, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    done = rounds * THREADS
    print(f"  {title + f', {THREADS} threads':32}{done / wall:9.0f} /s{cpu / done * 1000:9.3f} ms CPU")


if __name__ == "__main__":
    main()
