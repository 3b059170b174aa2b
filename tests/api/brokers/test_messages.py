"""Giving and settling: order, leases, who may settle, waiting, what a strange receipt is worth."""

import secrets
import threading

import pytest

from idp.api.brokers.contract import MAX_HELD_SECONDS, MAX_TAKEN, Broker, Hold, Want
from idp.base.errors import Refused
from tests.api.brokers.conftest import Bench, envelope
from tests.support.running import until


def test_a_message_comes_out_as_it_went_in_and_once(bench: Bench) -> None:
    bench.broker.ready()
    bench.publish({"ü": [1, None, "x" * 5000]}, priority=7, more={"topic": "a.b"})
    delivery = bench.taken()
    assert delivery.envelope.body == {"ü": [1, None, "x" * 5000]}
    assert (delivery.envelope.priority, delivery.envelope.subject, delivery.deliveries) == (7, "usr_ada", 1)
    assert delivery.envelope.more == {"topic": "a.b"}
    assert bench.take("other") is None
    assert bench.ack(delivery)
    assert bench.take("other") is None


def test_the_highest_priority_goes_first_and_the_oldest_within_it(bench: Bench) -> None:
    for number, priority in enumerate([0, 9, 4, 9, 0, 5]):
        bench.publish(number, priority=priority)
    assert bench.drain() == [1, 3, 5, 2, 0, 4]


def test_an_urgent_message_overtakes_a_hundred_waiting_ones(bench: Bench) -> None:
    bench.publish(*range(100), priority=0)
    bench.publish("urgent", priority=9)
    assert bench.taken().envelope.body == "urgent"


def test_many_messages_to_several_queues_are_published_in_one_go(bench: Bench) -> None:
    other = f"q-{secrets.token_hex(4)}"
    bench.broker.declare(other)
    bench.broker.publish([(queue, envelope(n)) for n in range(20) for queue in (bench.queue, other)])
    assert bench.drain() == list(range(20))
    assert bench.broker.count(other).ready == 20
    bench.broker.delete(other)


def test_only_who_took_a_message_can_settle_or_renew_it(bench: Bench) -> None:
    bench.publish("m")
    delivery = bench.taken()
    other = f"q-{secrets.token_hex(4)}"
    bench.broker.declare(other)
    for hold in (
        Hold(bench.queue, delivery.receipt, "somebody"),
        Hold(other, delivery.receipt, "worker"),
        Hold(bench.queue, delivery.receipt + "x", "worker"),
        Hold(bench.queue, "a" * 43 + ".x", "worker"),
    ):
        _worth_nothing(bench.broker, hold)
    assert bench.ack(delivery)
    _worth_nothing(bench.broker, bench.hold(delivery))
    bench.broker.delete(other)


@pytest.mark.parametrize("receipt", ["x", "é" * 200, "n" * 200, "é.x", ".", "x" * 100 + ".y", "\0", "😀.x"])
def test_a_strange_receipt_is_unknown_and_costs_nobody_a_lease(bench: Bench, receipt: str) -> None:
    bench.publish("a")
    delivery = bench.taken()
    _worth_nothing(bench.broker, Hold(bench.queue, receipt, "worker"))
    assert bench.ack(delivery)


def _worth_nothing(broker: Broker, hold: Hold) -> None:
    assert broker.held(hold) is None
    assert broker.renew(hold, 30) is None
    assert not broker.ack(hold)
    assert not broker.requeue(hold)
    assert not broker.requeue(hold, 5)
    assert not broker.bury(hold, "late")


def test_what_a_receipt_stands_for_can_be_asked(bench: Bench) -> None:
    bench.publish("m")
    delivery = bench.taken(lease_seconds=10)
    assert bench.broker.held(bench.hold(delivery)) == delivery


def test_a_message_returns_when_its_lease_ends_and_the_old_receipt_is_worth_nothing(bench: Bench) -> None:
    bench.publish("m")
    first = bench.taken(lease_seconds=10)
    bench.clock.advance(9)
    assert bench.take("other") is None
    bench.clock.advance(1)
    _worth_nothing(bench.broker, bench.hold(first))
    second = until(lambda: bench.take("other"), "the message returns")
    assert second.deliveries == 2
    assert second.receipt != first.receipt
    assert not bench.ack(first)
    assert bench.ack(second, "other")


