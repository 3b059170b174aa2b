"""Owns the commands on queues and their messages."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from idp.api.acl import HIGHEST, QueueRight
from idp.api.commands.common import Effect, Id, Message, Nothing, Operation, QueueAcl, QueueName
from idp.base import claims

Kind = Literal["messages", "work_items", "exchange"]
Priority = Annotated[int, Field(ge=0, le=HIGHEST)]
DAYS_30: Final = 2_592_000
Delay = Annotated[int, Field(ge=0, le=DAYS_30)]
Receipt = Annotated[str, Field(min_length=1, max_length=200, repr=False)]
Wait = Annotated[int, Field(ge=0, le=5)]


class NamedQueue(Message):
    name: QueueName


class QueueSettings(Message):
    """What was given max_deliveries times without success becomes a dead letter, or fails. retry_seconds: how long it rests
    after the first time; each time doubled, up to retry_max_seconds. expires_seconds: of messages that name nothing else.
    on_success, on_failure: queues of work items that go on with what was completed or has failed. keep_seconds: how long
    completed work items can be read."""

    max_deliveries: int = Field(5, ge=1, le=100)
    retry_seconds: int = Field(0, ge=0, le=86_400)
    retry_max_seconds: int = Field(3600, ge=1, le=86_400)
    expires_seconds: int | None = Field(None, ge=1, le=DAYS_30)
    on_success: QueueName | None = None
    on_failure: QueueName | None = None
    keep_seconds: int = Field(604_800, ge=1, le=DAYS_30)


class DeclareQueue(NamedQueue, QueueSettings, Effect):
    """acl as in InsertDocument. Settings that are left out have their defaults, also when the queue exists."""

    kind: Literal["messages", "work_items"] = "messages"
    acl: QueueAcl | None = None

    @model_validator(mode="after")
    def _settings_fit_kind(self) -> Self:
        others = {"on_success", "on_failure", "keep_seconds"} if self.kind == "messages" else {"expires_seconds"}
        if wrong := others & self.model_fields_set:
            raise ValueError(f"`{min(wrong)}` is no setting of a queue of {self.kind.replace('_', ' ')}")
        return self


class GetQueue(NamedQueue): ...


class DeleteQueue(NamedQueue, Effect): ...


class ListQueues(Message):
    """In the order of their names. after: the `after` of the page before."""

    limit: int = Field(100, ge=1, le=1000)
    after: QueueName | None = None


class PublishMessage(NamedQueue, Effect):
    """priority: 4, or the highest the caller may use. delay_seconds: not before so many seconds from now. expires_seconds:
    a message nobody has taken by then becomes a dead letter. reply_seconds: so long the caller waits for a reply. token: given
    to the taker; a token that was exchanged for being sent to this queue."""

    body: Any
    priority: Priority | None = None
    delay_seconds: Delay = 0
    expires_seconds: int | None = Field(None, ge=1, le=DAYS_30)
    reply_seconds: int | None = Field(None, ge=1, le=3600)
    token: str | None = Field(None, min_length=1, max_length=16_384, repr=False)


class TakeMessage(NamedQueue):
    """lease_seconds: how long the message is the taker's before it returns. wait_seconds: how long to wait for one. dead: take
    from the dead letters."""

    lease_seconds: int = Field(30, ge=1, le=900)
    wait_seconds: Wait = 0
    dead: bool = False


class AckMessage(NamedQueue, Effect):
    receipt: Receipt


class RenewMessage(AckMessage):
    lease_seconds: int = Field(30, ge=1, le=900)


class RejectMessage(AckMessage):
    """requeue true: back to the queue, where others can take it after delay_seconds (left out: the queue's back-off). false:
    to the dead letters, with the reason."""

    requeue: bool
    delay_seconds: Delay | None = None
    reason: str | None = Field(None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _dead_letters_have_a_reason(self) -> Self:
        if not self.requeue and self.reason is None:
            raise ValueError("`reason` is needed when requeue is false")
        return self


class ReplyToMessage(AckMessage):
    """To whoever asked; the message is held on."""

    body: Any


class FetchReply(NamedQueue):
    """id: of the message that was published with reply_seconds."""

    id: Id
    wait_seconds: Wait = 0


class InspectQueue(NamedQueue):
    limit: int = Field(10, ge=1, le=100)
    dead: bool = False


class PurgeQueue(NamedQueue, Effect):
    """What is ready or delayed, or the dead letters; what somebody holds stays."""

    dead: bool = False


class RedriveQueue(NamedQueue, Effect):
    limit: int = Field(100, ge=1, le=1000)


class Declared(NamedQueue, QueueSettings):
    kind: Kind


class QueueReply(Declared):
    """ready: can be taken now. delayed: not before a later time. taken: somebody holds it. dead: dead letters. Counts of a
    broker may lag a moment; of a queue of work items they are null, see work_items.count."""

    ready: int | None
    delayed: int | None
    taken: int | None
    dead: int | None


class Listed(NamedQueue):
    """rights: the caller's."""

    kind: Kind
    rights: list[QueueRight]


class QueueList(Message):
    """after: for the next page; null on the last one."""

    queues: list[Listed]
    after: str | None


class Published(Message):
    id: str


class Sender(Message):
    """Who sent it; never the token."""

    subject: str
    client_id: str


class DeadLetter(Message):
    reason: str
    at: str


class Seen(Message):
    """A message as whoever manages the queue sees it. exchange, topic: how it came here. wants_reply: its sender waits."""

    id: str
    body: Any
    priority: int
    sent_by: Sender
    published_at: str
    deliveries: int
    not_before: str | None
    expires_at: str | None
    exchange: str | None
    topic: str | None
    wants_reply: bool
    dead_letter: DeadLetter | None


class Taken(Seen):
    """deliveries: 1 the first time. receipt: with it the taker, and nobody else, settles it until leased_until. token: what
    the sender handed over."""

    receipt: str = Field(repr=False)
    leased_until: str
    token: str | None = Field(repr=False)


class TakeReply(Message):
    message: Taken | None


class Renewed(Message):
    leased_until: str


class Inspected(Message):
    messages: list[Seen]


class Moved(Message):
    """How many messages were deleted or redriven."""

    count: int


class Reply(Message):
    body: Any
    sent_by: Sender
    at: str


class FetchedReply(Message):
    """reply: null as long as there is none."""

    reply: Reply | None


_PUBLISH, _CONSUME, _MANAGE = claims.QUEUES_PUBLISH, claims.QUEUES_CONSUME, claims.QUEUES_MANAGE
OPERATIONS: Final = (
    Operation("queues.declare", DeclareQueue, Declared, _MANAGE, "Make or change a queue"),
    Operation("queues.get", GetQueue, QueueReply, _CONSUME, "Count what is in a queue"),
    Operation("queues.list", ListQueues, QueueList, _CONSUME, "List the queues and exchanges one has a right on"),
    Operation("queues.delete", DeleteQueue, Nothing, _MANAGE, "Delete a queue with everything in it"),
    Operation("queues.publish", PublishMessage, Published, _PUBLISH, "Send a message"),
    Operation("queues.take", TakeMessage, TakeReply, _CONSUME, "Take the next message on a lease"),
    Operation("queues.renew", RenewMessage, Renewed, _CONSUME, "Keep a message longer"),
    Operation("queues.ack", AckMessage, Nothing, _CONSUME, "Done with a message"),
    Operation("queues.reject", RejectMessage, Nothing, _CONSUME, "Give a message back, or up"),
    Operation("queues.reply", ReplyToMessage, Nothing, _CONSUME, "Answer whoever sent a message"),
    Operation("queues.fetch_reply", FetchReply, FetchedReply, _PUBLISH, "Get the answer to a message"),
    Operation("queues.inspect", InspectQueue, Inspected, _MANAGE, "See messages without taking them"),
    Operation("queues.purge", PurgeQueue, Moved, _MANAGE, "Delete the messages of a queue"),
    Operation("queues.redrive", RedriveQueue, Moved, _MANAGE, "Put dead letters back into the queue"),
)
