"""What the end of a session means for apps: which can be told, the notes to them, and what the person sees of it.

Leaves ending to sessions, handing the notes over to deliver_logout, and what is in them to the OIDC door.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from idp.base import ids
from idp.base.clock import Clock
from idp.domain.grant import LogoutDelivery
from idp.domain.relying import Client
from idp.domain.saml import ToldOfLogout
from idp.domain.session import Session, SignedOut
from idp.ports import Duplicate, Repository
from idp.services.logout_runs import LogoutRuns
from idp.services.saml_notes import SamlNotes
from idp.services.subjects import Subjects

KEEP_TRYING_SECONDS = 86_400.0
PAGE_SECONDS = 900.0
FIRST_TRIES_SECONDS = 1.5
LOOK_AGAIN_SECONDS = 0.04

AppState = Literal["reached", "telling", "trying", "failed", "here", "cannot"]


@dataclass(frozen=True, slots=True)
class AppTold:
    """telling: the first try is under way. trying: not reached yet, tried again. here: told by the browser itself. cannot:
    there is no way to tell it."""

    name: str
    state: AppState


class Logout:
    """on_new: takes the notes that were just stored, when this process delivers; else None, and another process finds
    them. waiters: how many people may wait at once for the first tries; each holds a thread."""

    def __init__(
        self, repo: Repository, clock: Clock, subjects: Subjects, saml: SamlNotes, runs: LogoutRuns, *, waiters: int = 2
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._subjects = subjects
        self._saml = saml
        self._runs = runs
        self._waiters = threading.Semaphore(waiters)
        self.on_new: Callable[[Sequence[LogoutDelivery]], None] | None = None

    # ---------------------------------------------------------------- when a session ends

    def note(
        self, session: Session, apps: Iterable[str], *, besides: str = "", here: bool = False
    ) -> list[LogoutDelivery]:
        """Store a note to each of these apps that has a backchannel_logout_uri (Back-Channel Logout 1.0 2.5), and to each
        SAML party that can be told by SOAP. Once: a session that is ended twice at the same moment has one note to an app.

        besides: the SAML peer that began it. here: the browser that had the session will be led to the others.
        """
        found = [*self._of_clients(session, apps), *self._saml.deliveries(session, besides=besides, here=here)]
        return [stored for one in found if (stored := self._stored(one)) is not None]

    def known_to(self, sid: str) -> frozenset[str]:
        """What changes when one more SAML party joins the session."""
        return self._saml.joined(sid)

    def _of_clients(self, session: Session, apps: Iterable[str]) -> list[LogoutDelivery]:
        made = []
        now = self._clock()
        for client in self._clients(apps):
            if client.backchannel_logout_uri is None:
                continue
            made.append(
                LogoutDelivery(
                    id=ids.digest(f"{session.sid} {client.id}"),
                    client_id=client.id,
                    uri=client.backchannel_logout_uri,
                    user_id=session.user_id,
                    sid=session.sid,
                    subject=self._subjects.of(client, session.user_id),
                    created_at=now,
                    next_at=now,
                    expires_at=now + KEEP_TRYING_SECONDS,
                )
            )
        return made

    def _stored(self, delivery: LogoutDelivery) -> LogoutDelivery | None:
        """None when such a note waits already. One that came to its end was for an earlier end: a person who proves themselves
        anew while another tab signs out goes on with the same sid."""
        try:
            self._repo.insert(delivery)
            return delivery
        except Duplicate:
            known = self._repo.get(LogoutDelivery, delivery.id)
        if known is None or known.state == "waiting":
            return None
        return self._repo.replace_if(replace(delivery, version=known.version))

    def hurry(self, deliveries: Sequence[LogoutDelivery]) -> None:
        """They may go out now. Without this they go out a moment later."""
        if deliveries and self.on_new is not None:
            self.on_new(deliveries)

    def _clients(self, apps: Iterable[str]) -> list[Client]:
        found = (self._repo.get(Client, app) for app in apps)
        return [client for client in found if client is not None]

    # ---------------------------------------------------------------- what the person sees

    def can_be_told(self, apps: Iterable[str], *, here: bool) -> list[Client]:
        """Those with a way to tell them. here: the browser that had the session can be sent to apps as well."""
        return [
            client
            for client in self._clients(apps)
            if client.backchannel_logout_uri or (here and client.frontchannel_logout_uri)
        ]

    def first_tries(self, sid: str, seconds: float = FIRST_TRIES_SECONDS) -> None:
        """Wait until every note of this session was tried once, for so long at most; not at all when this process does not
        deliver, or when others wait already: an app that does not answer must not hold up people who sign in."""
        if self.on_new is None or not self._waiters.acquire(blocking=False):
            return
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end and any(_untried(one) for one in self._of(sid)):
                time.sleep(LOOK_AGAIN_SECONDS)
        finally:
            self._waiters.release()

    def all_reached(self, sid: str) -> bool:
        return all(delivery.state == "reached" for delivery in self._of(sid))

    def told(self, page: SignedOut) -> list[AppTold]:
        """One line an app, by name."""
        notes = (one for one in self._of(page.sid) if one.protocol == "oidc")
        states: dict[str, AppState] = {delivery.client_id: _state(delivery) for delivery in notes}
        lines = [
            AppTold(client.name, states.get(client.id, "here"))
            for client in self.can_be_told(page.apps, here=page.here)
            if client.id in states or client.frontchannel_logout_uri
        ]
        run = self._runs.get(page.run)
        lines += [AppTold(told.name, _state_in_run(told)) for told in self._runs.states(run)] if run else []
        return sorted(lines, key=lambda line: line.name.casefold())

    def _of(self, sid: str) -> list[LogoutDelivery]:
        return self._repo.find(LogoutDelivery, sid=sid)

    def remember(
        self,
        sid: str,
        apps: Iterable[Client],
        browser: str,
        *,
        target: str | None = None,
        app_id: str | None = None,
        here: bool = True,
        language: str = "",
        run: str = "",
    ) -> str:
        """What the page after the sign-out needs, for a quarter of an hour. Gives the handle for its address."""
        handle, now = ids.secret(), self._clock()
        self._repo.insert(
            SignedOut(
                ids.digest(handle),
                sid,
                browser,
                tuple(client.id for client in apps),
                now,
                now + PAGE_SECONDS,
                target,
                app_id,
                here,
                language,
                run,
            )
        )
        return handle

    def remembered(self, handle: str, browser: str | None) -> SignedOut | None:
        """For the browser that signed out, and no other."""
        found = self._repo.get(SignedOut, ids.digest(handle)) if 20 <= len(handle) <= 100 else None
        return found if found is not None and browser is not None and found.browser == browser else None


def _untried(delivery: LogoutDelivery) -> bool:
    return delivery.state == "waiting" and not delivery.problem


def _state(delivery: LogoutDelivery) -> AppState:
    if delivery.state != "waiting":
        return delivery.state
    return "trying" if delivery.problem else "telling"


def _state_in_run(told: ToldOfLogout) -> AppState:
    if told.way == "none":
        return "cannot"
    states: dict[str, AppState] = {"done": "reached", "failed": "failed", "asked": "telling"}
    return states.get(told.state, "trying" if told.way == "soap" else "telling")
