"""Owns what a broker must do: keep messages, give each to one taker at a time for a lease. Rights are queues.py's.

The promise, the same on every broker: what `publish` has returned for is durable; of the messages that are ready the one
with the highest priority is given, the oldest first; a message whose lease ends without an answer returns; at least once.
"""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, Self

from idp.base.errors import Refused

MAX_TAKEN = 100


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it is kept. published_at: RFC 3339. dead_reason, dead_at: set on a dead letter."""

    id: str
    body: Any
    priority: int
    subject: str
    client_id: str
    published_at: str
    dead_reason: str | None = None
    dead_at: str | None = None

    def pack(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def unpack(cls, raw: bytes) -> Self:
        """Raises ValueError or TypeError when somebody else put it there."""
        found = cls(**json.loads(raw))
        if not all(isinstance(text, str) for text in (found.id, found.subject, found.client_id, found.published_at)):
            raise ValueError("not an envelope")
        return found

    def dead(self, reason: str, at: str) -> "Envelope":
        return replace(self, dead_reason=reason, dead_at=at)


@dataclass(frozen=True, slots=True)
class Delivery:
    """receipt: secret of the taker. deliveries: how often it was given, 1 the first time. leased_until: epoch seconds."""

    envelope: Envelope
    receipt: str
    deliveries: int
    leased_until: float


@dataclass(frozen=True, slots=True)
class Counts:
    ready: int
    dead: int


@dataclass(frozen=True, slots=True)
class Want:
    """What a taker asks for. holder: who it is; only the holder can ack or reject. dead: from the dead letters."""

    queue: str
    holder: str
    lease_seconds: int
    max_deliveries: int
    dead: bool = False


class Broker(Protocol):
    """Every verb raises Refused 503 when the broker does not answer in time."""

    def declare(self, queue: str) -> None:
        """Make the queue if it is not there."""

    def publish(self, queue: str, envelope: Envelope) -> None: ...

    def take(self, want: Want) -> Delivery | None:
        """None when nothing is ready. A message given max_deliveries times already becomes a dead letter instead.
        Raises Refused 429 too_many_taken."""

    def ack(self, queue: str, receipt: str, holder: str) -> bool:
        """Forget the message. False when this holder does not hold it (any more)."""

    def reject(self, queue: str, receipt: str, holder: str, dead_reason: str | None) -> bool:
        """Without a reason back to where it was taken from, with one to the dead letters. False as for ack."""

    def count(self, queue: str) -> Counts: ...

    def ready(self) -> None: ...

    def close(self) -> None: ...


def worn_out(max_deliveries: int) -> str:
    return f"given {max_deliveries} times without an ack"


def too_many_taken() -> Refused:
    return Refused("too_many_taken", f"Ack or reject some of the {MAX_TAKEN} messages you hold first.", status=429)
