"""Owns what a broker must do: keep messages, give each to one taker at a time for a lease. Rights are queues.py's.

The promise, the same on every broker: what `publish` has returned for is durable; of the messages that are ready the one
with the highest priority is given, within it the one that has been ready longest; a message whose lease ends without an
answer returns, behind those that wait; at least once. A message ends acked or as a dead letter, never without a trace.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from idp.base.errors import Refused

MAX_TAKEN = 100
# Renewals end here: RabbitMQ takes back, with everything else that is held, what nobody has acked for half an hour.
MAX_HELD_SECONDS = 1500


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it is kept. published_at: RFC 3339. not_before, expires_at: epoch seconds; at expires_at a message that
    is still waiting becomes a dead letter. deliveries: how often it was given. dead_reason, dead_at: set on a dead letter.
    more: what queues.py keeps beside the body; no broker looks into it."""

    id: str
    body: Any = field(repr=False)
    priority: int
    subject: str
    client_id: str
    published_at: str
    dead_reason: str | None = None
    dead_at: str | None = None
    not_before: float = 0.0
    expires_at: float | None = None
    deliveries: int = 0
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def pack(self) -> bytes:
        # asdict would copy the whole body first.
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, separators=(",", ":")).encode()

    @classmethod
    def unpack(cls, raw: bytes, deliveries: int | None = None) -> Self:
        """deliveries: for a broker that counts beside the envelope. Raises ValueError or TypeError when somebody else put it
        there."""
        members = json.loads(raw.decode())  # of bytes it would guess the encoding first
        found = cls(**members if deliveries is None else {**members, "deliveries": deliveries})
        if not found._sound():
            raise ValueError("not an envelope")
        return found

    def _sound(self) -> bool:
        texts = (self.id, self.subject, self.client_id, self.published_at, self.dead_reason or "", self.dead_at or "")
        return (
            all(isinstance(text, str) for text in texts)
            and all(type(number) is int for number in (self.priority, self.deliveries))
            and 0 <= self.priority <= 9
            and all(type(time) in (int, float) for time in (self.not_before, self.expires_at or 0))
            and isinstance(self.more, dict)
        )

    def expired(self, now: float) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def dead(self, reason: str, at: str) -> "Envelope":
        return replace(self, dead_reason=reason, dead_at=at, not_before=0.0)

    def revived(self) -> "Envelope":
        """A dead letter as a message again, as if it had never been given. It does not expire a second time."""
        return replace(self, dead_reason=None, dead_at=None, not_before=0.0, expires_at=None, deliveries=0)


@dataclass(frozen=True, slots=True)
class Delivery:
    """receipt: secret of the taker. leased_until: epoch seconds."""

    envelope: Envelope
    receipt: str = field(repr=False)
    leased_until: float

    @property
    def deliveries(self) -> int:
        """How often it was given, 1 the first time."""
        return self.envelope.deliveries


@dataclass(frozen=True, slots=True)
class Counts:
    """ready: can be taken now. delayed: not before a later time. taken: somebody holds it. dead: dead letters that wait."""

    ready: int
    dead: int
    delayed: int = 0
    taken: int = 0


@dataclass(frozen=True, slots=True)
class Want:
    """What a taker asks for. holder: who it is; only the holder can settle. dead: from the dead letters. wait_seconds: how
    long to wait for a message."""

    queue: str
    holder: str
    lease_seconds: int
    max_deliveries: int
    dead: bool = False
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Hold:
    """What a taker shows to settle a message: where it was taken, its receipt, who holds it."""

    queue: str
    receipt: str = field(repr=False)
    holder: str


class Broker(Protocol):
    """Every verb raises Refused 503 when the broker does not answer in time; it may then have happened."""

    def declare(self, queue: str) -> None:
        """Make the queue if it is not there."""

    def delete(self, queue: str) -> None:
        """Forget the queue and everything in it, also what is taken and what is dead."""

    def publish(self, messages: Sequence[tuple[str, Envelope]]) -> None:
        """(queue, envelope) of each. Returns when all of them are durable; one wait for all."""

    def take(self, want: Want) -> Delivery | None:
        """None when nothing is ready. A message given max_deliveries times already becomes a dead letter instead, as does
        one that has expired. Raises Refused 429 too_many_taken."""

    def held(self, hold: Hold) -> Delivery | None:
        """What the receipt stands for. None when this holder does not hold it (any more), here and below."""

    def renew(self, hold: Hold, lease_seconds: int) -> float | None:
        """The lease ends so many seconds from now instead, at the latest MAX_HELD_SECONDS after the take. When it ends, epoch
        seconds."""

    def ack(self, hold: Hold) -> bool:
        """Forget the message. False when this holder does not hold it (any more)."""

    def requeue(self, hold: Hold, delay_seconds: float = 0.0) -> bool:
        """Back to where it was taken from, behind those that wait, and not before the delay is over."""

    def bury(self, hold: Hold, reason: str) -> bool:
        """To the dead letters."""

    def peek(self, queue: str, limit: int, dead: bool = False) -> Sequence[Envelope]:
        """The messages that would be given next, in their order. They stay; on RabbitMQ nobody gets them meanwhile."""

    def purge(self, queue: str, dead: bool = False) -> int:
        """Forget all messages that are ready or delayed, or all dead letters; how many. What is taken stays."""

    def redrive(self, queue: str, limit: int) -> int:
        """So many dead letters become messages again, the oldest first; how many did."""

    def count(self, queue: str) -> Counts: ...

    def listen(self, queue: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake`, from a thread of the broker, whenever a message may have become ready, until the function that is
        returned is called. It says nothing about who will get it."""

    def ready(self) -> None: ...

    def close(self) -> None: ...


def worn_out(max_deliveries: int) -> str:
    return f"given {max_deliveries} times without an ack"


EXPIRED = "expired"


def too_many_taken() -> Refused:
    return Refused("too_many_taken", f"Ack or reject some of the {MAX_TAKEN} messages you hold first.", status=429)
