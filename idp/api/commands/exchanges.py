"""Owns the commands on exchanges: whoever publishes to a topic there reaches every queue that is bound to it."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from idp.api.commands.common import Effect, Message, Nothing, Operation, QueueAcl, QueueName
from idp.api.commands.queues import DAYS_30, Delay, NamedQueue, Priority
from idp.base import claims

MAX_TOPIC = 255
TOPIC: Final = r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*"
PATTERN: Final = r"([A-Za-z0-9_-]+|\*|#)(\.([A-Za-z0-9_-]+|\*|#))*"


def _topic(value: str) -> str:
    if len(value) > MAX_TOPIC or not re.fullmatch(TOPIC, value):
        raise ValueError(f"must be words of letters, digits, _ and - joined by dots, at most {MAX_TOPIC} characters")
    return value


def _pattern(value: str) -> str:
    if len(value) > MAX_TOPIC or not re.fullmatch(PATTERN, value):
        raise ValueError("must be words joined by dots, where * stands for one word and # for any number of words")
    return value


class DeclareExchange(NamedQueue, Effect):
    acl: QueueAcl | None = None


class GetExchange(NamedQueue): ...


class DeleteExchange(NamedQueue, Effect): ...


class BindQueue(NamedQueue, Effect):
    queue: QueueName
    pattern: Annotated[str, AfterValidator(_pattern)]


class PublishToTopic(NamedQueue, Effect):
    """priority, delay_seconds, expires_seconds as in PublishMessage."""

    topic: Annotated[str, AfterValidator(_topic)]
    body: Any
    priority: Priority | None = None
    delay_seconds: Delay = 0
    expires_seconds: int | None = Field(None, ge=1, le=DAYS_30)


class Binding(Message):
    """active: whoever bound it may still consume here and manage the queue. If not, nothing is delivered."""

    queue: str
    pattern: str
    active: bool


class ExchangeReply(Message):
    """bindings: those of queues that the caller may manage; all of them for those who may manage the exchange."""

    name: str
    bindings: list[Binding]


class Routed(Message):
    """routed: at least one queue was reached."""

    id: str
    routed: bool


_PUBLISH, _CONSUME, _MANAGE = claims.QUEUES_PUBLISH, claims.QUEUES_CONSUME, claims.QUEUES_MANAGE
OPERATIONS: Final = (
    Operation("exchanges.declare", DeclareExchange, ExchangeReply, _MANAGE, "Make or change an exchange"),
    Operation("exchanges.get", GetExchange, ExchangeReply, _CONSUME, "See what is bound to an exchange"),
    Operation("exchanges.delete", DeleteExchange, Nothing, _MANAGE, "Delete an exchange"),
    Operation("exchanges.bind", BindQueue, ExchangeReply, _MANAGE, "Let a queue have what is published to a topic"),
    Operation("exchanges.unbind", BindQueue, ExchangeReply, _MANAGE, "End that"),
    Operation("exchanges.publish", PublishToTopic, Routed, _PUBLISH, "Send a message to all queues bound to a topic"),
)
