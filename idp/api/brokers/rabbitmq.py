"""Owns queues on RabbitMQ: a family of ten quorum queues per queue, one for each priority, and one for dead letters.

Why a family, and what it costs: docs/decisions/0005-priorities-on-rabbitmq.md. The connection is rabbitmq_link.py's.
"""

from concurrent.futures import Future
from typing import Any

import pika
from pika.exceptions import ChannelClosedByBroker, NackError, UnroutableError

from idp.api.brokers.contract import MAX_TAKEN, Counts, Delivery, Envelope, Want, too_many_taken, worn_out
from idp.api.brokers.rabbitmq_link import Held, Link, Owner, wait_for
from idp.api.problems import unavailable
from idp.api.times import timestamp
from idp.base import ids
from idp.base.clock import Clock

PRIORITIES = range(9, -1, -1)
# Only a net below our own count of deliveries: newer brokers drop a message after 20 when nothing is said.
DELIVERY_LIMIT = 1_000_000


def _place(queue: str, priority: int) -> str:
    return f"sheaf:{queue}:{priority}"  # a queue name holds no colon, so families cannot meet


def _dead_place(queue: str) -> str:
    return f"sheaf:{queue}:dead"


class RabbitBroker:
    def __init__(self, url: str, clock: Clock) -> None:
        self._clock = clock
        self._owner = Owner(url, self._settle_asked, self._end_leases)

    def declare(self, queue: str) -> None:
        self._owner.call(lambda link: self._declare(link, queue))

    def publish(self, queue: str, envelope: Envelope) -> None:
        self._owner.call(lambda link: self._publish(link, queue, _place(queue, envelope.priority), envelope))

    def take(self, want: Want) -> Delivery | None:
        return self._owner.call(lambda link: self._take(link, want))

    def ack(self, queue: str, receipt: str, holder: str) -> bool:
        return self._settle({"queue": queue, "receipt": receipt, "holder": holder, "verb": "ack"})

    def reject(self, queue: str, receipt: str, holder: str, dead_reason: str | None) -> bool:
        verb = "requeue" if dead_reason is None else "bury"
        question = {"queue": queue, "receipt": receipt, "holder": holder, "verb": verb, "reason": dead_reason}
        return self._settle(question)

    def count(self, queue: str) -> Counts:
        def job(link: Link) -> Counts:
            self._declare(link, queue)
            with link.connection.channel() as channel:

                def ready(place: str) -> int:
                    return int(channel.queue_declare(place, passive=True).method.message_count)

                return Counts(sum(ready(_place(queue, p)) for p in PRIORITIES), ready(_dead_place(queue)))

        return self._owner.call(job)

    def ready(self) -> None:
        self._owner.call(lambda link: None)

    def close(self) -> None:
        self._owner.close()

    # From here on: in the owner thread.

    def _declare(self, link: Link, queue: str) -> None:
        if queue in link.declared:
            return
        arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}
        channel = link.connection.channel()
        try:
            for place in (*(_place(queue, p) for p in PRIORITIES), _dead_place(queue)):
                channel.queue_declare(place, durable=True, arguments=arguments)
            channel.close()
        except ChannelClosedByBroker as error:  # our own channel: what is held is not touched
            raise unavailable("broker", f"declaring {queue!r} was refused: {error}") from error
        link.declared.add(queue)

    def _publish(self, link: Link, queue: str, place: str, envelope: Envelope) -> None:
        """Returns when the broker has confirmed, which for a quorum queue means: a majority has it on disk."""
        self._declare(link, queue)
        properties = pika.BasicProperties(delivery_mode=2, content_type="application/json", message_id=envelope.id)
        for attempt in (1, 2):
            try:
                link.publishes.basic_publish("", place, envelope.pack(), properties, mandatory=True)
                return
            except NackError as error:
                raise unavailable("broker", "the broker did not take the message") from error
            except UnroutableError as error:  # somebody deleted the queue on the broker
                if attempt == 2:
                    raise unavailable("broker", f"{place!r} cannot be made") from error
                link.declared.discard(queue)
                self._declare(link, queue)

    def _take(self, link: Link, want: Want) -> Delivery | None:
        self._declare(link, want.queue)
        places = [_dead_place(want.queue)] if want.dead else [_place(want.queue, p) for p in PRIORITIES]
        mine = sum(1 for h in link.held.values() if h.holder == want.holder and h.place in places)
        if mine >= MAX_TAKEN:
            raise too_many_taken()
        for place in places:
            while True:
                method, properties, body = link.takes.basic_get(place)
                if method is None:
                    break
                deliveries = int((properties.headers or {}).get("x-delivery-count", 0)) + 1
                held = Held(
                    method.delivery_tag, want.queue, place, want.holder, self._clock() + want.lease_seconds, body
                )
                delivery = self._deliver(link, want, held, deliveries)
                if delivery:
                    return delivery
        return None

    def _deliver(self, link: Link, want: Want, held: Held, deliveries: int) -> Delivery | None:
        """None when it became a dead letter instead."""
        try:
            envelope = Envelope.unpack(held.body)
        except (ValueError, TypeError, RecursionError):  # put there past this API
            foreign = Envelope("foreign", held.body.decode(errors="replace"), 0, "", "", timestamp(self._clock()))
            self._bury(link, held, foreign, "not a message of this API")
            return None
        if not want.dead and deliveries > want.max_deliveries:
            self._bury(link, held, envelope, worn_out(want.max_deliveries))
            return None
        receipt = f"{link.node}.{ids.secret()}"
        link.held[ids.digest(receipt)] = held
        return Delivery(envelope, receipt, deliveries, held.until)

    def _bury(self, link: Link, held: Held, envelope: Envelope, reason: str) -> None:
        # First there, then no longer here: a crash in between leaves two copies, never none.
        dead = envelope.dead(reason, timestamp(self._clock()))
        self._publish(link, held.queue, _dead_place(held.queue), dead)
        link.takes.basic_ack(held.tag)

    def _settle(self, question: dict[str, Any]) -> bool:
        """Done here when this process holds the message, else by the process that the receipt names."""
        node = str(question["receipt"]).partition(".")[0]
        answer: Future[bool] = Future()

        def job(link: Link) -> None:
            if node == link.node:
                answer.set_result(self._settle_asked(link, question))
            elif node.isascii() and node.isalnum():  # else its name may not fit AMQP, which would end the connection
                link.ask_node(node, question, answer)
            else:
                answer.set_result(False)

        self._owner.call(job)
        return wait_for(answer)

    def _settle_asked(self, link: Link, question: dict[str, Any]) -> bool:
        key = ids.digest(question["receipt"])
        held = link.held.get(key)
        if (
            held is None
            or (held.queue, held.holder) != (question["queue"], question["holder"])
            or held.until <= self._clock()
        ):
            return False
        if question["verb"] == "requeue":
            link.takes.basic_nack(held.tag, requeue=True)
        elif question["verb"] == "bury":
            self._bury(link, held, Envelope.unpack(held.body), question["reason"])
        else:
            link.takes.basic_ack(held.tag)
        del link.held[key]
        # An ack has no answer of its own; a round trip behind it proves that the broker has read it.
        link.takes.basic_qos()
        return True

    def _end_leases(self, link: Link) -> None:
        now = self._clock()
        for key in [key for key, held in link.held.items() if held.until <= now]:
            link.takes.basic_nack(link.held.pop(key).tag, requeue=True)
