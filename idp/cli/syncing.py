"""Answers that wait until what they tell of is on the disk: one sync for all of them that are ready meanwhile.

Owns when the next sync is. Leaves the sync itself to the store, and what is answered to idp.cli.bridge.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from idp.ports import SyncLater


class Syncing:
    """Of one event loop. The disk works in a thread of its own, so the loop goes on with other requests."""

    def __init__(self, store: "SyncLater") -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sync")
        self._waiting: list[asyncio.Future[None]] = []
        self._begun = False

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
        import os
        if os.environ.get("INLINE"):
            self._store.sync()
            for one in waiting:
                one.set_result(None)
            self._begun = False
            return
        synced = loop.run_in_executor(self._thread, self._store.sync)
        synced.add_done_callback(partial(self._tell, waiting, loop))

    def _tell(
        self, waiting: list[asyncio.Future[None]], loop: asyncio.AbstractEventLoop, synced: asyncio.Future[None]
    ) -> None:
        error = synced.exception()
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
