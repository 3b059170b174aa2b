"""What time does to messages, and what becomes of those that nobody can finish: delay, expiry, dead letters, upkeep."""

import threading

from idp.api.brokers.contract import Counts
from tests.api.brokers.conftest import Bench, envelope
from tests.support.running import until


def test_a_message_is_not_given_before_its_time(bench: Bench) -> None:
    bench.publish("later", priority=9, not_before=bench.clock() + 0.5)
    bench.publish("now")
    until(lambda: bench.broker.count(bench.queue) == Counts(ready=1, dead=0, delayed=1), "one is delayed")
    assert bench.drain() == ["now"]
    bench.clock.advance(0.5)
    assert until(bench.take, "its time has come").envelope.body == "later"


def test_a_delay_may_be_long_and_is_kept_to_the_second(bench: Bench) -> None:
    bench.publish("m", not_before=bench.clock() + 1.5)
    bench.clock.advance(1)
    got: list[object] = []
    waiting = threading.Thread(target=lambda: got.append(bench.take(wait_seconds=1.2)))
    waiting.start()
    waiting.join(20)
    assert got == [None]
    # While RabbitMQ moves a message, it is nowhere for a moment.
    until(lambda: bench.broker.count(bench.queue) == Counts(ready=0, dead=0, delayed=1), "it is still delayed")
    bench.clock.advance(0.5)
    assert until(bench.take, "its time has come").deliveries == 1


def test_a_message_that_is_given_back_with_a_delay_returns_after_it(bench: Bench) -> None:
    bench.publish("m", priority=7)
    assert bench.broker.requeue(bench.hold(bench.taken()), 0.5)
    assert bench.take() is None
    bench.clock.advance(0.5)
    again = until(bench.take, "the delay is over")
    assert (again.envelope.body, again.envelope.priority, again.deliveries) == ("m", 7, 2)


def test_who_waits_gets_a_message_when_its_delay_is_over(bench: Bench) -> None:
    bench.publish("m", not_before=bench.clock() + 0.25)
    bench.clock.advance(0.25)
    assert bench.taken(wait_seconds=20).envelope.body == "m"


def test_a_message_that_has_expired_becomes_a_dead_letter(bench: Bench) -> None:
    bench.publish("old", expires_at=bench.clock() + 5)
    bench.publish("kept", expires_at=bench.clock() + 50)
    held = bench.taken(lease_seconds=10)
    bench.clock.advance(5)
    assert bench.broker.held(bench.hold(held)), "who holds it may finish"
    assert bench.broker.requeue(bench.hold(held))
    assert bench.drain() == ["kept"]
    letter = until(lambda: bench.take(dead=True), "the dead letter")
    assert (letter.envelope.body, letter.envelope.dead_reason) == ("old", "expired")


def test_a_message_given_up_is_a_dead_letter_with_its_reason(bench: Bench) -> None:
    bench.publish("bad", priority=3)
    assert bench.broker.bury(bench.hold(bench.taken()), "cannot be read")
    assert bench.take() is None
    letter = bench.taken(dead=True)
    assert (letter.envelope.body, letter.envelope.dead_reason) == ("bad", "cannot be read")
    assert bench.broker.requeue(bench.hold(letter))
    letter = until(lambda: bench.take(dead=True), "the dead letter stays one")
    assert bench.ack(letter)
    assert bench.take(dead=True) is None


def test_a_message_that_nobody_can_finish_becomes_a_dead_letter(bench: Bench) -> None:
    bench.publish("poison")
    for number in (1, 2, 3):
        delivery = until(lambda: bench.take(max_deliveries=3), f"delivery {number}")
        assert delivery.deliveries == number
        assert bench.broker.requeue(bench.hold(delivery))
    assert bench.take(max_deliveries=3) is None
    letter = until(lambda: bench.take(dead=True), "the dead letter")
    assert letter.envelope.dead_reason == "given 3 times without an ack"


