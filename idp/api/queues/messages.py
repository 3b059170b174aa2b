"""Owns what a message is made of when it is sent, and what of it is shown to whom."""

import secrets
from collections.abc import Mapping
from typing import Any

from idp.api.brokers.contract import Delivery, Envelope
from idp.api.caller import Caller
from idp.api.commands import queues as commands
from idp.api.commands.exchanges import PublishToTopic
from idp.api.commands.queues import QueueSettings
from idp.api.times import timestamp


def envelope(
    caller: Caller,
    asked: commands.PublishMessage | PublishToTopic,
    settings: QueueSettings,
    id: str,
    priority: int,
    now: float,
    more: Mapping[str, Any],
) -> Envelope:
    """copy: tells what is published with a key from a second copy, made after a crash."""
    lasts = asked.expires_seconds or settings.expires_seconds
    start = now + asked.delay_seconds if asked.delay_seconds else 0.0
    expires = max(start, now) + lasts if lasts else None
    if asked.idempotency_key:
        more = {**more, "copy": secrets.token_hex(8)}
    return Envelope(
        id,
        asked.body,
        priority,
        caller.subject,
        caller.client_id,
        timestamp(now),
        not_before=start,
        expires_at=expires,
        more=more,
    )


def seen(e: Envelope) -> commands.Seen:
    return commands.Seen(**_seen(e))


def taken(delivery: Delivery, token: str | None) -> commands.Taken:
    until = timestamp(delivery.leased_until)
    return commands.Taken(**_seen(delivery.envelope), receipt=delivery.receipt, leased_until=until, token=token)


def _seen(e: Envelope) -> dict[str, Any]:
    """What was handed over with it is not among it."""
    dead = commands.DeadLetter(reason=e.dead_reason, at=e.dead_at or "") if e.dead_reason is not None else None
    return {
        "id": e.id,
        "body": e.body,
        "priority": e.priority,
        "sent_by": commands.Sender(subject=e.subject, client_id=e.client_id),
        "published_at": e.published_at,
        "deliveries": e.deliveries,
        "not_before": timestamp(e.not_before) if e.not_before else None,
        "expires_at": None if e.expires_at is None else timestamp(e.expires_at),
        "exchange": e.more.get("exchange"),
        "topic": e.more.get("topic"),
        "wants_reply": "reply" in e.more,
        "dead_letter": dead,
    }