def test_a_lease_can_be_renewed_but_not_for_ever(bench: Bench) -> None:
    bench.publish("m")
    delivery = bench.taken(lease_seconds=10)
    hold, begun = bench.hold(delivery), bench.clock()
    bench.clock.advance(9)
    assert bench.broker.renew(hold, 900) == bench.clock() + 900
    bench.clock.advance(800)
    assert bench.take("other") is None
    assert bench.broker.renew(hold, 900) == begun + MAX_HELD_SECONDS
    assert bench.broker.renew(hold, 5) == bench.clock() + 5
    bench.clock.advance(5)
    assert bench.broker.renew(hold, 900) is None
    assert until(lambda: bench.take("other"), "it returns").deliveries == 2


def test_what_comes_back_stands_behind_those_that_wait(bench: Bench) -> None:
    bench.publish("given back", "left", "waiting")
    given, left = bench.taken(), bench.taken(lease_seconds=5)
    assert bench.broker.requeue(bench.hold(given))
    assert left.envelope.body == "left"
    bench.clock.advance(5)
    until(lambda: bench.broker.count(bench.queue).ready == 3, "all are ready")
    assert sorted(bench.drain()[:1]) == ["waiting"]


def test_nobody_hoards_messages(bench: Bench) -> None:
    bench.publish(*range(MAX_TAKEN + 1))
    for _ in range(MAX_TAKEN):
        assert bench.take()
    with pytest.raises(Refused, match="too_many_taken") as refused:
        bench.take()
    assert refused.value.status == 429
    assert bench.take("somebody else")
    with pytest.raises(Refused, match="too_many_taken"):
        bench.take()  # also when there is nothing


def test_many_takers_never_get_the_same_message(bench: Bench) -> None:
    for priority in range(10):
        bench.publish(*range(priority, 60, 10), priority=priority)
    brokers = [bench.broker, bench.another()]
    got: list[int] = []

    def work(broker: Broker, holder: str) -> None:
        while delivery := broker.take(Want(bench.queue, holder, 60, 5)):
            got.append(delivery.envelope.body)
            assert broker.ack(Hold(bench.queue, delivery.receipt, holder))

    threads = [threading.Thread(target=work, args=(brokers[n % 2], f"w{n}")) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(got) == list(range(60))


def test_a_message_can_be_settled_through_another_node(bench: Bench) -> None:
    bench.publish("a", "b", "c", "d")
    other = bench.another()
    first, second, third, fourth = (bench.taken() for _ in range(4))
    assert not other.ack(bench.hold(first, "somebody"))
    assert other.ack(bench.hold(first))
    assert not bench.ack(first)
    assert other.bury(bench.hold(second), "no")
    assert other.requeue(bench.hold(third))
    assert until(bench.take, "the third is back").envelope.body == "c"
    assert other.held(bench.hold(fourth)) == fourth
    assert other.renew(bench.hold(fourth), 60) == bench.clock() + 60
    assert bench.broker.held(bench.hold(fourth)).leased_until == bench.clock() + 60  # type: ignore[union-attr]


def test_who_waits_gets_a_message_that_comes_through_another_node(bench: Bench) -> None:
    other, got = bench.another(), []
    bench.broker.ready()
    waiting = threading.Thread(target=lambda: got.append(bench.take(wait_seconds=30)))
    waiting.start()
    other.publish([(bench.queue, envelope("at last"))])
    waiting.join(20)
    assert [delivery.envelope.body for delivery in got if delivery] == ["at last"]


def test_who_waits_in_vain_is_told_so_and_nobody_else_waits_for_it(bench: Bench) -> None:
    got = []
    waiting = threading.Thread(target=lambda: got.append(bench.take(wait_seconds=2)))
    waiting.start()
    other = f"q-{secrets.token_hex(4)}"
    bench.broker.declare(other)
    for number in range(20):
        bench.broker.publish([(other, envelope(number))])
    assert waiting.is_alive()
    waiting.join(20)
    assert got == [None]
    bench.broker.delete(other)


def test_a_listener_hears_of_new_messages_until_it_stops(bench: Bench) -> None:
    heard = threading.Event()
    stop = bench.broker.listen(bench.queue, heard.set)
    bench.publish("a")
    assert heard.wait(20)
    delivery = bench.taken()
    until(lambda: bench.broker.count(bench.queue).ready == 0, "the queue is empty")
    heard.clear()
    bench.broker.requeue(bench.hold(delivery))
    assert heard.wait(20)
    stop()
    stop()


def test_a_listener_that_fails_harms_nobody(bench: Bench) -> None:
    heard = threading.Event()

    def fail() -> None:
        raise RuntimeError

    stops = [bench.broker.listen(bench.queue, wake) for wake in (fail, heard.set)]
    bench.publish("a")
    assert heard.wait(20)
    assert bench.drain() == ["a"]
    for stop in stops:
        stop()
