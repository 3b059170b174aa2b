"""Owns the record of denials: who was refused what, kept for administrators for ninety days. Nobody writes or changes it by a request.

The same denial within a minute is one line, written within a second, and at the end of the minute a second one with the count of
those that followed, so that a flood of them costs no flood of writes. The log has each at once, with the precise reason.
"""

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from idp.api import cursor, language
from idp.api.caller import Caller
from idp.api.commands.audit import AuditPage, Denial, QueryAudit
from idp.api.document_store.contract import Document, DocumentStore, Find, Sight, Write
from idp.api.store_key import StoreKey
from idp.api.times import timestamp
from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.log import event

logger = logging.getLogger("idp.api.audit")

SYSTEM = "sys.audit"
KEPT_SECONDS = 90 * 86_400.0
FLUSH_SECONDS = 1.0
MAX_DIFFERENT = 5_000  # denials of one minute; what comes on top is counted in one line
MAX_OF_CALLER = 20  # of those; what comes on top is counted without saying what it was asked of
MAX_TEXT = 300
# Refusals that say that something is there or not, which for the caller is the same as being denied.
HIDDEN_THINGS: Final = ("collection", "document", "file", "queue", "exchange", "item", "reply", "role")
HIDDEN: Final = frozenset(f"unknown_{thing}" for thing in HIDDEN_THINGS)
TARGETS: Final = ("collection", "id", "name", "queue", "exchange")

Key = tuple[int, str, str, str, str, str]  # minute, caller, client_id, operation, target, code


@dataclass(slots=True)
class _Line:
    first: float
    last: float
    count: int
    trace: str


def is_denial(refused: Refused) -> bool:
    return refused.status in (401, 403) or refused.code in HIDDEN


class Audit:
    """Safe to share between threads."""

    def __init__(self, store: DocumentStore, clock: Clock, key: StoreKey) -> None:
        self._store = store
        self._clock = clock
        self._key = key
        self._waiting: dict[Key, _Line] = {}
        self._written: set[Key] = set()  # of this minute
        self._different: Counter[tuple[int, str, str]] = Counter()  # of each caller in this minute
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def note(self, refused: Refused, operation: str, caller: Caller | None, members: Mapping[str, Any]) -> None:
        """Remember it if it is a denial. Never raises: a denial stays one when it cannot be recorded."""
        if not is_denial(refused):
            return
        refused.trace = refused.trace or ids.trace_code()
        now, who = self._clock(), (caller.name, caller.client_id) if caller else ("", "")
        with self._lock:
            key = self._bounded((int(now // 60), *who, operation, _target(members), refused.code))
            line = self._waiting.setdefault(key, _Line(now, now, 0, refused.trace))
            line.last, line.count = now, line.count + 1
            if self._thread is None:  # lazily: a thread does not survive a fork
                self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
                self._thread.start()

    def _bounded(self, key: Key) -> Key:
        """The line under which it counts: whoever is denied one thing after the other must not fill the store."""
        minute, who, client_id, operation, _, code = key
        if not self._known(key):
            if self._different[key[:3]] >= MAX_OF_CALLER:
                key = (minute, who, client_id, operation, "", code)
            if not self._known(key) and len(self._waiting) + len(self._written) >= MAX_DIFFERENT:
                key = (minute, "", "", "", "too many different denials at once", "")
        self._different[key[:3]] += not self._known(key)
        return key

    def _known(self, key: Key) -> bool:
        return key in self._waiting or key in self._written

    def query(self, caller: Caller, asked: QueryAudit) -> AuditPage:
        if not caller.is_administrator:
            raise Refused("not_permitted", "Only administrators may read what was denied.", status=403)
        if caller.narrowing:
            raise Refused("narrowed_token", "The token was narrowed and does not allow: reading the audit.", status=403)
        exact = {name: given for name in ("caller", "operation", "code", "target") if (given := getattr(asked, name))}
        span = {op: at for op, at in (("$gte", asked.since), ("$lt", asked.until)) if at}
        where = language.parse_filter({**exact, **({"at": span} if span else {})})
        of = cursor.fingerprint(caller.name, SYSTEM, exact, span)
        at = cursor.read(asked.cursor, of, self._key()) if asked.cursor else cursor.Position()
        sort = language.parse_sort({"_id": -1})
        sight = Sight(None, self._clock())
        found = self._store.find(SYSTEM, Find(where, sort, sight, asked.limit, skip=at.skip))
        following = cursor.Position(skip=at.skip + len(found.documents))
        return AuditPage(
            denials=[Denial(**document.data) for document in found.documents],
            cursor=cursor.write(following, of, self._key()) if found.more else None,
        )

    def flush(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        self._write(waiting)

    def _flush_due(self) -> None:
        """What is new, and what repeats what was new in a minute that is over."""
        minute = int(self._clock() // 60)
        with self._lock:
            due = {key: line for key, line in self._waiting.items() if key[0] != minute or key not in self._written}
            self._waiting = {key: line for key, line in self._waiting.items() if key not in due}
            self._written = {key for key in self._written | due.keys() if key[0] == minute}
            self._different = Counter({who: count for who, count in self._different.items() if who[0] == minute})
        self._write(due)

    def _write(self, waiting: Mapping[Key, _Line]) -> None:
        lines = [_document(key, line) for key, line in waiting.items()]
        try:
            for start in range(0, len(lines), 500):
                self._store.commit([Write("insert", line, 0) for line in lines[start : start + 500]])
        except Refused as refused:
            event(logger, "denials_not_recorded", logging.ERROR, lines=len(lines), reason=refused.reason)

    def close(self) -> None:
        self._closing = True
        self._wake.set()
        if self._thread:
            self._thread.join(5.0)
        self.flush()

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(FLUSH_SECONDS)
            try:
                self._flush_due()
            except Exception:  # a thread that ends would lose every later denial
                logger.exception("fault while writing denials")


def _target(members: Mapping[str, Any]) -> str:
    said = [members[name] for name in TARGETS if isinstance(members.get(name), str)]
    return "/".join(said)[:MAX_TEXT]


def _document(key: Key, line: _Line) -> Document:
    _, caller, client_id, operation, target, code = key
    at, last = timestamp(line.first), timestamp(line.last)
    data = {
        "at": at, "last_at": last, "count": line.count, "caller": caller, "client_id": client_id,
        "operation": operation, "target": target, "code": code, "trace": line.trace,
    }  # fmt: skip
    id = ids.ordered_id("den", line.first)
    return Document(SYSTEM, id, 1, at, "sheaf", at, "sheaf", None, data, expires_at=line.first + KEPT_SECONDS)
