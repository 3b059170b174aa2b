"""Owns what a queue is on RabbitMQ: a family of quorum queues ("places"), and what travels between them.

Ten places for the priorities, one for dead letters, one (`due`) for messages whose delay may be over. Delayed messages lie in
further places, one for each length of time, from where the broker itself moves them to `due`; these are made when needed.
Why: docs/decisions/0005-priorities-on-rabbitmq.md.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pika.exceptions import ChannelClosedByBroker, UnroutableError

from idp.api.brokers.contract import Envelope
from idp.api.brokers.rabbitmq_connection import Confirmed, Connection, Line
from idp.api.problems import unavailable

PRIORITIES = range(9, -1, -1)
# Milliseconds. Steps of four: a delay of t takes about 3 * log4(t) moves, and a queue at most nine places for it.
WAITS = tuple(250 * 4**step for step in range(9))
# Only a net: we count deliveries ourselves, and newer brokers drop a message after 20 when nothing is said.
QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}


def place(queue: str, what: object) -> str:
    return f"sheaf:{queue}:{what}"  # a queue name holds no colon, so families cannot meet


def home(queue: str, envelope: Envelope) -> str:
    return place(queue, "dead" if envelope.dead_reason is not None else envelope.priority)


FAMILY = (*PRIORITIES, "dead", "due")


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery that waits to be settled. place: the broker's queue; until: end of the lease; taken_at: epoch seconds."""

    tag: int
    place: str
    holder: str
    until: float
    taken_at: float
    envelope: Envelope


@dataclass(slots=True)
class Desk:
    """Where the messages of one queue are taken: a line of its own, because a fault on it returns everything that is held on
    it, and one queue must not cost another's takers their leases. lock: for taking. counts: how many wait in each place, as
    they were at looked_at (the loop's time) less what was got since."""

    line: Line
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    held: dict[str, Held] = field(default_factory=dict)
    counts: dict[object, int] = field(default_factory=dict)
    looked_at: float = 0.0

    def give_back(self, got: Sequence[Held]) -> None:
        """To their old place, before all others."""
        if self.line.raw.is_open:
            for held in got:
                self.line.raw.basic_nack(held.tag, requeue=True)


class Places:
    """waits: for each queue that this process knows whether it has places for delayed messages."""

    def __init__(self, connection: Connection, looks: list[Line], publishes: Confirmed) -> None:
        self._connection, self._looks, self._publishes = connection, looks, publishes
        self.declared: set[str] = set()
        self.waits: dict[str, bool] = {}
        self.desks: dict[str, Desk] = {}

    @classmethod
    async def open(cls, connection: Connection) -> "Places":
        looks = [await connection.line() for _ in FAMILY]
        return cls(connection, looks, await Confirmed(await connection.line()).open())

    async def desk(self, queue: str) -> Desk:
        desk = self.desks.get(queue)
        if desk is None or not desk.line.raw.is_open:
            line = await self._connection.line()
            desk = self.desks.get(queue)
            if desk is None or not desk.line.raw.is_open:  # nobody was faster
                desk = self.desks[queue] = Desk(line, looked_at=asyncio.get_running_loop().time())
            else:
                line.raw.close()
        return desk

    async def look(self, queue: str) -> dict[object, int]:
        """How many wait in each place of the family, which is made if it is not there. All are asked at once: one after the
        other, an empty queue would cost twelve round trips."""
        self._looks = [look if look.raw.is_open else await self._connection.line() for look in self._looks]
        places = [place(queue, what) for what in FAMILY]
        asked = [self._declare(line, at, QUORUM) for line, at in zip(self._looks, places, strict=True)]
        found = await asyncio.gather(*asked)
        self.declared.add(queue)
        return dict(zip(FAMILY, found, strict=True))

    async def _declare(self, line: Line, at: str, arguments: dict[str, Any]) -> int:
        try:
            declared = await line.call(line.raw.queue_declare, at, durable=True, arguments=arguments)
        except ChannelClosedByBroker as error:
            raise unavailable("broker", f"declaring {at!r} was refused: {error}") from error
        return int(declared.message_count)

    async def put(self, letters: Sequence[tuple[str, Envelope]]) -> None:
        """(place, envelope) of each. Raises when one of them was not confirmed; the others may have been."""
        unroutable = await self._put(letters)
        if unroutable:  # somebody deleted the places on the broker: made anew, once
            for queue in {at.split(":")[1] for at, _ in unroutable}:
                await self.look(queue)
                if self.waits.get(queue):
                    await self.make_waits(queue)
            if await self._put(unroutable):
                raise unavailable("broker", "the places of a queue cannot be made")

    async def _put(self, letters: Sequence[tuple[str, Envelope]]) -> list[tuple[str, Envelope]]:
        sent = [self._publishes.publish(at, envelope.pack(), envelope.id) for at, envelope in letters]
        unroutable = []
        for letter, outcome in zip(letters, await asyncio.gather(*sent, return_exceptions=True), strict=True):
            if isinstance(outcome, UnroutableError):
                unroutable.append(letter)
            elif isinstance(outcome, BaseException):
                raise outcome
        return unroutable

    def next_place(self, queue: str, envelope: Envelope, now: float) -> str:
        """Where it belongs now: home, or where it lies until its time comes or until the next move towards it."""
        remaining = (envelope.not_before - now) * 1000
        if remaining <= 0:
            return home(queue, envelope)
        return place(queue, f"wait:{max((wait for wait in WAITS if wait <= remaining), default=WAITS[0])}")

    async def make_waits(self, queue: str) -> None:
        for line, wait in zip(self._looks, WAITS, strict=False):
            arguments = {
                **QUORUM,
                "x-message-ttl": wait,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": place(queue, "due"),
                # With the default, at-most-once, a message could be lost on its way to `due`.
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            }
            await self._declare(line, place(queue, f"wait:{wait}"), arguments)
        self.waits[queue] = True

    async def has_waits(self, queue: str) -> bool:
        if queue not in self.waits:
            line = await self._connection.line()  # of its own: when there is none, the broker closes it
            try:
                await line.call(line.raw.queue_declare, place(queue, f"wait:{WAITS[0]}"), passive=True)
                line.raw.close()
                self.waits[queue] = True
            except ChannelClosedByBroker:
                self.waits[queue] = False
        return self.waits[queue]

    async def delayed(self, queue: str) -> int:
        if not await self.has_waits(queue):
            return 0
        asked = [
            line.call(line.raw.queue_declare, place(queue, f"wait:{wait}"), passive=True)
            for line, wait in zip(self._looks, WAITS, strict=False)
        ]
        return sum(int(declared.message_count) for declared in await asyncio.gather(*asked))

    async def purge(self, queue: str, what: list[object]) -> int:
        line = self._looks[0]
        return sum([int((await line.call(line.raw.queue_purge, place(queue, w))).message_count) for w in what])

    async def delete(self, queue: str) -> None:
        self.forget(queue)
        line = self._looks[0]
        for what in (*FAMILY, *(f"wait:{wait}" for wait in WAITS)):  # of what is not there the broker says nothing
            await line.call(line.raw.queue_delete, place(queue, what))

    def forget(self, queue: str) -> None:
        self.declared.discard(queue)
        self.waits.pop(queue, None)
        self.leave(queue)

    def leave(self, queue: str) -> None:
        desk = self.desks.pop(queue, None)
        if desk and desk.line.raw.is_open:
            desk.line.raw.close()


def foreign(body: bytes, at: str) -> Envelope:
    """What was put into our places past this API."""
    return Envelope("foreign", body.decode(errors="replace"), 0, "", "", at)