def test_counts_say_where_everything_is(bench: Bench) -> None:
    for priority in (1, 5, 9):
        bench.publish("m", "m", priority=priority)
    bench.publish("m", not_before=bench.clock() + 900)
    bench.broker.bury(bench.hold(bench.taken()), "no")
    assert bench.taken()
    everything = Counts(ready=4, dead=1, delayed=1, taken=1)
    assert bench.broker.count(bench.queue) == everything
    other = bench.another()
    other.ready()
    until(lambda: other.count(bench.queue) == everything, "the other node has heard of the first")


def test_looking_at_messages_changes_nothing(bench: Bench) -> None:
    for number, priority in enumerate((1, 9, 9, 4)):
        bench.publish(number, priority=priority)
    for _ in range(7):
        assert [found.body for found in bench.broker.peek(bench.queue, 3)] == [1, 2, 3]
    assert [found.body for found in bench.broker.peek(bench.queue, 30)] == [1, 2, 3, 0]
    assert [found.deliveries for found in bench.broker.peek(bench.queue, 2)] == [0, 0]
    assert list(bench.broker.peek(bench.queue, 3, dead=True)) == []
    bench.broker.bury(bench.hold(bench.taken()), "no")
    assert [(found.body, found.dead_reason) for found in bench.broker.peek(bench.queue, 3, dead=True)] == [(1, "no")]
    delivery = bench.taken()
    assert (delivery.envelope.body, delivery.deliveries) == (2, 1)
    assert bench.drain() == [3, 0]


def test_dead_letters_come_back_as_if_they_had_never_been_given(bench: Bench) -> None:
    bench.publish(0, 1, 2, priority=6, expires_at=bench.clock() + 50)
    for _ in range(3):
        bench.broker.bury(bench.hold(bench.taken()), "no")
    bench.clock.advance(60)
    assert bench.broker.redrive(bench.queue, 2) == 2
    assert bench.broker.count(bench.queue) == Counts(ready=2, dead=1)
    delivery = bench.taken()
    assert (delivery.envelope.body, delivery.envelope.priority, delivery.deliveries) == (0, 6, 1)
    assert (delivery.envelope.dead_reason, delivery.envelope.dead_at) == (None, None)
    assert bench.broker.redrive(bench.queue, 10) == 1
    assert bench.broker.redrive(bench.queue, 10) == 0
    assert bench.drain() == [1, 2]


def test_a_purge_forgets_what_waits_and_leaves_what_is_taken(bench: Bench) -> None:
    bench.publish("taken", "dead", "ready", "ready")
    bench.publish("later", not_before=bench.clock() + 900)
    taken = bench.taken()
    bench.broker.bury(bench.hold(bench.taken()), "no")
    assert bench.broker.purge(bench.queue) == 3
    assert bench.broker.count(bench.queue) == Counts(ready=0, dead=1, taken=1)
    assert bench.broker.purge(bench.queue, dead=True) == 1
    assert bench.broker.purge(bench.queue, dead=True) == 0
    assert bench.ack(taken)
    assert bench.broker.count(bench.queue) == Counts(ready=0, dead=0)


def test_a_deleted_queue_is_gone_with_everything_in_it_and_may_be_made_again(bench: Bench) -> None:
    bench.publish("taken", "dead", "ready")
    bench.publish("later", not_before=bench.clock() + 0.25)
    taken = bench.taken()
    bench.broker.bury(bench.hold(bench.taken()), "no")
    other = bench.another()
    assert other.count(bench.queue).ready == 1
    bench.broker.delete(bench.queue)
    assert not bench.ack(taken)
    bench.broker.declare(bench.queue)
    bench.clock.advance(60)
    assert bench.broker.count(bench.queue) == Counts(ready=0, dead=0)
    other.publish([(bench.queue, envelope("new"))])
    assert bench.drain() == ["new"]
