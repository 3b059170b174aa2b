"""Owns what callers do with messages: send, take, settle, answer. The broker keeps them.

Running a queue is managing.py's; replies are kept by replies.py, tokens that go with a message by handover.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from idp.api.brokers.contract import Broker, Delivery, Hold, Want, worn_out
from idp.api.caller import Caller
from idp.api.commands import queues as commands
from idp.api.commands.common import Message, Nothing
from idp.api.document_store.contract import Document, Write
from idp.api.once import Once
from idp.api.queues import messages
from idp.api.queues.copies import Copies
from idp.api.queues.declarations import (
    TAKERS,
    Declarations,
    back_off,
    holder_of,
    place_of,
    priority_for,
    settings_of,
    unknown_receipt,
)
from idp.api.queues.handover import Handover
from idp.api.queues.replies import Replies
from idp.api.queues.waiting import WaitingRoom
from idp.api.times import timestamp
from idp.base.clock import Clock
from idp.base.errors import Refused


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept beside the broker."""

    replies: Replies
    copies: Copies
    handover: Handover


class Queues:
    def __init__(
        self, declarations: Declarations, broker: Broker, once: Once, keeping: Keeping, room: WaitingRoom, clock: Clock
    ) -> None:
        self._declarations = declarations
        self._broker = broker
        self._once = once
        self._keeping = keeping
        self._room = room
        self._clock = clock

    def publish(self, caller: Caller, asked: commands.PublishMessage) -> Message:
        queue = self._declarations.find(caller, asked.name, ("publish",), "messages")
        priority, place = priority_for(caller, queue, asked.priority), place_of(queue)

        def effect(seed: str) -> commands.Published:
            id, now, more = f"msg_{seed}", self._clock(), {}
            if asked.token is not None:
                more["token"] = self._keeping.handover.sealed(caller, queue.id, place, id, asked.token)
            if asked.reply_seconds is not None:
                more["reply"] = "wanted"
                self._keeping.replies.expect(caller, place, id, now, asked.reply_seconds)
            envelope = messages.envelope(caller, asked, settings_of(queue), id, priority, now, more)
            self._broker.publish([(place, envelope)])
            return commands.Published(id=id)

        return self._once.carry_out(caller, "queues.publish", asked, effect)

    def take(self, caller: Caller, asked: commands.TakeMessage) -> commands.TakeReply:
        queue = self._to_take_from(caller, asked)
        limit = settings_of(queue).max_deliveries
        want = Want(place_of(queue), holder_of(caller), asked.lease_seconds, limit, asked.dead)
        with self._room.seat(min(asked.wait_seconds, caller.expires_at - self._clock())) as seconds:
            delivery = self._next(replace(want, wait_seconds=seconds))
        if delivery is None:
            return commands.TakeReply(message=None)
        if seconds:
            self._check_still(caller, asked, want, delivery)
        token = self._keeping.handover.opened(want.queue, delivery.envelope.id, delivery.envelope.more.get("token"))
        return commands.TakeReply(message=messages.taken(delivery, token))

    def renew(self, caller: Caller, asked: commands.RenewMessage) -> Message:
        _, hold = self._hold(caller, asked)

        def effect(seed: str) -> commands.Renewed:
            until = self._broker.renew(hold, asked.lease_seconds)
            if until is None:
                raise unknown_receipt()
            return commands.Renewed(leased_until=timestamp(until))

        return self._once.carry_out(caller, "queues.renew", asked, effect)

    def ack(self, caller: Caller, asked: commands.AckMessage) -> Message:
        _, hold = self._hold(caller, asked)

        def effect(seed: str) -> Nothing:
            return _done(self._broker.ack(hold))

        return self._once.carry_out(caller, "queues.ack", asked, effect)

    def reject(self, caller: Caller, asked: commands.RejectMessage) -> Message:
        queue, hold = self._hold(caller, asked)

        def effect(seed: str) -> Nothing:
            if not asked.requeue:
                return _done(self._broker.bury(hold, asked.reason or ""))
            limit, held = settings_of(queue).max_deliveries, self._held(hold)
            dead = held.envelope.dead_reason is not None
            if not dead and held.deliveries >= limit:
                return _done(self._broker.bury(hold, worn_out(limit)))
            usual = 0 if dead else back_off(settings_of(queue), held.deliveries)
            return _done(self._broker.requeue(hold, usual if asked.delay_seconds is None else asked.delay_seconds))

        return self._once.carry_out(caller, "queues.reject", asked, effect)

    def reply(self, caller: Caller, asked: commands.ReplyToMessage) -> Nothing:
        _, hold = self._hold(caller, asked)

        def plan(now: float) -> tuple[list[Write], Nothing]:
            return self._keeping.replies.written(caller, self._held(hold).envelope, asked.body, now), Nothing()

        return self._once.commit(caller, "queues.reply", asked, plan)

    def fetch_reply(self, caller: Caller, asked: commands.FetchReply) -> commands.FetchedReply:
        queue = self._declarations.find(caller, asked.name, ("publish",), "messages")
        reply = self._keeping.replies.fetch(caller, place_of(queue), asked.id, asked.wait_seconds)
        return commands.FetchedReply(reply=reply)

    def wakes(self, caller: Caller, name: str, wake: Callable[[], None]) -> Callable[[], None]:
        """For streams: `wake` is called, from any thread and perhaps too often, when something may be there to take, until the
        function that is returned is called."""
        queue = self._declarations.find(caller, name, ("consume",), "messages")
        return self._broker.listen(place_of(queue), wake)

    def _to_take_from(self, caller: Caller, asked: commands.TakeMessage) -> Document:
        # Dead letters are the business of whoever runs the queue, not of each of its workers.
        return self._declarations.find(caller, asked.name, ("manage",) if asked.dead else ("consume",), "messages")

    def _next(self, want: Want) -> Delivery | None:
        while delivery := self._broker.take(want):
            if not self._keeping.copies.is_spare(want.queue, delivery.envelope):
                return delivery
            self._broker.ack(Hold(want.queue, delivery.receipt, want.holder))
        return None

    def _check_still(self, caller: Caller, asked: commands.TakeMessage, want: Want, delivery: Delivery) -> None:
        """The right, or the token, may have gone while the caller waited."""
        try:
            caller.require_still()
            self._to_take_from(caller, asked)
        except Refused:
            self._broker.requeue(Hold(want.queue, delivery.receipt, want.holder))
            raise

    def _hold(self, caller: Caller, asked: commands.AckMessage) -> tuple[Document, Hold]:
        queue = self._declarations.find(caller, asked.name, TAKERS, "messages")
        return queue, Hold(place_of(queue), asked.receipt, holder_of(caller))

    def _held(self, hold: Hold) -> Delivery:
        held = self._broker.held(hold)
        if held is None:
            raise unknown_receipt()
        return held


def _done(happened: bool) -> Nothing:
    if not happened:
        raise unknown_receipt()
    return Nothing()
