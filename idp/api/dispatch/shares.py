"""Owns the fair shares of a process: how many requests of one caller are under way at once, and who of its own waits for that.

Whoever sends more waits behind itself, not before others. Low ones have a share of their own, so that they do not stand
in the way of the caller's other requests.
"""

import heapq
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from idp.api.dispatch.priority import RANKS
from idp.base.errors import Refused

LINE: Final = 8  # requests of one caller that wait here, beside its shares: each holds a thread


@dataclass(slots=True)
class _Lane:
    running: int = 0
    waiting: list[tuple[int, int, threading.Event]] = field(default_factory=list)


class Shares:
    """threads: of one process that execute. Safe to share between threads."""

    def __init__(self, threads: int) -> None:
        self._usual, self._low = max(1, threads // 2), max(1, threads // 4)
        self._lanes: dict[tuple[str, bool], _Lane] = {}
        self._lock = threading.Lock()
        self._tickets = 0

    @contextmanager
    def turn(self, who: str, rank: int, seconds: float) -> Iterator[None]:
        """Waits for it. Raises Refused 429 too_many_waiting."""
        key = (who, rank == RANKS["low"])
        ticket = self._enter(key, rank)
        if ticket and not ticket[2].wait(seconds) and self._gave_up(key, ticket):
            raise _too_many()
        try:
            yield
        finally:
            self._leave(key)

    def _enter(self, key: tuple[str, bool], rank: int) -> tuple[int, int, threading.Event] | None:
        who, low = key
        with self._lock:
            lane = self._lanes.setdefault(key, _Lane())
            if lane.running < (self._low if low else self._usual):
                lane.running += 1
                return None
            other = self._lanes.get((who, not low))
            if len(lane.waiting) + (len(other.waiting) if other else 0) >= LINE:
                raise _too_many()
            self._tickets += 1
            ticket = (-rank, self._tickets, threading.Event())
            heapq.heappush(lane.waiting, ticket)
            return ticket

    def _gave_up(self, key: tuple[str, bool], ticket: tuple[int, int, threading.Event]) -> bool:
        """False when its turn has come in this very moment."""
        with self._lock:
            if ticket[2].is_set():
                return False
            waiting = self._lanes[key].waiting
            waiting.remove(ticket)
            heapq.heapify(waiting)
            return True

    def _leave(self, key: tuple[str, bool]) -> None:
        with self._lock:
            lane = self._lanes[key]
            if lane.waiting:
                heapq.heappop(lane.waiting)[2].set()  # its place goes to the next one
                return
            lane.running -= 1
            if not lane.running:
                del self._lanes[key]


def _too_many() -> Refused:
    message = f"More than {LINE} of your requests wait here already. Wait for answers before you send more."
    return Refused("too_many_waiting", message, status=429, detail={"limit": LINE}, headers={"Retry-After": "1"})
