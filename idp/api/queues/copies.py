"""Owns that a message which was published with an idempotency key is given out as one message.

A publisher that asks again after a crash may put a second copy into the queue, under the same id; no broker forgets it for us. The
copy that is taken first is the message from then on, whatever becomes of it; every other one is a spare.
"""

from idp.api.brokers.contract import Envelope
from idp.api.document_store.contract import DocumentStore, DoneBefore, Memory
from idp.api.once import KEPT_SECONDS
from idp.base import ids
from idp.base.clock import Clock


class Copies:
    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def is_spare(self, place: str, message: Envelope) -> bool:
        """Asked whenever it is taken."""
        copy = message.more.get("copy")
        if copy is None:
            return False
        key, now = ids.digest(f"copy\n{place}\n{message.id}"), self._clock()
        known = self._store.recall(key, now)
        if known is None:
            # A copy can come as long as the publisher's key is remembered, and may then lie in the queue for a while.
            try:
                self._store.commit([], Memory(key, copy, "taken", now + 2 * KEPT_SECONDS, now))
            except DoneBefore:
                known = self._store.recall(key, now)
        return known is not None and known.request != copy
