"""Mail to people: queued in the store, sealed, delivered in the background with patience. Never fails or delays who sends it.

Leaves SMTP to the Mailer that idp.assemble hands in, and the words to idp.services.mail_words.
"""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from idp.base import ids
from idp.base.clock import Clock
from idp.base.log import event
from idp.crypto.seal import Seal, SealBroken
from idp.domain.link_change import QueuedMail
from idp.ports import Mailer, MailFailed, Repository, StoreUnavailable

DELAYS = (60.0, 300.0, 1800.0, 7200.0, 21_600.0, 43_200.0)  # after the first, second … try
KEPT_SECONDS = 3 * 86_400.0  # then it is no news any more
LEASE_SECONDS = 60.0  # nobody else takes it meanwhile; if this process dies at it, somebody does then
LOOK_SECONDS = 5.0
MOST_WAITING = 10_000
AT_ONCE = 200
WAITING = "waiting"

_log = logging.getLogger("idp.mail")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail that could not be handed over yet, without what is in it."""

    since: float
    tries: int
    problem: str


class Mails:
    """mailer: None when no mail server is configured; what would be sent is then dropped, and `works` says so."""

    def __init__(self, repo: Repository, clock: Clock, seal: Seal, mailer: Mailer | None) -> None:
        self._repo = repo
        self._clock = clock
        self._seal = seal
        self._mailer = mailer
        self._new = threading.Event()
        self._seen = 0  # how many waited when somebody last looked

    @property
    def works(self) -> bool:
        return self._mailer is not None

    def send(self, to: str, subject: str, text: str) -> bool:
        """Queue it; False when there is no mail server (or the queue is full). One address; plain text."""
        if self._mailer is None:
            return False
        if self._seen >= MOST_WAITING:
            event(_log, "mail_dropped", logging.WARNING, why="too many are waiting")
            return False
        now, id = self._clock(), ids.public_id("mail")
        said = json.dumps({"to": to, "subject": subject, "text": text})
        sealed = self._seal.close(said, owner=id, field="mail")
        try:
            self._repo.insert(QueuedMail(id, now, now + KEPT_SECONDS, now, sealed))
        except StoreUnavailable as error:
            event(_log, "mail_dropped", logging.WARNING, why=str(error))
            return False
        self._seen += 1
        self._new.set()
        return True

    def waiting(self) -> list[Waiting]:
        """Those that failed at least once, the oldest first."""
        found = self._repo.find(QueuedMail, limit=MOST_WAITING, slice=WAITING)
        return sorted((Waiting(one.created_at, one.tries, one.problem) for one in found if one.problem), key=_since)

    # ---------------------------------------------------------------- delivering

    def deliver_due(self) -> int:
        """Try those that are due, one after the other, the longest due first. Gives the number delivered."""
        if self._mailer is None:
            return 0
        now = self._clock()
        found = self._repo.find(QueuedMail, limit=MOST_WAITING, slice=WAITING)
        self._seen = len(found)
        due = sorted((one for one in found if one.next_try_at <= now), key=lambda one: one.next_try_at)
        return sum(self._attempt(self._mailer, one) for one in due[:AT_ONCE])

    def _attempt(self, mailer: Mailer, mail: QueuedMail) -> bool:
        claimed = self._repo.replace_if(replace(mail, tries=mail.tries + 1, next_try_at=self._clock() + LEASE_SECONDS))
        if claimed is None:
            return False  # another process is at it
        try:
            said = json.loads(self._seal.open(claimed.sealed, owner=claimed.id, field="mail"))
            mailer.deliver(said["to"], said["subject"], said["text"])
        except MailFailed as failed:
            self._failed(claimed, str(failed), for_good=failed.for_good)
            return False
        except SealBroken:
            self._failed(claimed, "it was sealed with another key", for_good=True)
            return False
        except Exception as error:  # noqa: BLE001  (whatever it is, the other mails must go out)
            _log.exception("fault while sending %s", claimed.id)
            self._failed(claimed, f"a fault of ours ({type(error).__name__})", for_good=False)
            return False
        # Delivered, and then cut off before this: it is sent twice rather than never.
        self._repo.delete(QueuedMail, claimed.id)
        event(_log, "mail_sent", mail=claimed.id, tries=claimed.tries)
        return True

    def _failed(self, mail: QueuedMail, problem: str, *, for_good: bool) -> None:
        given_up = for_good or mail.tries > len(DELAYS)
        event(
            _log,
            "mail_given_up" if given_up else "mail_not_sent",
            logging.WARNING,
            mail=mail.id,
            tries=mail.tries,
            why=problem,
        )
        if given_up:
            self._repo.delete(QueuedMail, mail.id)
        else:
            again = self._clock() + DELAYS[mail.tries - 1]
            self._repo.replace_if(replace(mail, next_try_at=again, problem=problem[:300]))

    def keep_for_ever(self, also: Callable[[], object] = lambda: None) -> None:
        """For a thread of its own. also: what else is to be looked after every few seconds."""
        while True:
            self._new.wait(LOOK_SECONDS)
            self._new.clear()
            for work in (self.deliver_due, also):
                try:
                    work()
                except StoreUnavailable as error:
                    event(_log, "mail_store_away", logging.WARNING, why=str(error))
                except Exception:  # noqa: BLE001  (the thread must live: nobody starts it again)
                    _log.exception("fault while looking after mail")


def _since(one: Waiting) -> float:
    return one.since
