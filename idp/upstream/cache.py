"""Owns a value that is fetched, kept for a while, and fetched by one thread at a time. Leaves fetching to the caller."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from idp.base.clock import Clock
from idp.base.errors import Refused

T = TypeVar("T")

KEEP_SECONDS = 600.0
PAUSE_SECONDS = 5.0  # after a failure: whoever comes next is refused at once and does not hold a thread
FORCED_IN_A_MINUTE = 5


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
    value: T
    at: float


class Cached(Generic[T]):
    """An expired value is never used, even when the upstream is down: a key that it has withdrawn must not live on here,
    and without its token endpoint nobody can sign in anyway."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Held[T] | None = None
        self._failed: tuple[float, Refused] | None = None
        self._forced: deque[float] = deque(maxlen=FORCED_IN_A_MINUTE)

    def get(self, fetch: Callable[[], T]) -> Held[T]:
        """The kept value, or a fresh one. Raises what fetch raises: Refused."""
        held = self._held
        if held is not None and self._is_fresh(held):
            return held
        with self._lock:
            if self._held is not None and self._is_fresh(self._held):
                return self._held
            if self._failed is not None and 0 <= self._clock() - self._failed[0] < PAUSE_SECONDS:
                raise self._again(self._failed[1])
            return self._fetch(fetch)

    def newer_than(self, seen: Held[T], fetch: Callable[[], T]) -> Held[T]:
        """Fetch before the time is up, because `seen` does not do. Gives `seen` itself when that was done too often: nobody
        can make us hammer an upstream with made-up key ids."""
        with self._lock:
            if self._held is not None and self._held is not seen:
                return self._held
            now = self._clock()
            if len(self._forced) == FORCED_IN_A_MINUTE and 0 <= now - self._forced[0] < 60:
                return seen
            self._forced.append(now)
            return self._fetch(fetch)

    def _fetch(self, fetch: Callable[[], T]) -> Held[T]:
        try:
            value = fetch()
        except Refused as refused:
            self._failed = (self._clock(), refused)
            raise
        self._failed = None
        self._held = Held(value, self._clock())
        return self._held

    def _is_fresh(self, held: Held[T]) -> bool:
        return 0 <= self._clock() - held.at < KEEP_SECONDS

    @staticmethod
    def _again(refused: Refused) -> Refused:
        """A new exception: one that is raised twice, by two threads, would mix their tracebacks."""
        return Refused(refused.code, refused.message, status=refused.status, reason=f"{refused.reason} (a moment ago)")
