"""Owns the verbs of a broker on RabbitMQ, for any thread. What happens behind them is rabbitmq_link.py's."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from idp.api.brokers.contract import Counts, Delivery, Envelope, Hold, Want
from idp.api.brokers.rabbitmq_connection import Connection, Owner
from idp.api.brokers.rabbitmq_link import Link
from idp.api.brokers.waiting import Listeners, Wake, take_waiting
from idp.base.clock import Clock
from idp.base.errors import Refused


class RabbitBroker:
    def __init__(self, url: str, clock: Clock) -> None:
        self._clock = clock
        self._listeners = Listeners()
        self._owner: Owner[Link] = Owner(url, self._link)

    def declare(self, queue: str) -> None:
        self._owner.call(lambda link: link.places.look(queue))

    def delete(self, queue: str) -> None:
        self._owner.call(lambda link: link.delete(queue))

    def publish(self, messages: Sequence[tuple[str, Envelope]]) -> None:
        self._owner.call(lambda link: link.publish(messages))

    def take(self, want: Want) -> Delivery | None:
        return take_waiting(want, lambda want: self._owner.call(lambda link: link.take(want)), self.listen)

    def held(self, hold: Hold) -> Delivery | None:
        found = self._settle(hold, "held")
        return Delivery(Envelope(**found[0]), hold.receipt, found[1]) if found else None

    def renew(self, hold: Hold, lease_seconds: int) -> float | None:
        found = self._settle(hold, "renew", lease_seconds)
        return float(found) if found else None

    def ack(self, hold: Hold) -> bool:
        return bool(self._settle(hold, "ack"))

    def requeue(self, hold: Hold, delay_seconds: float = 0.0) -> bool:
        return bool(self._settle(hold, "requeue", delay_seconds))

    def bury(self, hold: Hold, reason: str) -> bool:
        return bool(self._settle(hold, "bury", reason))

    def peek(self, queue: str, limit: int, dead: bool = False) -> Sequence[Envelope]:
        return self._owner.call(lambda link: link.peek(queue, limit, dead))

    def purge(self, queue: str, dead: bool = False) -> int:
        return self._owner.call(lambda link: link.purge(queue, dead))

    def redrive(self, queue: str, limit: int) -> int:
        return self._owner.call(lambda link: link.redrive(queue, limit))

    def count(self, queue: str) -> Counts:
        return self._owner.call(lambda link: link.count(queue))

    def listen(self, queue: str, wake: Wake) -> Callable[[], None]:
        self._listeners.add(queue, wake)
        with suppress(Refused):  # when the broker is back, the new link listens to what is listened to
            self._owner.call(lambda link: link.nodes.listen(queue))

        def stop() -> None:
            if self._listeners.remove(queue, wake):
                with suppress(Refused):
                    self._owner.call(lambda link: link.nodes.unlisten(queue))

        return stop

    def ready(self) -> None:
        self._owner.call(lambda link: asyncio.sleep(0))

    def close(self) -> None:
        self._owner.close()

    def _settle(self, hold: Hold, verb: str, more: Any = None) -> Any:
        """Done here when this process holds the message, else by the process that the receipt names."""
        question = {**asdict(hold), "verb": verb, "more": more}
        return self._owner.call(lambda link: link.settle(question))

    async def _link(self, connection: Connection) -> Link:
        link = Link(connection, self._clock, self._listeners)
        await link.open()
        return link
