"""How upstreams answered lately, for those who look after them. Never fails or delays a sign-in.

Leaves saying when an upstream failed to the pages that talk to it, and telling administrators to idp.cli and idp.web.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from idp.base.clock import Clock
from idp.domain.upstream import UpstreamHealth, UpstreamProvider
from idp.ports import Duplicate, Repository, StoreUnavailable

LATELY = 3600.0  # failures that lie further apart have nothing to do with one another
WRITE_SECONDS = 5.0  # an upstream that is down while hundreds try costs one write in this time, on each node
LOOK_SECONDS = 30.0  # how late a success may be noticed after a failure that another node saw
MAX_REASON = 300
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Trouble:
    """An upstream that failed lately. over: it has answered well since."""

    provider: UpstreamProvider
    health: UpstreamHealth

    @property
    def over(self) -> bool:
        worked_at = self.health.worked_at
        return worked_at is not None and worked_at >= self.health.failed_at


@dataclass(slots=True)
class _Seen:
    """What this process knows of one upstream. unwritten: failures that wait for the next write."""

    failing: bool = True
    unwritten: int = 0
    written_at: float = float("-inf")
    looked_at: float = float("-inf")


class UpstreamHealthBook:
    def __init__(self, repo: Repository, clock: Clock) -> None:
        self._repo = repo
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] = {}

    def failed(self, provider_id: str, reason: str) -> None:
        """An upstream did not answer, or its answer was of no use. reason: for administrators, without secrets."""
        now = self._clock()
        with self._lock:
            seen = self._seen.setdefault(provider_id, _Seen())
            first = not seen.failing
            seen.failing = True
            seen.unwritten += 1
            if not first and now - seen.written_at < WRITE_SECONDS:
                return
            seen.written_at = now
            count, seen.unwritten = seen.unwritten, 0
        self._write(provider_id, lambda found: _worse(found, provider_id, now, count, _plain(reason)))

    def worked(self, provider_id: str) -> None:
        """Costs nothing unless it failed before; now and then one look whether it did so on another node."""
        now = self._clock()
        with self._lock:
            seen = self._seen.setdefault(provider_id, _Seen())
            if not seen.failing and now - seen.looked_at < LOOK_SECONDS:
                return
            seen.failing, seen.looked_at = False, now
            count, seen.unwritten = seen.unwritten, 0
            # The next failure is told at once, so that nobody reads "it works" of an upstream that has just gone down.
            seen.written_at = float("-inf")
        self._write(provider_id, lambda found: _better(found, now, count))

    def lately(self, providers: Iterable[UpstreamProvider]) -> list[Trouble]:
        """Those of them that failed within the last hour, or still fail; what lasts first, the newest failure first."""
        now = self._clock()
        found = [Trouble(one, health) for one in providers if (health := self._repo.get(UpstreamHealth, one.id))]
        # One that was removed and added again under the same id has nothing of the other.
        mine = [one for one in found if one.health.failed_at >= one.provider.created_at]
        recent = [one for one in mine if now - one.health.failed_at < LATELY]
        return sorted(recent, key=lambda one: (one.over, -one.health.failed_at))

    def _write(self, provider_id: str, change: Callable[[UpstreamHealth | None], UpstreamHealth | None]) -> None:
        with suppress(StoreUnavailable):
            for _ in range(_TRIES):
                found = self._repo.get(UpstreamHealth, provider_id)
                wanted = change(found)
                if wanted is None or self._stored(wanted, new=found is None):
                    return

    def _stored(self, record: UpstreamHealth, *, new: bool) -> bool:
        if not new:
            return self._repo.replace_if(record) is not None
        try:
            self._repo.insert(record)
        except Duplicate:  # another node was faster
            return False
        return True


def _worse(found: UpstreamHealth | None, provider_id: str, now: float, count: int, reason: str) -> UpstreamHealth:
    if found is None:
        return UpstreamHealth(provider_id, since=now, failures=count, failed_at=now, reason=reason)
    if now - found.failed_at >= LATELY:
        return replace(found, since=now, failures=count, failed_at=now, reason=reason)
    return replace(found, failures=found.failures + count, failed_at=now, reason=reason)


def _better(found: UpstreamHealth | None, now: float, count: int) -> UpstreamHealth | None:
    if found is None or (found.worked_at is not None and found.worked_at >= found.failed_at):
        return None
    return replace(found, failures=found.failures + count, worked_at=now)


def _plain(reason: str) -> str:
    """It may hold what a stranger wrote."""
    return "".join(c if c.isprintable() else "?" for c in reason[:MAX_REASON])
