"""Owns the broker under test: the embedded one or a real RabbitMQ, with a queue of its own for each test."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from idp.api.brokers.contract import Broker, Delivery, Envelope, Hold, Want
from idp.api.brokers.embedded import EmbeddedBroker
from tests.support.clock import FakeClock

AT = "2026-11-21T00:00:00.000000Z"


@dataclass
class Bench:
    """A broker and a queue of its own on it; `another` opens a second connection to the same broker."""

    broker: Broker
    queue: str
    another: Callable[[], Broker]
    clock: FakeClock

    def publish(self, *bodies: Any, priority: int = 4, **more: Any) -> None:
        self.broker.publish([(self.queue, envelope(body, priority, **more)) for body in bodies])

    def want(self, holder: str = "worker", **more: Any) -> Want:
        return Want(self.queue, holder, more.pop("lease_seconds", 30), more.pop("max_deliveries", 5), **more)

    def take(self, holder: str = "worker", **more: Any) -> Delivery | None:
        return self.broker.take(self.want(holder, **more))

    def taken(self, **more: Any) -> Delivery:
        """For what must be there."""
        delivery = self.take(**more)
        assert delivery
        return delivery

    def hold(self, delivery: Delivery, holder: str = "worker") -> Hold:
        return Hold(self.queue, delivery.receipt, holder)

    def ack(self, delivery: Delivery, holder: str = "worker") -> bool:
        return self.broker.ack(self.hold(delivery, holder))

    def drain(self, **more: Any) -> list[Any]:
        """Take and ack everything that is ready."""
        found = []
        while delivery := self.take(**more):
            found.append(delivery.envelope.body)
            assert self.ack(delivery)
        return found


def envelope(body: Any, priority: int = 4, **more: Any) -> Envelope:
    return Envelope(secrets.token_hex(4), body, priority, "usr_ada", "app_notes", AT, **more)


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=[pytest.mark.slow, pytest.mark.peer])])
def bench(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    opened: list[Broker] = []
    url = request.getfixturevalue("rabbitmq_url") if request.param == "rabbitmq" else ""

    def another() -> Broker:
        if url:
            from idp.api.brokers.rabbitmq import RabbitBroker

            opened.append(RabbitBroker(url, clock))
        else:
            opened.append(EmbeddedBroker(tmp_path / "queues.db", clock))
        return opened[-1]

    bench = Bench(another(), f"q-{secrets.token_hex(4)}", another, clock)
    bench.broker.declare(bench.queue)
    yield bench
    bench.broker.delete(bench.queue)
    for broker in opened:
        broker.close()
