"""Owns what callers do with queues: rights, declarations, what a taker sees. The broker keeps the messages.

Declarations are documents of a collection that no client can name, so that every node and both brokers share them.
"""

from dataclasses import replace

from idp.api import acl, commands
from idp.api.brokers.contract import Broker, Delivery, Envelope, Want
from idp.api.caller import Caller
from idp.api.document_store.contract import Document, DocumentStore, Duplicate
from idp.api.times import timestamp
from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused

SYSTEM = "sys.queues"
MAX_TRIES = 50


class Queues:
    def __init__(self, store: DocumentStore, broker: Broker, clock: Clock) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock

    def declare(self, caller: Caller, asked: commands.DeclareQueue) -> commands.QueueReply:
        rules = commands.to_acl(asked.acl)
        if rules is None and "acl" in asked.model_fields_set and not caller.is_administrator:
            raise Refused("not_permitted", "Only administrators may declare a queue without an ACL.", status=403)
        for _ in range(MAX_TRIES):
            old = self._store.get(SYSTEM, asked.name)
            if old and not acl.may(caller, "manage", old.acl):
                raise Refused("name_taken", "The name is taken by a queue that you may not manage.", status=409)
            if old is None:
                self._broker.declare(asked.name)
            declared = self._declared(caller, asked, rules, old)
            if declared:
                return self._reply(declared)
        raise Refused(
            "contended", "Too many declare this queue at once. Try again.", status=503, headers={"Retry-After": "1"}
        )

    def get(self, caller: Caller, asked: commands.GetQueue) -> commands.QueueReply:
        return self._reply(self._queue(caller, asked.name, None))

    def publish(self, caller: Caller, asked: commands.PublishMessage) -> commands.Published:
        queue = self._queue(caller, asked.name, "publish")
        now = self._clock()
        id = ids.ordered_id("msg", now)
        envelope = Envelope(id, asked.body, asked.priority, caller.subject, caller.client_id, timestamp(now))
        self._broker.publish(queue.id, envelope)
        return commands.Published(id=id)

    def take(self, caller: Caller, asked: commands.TakeMessage) -> commands.TakeReply:
        # Dead letters are the business of whoever runs the queue, not of each of its workers.
        queue = self._queue(caller, asked.name, "manage" if asked.dead else "consume")
        want = Want(queue.id, _holder(caller), asked.lease_seconds, queue.data["max_deliveries"], asked.dead)
        delivery = self._broker.take(want)
        return commands.TakeReply(message=_taken(delivery) if delivery else None)

    def ack(self, caller: Caller, asked: commands.AckMessage) -> commands.Nothing:
        queue = self._queue(caller, asked.name, None)
        if not self._broker.ack(queue.id, asked.receipt, _holder(caller)):
            raise _unknown_receipt()
        return commands.Nothing()

    def reject(self, caller: Caller, asked: commands.RejectMessage) -> commands.Nothing:
        queue = self._queue(caller, asked.name, None)
        reason = None if asked.requeue else asked.reason
        if not self._broker.reject(queue.id, asked.receipt, _holder(caller), reason):
            raise _unknown_receipt()
        return commands.Nothing()

    def _queue(self, caller: Caller, name: str, right: str | None) -> Document:
        """None: any right will do. Without any right there is no such queue for the caller."""
        queue = self._store.get(SYSTEM, name)
        if queue is None or not any(acl.may(caller, any_right, queue.acl) for any_right in acl.QUEUE_RIGHTS):
            raise Refused("unknown_queue", "There is no such queue, or you have no right on it.", status=404)
        if right and not acl.may(caller, right, queue.acl):
            raise Refused("not_permitted", f"You may not {right} on this queue.", status=403, detail={"right": right})
        return queue

    def _declared(
        self, caller: Caller, asked: commands.DeclareQueue, rules: acl.Acl | None, old: Document | None
    ) -> Document | None:
        """None when somebody else was faster."""
        at = timestamp(self._clock())
        data = {"max_deliveries": asked.max_deliveries}
        given = "acl" in asked.model_fields_set
        if old:
            new_rules = rules if given else old.acl
            changed = replace(
                old, version=old.version + 1, updated_at=at, updated_by=caller.name, acl=new_rules, data=data
            )
            return changed if self._store.replace_if(changed) else None
        own = rules if given else acl.owned_by(caller.principal, acl.QUEUE_RIGHTS)
        new = Document(SYSTEM, asked.name, 1, at, caller.name, at, caller.name, own, data)
        try:
            self._store.insert(new)
        except Duplicate:
            return None
        return new

    def _reply(self, queue: Document) -> commands.QueueReply:
        counts = self._broker.count(queue.id)
        limit = queue.data["max_deliveries"]
        return commands.QueueReply(name=queue.id, max_deliveries=limit, ready=counts.ready, dead=counts.dead)


def _holder(caller: Caller) -> str:
    """Who may ack: the same subject through the same app, with whatever token it then has."""
    return f"{caller.client_id}\n{caller.subject}"


def _taken(delivery: Delivery) -> commands.Taken:
    e = delivery.envelope
    dead = commands.DeadLetter(reason=e.dead_reason, at=e.dead_at or "") if e.dead_reason is not None else None
    return commands.Taken(
        id=e.id,
        body=e.body,
        priority=e.priority,
        sent_by=commands.Sender(subject=e.subject, client_id=e.client_id),
        published_at=e.published_at,
        deliveries=delivery.deliveries,
        receipt=delivery.receipt,
        leased_until=timestamp(delivery.leased_until),
        dead_letter=dead,
    )


def _unknown_receipt() -> Refused:
    message = "You do not hold this message: wrong receipt, settled already, or the lease has ended."
    return Refused("unknown_receipt", message, status=404)
