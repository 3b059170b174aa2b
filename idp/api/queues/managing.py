"""Owns what those do who run a queue: declare, look into it, empty it, delete it. Sending and taking is queues.py's."""

from dataclasses import asdict
from typing import Any

from idp.api import acl
from idp.api.brokers.contract import Broker
from idp.api.caller import Caller
from idp.api.commands import queues as commands
from idp.api.commands.common import Message, Nothing, to_acl
from idp.api.document_store.contract import Document, Write
from idp.api.once import Once
from idp.api.queues import messages
from idp.api.queues.chains import Chains
from idp.api.queues.declarations import Declarations, Wanted, kind_of, place_of, settings_of
from idp.api.queues.work_items import WorkItems

SETTINGS = set(commands.QueueSettings.model_fields)
NOT_COUNTED: dict[str, Any] = dict.fromkeys(("ready", "delayed", "taken", "dead"))


class Managing:
    def __init__(
        self, declarations: Declarations, broker: Broker, work_items: WorkItems, chains: Chains, once: Once
    ) -> None:
        self._declarations = declarations
        self._broker = broker
        self._work_items = work_items
        self._chains = chains
        self._once = once

    def declare(self, caller: Caller, asked: commands.DeclareQueue) -> commands.Declared:
        def plan(now: float) -> tuple[list[Write], commands.Declared]:
            chained = self._chains.declared(caller, asked)
            settings = asked.model_dump(include=SETTINGS) | chained
            wanted = Wanted(asked.name, asked.kind, to_acl(asked.acl), "acl" in asked.model_fields_set, settings)
            writes, queue = self._declarations.declared(caller, wanted, now)
            if asked.kind == "messages":  # before it is known: what is known can be published to
                self._broker.declare(place_of(queue))
            return writes, commands.Declared(**_told(queue))

        return self._once.commit(caller, "queues.declare", asked, plan)

    def get(self, caller: Caller, asked: commands.GetQueue) -> commands.QueueReply:
        queue = self._declarations.find(caller, asked.name, acl.QUEUE_RIGHTS, None)
        counts = asdict(self._broker.count(place_of(queue))) if kind_of(queue) == "messages" else NOT_COUNTED
        return commands.QueueReply(**_told(queue), **counts)

    def delete(self, caller: Caller, asked: commands.DeleteQueue) -> Nothing:
        gone: list[Document] = []

        def plan(now: float) -> tuple[list[Write], Nothing]:
            queue = self._declarations.find(caller, asked.name, ("manage",), None)
            if kind_of(queue) == "work_items":
                self._work_items.check_few(queue)
            gone[:] = [queue]
            return [Write("delete", queue, queue.version)], Nothing()

        answer = self._once.commit(caller, "queues.delete", asked, plan)
        # First the name, so that nothing comes any more. What a failure here leaves behind has a place nobody gets again.
        for queue in gone:
            if kind_of(queue) == "work_items":
                self._work_items.clear(queue)
            else:
                self._broker.delete(place_of(queue))
        return answer

    def inspect(self, caller: Caller, asked: commands.InspectQueue) -> commands.Inspected:
        queue = self._declarations.find(caller, asked.name, ("manage",), "messages")
        found = self._broker.peek(place_of(queue), asked.limit, asked.dead)
        return commands.Inspected(messages=[messages.seen(envelope) for envelope in found])

    def purge(self, caller: Caller, asked: commands.PurgeQueue) -> Message:
        queue = self._declarations.find(caller, asked.name, ("manage",), "messages")

        def effect(seed: str) -> commands.Moved:
            return commands.Moved(count=self._broker.purge(place_of(queue), asked.dead))

        return self._once.carry_out(caller, "queues.purge", asked, effect)

    def redrive(self, caller: Caller, asked: commands.RedriveQueue) -> Message:
        queue = self._declarations.find(caller, asked.name, ("manage",), "messages")

        def effect(seed: str) -> commands.Moved:
            return commands.Moved(count=self._broker.redrive(place_of(queue), asked.limit))

        return self._once.carry_out(caller, "queues.redrive", asked, effect)


def _told(queue: Document) -> dict[str, Any]:
    return {"name": queue.id, "kind": kind_of(queue), **settings_of(queue).model_dump()}
