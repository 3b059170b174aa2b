"""Owns how many requests of this process may wait at once: each holds a thread that others need."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class WaitingRoom:
    def __init__(self, seats: int) -> None:
        self._seats = threading.BoundedSemaphore(seats)

    @contextmanager
    def seat(self, seconds: float) -> Iterator[float]:
        """How long the caller may wait: `seconds`, or not at all when every seat is taken."""
        if seconds <= 0 or not self._seats.acquire(blocking=False):
            yield 0.0
            return
        try:
            yield seconds
        finally:
            self._seats.release()
