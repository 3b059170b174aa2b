"""How many requests may wait at a time for servers that apps name: slow ones must not keep every thread from everybody.

Leaves asking them to idp.base.net.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from idp.base.errors import Refused


class Places:
    """Safe to share between threads."""

    def __init__(self, number: int) -> None:
        self._free = threading.BoundedSemaphore(max(1, number))

    @contextmanager
    def taken(self) -> Iterator[None]:
        """One of them for as long as it takes. Nobody stands in line, as that would take the next thread.

        Raises Refused(temporarily_unavailable) when there is none.
        """
        if not self._free.acquire(blocking=False):
            raise Refused(
                "temporarily_unavailable",
                "Too many requests wait for the servers of apps just now. Try again in a moment.",
                status=503,
                reason="every place for waiting for servers that apps name is taken",
                headers={"Retry-After": "1"},
            )
        try:
            yield
        finally:
            self._free.release()
