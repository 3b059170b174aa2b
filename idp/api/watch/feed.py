"""Owns the one reader of the store's feed in this process, and the last lines of it for everybody who watches.

Who may see a line is decided in changes.py. A watcher that is behind these lines reads the store itself, at its own pace.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from idp.api.document_store.contract import DocumentStore, Past, PositionLost
from idp.api.problems import unavailable
from idp.base.errors import Refused
from idp.base.log import event

logger = logging.getLogger("idp.api.watch")

KEPT_LINES: Final = 2000
BATCH: Final = 200
WAIT_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 1.0


class Feed:
    """Everything but the reading is on the event loop. A thread reads."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self._lines: deque[Past] = deque()
        self._number: dict[str, int] = {}  # of each position that is known, in the order of the feed
        self._next = 0
        self._waiting: dict[str | None, set[asyncio.Future[str | Refused]]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.end: str | None = None

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._read, args=(loop,), name="feed", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def behind(self, position: str) -> list[Past] | None:
        """The lines behind a position, without their deltas; None when it is not among those that are kept."""
        number = self._number.get(position)
        if number is None:
            return None
        return list(islice(self._lines, number + 1 - (self._next - len(self._lines)), None))

    async def arrival(self, collection: str | None, seconds: float) -> str | None:
        """Waits for the next line of a collection (None: of any), and gives the position just before it; None when it stayed
        quiet. Raises Refused when the store does not answer, or cannot say what came."""
        future: asyncio.Future[str | Refused] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(collection, set()).add(future)
        try:
            # Not a time-out around the wait: what comes at its last moment would be lost with it.
            await asyncio.wait([future], timeout=seconds)
        finally:
            self._leave(collection, future)
        if not future.done():
            return None
        found = future.result()
        if isinstance(found, Refused):
            raise found
        return found

    def _leave(self, collection: str | None, future: "asyncio.Future[str | Refused]") -> None:
        if waiting := self._waiting.get(collection):
            waiting.discard(future)
            if not waiting:
                del self._waiting[collection]

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        position: str | None = None
        while not self._stop.is_set():
            try:
                if position is None:
                    position = self._store.position()
                    self._call(loop, self._begin, position)
                if lines := self._store.feed(position, BATCH, WAIT_SECONDS):
                    position = lines[-1].position
                    self._call(loop, self._arrived, [replace(line, delta={}, seals=frozenset()) for line in lines])
            except PositionLost:
                position = None
                self._call(loop, self._fail, position_lost())
            except Refused as refused:
                self._call(loop, self._fail, refused)
                self._stop.wait(RETRY_SECONDS)
            except Exception:
                # Without a reader nobody would be told of anything: it goes on, and whoever watches is told that it failed.
                logger.exception("fault in the reader of the feed")
                self._call(loop, self._fail, unavailable("store", "the feed cannot be read"))
                self._stop.wait(RETRY_SECONDS)

    def _call(self, loop: asyncio.AbstractEventLoop, function: object, argument: object) -> None:
        try:
            loop.call_soon_threadsafe(function, argument)  # type: ignore[arg-type]
        except RuntimeError:  # the loop has ended
            self._stop.set()

    def _begin(self, position: str) -> None:
        self._lines.clear()
        self._number.clear()
        self._number[position] = self._next - 1
        self.end = position
        self._wake(None, position)

    def _arrived(self, lines: Sequence[Past]) -> None:
        before, self.end = self.end or "", lines[-1].position
        for line in lines:
            self._number[line.position] = self._next
            self._next += 1
            self._lines.append(line)
        while len(self._number) > KEPT_LINES:
            del self._number[next(iter(self._number))]
        while len(self._lines) > KEPT_LINES:
            self._lines.popleft()
        for collection in {line.collection for line in lines} | {None}:
            self._wake(collection, before)

    def _wake(self, collection: str | None, found: str | Refused) -> None:
        for future in self._waiting.pop(collection, ()):
            if not future.done():
                future.set_result(found)

    def _fail(self, refused: Refused) -> None:
        event(logger, "feed_broken", logging.WARNING, code=refused.code, reason=refused.reason)
        for collection in list(self._waiting):
            self._wake(collection, refused)


def position_lost() -> Refused:
    message = "What came since then is not known any more. Read what you need anew, and watch without `after`."
    return Refused("position_lost", message, status=410)
