"""Turning local login off (on trial first), confirming that, turning it on again; who is excepted; ending password sessions.

Leaves the decision whether a password counts to idp.services.local_login, and emergencies to break_glass.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.sections import LocalLogin as LocalLoginSettings
from idp.domain.audit_event import EventName
from idp.domain.claims import check_groups
from idp.domain.local_login import (
    SWITCH,
    BreakGlassProof,
    FederatedProof,
    LocalLoginSwitch,
    lately,
)
from idp.domain.session import FED, Session
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from idp.services.break_glass import BreakGlassDoor
from idp.services.local_login import LocalLogin
from idp.services.record_audit import Audit
from idp.services.sessions import Sessions

MOST_EXCEPTIONS = 200
ENDED_AT_ONCE = 200
Missing = Literal["federated_proof", "way_user", "way_proof"]
_WORDS: dict[Missing, str] = {
    "federated_proof": "An administrator must first sign in through an upstream, with second step, as it is configured now.",
    "way_user": "Break-glass opens local login for nobody yet: give an administrator a password.",
    "way_proof": "Show first that a way back in works: idp break-glass --prove, or a code of the sheet.",
}


@dataclass(frozen=True, slots=True)
class Readiness:
    """What is there of what turning it off needs. proof: the newest of an administrator that still counts; way: a way back
    in that was shown to work; users: for whom break-glass opens. missing: what is to be done, in this order."""

    proof: FederatedProof | None
    way: BreakGlassProof | None
    users: tuple[User, ...]
    missing: tuple[Missing, ...]


class TurnLocalLogin:
    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        audit: Audit,
        settings: LocalLoginSettings,
        *,
        local_login: LocalLogin,
        break_glass: BreakGlassDoor,
        sessions: Sessions,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._settings = settings
        self._local_login = local_login
        self._break_glass = break_glass
        self._sessions = sessions

    def readiness(self, *, on_shell: bool = False) -> Readiness:
        """on_shell: who asks has the server's shell, and has shown by that that break-glass can be opened there."""
        now = self._clock()
        fresh = [one for one in self._local_login.proofs() if lately(one.at, now, self._settings.proof_seconds)]
        proof = max((one for one in fresh if self._local_login.present(one)), key=lambda one: one.at, default=None)
        users, way = tuple(self._break_glass.administrators()), self._break_glass.proof()
        missing: list[Missing] = []
        if proof is None:
            missing.append("federated_proof")
        if not users:
            missing.append("way_user")
        if way is None and not on_shell:
            missing.append("way_proof")
        return Readiness(proof, way, users, tuple(missing))

    def turn_off(self, *, actor: str, on_shell: bool = False, version: int | None = None) -> LocalLoginSwitch:
        """On trial: it comes back by itself unless `confirm` follows. version: of the switch that was shown, if any was.

        Raises Refused(local_login_not_ready | local_login_is_off | changed_meanwhile).
        """
        switch = self._expected(version)
        if switch.state != "on":
            raise Refused("local_login_is_off", "Local login is off already.", status=409)
        ready = self.readiness(on_shell=on_shell)
        if ready.missing or ready.proof is None:
            words = " ".join(_WORDS[one] for one in ready.missing)
            raise Refused(
                "local_login_not_ready",
                f"Local login stays on. {words}",
                status=409,
                reason=", ".join(ready.missing),
                detail={"missing": list(ready.missing)},
            )
        if on_shell:
            self._break_glass.shown_to_work("cli", actor=actor)
        now = self._clock()
        ends = now + self._settings.trial_seconds
        off = replace(switch, state="trial", changed_at=now, changed_by=actor, reverts_at=ends)
        return self._changed(
            off, "local_login.turned_off", actor, shown_by=ready.proof.id, provider=ready.proof.provider_id
        )

    def confirm(self, session: Session, user: User) -> LocalLoginSwitch:
        """For good, by an administrator who has just come in without a password; what password sessions are left end.

        Raises Refused(no_trial | confirm_from_upstream | changed_meanwhile).
        """
        switch = self._local_login.switch()
        if switch.state != "trial":
            raise Refused("no_trial", "Nothing waits to be confirmed. Local login may be on again: look.", status=409)
        if not self.may_confirm(switch, session, user):
            raise Refused(
                "confirm_from_upstream",
                "Sign in once more, through an upstream and with your second step. Then confirm.",
                status=403,
                reason="the session is older than the switch, by password, without second factor, or by what was changed",
            )
        off = replace(switch, state="off", changed_at=self._clock(), changed_by=user.id, reverts_at=None)
        stored = self._changed(off, "local_login.confirmed", user.id, provider=session.provider_id)
        self.settle(ENDED_AT_ONCE)
        return stored

    def may_confirm(self, switch: LocalLoginSwitch, session: Session, user: User) -> bool:
        """Has this administrator come in through an upstream, with second factor, since it was turned off?"""
        its_own = user.is_administrator and not user.disabled and session.user_id == user.id
        return switch.state == "trial" and its_own and self._came_in_since(switch, session)

    def _came_in_since(self, switch: LocalLoginSwitch, session: Session) -> bool:
        after = session.auth_time > switch.changed_at and (session.factor_at or 0.0) > switch.changed_at
        proof = self._repo.get(FederatedProof, session.user_id)
        return (
            after
            and session.provider_id is not None
            and FED in session.amr
            and proof is not None
            and proof.provider_id == session.provider_id
            and proof.at > switch.changed_at
            and self._local_login.present(proof)
        )

    def turn_on(self, *, actor: str, version: int | None = None) -> LocalLoginSwitch:
        """Always possible. Already on: nothing happens. Raises Refused(changed_meanwhile)."""
        switch = self._expected(version)
        if switch.state == "on":
            return switch
        on = replace(switch, state="on", changed_at=self._clock(), changed_by=actor, reverts_at=None)
        return self._changed(on, "local_login.turned_on", actor, before=switch.state)

    def set_exceptions(
        self, users: Iterable[User], roles: Iterable[str], *, actor: str, version: int | None = None
    ) -> LocalLoginSwitch:
        """The whole list, in place of the one before. Raises Refused(too_many_exceptions | invalid_group | …)."""
        switch = self._expected(version)
        ids, names = tuple(dict.fromkeys(one.id for one in users)), check_groups(tuple(dict.fromkeys(roles)))
        if len(ids) > MOST_EXCEPTIONS or len(names) > MOST_EXCEPTIONS:
            raise Refused("too_many_exceptions", f"There may be at most {MOST_EXCEPTIONS} exceptions. Use a role.")
        if (ids, names) == (switch.users, switch.roles):
            return switch
        stored = self._changed(
            replace(switch, users=ids, roles=names),
            "local_login.exceptions_changed",
            actor,
            before=_listed(switch),
            after=" ".join([*ids, *(f"role:{name}" for name in names)]),
        )
        self.settle(ENDED_AT_ONCE)
        return stored

    def settle(self, limit: int = 10_000) -> int:
        """Ends the sessions by password of those who may not have one any more, with their grants; gives how many. Also what
        a crash left, what break-glass leaves behind, and a trial that nobody ended. While the trial runs they only sleep: it
        may yet come to nothing."""
        if self._local_login.switch().state != "off":
            return 0
        self._local_login.look_again()
        may: dict[str, bool] = {}
        ended = 0
        for session in self._repo.find(Session, limit=limit, provider_id=None):
            if session.user_id not in may:
                user = self._repo.get(User, session.user_id)
                may[session.user_id] = user is not None and self._local_login.still_allows(user)
            if not may[session.user_id]:
                self._sessions.end(session, actor="local_login", offline=True)
                ended += 1
        return ended

    def _expected(self, version: int | None) -> LocalLoginSwitch:
        switch = self._local_login.switch()
        if version is not None and version != switch.version:
            raise _changed_meanwhile()
        return switch

    def _changed(
        self, switch: LocalLoginSwitch, event: EventName, actor: str, **detail: str | None
    ) -> LocalLoginSwitch:
        """Of two at once one is refused. Raises Refused(changed_meanwhile)."""
        stored: LocalLoginSwitch | None = switch
        if switch.version == 0:  # of a switch that nobody has touched yet: there is no record
            stored = replace(switch, version=1)
            try:
                self._repo.insert(stored)
            except Duplicate:
                stored = None
        else:
            stored = self._repo.replace_if(switch)
        if stored is None:
            raise _changed_meanwhile()
        self._local_login.look_again()
        self._audit.record(event, actor=actor, subject=SWITCH, **detail)
        return stored


def _listed(switch: LocalLoginSwitch) -> str:
    return " ".join([*switch.users, *(f"role:{name}" for name in switch.roles)])


def _changed_meanwhile() -> Refused:
    return Refused("changed_meanwhile", "Somebody else changed it at the same time. Look again.", status=409)
