"""Answers that wait until what they tell of is on the disk: one sync for all of them that are ready meanwhile.

Owns when the next sync is. Leaves the sync itself to the store, and what is answered to idp.cli.bridge.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from idp.ports import StoreUnavailable, SyncLater

QUICK = 0.001  # seconds; below it changing to a thread and back costs more than waiting


class Syncing:
    """Of one event loop. A disk that takes its time does so in a thread, and the loop goes on with other requests."""

    def __init__(self, store: SyncLater) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sync")
        self._waiting: list[asyncio.Future[None]] = []
        self._begun = False
        self._took = 1.0

    async def done(self) -> None:
        """Returns when all that was written before the call is durable. Raises StoreUnavailable."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[None] = loop.create_future()
        self._waiting.append(mine)
        if not self._begun:
            self._begun = True
            loop.call_soon(self._begin, loop)  # not before the others that are ready in this round
        await mine

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        if self._took < QUICK:
            self._tell(waiting, loop, self._sync())
            return
        synced = loop.run_in_executor(self._thread, self._sync)
        synced.add_done_callback(lambda synced: self._tell(waiting, loop, synced.result()))

    def _sync(self) -> StoreUnavailable | None:
        begun = time.perf_counter()
        try:
            self._store.sync()
        except StoreUnavailable as error:
            return error
        finally:
            self._took = time.perf_counter() - begun
        return None

    def _tell(
        self,
        waiting: list[asyncio.Future[None]],
        loop: asyncio.AbstractEventLoop,
        error: StoreUnavailable | None,
    ) -> None:
        for one in waiting:
            if one.done():  # its request was cancelled
                continue
            if error is None:
                one.set_result(None)
            else:
                one.set_exception(error)
        self._begun = bool(self._waiting)
        if self._begun:
            self._begin(loop)
