"""Owns exchanges: which queues a message to a topic reaches. Queues and brokers know nothing of exchanges.

To bind a queue needs `consume` on the exchange and `manage` on the queue, and needs them still whenever a message comes.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from idp.api import acl
from idp.api.brokers.contract import Broker, Envelope
from idp.api.caller import Caller
from idp.api.commands import exchanges as commands
from idp.api.commands.common import Message, Nothing, to_acl
from idp.api.document_store.contract import Document, Write
from idp.api.once import Once
from idp.api.queues import messages
from idp.api.queues.declarations import (
    Declarations,
    Wanted,
    changed,
    kind_of,
    may,
    place_of,
    priority_for,
    settings_of,
)
from idp.api.queues.standing import Standing
from idp.base.clock import Clock
from idp.base.errors import Refused

MAX_BINDINGS = 100
Bindings = list[dict[str, Any]]


class Exchanges:
    def __init__(
        self, declarations: Declarations, standing: Standing, broker: Broker, once: Once, clock: Clock
    ) -> None:
        self._declarations = declarations
        self._standing = standing
        self._broker = broker
        self._once = once
        self._clock = clock

    def declare(self, caller: Caller, asked: commands.DeclareExchange) -> commands.ExchangeReply:
        wanted = Wanted(asked.name, "exchange", to_acl(asked.acl), "acl" in asked.model_fields_set, {})

        def plan(now: float) -> tuple[list[Write], commands.ExchangeReply]:
            writes, exchange = self._declarations.declared(caller, wanted, now)
            return writes, self._reply(caller, exchange)

        return self._once.commit(caller, "exchanges.declare", asked, plan)

    def get(self, caller: Caller, asked: commands.GetExchange) -> commands.ExchangeReply:
        return self._reply(caller, self._declarations.find(caller, asked.name, acl.QUEUE_RIGHTS, "exchange"))

    def delete(self, caller: Caller, asked: commands.DeleteExchange) -> Nothing:
        def plan(now: float) -> tuple[list[Write], Nothing]:
            exchange = self._declarations.find(caller, asked.name, ("manage",), "exchange")
            return [Write("delete", exchange, exchange.version)], Nothing()

        return self._once.commit(caller, "exchanges.delete", asked, plan)

    def bind(self, caller: Caller, asked: commands.BindQueue) -> commands.ExchangeReply:
        def bound(exchange: Document, others: Bindings) -> Bindings:
            queue = self._declarations.find(caller, asked.queue, ("manage",), "messages")
            if len(others) >= MAX_BINDINGS:
                message = f"An exchange has at most {MAX_BINDINGS} bindings."
                raise Refused("too_many_bindings", message, status=409, detail={"limit": MAX_BINDINGS})
            by = self._standing.of(caller, ("consume", exchange), ("manage", queue))
            return [*others, {"queue": asked.queue, "pattern": asked.pattern, "by": by}]

        return self._rebind(caller, "exchanges.bind", asked, ("consume",), bound)

    def unbind(self, caller: Caller, asked: commands.BindQueue) -> commands.ExchangeReply:
        """By those who may manage the queue, or the exchange."""

        def unbound(exchange: Document, others: Bindings) -> Bindings:
            if not may(caller, "manage", exchange):
                self._declarations.find(caller, asked.queue, ("manage",), "messages")
            return others

        return self._rebind(caller, "exchanges.unbind", asked, ("consume", "manage"), unbound)

    def publish(self, caller: Caller, asked: commands.PublishToTopic) -> Message:
        exchange = self._declarations.find(caller, asked.name, ("publish",), "exchange")
        priority = priority_for(caller, exchange, asked.priority)
        more = {"exchange": exchange.id, "topic": asked.topic}

        def effect(seed: str) -> commands.Routed:
            id, now = f"msg_{seed}", self._clock()
            sent: list[tuple[str, Envelope]] = []
            for queue in self._reached(exchange, asked.topic):
                letter = messages.envelope(caller, asked, settings_of(queue), id, priority, now, more)
                sent.append((place_of(queue), letter))
            if sent:
                self._broker.publish(sent)
            return commands.Routed(id=id, routed=bool(sent))

        return self._once.carry_out(caller, "exchanges.publish", asked, effect)

    def _rebind(
        self,
        caller: Caller,
        operation: str,
        asked: commands.BindQueue,
        rights: tuple[acl.QueueRight, ...],
        change: Callable[[Document, Bindings], Bindings],
    ) -> commands.ExchangeReply:
        """change: gets the other bindings."""

        def plan(now: float) -> tuple[list[Write], commands.ExchangeReply]:
            exchange = self._declarations.find(caller, asked.name, rights, "exchange")
            others = [b for b in _bindings(exchange) if (b["queue"], b["pattern"]) != (asked.queue, asked.pattern)]
            data = {**exchange.data, "bindings": change(exchange, others)}
            writes, after = changed(caller, replace(exchange, data=data), now)
            return writes, self._reply(caller, after)

        return self._once.commit(caller, operation, asked, plan)

    def _reached(self, exchange: Document, topic: str) -> list[Document]:
        found: dict[str, Document] = {}
        for binding in _bindings(exchange):
            wanted = binding["queue"] not in found and matches(binding["pattern"], topic)
            if wanted and (queue := self._active(exchange, binding)):
                found[queue.id] = queue
        return list(found.values())

    def _active(self, exchange: Document, binding: dict[str, Any]) -> Document | None:
        """The queue, if whoever bound it still may."""
        queue, by = self._declarations.known(binding["queue"]), binding["by"]
        if queue is None or kind_of(queue) != "messages":
            return None
        still = self._standing.may(by, "manage", queue) and self._standing.may(by, "consume", exchange)
        return queue if still else None

    def _reply(self, caller: Caller, exchange: Document) -> commands.ExchangeReply:
        all_of_them = may(caller, "manage", exchange)
        shown = []
        for binding in _bindings(exchange):
            queue = self._declarations.known(binding["queue"])
            if all_of_them or (queue and may(caller, "manage", queue)):
                active = self._active(exchange, binding) is not None
                shown.append(commands.Binding(queue=binding["queue"], pattern=binding["pattern"], active=active))
        return commands.ExchangeReply(name=exchange.id, bindings=shown)


def matches(pattern: str, topic: str) -> bool:
    """`*` stands for one word, `#` for any number of them. In time that grows with the product of both lengths."""
    words = topic.split(".")
    reached = {0}  # how many words the pattern so far can stand for
    for part in pattern.split("."):
        if part == "#":
            reached = set(range(min(reached), len(words) + 1)) if reached else reached
        else:
            reached = {at + 1 for at in reached if at < len(words) and part in ("*", words[at])}
    return len(words) in reached


def _bindings(exchange: Document) -> Bindings:
    return list(exchange.data.get("bindings", []))
