"""Owns answers to messages: a slot for each message whose sender waits. Only the holder of that message fills it, only whoever
asked empties it. A slot is a document of a collection that no client can name, and expires.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from idp.api.brokers.contract import Envelope
from idp.api.caller import Caller
from idp.api.commands.queues import Reply, Sender
from idp.api.document_store.contract import Document, DocumentStore, Duplicate, Write, insert
from idp.api.queues.declarations import changed, holder_of
from idp.api.queues.waiting import WaitingRoom
from idp.api.times import timestamp
from idp.base.clock import Clock
from idp.base.errors import Refused

SYSTEM = "sys.replies"
POLL_SECONDS = 0.05


class Replies:
    def __init__(
        self, store: DocumentStore, room: WaitingRoom, clock: Clock, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._store = store
        self._room = room
        self._clock = clock
        self._sleep = sleep

    def expect(self, caller: Caller, place: str, id: str, now: float, seconds: int) -> None:
        """Before the message is sent; sent a second time, it has its slot already."""
        at, by = timestamp(now), caller.name
        data = {"asker": holder_of(caller), "place": place, "reply": None}
        try:
            insert(self._store, Document(SYSTEM, id, 1, at, by, at, by, None, data, expires_at=now + seconds))
        except Duplicate:
            return

    def written(self, caller: Caller, message: Envelope, body: Any, now: float) -> list[Write]:
        """By whoever holds the message."""
        slot = self._store.get(SYSTEM, message.id, now) if "reply" in message.more else None
        if slot is None:
            raise Refused("nobody_waits", "Nobody waits for a reply to this message, or not any more.", status=409)
        if slot.data["reply"] is not None:
            raise Refused("replied_already", "This message has its reply.", status=409)
        by = Sender(subject=caller.subject, client_id=caller.client_id)
        reply = Reply(body=body, sent_by=by, at=timestamp(now)).model_dump_json()
        return changed(caller, replace(slot, data={**slot.data, "reply": reply}), now)[0]

    def fetch(self, caller: Caller, place: str, id: str, seconds: float) -> Reply | None:
        """Waits up to so many seconds. None: not yet."""
        reply = self._fetched(caller, place, id)
        with self._room.seat(seconds) as allowed:
            for _ in range(int(allowed / POLL_SECONDS)):
                if reply is not None:
                    break
                self._sleep(POLL_SECONDS)
                reply = self._fetched(caller, place, id)
                if reply is not None:
                    caller.require_still()
        return reply

    def _fetched(self, caller: Caller, place: str, id: str) -> Reply | None:
        slot = self._store.get(SYSTEM, id, self._clock())
        if slot is None or (slot.data["asker"], slot.data["place"]) != (holder_of(caller), place):
            message = "You did not ask for a reply to such a message, or the time for it is over."
            raise Refused("unknown_reply", message, status=404)
        return None if slot.data["reply"] is None else Reply(**json.loads(slot.data["reply"]))
