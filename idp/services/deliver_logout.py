"""Hands logout notes to apps until they take them: claimed in the store, tried, tried again later (Back-Channel Logout 1.0).

A note survives this process: whoever finds it due goes on with it. Leaves the token and the request to the OIDC door.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from idp.base.clock import Clock
from idp.base.log import event
from idp.domain.grant import LogoutDelivery
from idp.ports import Repository, StoreUnavailable
from idp.services.record_audit import Audit

DELAYS = (5.0, 30.0, 120.0, 600.0)  # after the first, second … try
LONGEST_DELAY = 1800.0
REFUSED_TRIES = 3  # an app that says no may have had a bad moment, but does not change its mind for ever
REMEMBER_SECONDS = 3600.0  # how it came out, for those who look
LOOK_SECONDS = 2.0
LOOK_SHARE = 20  # looking for notes takes no more than a twentieth of the time, however many wait
MANY = 100_000
THREADS = 16
AT_ONCE_PER_APP = 2  # an app that does not answer must not keep the others waiting

_log = logging.getLogger("idp.logout")


class NotTold(Exception):  # noqa: N818
    """The app did not take the note; `reason` holds no secret. refused: it answered, and said no. gone: there is nobody to
    tell any more."""

    def __init__(self, reason: str, *, refused: bool = False, gone: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused
        self.gone = gone


class DeliverLogout:
    """tell: hands one note over within try_seconds, or raises NotTold."""

    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        audit: Audit,
        tell: Callable[[LogoutDelivery], None],
        *,
        try_seconds: float = 5.0,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._tell = tell
        # Nobody else takes the note meanwhile. If this process dies at it, somebody does then.
        self._lease = try_seconds + 10.0
        self._ready = threading.Condition()
        self._todo: dict[str, deque[LogoutDelivery]] = {}  # by app, the one whose turn it is first
        self._known: set[str] = set()
        self._busy: Counter[str] = Counter()
        self._threads = self._idle = 0

    # ---------------------------------------------------------------- one note

    def run_due(self) -> int:
        """Try all that are due, one after the other, right here. Gives their number."""
        due = self._due()
        for delivery in due:
            self.attempt(delivery)
        return len(due)

    def attempt(self, delivery: LogoutDelivery) -> None:
        """One try, unless somebody else is at it or it is done."""
        now = self._clock()
        claimed = self._repo.replace_if(replace(delivery, attempts=delivery.attempts + 1, next_at=now + self._lease))
        if claimed is None:
            return
        try:
            self._tell(claimed)
        except NotTold as error:
            self._not_told(claimed, error)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  (whatever it is, the other notes must go out)
            _log.exception("fault while telling %s", claimed.client_id)
            self._not_told(claimed, NotTold(f"a fault of ours ({type(error).__name__})"))
        else:
            self._settle(claimed, reached=True)

    def _not_told(self, delivery: LogoutDelivery, error: NotTold) -> None:
        tries, now = delivery.attempts, self._clock()
        delay = DELAYS[tries - 1] if tries <= len(DELAYS) else LONGEST_DELAY
        enough = error.gone or (error.refused and tries >= REFUSED_TRIES) or now + delay >= delivery.expires_at
        delivery = replace(delivery, problem=error.reason[:300])
        if enough:
            self._settle(delivery, reached=False)
            return
        self._repo.replace_if(replace(delivery, next_at=now + delay))
        event(
            _log,
            "logout_not_told",
            logging.WARNING,
            app=delivery.client_id,
            sid=delivery.sid,
            tries=tries,
            again_in=delay,
            why=delivery.problem,
        )

    def _settle(self, delivery: LogoutDelivery, *, reached: bool) -> None:
        done = replace(
            delivery,
            state="reached" if reached else "failed",
            problem="" if reached else delivery.problem,
            expires_at=self._clock() + REMEMBER_SECONDS,
        )
        if self._repo.replace_if(done) is None:
            return
        self._audit.record(
            "logout.told" if reached else "logout.failed",
            actor=done.client_id,
            subject=done.user_id,
            sid=done.sid,
            tries=str(done.attempts),
            why=done.problem or None,
        )

    def _due(self) -> list[LogoutDelivery]:
        """The longest due first."""
        now = self._clock()
        waiting = self._repo.find(LogoutDelivery, limit=MANY, state="waiting")
        return sorted((one for one in waiting if one.next_at <= now), key=lambda one: one.next_at)

    # ---------------------------------------------------------------- for ever

    def start(self) -> None:
        """From now on this process delivers, in threads of its own."""
        threading.Thread(target=self._look_for_ever, name="logout", daemon=True).start()

    def _look_for_ever(self) -> None:
        while True:
            began = time.monotonic()
            with _carrying_on():
                self.take(self._due())
            time.sleep(max(LOOK_SECONDS, LOOK_SHARE * (time.monotonic() - began)))

    def take(self, deliveries: Iterable[LogoutDelivery]) -> None:
        """See to these, as soon as a thread is free."""
        with self._ready:
            for delivery in deliveries:
                if delivery.id not in self._known:
                    self._known.add(delivery.id)
                    self._todo.setdefault(delivery.client_id, deque()).append(delivery)
            wanted = sum(len(waiting) for waiting in self._todo.values()) - self._idle
            for _ in range(min(wanted, THREADS - self._threads)):
                self._threads += 1
                threading.Thread(target=self._work_for_ever, name="logout-try", daemon=True).start()
            self._ready.notify_all()

    def quiet(self, seconds: float) -> bool:
        """Wait until nothing is under way here, for so long at most; then the store may be closed."""
        with self._ready:
            return self._ready.wait_for(lambda: not self._known, seconds)

    def _work_for_ever(self) -> None:
        while True:
            delivery = self._next()
            with _carrying_on():
                self.attempt(delivery)
            self._done(delivery)

    def _next(self) -> LogoutDelivery:
        with self._ready:
            while True:
                for app, waiting in self._todo.items():
                    if self._busy[app] < AT_ONCE_PER_APP:
                        return self._taken(app, waiting)
                self._idle += 1
                self._ready.wait()
                self._idle -= 1

    def _taken(self, app: str, waiting: "deque[LogoutDelivery]") -> LogoutDelivery:
        del self._todo[app]
        delivery = waiting.popleft()
        if waiting:
            self._todo[app] = waiting  # at the end: the others have their turn first
        self._busy[app] += 1
        return delivery

    def _done(self, delivery: LogoutDelivery) -> None:
        with self._ready:
            self._known.discard(delivery.id)
            self._busy[delivery.client_id] -= 1
            if not self._busy[delivery.client_id]:
                del self._busy[delivery.client_id]
            self._ready.notify_all()


@contextmanager
def _carrying_on() -> Iterator[None]:
    """These threads outlive everything: what goes wrong now is looked at again later."""
    try:
        yield
    except StoreUnavailable as error:
        event(_log, "logout_waits", logging.WARNING, why=str(error))
    except Exception:  # noqa: BLE001  (whatever it is, the next note must go out)
        _log.exception("fault in the queue of logout notes")
