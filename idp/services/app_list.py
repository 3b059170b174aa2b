"""The OIDC clients, and the SAML service providers, each as a list that is searched and paged: by name, in memory, as fresh
as the audit is.

Reading all apps takes a tenth of a millisecond each, so a list is kept as long as the audit tells of no change (a
change of another process is told of there as well). Leaves apps themselves to idp.services.manage_apps.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from idp.base.clock import Clock
from idp.domain.audit_event import AuditEvent, EventName
from idp.domain.profile import rules
from idp.domain.relying import Client, ServiceProvider
from idp.ports import Repository
from idp.services.list_cursor import FRONT, cursor_of, place_of
from idp.services.manage_apps import Apps

MOST = 100_000
KEPT_SECONDS = 30.0  # at most: the clocks of two nodes may not agree on which event was the last
MAX_SEARCH = 200
Stamp = tuple[int | str, ...]
_CHANGES: tuple[EventName, ...] = (
    *("client.added", "client.registered", "client.changed", "client.removed"),
    *("client.secret_rotated", "client.secret_retired"),
)
_SP_CHANGES: tuple[EventName, ...] = ("sp.added", "sp.changed", "sp.removed", "sp.metadata_changed")


class Line(Protocol):
    @property
    def place(self) -> tuple[str, str]:
        """Where it stands in the list."""

    @property
    def text(self) -> str:
        """What is searched."""


L = TypeVar("L", bound=Line)


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
        return self.name.casefold(), self.id

    @property
    def text(self) -> str:
        return " ".join((self.name, self.id, *self.redirect_uris))


@dataclass(frozen=True, slots=True)
class SpLine:
    """What a list shows of a service provider. id: its entityID; source_id: the federation that vouches for it."""

    id: str
    name: str
    enabled: bool
    source_id: str
    created_at: float

    @property
    def place(self) -> tuple[str, str]:
        return self.name.casefold(), self.id

    @property
    def text(self) -> str:
        return f"{self.name} {self.id}"


@dataclass(frozen=True, slots=True)
class Page(Generic[L]):
    """lines: of this page; total: of all that were found; next: the cursor of the page after it, None on the last one."""

    lines: tuple[L, ...]
    total: int
    next: str | None


@dataclass(frozen=True, slots=True)
class _Kept(Generic[L]):
    stamp: Stamp
    at: float
    lines: tuple[L, ...]
    texts: tuple[str, ...]


class SearchedList(Generic[L]):
    """kind: the records; line: what the list shows of one; events: those that tell of a change."""

    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        apps: Apps,
        kind: type[Any],
        line: Callable[[Any], L],
        events: tuple[EventName, ...],
    ) -> None:
        self._repo = repo
        self._apps = apps
        self._clock = clock
        self._kind, self._line, self._events = kind, line, events
        self._kept: _Kept[L] | None = None
        self._lock = threading.Lock()

    def page(self, words: str = "", *, after: str = "", limit: int = 50) -> Page[L]:
        """Those that hold every word in what is searched. after: the cursor of the page before.

        Raises Refused(bad_cursor).
        """
        kept = self._fresh()
        wanted = words[:MAX_SEARCH].casefold().split()
        found = [
            line for line, text in zip(kept.lines, kept.texts, strict=True) if all(word in text for word in wanted)
        ]
        place = place_of(after) if after else FRONT
        rest = [line for line in found if line.place > place]
        more = len(rest) > limit
        return Page(tuple(rest[:limit]), len(found), cursor_of(rest[limit - 1].place) if more else None)

    def all(self) -> tuple[L, ...]:
        return self._fresh().lines

    def _fresh(self) -> _Kept[L]:
        # The stamp first: whatever changes while we read has a later one.
        stamp, now = self._stamp(), self._clock()
        with self._lock:  # who comes meanwhile would read all the same once more
            kept = self._kept
            if kept is None or kept.stamp != stamp or not 0 <= now - kept.at < KEPT_SECONDS:
                kept = self._kept = self._read(stamp, now)
            return kept

    def _stamp(self) -> Stamp:
        """Our own changes, and the last event of each kind that changes the list, whoever did it."""
        newest = (self._repo.find(AuditEvent, limit=1, newest=True, name=name) for name in self._events)
        return self._apps.changes, *(event.id for found in newest for event in found)

    def _read(self, stamp: Stamp, now: float) -> _Kept[L]:
        lines = sorted(
            (self._line(app) for app in self._repo.find(self._kind, limit=MOST)), key=lambda line: line.place
        )
        return _Kept(stamp, now, tuple(lines), tuple(line.text.casefold() for line in lines))


class AppList(SearchedList[AppLine]):
    """The OIDC clients, by name, id and redirect URIs."""

    def __init__(self, repo: Repository, clock: Clock, apps: Apps) -> None:
        super().__init__(repo, clock, apps, Client, _client_line, _CHANGES)


class SpList(SearchedList[SpLine]):
    """The service providers that were registered one by one, by name and entityID."""

    def __init__(self, repo: Repository, clock: Clock, apps: Apps) -> None:
        super().__init__(repo, clock, apps, ServiceProvider, _sp_line, _SP_CHANGES)


def _sp_line(sp: ServiceProvider) -> SpLine:
    return SpLine(sp.id, sp.name, sp.enabled, sp.source_id, sp.created_at)


def _client_line(client: Client) -> AppLine:
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
