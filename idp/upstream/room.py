"""Owns how many requests may wait at a time for one upstream, so that a slow one keeps threads free for the others.

Leaves time-outs to idp.base.net, and which requests get a thread of the waiting room to idp.cli.bridge.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from idp.base.errors import Refused

ALWAYS = 8  # so many may wait for one upstream, however slow it is
MOST = 24  # so many while it answers within PATIENCE_SECONDS: many people may come at once
PATIENCE_SECONDS = 1.0


class Room:
    """Safe to share between threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = monotonic
        self._lock = threading.Lock()
        self._waiting: dict[str, dict[object, float]] = {}  # provider id -> who waits, since when

    @contextmanager
    def place(self, provider_id: str) -> Iterator[None]:
        """For as long as the upstream is asked. Nobody stands in line, as that would take the next thread.

        Raises Refused(upstream_busy): nothing was used up, the same request may come again.
        """
        me = object()
        with self._lock:
            waiting = self._waiting.setdefault(provider_id, {})
            self._check(provider_id, waiting)
            waiting[me] = self._now()
        try:
            yield
        finally:
            with self._lock:
                del waiting[me]

    def _check(self, provider_id: str, waiting: dict[object, float]) -> None:
        if len(waiting) < ALWAYS:
            return
        longest = self._now() - next(iter(waiting.values()))
        if len(waiting) < MOST and longest < PATIENCE_SECONDS:
            return
        raise Refused(
            "upstream_busy",
            "This way to sign in answers slowly just now. Try again in a moment, or choose another one.",
            status=503,
            reason=f"{len(waiting)} requests wait for {provider_id}, the first one for {longest:.1f} s",
            headers={"Retry-After": "2"},
        )
