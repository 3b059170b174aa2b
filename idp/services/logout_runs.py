"""A browser led from app to app after its session ended (SAML Profiles 4.4): who is next, who has answered, how it came out.

The run survives every app that does not send the browser back: whoever comes to its page again goes on with the next. Leaves
messages and pages to the doors, and telling apps in the back channel to deliver_logout.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from idp.base import ids
from idp.base.clock import Clock
from idp.domain.grant import LogoutDelivery
from idp.domain.saml import LogoutRun, ToldOfLogout
from idp.ports import Repository
from idp.services.saml_notes import Party, SamlNotes, delivery_id

RUN_SECONDS = 900.0
AGAIN_SECONDS = 5.0  # who is back so soon has pressed a button twice; later, the app did not answer
MOST_TIMES = 2


@dataclass(frozen=True, slots=True)
class Initiator:
    """The peer whose LogoutRequest began it: `sp:ENTITYID` or `upstream:ID`, and how it is to be answered."""

    peer: str
    request_id: str
    binding: str
    relay_state: str | None = None


class LogoutRuns:
    def __init__(self, repo: Repository, clock: Clock, notes: SamlNotes) -> None:
        self._repo = repo
        self._clock = clock
        self._notes = notes

    # ---------------------------------------------------------------- beginning

    def plan(self, sid: str, *, here: bool, besides: str = "") -> tuple[ToldOfLogout, ...]:
        """Everybody that a session which has just ended must be told to, those who were reached by now included. here: the
        browser that had the session can be led to them."""
        reached = {one.id: one.state for one in self._repo.find(LogoutDelivery, sid=sid)}
        return tuple(_told(party, sid, reached, here=here) for party in self._notes.parties(sid, besides=besides))

    def begin(
        self,
        sid: str,
        told: tuple[ToldOfLogout, ...],
        browser: str,
        *,
        apps: tuple[str, ...] = (),
        target: str | None = None,
        app_id: str | None = None,
        initiator: Initiator | None = None,
    ) -> LogoutRun:
        """browser: digest of its cookie, empty while that is not known yet."""
        now = self._clock()
        by = initiator or Initiator("", "", "")
        run = LogoutRun(
            id=ids.secret(),
            browser=browser,
            sid=sid,
            told=told,
            created_at=now,
            expires_at=now + RUN_SECONDS,
            apps=apps,
            target=target,
            app_id=app_id,
            initiator=by.peer,
            initiator_request=by.request_id,
            initiator_binding=by.binding,
            relay_state=by.relay_state,
        )
        self._repo.insert(run)
        return run

    # ---------------------------------------------------------------- on the way

    def get(self, id: str) -> LogoutRun | None:
        return self._find(id)

    def visit(self, id: str, browser: str) -> LogoutRun | None:
        """For the browser that began it; the first one that comes, when a form of another site began it (it brings no
        cookies)."""
        run = self._find(id)
        if run is not None and not run.browser:
            run = self._change(run, lambda one: one if one.browser else replace(one, browser=browser))
        return run if run is not None and run.browser == browser else None

    def unfinished(self, browser: str) -> LogoutRun | None:
        """The newest run of this browser that did not come to its end: "back" does not lead to its page, which was only
        passed through."""
        found = self._repo.find(LogoutRun, browser=browser)
        return max((run for run in found if to_visit(run.told)), key=lambda run: run.created_at, default=None)

    def advance(self, run: LogoutRun) -> tuple[LogoutRun, ToldOfLogout | None]:
        """The app to go to now; None when there is no more. Whoever is asked and did not send the browser back has failed."""

        def step(one: LogoutRun) -> LogoutRun:
            now, asked = self._clock(), _asked(one)
            if asked is not None and one.asked_times < MOST_TIMES and now - one.asked_at < AGAIN_SECONDS:
                return replace(one, asked_times=one.asked_times + 1)
            if asked is not None:
                one = _with(one, asked, "failed")
            waiting = next((told for told in one.told if told.state == "waiting" and told.way == "browser"), None)
            if waiting is None:
                return replace(one, request_id="")
            one = _with(one, waiting, "asked")
            return replace(one, request_id=request_id(one.id), asked_at=now, asked_times=1)

        gone_on = self._change(run, step)
        return (gone_on, _asked(gone_on)) if gone_on is not None else (run, None)

    def answered(self, request_id: str, peer: str, *, done: bool) -> str | None:
        """The one that was asked has sent the browser back. Gives the id of the run; None for an answer that nobody waits for:
        then nothing has changed."""
        run = self._find(run_of(request_id))
        asked = _asked(run) if run is not None else None
        if run is None or asked is None or run.request_id != request_id or peer != _peer(asked):
            return None

        def step(one: LogoutRun) -> LogoutRun:
            return _with(one, asked, "done" if done else "failed") if one.request_id == request_id else one

        self._change(run, step)
        if done and asked.delivery:
            self._repo.delete(LogoutDelivery, asked.delivery)  # it knows by now
        return run.id

    def holder(self, request_id: str) -> str | None:
        """The id of the run that has made a request with this ID, now or before; None when there is none."""
        run = self._find(run_of(request_id))
        return run.id if run is not None else None

    def skip(self, run: LogoutRun, request_id: str) -> LogoutRun:
        """The person goes on without the one that was asked by this request."""

        def step(one: LogoutRun) -> LogoutRun:
            asked = _asked(one)
            return _with(one, asked, "failed") if asked is not None and one.request_id == request_id else one

        return self._change(run, step) or run

    # ---------------------------------------------------------------- how it came out

    def states(self, run: LogoutRun) -> list[ToldOfLogout]:
        """Everybody, those that are told in the back channel as they stand now."""
        by_id = {one.id: one.state for one in self._repo.find(LogoutDelivery, sid=run.sid)}
        return [_as_delivered(told, by_id) if told.way == "soap" else told for told in run.told]

    def _find(self, id: str) -> LogoutRun | None:
        return self._repo.get(LogoutRun, id) if 20 <= len(id) <= 100 else None

    def _change(self, run: LogoutRun, step: Callable[[LogoutRun], LogoutRun]) -> LogoutRun | None:
        """By compare-and-swap, from whatever it has become meanwhile. None when it has expired."""
        found: LogoutRun | None = run
        while found is not None:
            after = step(found)
            if after == found:
                return found
            stored = self._repo.replace_if(after)
            if stored is not None:
                return stored
            found = self._repo.get(LogoutRun, found.id)
        return None


def request_id(run: str) -> str:
    """ID of a LogoutRequest, by which the answer finds its way back to the run; nobody can guess it."""
    return f"_{run}.{secrets.token_hex(8)}"


def run_of(request_id: str) -> str:
    """The id of the run in an ID of `request_id`; empty when there is none."""
    run, dot, _ = request_id.removeprefix("_").partition(".")
    return run if dot and request_id.startswith("_") else ""


def to_visit(told: tuple[ToldOfLogout, ...]) -> bool:
    """Must a browser be led to any of them?"""
    return any(one.way == "browser" and one.state in ("waiting", "asked") for one in told)


def _told(party: Party, sid: str, reached: Mapping[str, str], *, here: bool) -> ToldOfLogout:
    facts = party.facts()[0]
    delivery = delivery_id(sid, party, facts)
    told = ToldOfLogout(
        party.id,
        party.reach.name,
        facts.get("session_index", ""),
        {name: value for name, value in facts.items() if name != "session_index"},
        upstream=party.upstream is not None,
        delivery=delivery if delivery in reached else "",
    )
    if reached.get(delivery) == "reached":
        return replace(told, way="soap", state="done")
    if here and party.reach.browser:  # also who could be told in the back channel and was not reached there
        return told
    return replace(told, way="soap") if told.delivery else replace(told, way="none", state="failed")


def _as_delivered(told: ToldOfLogout, states: Mapping[str, str]) -> ToldOfLogout:
    state = states.get(told.delivery, "reached" if told.state == "done" else "failed")
    return replace(told, state={"reached": "done", "failed": "failed"}.get(state, "waiting"))  # type: ignore[arg-type]


def _asked(run: LogoutRun) -> ToldOfLogout | None:
    return next((told for told in run.told if told.state == "asked"), None)


def _peer(told: ToldOfLogout) -> str:
    return f"{'upstream' if told.upstream else 'sp'}:{told.sp_id}"


def _with(run: LogoutRun, told: ToldOfLogout, state: str) -> LogoutRun:
    changed = replace(told, state=state)  # type: ignore[arg-type]
    same = (told.sp_id, told.upstream)
    return replace(run, told=tuple(changed if (one.sp_id, one.upstream) == same else one for one in run.told))
