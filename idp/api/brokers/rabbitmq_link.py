"""Owns what a process does with its connection to RabbitMQ: take, settle, move, look after leases. Lives in the owner's loop.

What a queue is there is rabbitmq_places.py's, the connection rabbitmq_connection.py's, what processes say to one another
rabbitmq_nodes.py's. Messages are held by the process that took them; a receipt names it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from pika.exceptions import AMQPError

from idp.api.brokers.contract import (
    EXPIRED,
    MAX_HELD_SECONDS,
    MAX_TAKEN,
    Counts,
    Delivery,
    Envelope,
    Want,
    too_many_taken,
    worn_out,
)
from idp.api.brokers.rabbitmq_connection import Connection, Got
from idp.api.brokers.rabbitmq_nodes import Nodes
from idp.api.brokers.rabbitmq_places import PRIORITIES, WAITS, Desk, Held, Places, foreign, place
from idp.api.brokers.waiting import Listeners
from idp.api.times import timestamp
from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused

TICK_SECONDS = 0.5  # between two looks for leases that have ended, delays that are over, bells that were not heard
IDLE_SECONDS = 60.0  # after which a line for taking is closed: a connection has 2,047
NODE_SECONDS = 1.0  # for another process to say how much it holds
AT_ONCE = 100  # messages in one move
LOOKS = 10  # for what was given back to be there again


class Link:
    """Lost with its connection, and with it what is held: the broker gives that to others."""

    places: Places
    nodes: Nodes

    def __init__(self, connection: Connection, clock: Clock, listeners: Listeners) -> None:
        self._connection, self._clock, self._listeners = connection, clock, listeners
        self._others: set[str] = set()

    async def open(self) -> None:
        self.places = await Places.open(self._connection)
        self.nodes = await Nodes.open(self._connection, self._settle_here, self._rung)
        for queue in self._listeners.queues():
            await self.nodes.listen(queue)
        self.nodes.ring("hello", self.nodes.name)
        self._ticking = asyncio.ensure_future(self._tick())

    async def delete(self, queue: str) -> None:
        await self.places.delete(queue)
        self.nodes.ring("gone", queue)

    async def publish(self, messages: Sequence[tuple[str, Envelope]]) -> None:
        queues = {queue for queue, _ in messages}
        for queue in queues - self.places.declared:
            await self.places.look(queue)
        await self.places.put([(await self._next_place(queue, envelope), envelope) for queue, envelope in messages])
        for queue in queues:
            self.nodes.ring("new", queue)

    async def take(self, want: Want) -> Delivery | None:
        desk, arrived = await self.places.desk(want.queue), asyncio.get_running_loop().time()
        async with desk.lock:
            if sum(1 for h in desk.held.values() if h.holder == want.holder and _is_dead(h) == want.dead) >= MAX_TAKEN:
                raise too_many_taken()
            if desk.looked_at <= arrived:  # else somebody has looked while this one waited for the lock
                await self._catch_up(desk, want.queue)
            for what in ("dead",) if want.dead else PRIORITIES:
                while desk.counts[what]:
                    got = await desk.line.get(place(want.queue, what))
                    desk.counts[what] = desk.counts[what] - 1 if got else 0
                    if got is None:
                        break
                    delivery = await self._deliver(desk, want, got, place(want.queue, what))
                    if delivery:
                        return delivery
        return None

    async def settle(self, question: dict[str, Any]) -> Any:
        node = str(question["receipt"]).partition(".")[0]
        if node == self.nodes.name:
            return await self._settle_here(question)
        # Else its name may not fit AMQP, which would end the connection.
        return await self.nodes.ask(node, question) if node.isascii() and node.isalnum() and len(node) < 100 else None

    async def peek(self, queue: str, limit: int, dead: bool) -> Sequence[Envelope]:
        desk = await self.places.desk(queue)
        async with desk.lock:
            counts = await self._catch_up(desk, queue)
            seen: list[Held] = []
            try:
                for what in ("dead",) if dead else PRIORITIES:
                    seen += await self._collect(desk, queue, what, min(counts[what], limit - len(seen)))
            finally:
                desk.give_back(seen)
            for _ in range(LOOKS if seen else 0):  # nothing says when they are there again, and a take would miss them
                await desk.line.call(desk.line.raw.basic_qos)
                if sum((await self.places.look(queue)).values()) >= sum(counts.values()):
                    break
        return [held.envelope for held in seen]

    async def purge(self, queue: str, dead: bool) -> int:
        await self.places.look(queue)
        waits = [f"wait:{wait}" for wait in WAITS] if await self.places.has_waits(queue) else []
        return await self.places.purge(queue, ["dead"] if dead else [*PRIORITIES, *waits, "due"])

    async def redrive(self, queue: str, limit: int) -> int:
        desk, done = await self.places.desk(queue), 0
        async with desk.lock:
            waiting = min(limit, (await self.places.look(queue))["dead"])
            while done < waiting:
                found = await self._collect(desk, queue, "dead", min(AT_ONCE, waiting - done))
                if not found:
                    break
                await self._move(desk, queue, [(held, held.envelope.revived()) for held in found])
                done += len(found)
        self.nodes.ring("new", queue)
        return done

    async def count(self, queue: str) -> Counts:
        desk = await self.places.desk(queue)
        async with desk.lock:
            counts = await self._catch_up(desk, queue)
            delayed = counts["due"] + await self.places.delayed(queue)
        elsewhere = await asyncio.gather(*(self._taken_by(node, queue) for node in self._others))
        return Counts(sum(counts[p] for p in PRIORITIES), counts["dead"], delayed, len(desk.held) + sum(elsewhere))

    async def _taken_by(self, node: str, queue: str) -> int:
        try:
            taken = await self.nodes.ask(node, {"verb": "taken", "queue": queue}, NODE_SECONDS)
        except TimeoutError:
            return 0  # a count is no reason to fail
        if taken is None:
            self._others.discard(node)
        return int(taken or 0)

    async def _catch_up(self, desk: Desk, queue: str) -> dict[object, int]:
        """Sort what has come out of the places for delays: home, or on towards its time. How many wait in each place."""
        begun = asyncio.get_running_loop().time()
        desk.counts = await self.places.look(queue)
        if desk.counts["due"]:
            found = await self._collect(desk, queue, "due", min(AT_ONCE, desk.counts["due"]))
            await self._move(desk, queue, [(held, held.envelope) for held in found])
            desk.counts = await self.places.look(queue)
        desk.looked_at = begun
        return desk.counts

    async def _next_place(self, queue: str, envelope: Envelope) -> str:
        if envelope.not_before > self._clock() and not self.places.waits.get(queue):
            await self.places.make_waits(queue)
            self.nodes.ring("waits", queue)
        return self.places.next_place(queue, envelope, self._clock())

    async def _move(self, desk: Desk, queue: str, letters: list[tuple[Held, Envelope]]) -> None:
        """First there, then no longer here: a crash in between leaves two copies, never none. When it fails, they are given
        back to where they were."""
        try:
            await self.places.put([(await self._next_place(queue, envelope), envelope) for _, envelope in letters])
        except BaseException:
            desk.give_back([held for held, _ in letters])
            raise
        for held, _ in letters:
            desk.line.raw.basic_ack(held.tag)

    async def _collect(self, desk: Desk, queue: str, what: object, many: int) -> list[Held]:
        """Up to so many from a place; those that become dead letters on the way are left out."""
        found: list[Held] = []
        try:
            for _ in range(many):
                got = await desk.line.get(place(queue, what))
                if got is None:
                    break
                found += [held] if (held := await self._sound(desk, queue, got, place(queue, what))) else []
        except BaseException:
            desk.give_back(found)
            raise
        return found

    async def _sound(self, desk: Desk, queue: str, got: Got, at: str) -> Held | None:
        """None when it became a dead letter instead."""
        method, _, body = got
        now = self._clock()
        try:
            envelope, reason = Envelope.unpack(body), None
        except (ValueError, TypeError, RecursionError):
            envelope, reason = foreign(body, timestamp(now)), "not a message of this API"
        held = Held(int(method.delivery_tag or 0), at, "", now, now, envelope)
        if reason is None and envelope.expired(now) and not _is_dead(held):
            reason = EXPIRED
        if reason is None:
            return held
        await self._bury(desk, queue, held, reason)
        return None

    async def _deliver(self, desk: Desk, want: Want, got: Got, at: str) -> Delivery | None:
        held = await self._sound(desk, want.queue, got, at)
        if held is None:
            return None
        if not want.dead and held.envelope.deliveries >= want.max_deliveries:
            await self._bury(desk, want.queue, held, worn_out(want.max_deliveries))
            return None
        receipt = f"{self.nodes.name}.{ids.secret()}"
        envelope = replace(held.envelope, deliveries=held.envelope.deliveries + 1)
        held = replace(held, holder=want.holder, until=self._clock() + want.lease_seconds, envelope=envelope)
        desk.held[ids.digest(receipt)] = held
        return Delivery(envelope, receipt, held.until)

    async def _settle_here(self, question: dict[str, Any]) -> Any:
        """A false value when the holder does not hold it (any more)."""
        desk = self.places.desks.get(question["queue"])
        if question["verb"] == "taken":
            return len(desk.held) if desk else 0
        key, now = ids.digest(question["receipt"]), self._clock()
        held = desk.held.get(key) if desk else None
        if desk is None or held is None or held.holder != question["holder"] or held.until <= now:
            return None
        if question["verb"] == "held":
            return asdict(held.envelope), held.until
        if question["verb"] == "renew":
            desk.held[key] = replace(held, until=min(now + question["more"], held.taken_at + MAX_HELD_SECONDS))
            return desk.held[key].until
        await self._end(desk, key, question["queue"], question["verb"], question["more"])
        return True

    async def _end(self, desk: Desk, key: str, queue: str, verb: str, more: Any) -> None:
        held = desk.held.pop(key)  # at once: nobody settles it a second time while the broker is asked
        if verb == "requeue":
            await self._requeue(desk, queue, held, more)
        elif verb == "bury":
            await self._bury(desk, queue, held, more)
        else:
            desk.line.raw.basic_ack(held.tag)
        # An ack has no answer of its own; a round trip behind it proves that the broker has read it.
        await desk.line.call(desk.line.raw.basic_qos)

    async def _requeue(self, desk: Desk, queue: str, held: Held, delay_seconds: float) -> None:
        envelope = held.envelope
        if delay_seconds > 0:
            envelope = replace(envelope, not_before=self._clock() + delay_seconds)
        await self._move(desk, queue, [(held, envelope)])
        self.nodes.ring("new", queue)

    async def _bury(self, desk: Desk, queue: str, held: Held, reason: str) -> None:
        dead = held.envelope.dead(reason, timestamp(self._clock()))
        await self._move(desk, queue, [(held, dead)])
        self.nodes.ring("new", queue)

    def _rung(self, what: str, about: str) -> None:
        if what in ("hello", "here"):
            self._others |= {about} - {self.nodes.name}
            if what == "hello":
                self.nodes.ring("here", self.nodes.name)
            return
        if what == "waits":
            self.places.waits[about] = True
        elif what == "gone":
            self.places.forget(about)
        self._listeners.ring(about)

    async def _tick(self) -> None:
        while not self._connection.lost.done():
            await asyncio.wait((self._connection.lost,), timeout=TICK_SECONDS)
            for queue, desk in list(self.places.desks.items()):
                with suppress(AMQPError, OSError, Refused, KeyError):  # KeyError: it was settled meanwhile
                    await self._end_leases(queue, desk)
            for queue in self._listeners.queues():
                with suppress(AMQPError, OSError, Refused):
                    await self._ring_if_ready(queue)

    async def _end_leases(self, queue: str, desk: Desk) -> None:
        now, idle = self._clock(), desk.looked_at + IDLE_SECONDS < asyncio.get_running_loop().time()
        for key in [key for key, held in desk.held.items() if held.until <= now]:
            await self._end(desk, key, queue, "requeue", 0.0)
        if idle and not desk.held and not desk.lock.locked():
            self.places.leave(queue)

    async def _ring_if_ready(self, queue: str) -> None:
        """Nobody rings when the broker itself has moved a message: a delay is over, or a process that held it is gone."""
        desk = await self.places.desk(queue)
        async with desk.lock:
            waiting = await self._catch_up(desk, queue)
        if any(many for what, many in waiting.items() if what != "due"):
            self._listeners.ring(queue)


def _is_dead(held: Held) -> bool:
    return held.envelope.dead_reason is not None
