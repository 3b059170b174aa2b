"""Audit events (append only) and traces (why something was refused). Leaves showing them to the pages and the command line."""

import logging
from collections.abc import Callable

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.log import event
from idp.domain.audit_event import AuditEvent, EventName, Trace
from idp.ports import Repository, StoreUnavailable

WINDOW_SECONDS = 60
STORED_IN_WINDOW = 300
# What a device hears every few seconds until the person has answered (RFC 8628 3.5) is no refusal to be explained.
ORDINARY = frozenset({"authorization_pending", "slow_down"})

_log = logging.getLogger("idp.audit")
_trace_log = logging.getLogger("idp.trace")


class Audit:
    def __init__(self, repo: Repository, clock: Clock) -> None:
        self._repo = repo
        self._clock = clock

    def record(self, name: EventName, /, *, actor: str, subject: str, **detail: str | None) -> None:
        """Never pass a secret."""
        made = self.event(name, actor=actor, subject=subject, **detail)
        self._repo.insert(made)
        self.stored(made)

    def event(self, name: EventName, /, *, actor: str, subject: str, **detail: str | None) -> AuditEvent:
        """The record alone, for who stores it together with what it tells of; then call `stored`."""
        now = self._clock()
        said = {key: value for key, value in detail.items() if value is not None}
        return AuditEvent(ids.ordered_id("ev", now), now, name, actor, subject, said)

    def stored(self, made: AuditEvent) -> None:
        """It stands in the log only when it stands in the store."""
        event(_log, made.name, actor=made.actor, subject=made.subject, **made.detail)


class Budget:
    """Of what this process stores because of what anybody may do: whoever does it on purpose must not fill the disk."""

    def __init__(self) -> None:
        self._window = 0
        self._taken = 0

    def take(self, now: float) -> bool:
        """False past the limit, until the next minute."""
        window = int(now // WINDOW_SECONDS)
        if window != self._window:
            self._window, self._taken = window, 0
        self._taken += 1
        return self._taken <= STORED_IN_WINDOW


class Traces:
    """keep(...) gives the short code that the person sees; `idp explain CODE` finds it again."""

    def __init__(self, repo: Repository, clock: Clock, days: int) -> None:
        self._repo = repo
        self._clock = clock
        self._seconds = days * 86_400.0
        self._budget = Budget()

    def keep(
        self, door: str, refused: Refused, *, besides: Callable[[str], object | None] = lambda _: None, **detail: str
    ) -> str:
        """The code; empty for an ordinary answer. besides: from the code, one more record to store together with the trace."""
        if refused.code in ORDINARY:
            return ""
        now = self._clock()
        code = ids.trace_code()
        event(
            _trace_log,
            "refused",
            trace=code,
            door=door,
            code=refused.code,
            status=refused.status,
            reason=refused.reason,
            **detail,
        )
        if not self._budget.take(now):  # it stands in the log only
            return code
        trace = Trace(code, now, door, refused.code, refused.reason[:2000], now + self._seconds, detail)
        record = besides(code)
        try:
            self._repo.insert_all(trace, *(() if record is None else (record,)))
        except StoreUnavailable:
            event(_trace_log, "trace_not_stored", logging.WARNING, trace=code)
        return code

    def explain(self, code: str) -> Trace | None:
        return self._repo.get(Trace, code.strip().upper())
