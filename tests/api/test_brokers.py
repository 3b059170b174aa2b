"""One contract for brokers, on the embedded one and on a real RabbitMQ."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from idp.api.brokers.contract import MAX_TAKEN, Broker, Delivery, Envelope, Want
from idp.api.brokers.embedded import EmbeddedBroker
from idp.base.errors import Refused
from tests.support import rabbitmq
from tests.support.clock import FakeClock
from tests.support.running import until

AT = "2026-11-21T00:00:00.000000Z"


@dataclass
class Bench:
    """A broker and a queue of its own on it; `another` opens a second connection to the same broker."""

    broker: Broker
    queue: str
    another: Callable[[], Broker]

    def publish(self, body: Any, priority: int = 4) -> None:
        self.broker.publish(self.queue, Envelope(secrets.token_hex(4), body, priority, "usr_ada", "app_notes", AT))

    def take(self, holder: str = "worker", **more: Any) -> Delivery | None:
        return self.broker.take(
            Want(self.queue, holder, more.pop("lease_seconds", 30), more.pop("max_deliveries", 5), **more)
        )

    def drain(self, **more: Any) -> list[Any]:
        """Take and ack everything that is ready."""
        found = []
        while delivery := self.take(**more):
            found.append(delivery.envelope.body)
            assert self.broker.ack(self.queue, delivery.receipt, "worker")
        return found


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

    bench = Bench(another(), f"q-{secrets.token_hex(4)}", another)
    bench.broker.declare(bench.queue)
    yield bench
    for broker in opened:
        broker.close()


def test_a_message_comes_out_as_it_went_in_and_once(bench: Bench) -> None:
    bench.broker.ready()
    bench.publish({"ü": [1, None, "x" * 5000]}, 7)
    delivery = bench.take()
    assert delivery
    assert delivery.envelope.body == {"ü": [1, None, "x" * 5000]}
    assert (delivery.envelope.priority, delivery.envelope.subject, delivery.deliveries) == (7, "usr_ada", 1)
    assert bench.take("other") is None
    assert bench.broker.ack(bench.queue, delivery.receipt, "worker")
    assert bench.take("other") is None


def test_the_highest_priority_goes_first_and_the_oldest_within_it(bench: Bench) -> None:
    for number, priority in enumerate([0, 9, 4, 9, 0, 5]):
        bench.publish(number, priority)
    assert bench.drain() == [1, 3, 5, 2, 0, 4]


def test_an_urgent_message_overtakes_a_hundred_waiting_ones(bench: Bench) -> None:
    for number in range(100):
        bench.publish(number, 0)
    bench.publish("urgent", 9)
    delivery = bench.take()
    assert delivery
    assert delivery.envelope.body == "urgent"


def test_only_who_took_a_message_can_ack_or_reject_it(bench: Bench) -> None:
    bench.publish("m")
    delivery = bench.take()
    assert delivery
    other = f"q-{secrets.token_hex(4)}"
    bench.broker.declare(other)
    for queue, receipt, holder in (
        (bench.queue, delivery.receipt, "somebody"),
        (other, delivery.receipt, "worker"),
        (bench.queue, delivery.receipt + "x", "worker"),
        (bench.queue, "x", "worker"),
        (bench.queue, "é.x", "worker"),
        (bench.queue, "a" * 43 + ".x", "worker"),
    ):
        assert not bench.broker.ack(queue, receipt, holder)
        assert not bench.broker.reject(queue, receipt, holder, None)
    assert bench.broker.ack(bench.queue, delivery.receipt, "worker")
    assert not bench.broker.ack(bench.queue, delivery.receipt, "worker")
    assert not bench.broker.reject(bench.queue, delivery.receipt, "worker", "late")


def test_a_message_returns_when_its_lease_ends_and_the_old_receipt_is_worth_nothing(
    bench: Bench, clock: FakeClock
) -> None:
    bench.publish("m")
    first = bench.take(lease_seconds=10)
    assert first
    clock.advance(9)
    assert bench.take("other") is None
    clock.advance(1)
    assert not bench.broker.ack(bench.queue, first.receipt, "worker")
    second = until(lambda: bench.take("other"), "the message returns")
    assert second.deliveries == 2
    assert second.receipt != first.receipt
    assert not bench.broker.ack(bench.queue, first.receipt, "worker")
    assert bench.broker.ack(bench.queue, second.receipt, "other")


def test_a_rejected_message_goes_back_before_younger_ones(bench: Bench) -> None:
    bench.publish("old")
    bench.publish("young")
    delivery = bench.take()
    assert delivery
    assert bench.broker.reject(bench.queue, delivery.receipt, "worker", None)
    again = until(bench.take, "the message is back")
    assert (again.envelope.body, again.deliveries) == ("old", 2)


def test_a_message_given_up_is_a_dead_letter_with_its_reason(bench: Bench) -> None:
    bench.publish("bad", 3)
    delivery = bench.take()
    assert delivery
    assert bench.broker.reject(bench.queue, delivery.receipt, "worker", "cannot be read")
    assert bench.take() is None
    letter = bench.take(dead=True)
    assert letter
    assert (letter.envelope.body, letter.envelope.dead_reason) == ("bad", "cannot be read")
    assert bench.broker.reject(bench.queue, letter.receipt, "worker", None)
    letter = until(lambda: bench.take(dead=True), "the dead letter stays one")
    assert bench.broker.ack(bench.queue, letter.receipt, "worker")
    assert bench.take(dead=True) is None


def test_a_message_that_nobody_can_finish_becomes_a_dead_letter(bench: Bench) -> None:
    bench.publish("poison")
    for number in (1, 2, 3):
        delivery = until(lambda: bench.take(max_deliveries=3), f"delivery {number}")
        assert delivery.deliveries == number
        assert bench.broker.reject(bench.queue, delivery.receipt, "worker", None)
    assert bench.take(max_deliveries=3) is None
    letter = until(lambda: bench.take(dead=True), "the dead letter")
    assert letter.envelope.dead_reason == "given 3 times without an ack"


def test_nobody_hoards_messages(bench: Bench) -> None:
    for number in range(MAX_TAKEN + 1):
        bench.publish(number)
    for _ in range(MAX_TAKEN):
        assert bench.take()
    with pytest.raises(Refused, match="too_many_taken") as refused:
        bench.take()
    assert refused.value.status == 429
    assert bench.take("somebody else")


def test_counts_say_what_is_ready_and_what_is_dead(bench: Bench) -> None:
    for priority in (1, 5, 9):
        bench.publish("m", priority)
    delivery = bench.take()
    assert delivery
    bench.broker.reject(bench.queue, delivery.receipt, "worker", "no")
    until(lambda: bench.broker.count(bench.queue).ready == 2, "two are ready")
    until(lambda: bench.broker.count(bench.queue).dead == 1, "one is dead")


def test_many_takers_never_get_the_same_message(bench: Bench) -> None:
    for number in range(60):
        bench.publish(number, number % 10)
    brokers = [bench.broker, bench.another()]
    got: list[int] = []

    def work(broker: Broker, holder: str) -> None:
        while delivery := broker.take(Want(bench.queue, holder, 60, 5)):
            got.append(delivery.envelope.body)
            assert broker.ack(bench.queue, delivery.receipt, holder)

    threads = [threading.Thread(target=work, args=(brokers[n % 2], f"w{n}")) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(got) == list(range(60))


@pytest.mark.parametrize("receipt", ["x", "é" * 200, "n" * 200, "é.x", ".", "x" * 100 + ".y", "\0", "😀.x"])
def test_a_strange_receipt_is_unknown_and_costs_nobody_a_lease(bench: Bench, receipt: str) -> None:
    bench.publish("a")
    delivery = until(bench.take, "the message")
    assert not bench.broker.ack(bench.queue, receipt, "worker")
    assert not bench.broker.reject(bench.queue, receipt, "worker", "no")
    assert bench.broker.ack(bench.queue, delivery.receipt, "worker")


def test_a_message_can_be_settled_through_another_node(bench: Bench) -> None:
    for body in ("a", "b", "c"):
        bench.publish(body)
    other = bench.another()
    deliveries = [bench.take() for _ in range(3)]
    first, second, third = (delivery for delivery in deliveries if delivery)
    assert not other.ack(bench.queue, first.receipt, "somebody")
    assert other.ack(bench.queue, first.receipt, "worker")
    assert not bench.broker.ack(bench.queue, first.receipt, "worker")
    assert other.reject(bench.queue, second.receipt, "worker", "no")
    assert other.reject(bench.queue, third.receipt, "worker", None)
    again = until(bench.take, "the third is back")
    assert again.envelope.body == "c"


@pytest.mark.slow
@pytest.mark.peer
def test_what_rabbitmq_confirmed_outlives_its_sudden_end_and_the_companion_finds_it_again(
    tmp_path: Path, clock: FakeClock
) -> None:
    from idp.api.brokers.rabbitmq import RabbitBroker

    with rabbitmq.node(tmp_path / "node") as (server, url):
        broker = RabbitBroker(url, clock)
        broker.declare("jobs")
        for number in range(50):
            broker.publish("jobs", Envelope(f"m{number}", number, number % 10, "a", "b", AT))
        taken = broker.take(Want("jobs", "worker", 60, 5))
        assert taken
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        server.kill()
        started = time.monotonic()
        with pytest.raises(Refused) as refused:
            broker.publish("jobs", replace(taken.envelope, id="lost"))
        assert (refused.value.code, refused.value.status) == ("broker_unavailable", 503)
        assert time.monotonic() - started < 10
    with rabbitmq.node(tmp_path / "node", port):
        until(lambda: _ready(broker), "the companion has reconnected", seconds=30)
        assert not broker.ack("jobs", taken.receipt, "worker")  # it was held on the old connection: it has returned
        got = []
        while delivery := until(lambda: [broker.take(Want("jobs", "worker", 60, 5))], "an answer")[0]:
            got.append(delivery.envelope.body)
            assert broker.ack("jobs", delivery.receipt, "worker")
        assert sorted(got) == list(range(50))
        broker.close()


def _ready(broker: Broker) -> bool:
    try:
        broker.ready()
    except Refused:
        return False
    return True


@pytest.mark.slow
@pytest.mark.peer
def test_what_others_put_into_our_queues_on_the_broker_becomes_a_dead_letter(
    rabbitmq_url: str, clock: FakeClock
) -> None:
    import pika

    from idp.api.brokers.rabbitmq import RabbitBroker

    broker = RabbitBroker(rabbitmq_url, clock)
    broker.declare("foreign")
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_url))
    half = b'{"id":1,"body":1,"priority":1,"subject":null,"client_id":1,"published_at":1}'
    deep = b"[" * 100_000 + b"]" * 100_000
    for body in (b"\xff\xfe", b"[]", b"{}", b'{"id":1}', half, deep):
        connection.channel().basic_publish("", "sheaf:foreign:4", body)
    connection.close()
    assert broker.take(Want("foreign", "worker", 60, 5)) is None
    for _ in range(6):
        letter = until(lambda: broker.take(Want("foreign", "worker", 60, 5, dead=True)), "the dead letter")
        assert letter.envelope.dead_reason == "not a message of this API"
    broker.close()


def test_a_broker_that_is_not_there_is_a_refusal_without_its_password(clock: FakeClock) -> None:
    from idp.api.brokers.rabbitmq import RabbitBroker

    broker = RabbitBroker("amqp://ada:hunter2@127.0.0.1:9/%2F", clock)
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            broker.ready()
        assert (refused.value.code, refused.value.status) == ("broker_unavailable", 503)
        assert "hunter2" not in refused.value.reason
    broker.close()
