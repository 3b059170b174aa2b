"""Owns how a taker waits: who listens to which queue, and a take that tries again when the queue rings.

When a queue rings is left to each broker.
"""

import logging
import threading
import time
from collections.abc import Callable

from idp.api.brokers.contract import Delivery, Want
from idp.base.log import event

logger = logging.getLogger("idp.api.brokers")

Wake = Callable[[], None]


class Listeners:
    def __init__(self) -> None:
        self._wakes: dict[str, list[Wake]] = {}
        self._lock = threading.Lock()

    def add(self, queue: str, wake: Wake) -> None:
        with self._lock:
            self._wakes.setdefault(queue, []).append(wake)

    def remove(self, queue: str, wake: Wake) -> bool:
        """Whether nobody listens to this queue any more. Harmless when it was removed already."""
        with self._lock:
            wakes = self._wakes.get(queue, [])
            if wake in wakes:
                wakes.remove(wake)
            if not wakes:
                self._wakes.pop(queue, None)
            return not wakes

    def queues(self) -> list[str]:
        with self._lock:
            return list(self._wakes)

    def ring(self, queue: str) -> None:
        with self._lock:
            wakes = list(self._wakes.get(queue, ()))
        for wake in wakes:
            try:
                wake()
            except Exception as error:  # noqa: BLE001  (one listener's fault must not fail a publish or silence the others)
                event(logger, "wake_failed", logging.WARNING, error=type(error).__name__)


def take_waiting(
    want: Want, take: Callable[[Want], Delivery | None], listen: Callable[[str, Wake], Wake]
) -> Delivery | None:
    """Blocks the calling thread for at most want.wait_seconds. `take`, `listen`: the broker's, without waiting."""
    found = take(want)
    if found or want.wait_seconds <= 0:
        return found
    deadline = time.monotonic() + want.wait_seconds
    rung = threading.Event()
    stop = listen(want.queue, rung.set)
    try:
        while True:
            rung.clear()  # before the look, so that what comes after it rings
            found = take(want)
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            rung.wait(left)
    finally:
        stop()
