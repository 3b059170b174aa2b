"""The OIDC clients as a list that is searched and paged: by name, in memory, as fresh as the audit is.

Reading all clients takes a tenth of a millisecond each, so the list is kept as long as the audit tells of no change (a
change of another process is told of there as well). Leaves clients themselves to idp.services.manage_apps.
"""

import base64
import threading
from dataclasses import dataclass

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.audit_event import AuditEvent, EventName
from idp.domain.profile import rules
from idp.domain.relying import Client
from idp.ports import Repository
from idp.services.manage_apps import Apps

MOST = 100_000
KEPT_SECONDS = 30.0  # at most: the clocks of two nodes may not agree on which event was the last
MAX_SEARCH = 200
MAX_CURSOR = 2000
Stamp = tuple[int | str, ...]
_CHANGES: tuple[EventName, ...] = (
    *("client.added", "client.registered", "client.changed", "client.removed"),
    *("client.secret_rotated", "client.secret_retired"),
)


@dataclass(frozen=True, slots=True)
class AppLine:
    """What a list shows of a client. loud: its security is weakened; machine: it is for no people."""

    id: str
    name: str
    auth_method: str
    profile: str
    grant_types: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    created_at: float
    loud: bool
    registered_itself: bool

    @property
    def place(self) -> tuple[str, str]:
        """Where it stands in the list."""
        return self.name.casefold(), self.id


@dataclass(frozen=True, slots=True)
class Page:
    """lines: of this page; total: of all that were found; next: the cursor of the page after it, None on the last one."""

    lines: tuple[AppLine, ...]
    total: int
    next: str | None


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: Stamp
    at: float
    lines: tuple[AppLine, ...]
    texts: tuple[str, ...]


class AppList:
    def __init__(self, repo: Repository, clock: Clock, apps: Apps) -> None:
        self._repo = repo
        self._apps = apps
        self._clock = clock
        self._kept: _Kept | None = None
        self._lock = threading.Lock()

    def page(self, words: str = "", *, after: str = "", limit: int = 50) -> Page:
        """Those that hold every word in their name, id or redirect URIs. after: the cursor of the page before.

        Raises Refused(bad_cursor).
        """
        kept = self._fresh()
        wanted = words[:MAX_SEARCH].casefold().split()
        found = [
            line for line, text in zip(kept.lines, kept.texts, strict=True) if all(word in text for word in wanted)
        ]
        place = _place(after) if after else ("", "")
        rest = [line for line in found if line.place > place]
        more = len(rest) > limit
        return Page(tuple(rest[:limit]), len(found), _cursor(rest[limit - 1]) if more else None)

    def all(self) -> tuple[AppLine, ...]:
        return self._fresh().lines

    def _fresh(self) -> _Kept:
        # The stamp first: whatever changes while we read has a later one.
        stamp, now = self._stamp(), self._clock()
        with self._lock:  # who comes meanwhile would read all the same once more
            kept = self._kept
            if kept is None or kept.stamp != stamp or not 0 <= now - kept.at < KEPT_SECONDS:
                kept = self._kept = self._read(stamp, now)
            return kept

    def _stamp(self) -> Stamp:
        """Our own changes, and the last event of each kind that changes the list, whoever did it."""
        newest = (self._repo.find(AuditEvent, limit=1, newest=True, name=name) for name in _CHANGES)
        return self._apps.changes, *(event.id for found in newest for event in found)

    def _read(self, stamp: Stamp, now: float) -> _Kept:
        lines = sorted((_line(client) for client in self._repo.find(Client, limit=MOST)), key=lambda line: line.place)
        texts = (" ".join((line.name, line.id, *line.redirect_uris)).casefold() for line in lines)
        return _Kept(stamp, now, tuple(lines), tuple(texts))


def _line(client: Client) -> AppLine:
    return AppLine(
        client.id,
        client.name,
        client.auth_method,
        client.profile,
        client.grant_types,
        client.redirect_uris,
        client.created_at,
        rules(client).loud,
        client.registration_token_digest is not None,
    )


def _cursor(line: AppLine) -> str:
    return base64.urlsafe_b64encode("\n".join(line.place).encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[str, str]:
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise Refused("bad_cursor", "This is no cursor of ours. Leave it out to begin at the front.") from None
    name, _, id = text.partition("\n")
    return name, id
