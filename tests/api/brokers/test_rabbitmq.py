"""What only RabbitMQ can do to us: end suddenly under load, hold strange messages, not be there at all."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pika
import pytest

from idp.api.brokers.contract import Broker, Hold, Want
from idp.api.brokers.rabbitmq import RabbitBroker
from idp.base.errors import Refused
from tests.api.brokers.conftest import envelope
from tests.support import rabbitmq
from tests.support.clock import FakeClock
from tests.support.running import until

QUEUE = "jobs"


@dataclass
class Load:
    """Publishers and takers on one broker, who go on through every refusal, and what they were told."""

    broker: Broker
    published: list[int] = field(default_factory=list)
    acked: list[int] = field(default_factory=list)
    in_doubt: set[int] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    ending: threading.Event = field(default_factory=threading.Event)

    def publish(self, numbers: Iterator[int]) -> None:
        while not self.ending.is_set():
            number = next(numbers)
            begun = time.monotonic()
            with self._refusals():
                self.broker.publish([(QUEUE, envelope(number, number % 10))])
                self.published.append(number)
            self.slowest = max(self.slowest, time.monotonic() - begun)

    def take(self, holder: str) -> None:
        while not self.ending.is_set():
            with self._refusals():
                delivery = self.broker.take(Want(QUEUE, holder, 60, 1000, wait_seconds=0.2))
                if delivery is None:
                    continue
                # An ack that is cut off may have happened: it is settled or it comes again, and its taker has seen it.
                self.in_doubt.add(delivery.envelope.body)
                if self.broker.ack(Hold(QUEUE, delivery.receipt, holder)):
                    self.acked.append(delivery.envelope.body)
                self.in_doubt.discard(delivery.envelope.body)

    def _refusals(self) -> suppress:
        return _Counted(self.refused)


class _Counted(suppress):
    def __init__(self, refused: Counter[str]) -> None:
        super().__init__(Refused)
        self._refused = refused

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Refused):
            self._refused[error.code] += 1
            time.sleep(0.05)
        return isinstance(error, Refused)


@pytest.mark.slow
@pytest.mark.peer
@pytest.mark.timeout(400)  # a broker that recovers its queues on a busy machine takes its time
def test_a_broker_that_ends_suddenly_under_load_loses_nothing_that_was_acknowledged(
    tmp_path: Path, clock: FakeClock
) -> None:
    with rabbitmq.node(tmp_path / "node") as (server, url):
        broker = RabbitBroker(url, clock)
        broker.declare(QUEUE)
        load, numbers = Load(broker), iter(range(1_000_000))
        threads = [threading.Thread(target=load.publish, args=(numbers,)) for _ in range(3)]
        threads += [threading.Thread(target=load.take, args=(f"w{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(load.acked) > 100, "work is under way")
        taken = until(lambda: broker.take(Want(QUEUE, "holds it", 60, 1000)), "a message to hold")
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        server.kill()
        until(lambda: load.refused["broker_unavailable"] > 10, "callers are refused, not left waiting")
        before = len(load.published)
    with rabbitmq.node(tmp_path / "node", port):
        until(lambda: len(load.published) > before + 20, "the companion has reconnected by itself", seconds=150)
        load.ending.set()
        for thread in threads:
            thread.join(30)
        assert not broker.ack(Hold(QUEUE, taken.receipt, "holds it")), (
            "it was held on the old connection: it has returned"
        )
        rest = []
        while delivery := broker.take(Want(QUEUE, "rest", 60, 1000)):
            assert broker.ack(Hold(QUEUE, delivery.receipt, "rest"))
            rest.append(delivery.envelope.body)
        broker.close()
    assert set(load.refused) == {"broker_unavailable"}
    assert set(load.published) <= {*load.acked, *load.in_doubt, *rest}
    assert len(load.in_doubt) < len(load.acked) / 10
    assert taken.envelope.body in {*load.acked, *load.in_doubt, *rest}
    assert load.slowest < 20


@pytest.mark.slow
@pytest.mark.peer
def test_what_others_put_into_our_queues_on_the_broker_becomes_a_dead_letter(
    rabbitmq_url: str, clock: FakeClock
) -> None:
    broker = RabbitBroker(rabbitmq_url, clock)
    broker.declare("foreign")
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_url))
    sound = {"id": "m", "body": 1, "priority": 4, "subject": "s", "client_id": "c", "published_at": "p"}
    wrong = {"priority": "x", "deliveries": None, "not_before": "x", "expires_at": [1], "more": 1, "dead_reason": 1}
    nearly = [json.dumps({**sound, name: value}).encode() for name, value in [*wrong.items(), ("priority", 10)]]
    half = b'{"id":1,"body":1,"priority":1,"subject":null,"client_id":1,"published_at":1}'
    deep = b"[" * 100_000 + b"]" * 100_000
    for place in ("4", "due", "dead"):
        for body in (b"\xff\xfe", b"[]", b"{}", b'{"id":1}', half, deep, *nearly):
            connection.channel().basic_publish("", f"sheaf:foreign:{place}", body)
    connection.close()
    assert broker.take(Want("foreign", "worker", 60, 5)) is None
    for _ in range(3 * 13):
        letter = until(lambda: broker.take(Want("foreign", "worker", 60, 5, dead=True)), "the dead letter")
        assert letter.envelope.dead_reason == "not a message of this API"
    broker.delete("foreign")
    broker.close()


@pytest.mark.slow
@pytest.mark.peer
def test_a_queue_that_somebody_deleted_on_the_broker_is_made_again(rabbitmq_url: str, clock: FakeClock) -> None:
    broker = RabbitBroker(rabbitmq_url, clock)
    broker.declare("lost")
    broker.publish([("lost", envelope("a"))])
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_url))
    for place in (*range(10), "dead", "due"):
        connection.channel().queue_delete(f"sheaf:lost:{place}")
    connection.close()
    broker.publish([("lost", envelope("b"))])
    delivery = broker.take(Want("lost", "worker", 60, 5))
    assert delivery
    assert delivery.envelope.body == "b"
    broker.delete("lost")
    broker.close()


def test_a_broker_that_is_not_there_is_a_refusal_without_its_password(clock: FakeClock) -> None:
    broker = RabbitBroker("amqp://ada:hunter2@127.0.0.1:9/%2F", clock)
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            broker.ready()
        assert (refused.value.code, refused.value.status) == ("broker_unavailable", 503)
        assert "hunter2" not in refused.value.reason + repr(broker)
    broker.close()


def test_a_broker_that_was_never_asked_can_be_closed(clock: FakeClock) -> None:
    RabbitBroker("amqp://127.0.0.1:9/%2F", clock).close()


HOLDER = """
import sys, time
from idp.api.brokers.contract import Want
from idp.api.brokers.rabbitmq import RabbitBroker
from idp.base.clock import system_clock
print(RabbitBroker(sys.argv[1], system_clock).take(Want("shared", "w", 900, 5)).envelope.body, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.peer
def test_what_a_process_held_that_was_killed_goes_to_others_before_its_lease_ends(
    rabbitmq_url: str, clock: FakeClock
) -> None:
    broker = RabbitBroker(rabbitmq_url, clock)
    broker.declare("shared")
    broker.publish([("shared", envelope("a"))])
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, rabbitmq_url], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "a\n"
    assert broker.count("shared").taken == 1
    assert broker.take(Want("shared", "w", 60, 5)) is None
    holder.kill()
    holder.wait()
    holder.stdout.close()
    delivery = broker.take(Want("shared", "w", 60, 5, wait_seconds=20))
    assert delivery
    assert delivery.envelope.body == "a"
    assert broker.count("shared").taken == 1
    broker.delete("shared")
    broker.close()
