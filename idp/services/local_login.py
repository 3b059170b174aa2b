"""Whether passwords count: the one decision that every path with a password asks, and who could come in without one.

Leaves turning the switch to idp.services.turn_local_login, and opening it for an emergency to break_glass.
"""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import get_ident

from idp.base import ids
from idp.base.clock import Clock
from idp.base.config import Settings
from idp.base.errors import Refused
from idp.domain.audit_event import AuditEvent
from idp.domain.linking import domain_of
from idp.domain.local_login import (
    HOLD,
    SWITCH,
    AdministratorHold,
    BreakGlass,
    FederatedProof,
    LocalLoginSwitch,
    excepted,
    is_open,
    leads_in,
    on_since_ever,
    password_counts,
    trial_runs,
)
from idp.domain.session import FED, Session
from idp.domain.upstream import ANY_DOMAIN, FederatedLogin, UpstreamProvider
from idp.domain.user import User
from idp.ports import Duplicate, Repository, StoreUnavailable
from idp.services.record_audit import Audit
from idp.services.upstream_tests import fingerprint

CACHE_SECONDS = 1.0
PROOF_KEPT_SECONDS = 400 * 86_400.0
HOLD_SECONDS = 5.0
MANY = 10_000


@dataclass(frozen=True, slots=True)
class Alarm:
    """What every page says aloud. trial_ends: local login is off on trial until then; opened: break-glass."""

    trial_ends: float | None
    opened: tuple[BreakGlass, ...]


@dataclass(frozen=True, slots=True)
class LockedOut:
    """users: who could no longer sign in if local login were off. looked_at: of so many; complete: these were all."""

    users: tuple[User, ...]
    looked_at: int
    complete: bool


class LocalLogin:
    """Reads of the switch see other nodes' changes at once, those of `still_allows` and `alarm` within a second."""

    def __init__(self, repo: Repository, clock: Clock, audit: Audit, settings: Settings) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._settings = settings
        self._process = ids.secret()
        self._known: tuple[float, LocalLoginSwitch, list[BreakGlass]] | None = None

    # ------------------------------------------------------------ the decision

    def allows(self, user: User | None) -> bool:
        """May this user sign in with a password now? None: somebody, it is not known who yet."""
        self.look_again()
        return self._decided(user)

    def still_allows(self, user: User) -> bool:
        """The same for somebody who has a session by password; at most a second old, as every request asks."""
        return self._decided(user)

    def grants_stand(self, user: User) -> bool:
        """What apps got from a sign-in by password: through a trial, which may come to nothing, they keep it."""
        return self._state()[0].state == "trial" or self._decided(user)

    def _decided(self, user: User | None) -> bool:
        switch, opened = self._state()
        return password_counts(switch, opened, user, self._clock())

    def switch(self) -> LocalLoginSwitch:
        """As it is in force: a trial that has run out is `on`. Whoever notices that first writes it down."""
        while True:
            stored = self._repo.get(LocalLoginSwitch, SWITCH)
            now = self._clock()
            if stored is None:
                return on_since_ever()
            if stored.state != "trial" or trial_runs(stored, now):
                return stored
            over = replace(stored, state="on", changed_at=now, changed_by="clock", reverts_at=None)
            reverted = self._repo.replace_if(over)
            if reverted is not None:
                self._audit.record(
                    "local_login.reverted", actor="clock", subject=SWITCH, turned_off_by=stored.changed_by
                )
                return reverted

    def opened(self) -> list[BreakGlass]:
        """Break-glass, as far as it is open now."""
        now = self._clock()
        return [one for one in self._repo.find(BreakGlass, limit=MANY) if is_open(one, now)]

    @property
    def wish_unmet(self) -> bool:
        """The configuration says that local login is off, and it is not: nobody has shown yet that there is another way in."""
        return not self._settings.local_login and self._state()[0].state == "on"

    def alarm(self) -> Alarm | None:
        """Never fails: an error page asks as well."""
        try:
            switch, found = self._state()
        except StoreUnavailable:
            return None
        now = self._clock()
        opened = tuple(one for one in found if is_open(one, now))
        ends = switch.reverts_at if switch.state == "trial" else None
        return Alarm(ends, opened) if opened or ends is not None else None

    def look_again(self) -> None:
        """After a change: this process need not wait a second for it."""
        self._known = None

    def _state(self) -> tuple[LocalLoginSwitch, list[BreakGlass]]:
        known, now = self._known, self._clock()
        if known is None or not 0 <= now - known[0] < CACHE_SECONDS or not _holds(known[1], now):
            known = (now, self.switch(), self.opened())
            self._known = known
        return known[1], known[2]

    # ------------------------------------------------------------ who can come in without a password

    def saw(self, session: Session, *, began_at: float) -> None:
        """A sign-in that began at `began_at` has just made this session. An administrator who came through an upstream, with
        second factor, has shown that its present configuration works. Never refuses."""
        if session.provider_id is None or session.factor_at is None or FED not in session.amr:
            return
        user = self._repo.get(User, session.user_id)
        provider = self._repo.get(UpstreamProvider, session.provider_id) if user and user.is_administrator else None
        if user is None or provider is None or self._changed_since(provider, began_at):
            return
        now = self._clock()
        made = FederatedProof(user.id, provider.id, fingerprint(provider), now, now + PROOF_KEPT_SECONDS)
        before = self._repo.get(FederatedProof, user.id)
        if before is not None:
            self._repo.replace_if(replace(made, version=before.version))
        else:
            with suppress(Duplicate):  # two tabs: either proof is as good
                self._repo.insert(made)

    def _changed_since(self, provider: UpstreamProvider, at: float) -> bool:
        """The person may have left by another configuration than the one they came back to."""
        changes = self._repo.find(AuditEvent, limit=1, newest=True, name="upstream.changed", subject=provider.id)
        return bool(changes) and changes[0].at >= at

    def proofs(self) -> list[FederatedProof]:
        return self._repo.find(FederatedProof, limit=MANY)

    def present(self, proof: FederatedProof) -> bool:
        """Would the same administrator come in the same way today?"""
        provider = self._repo.get(UpstreamProvider, proof.provider_id)
        return (
            provider is not None
            and fingerprint(provider) == proof.fingerprint
            and self._administers(proof.id)
            and any(leads_in(one, provider) for one in self._repo.find(FederatedLogin, user_id=proof.id))
        )

    def keep_a_way_in(
        self,
        *,
        besides_user: str | None = None,
        besides_logins: Collection[str] = (),
        besides_provider: str | None = None,
        hold: bool = True,
    ) -> None:
        """Before a user, logins or an upstream are taken away: while local login is off, somebody who administers and has
        come in through an upstream before must be left; the caller takes it away at once then, in the same thread. hold=False:
        only to show whether it may be.

        Raises Refused(last_way_in_for_administrators | changed_meanwhile).
        """
        if self.switch().state == "on":
            return
        if hold:
            self._hold()
        for proof in self.proofs():
            if proof.id != besides_user and self._comes_in(proof.id, besides_logins, besides_provider):
                return
        if hold:
            self._repo.delete(AdministratorHold, HOLD)
        raise Refused(
            "last_way_in_for_administrators",
            "Local login is off, and after this nobody who administers could sign in. Have another administrator sign in "
            "through an upstream first, or turn local login on.",
            status=409,
        )

    def _hold(self) -> None:
        holder = f"{self._process}:{get_ident()}"
        with suppress(Duplicate):
            self._repo.insert(AdministratorHold(HOLD, holder, self._clock() + HOLD_SECONDS))
        held = self._repo.get(AdministratorHold, HOLD)
        if held is None or held.holder != holder:
            raise Refused(
                "changed_meanwhile",
                "Somebody else takes away an administrator or a way in at this moment. Look again.",
                status=409,
            )

    def _comes_in(self, user_id: str, besides_logins: Collection[str], besides_provider: str | None) -> bool:
        return self._administers(user_id) and any(
            one.id not in besides_logins
            and one.provider_id != besides_provider
            and leads_in(one, self._repo.get(UpstreamProvider, one.provider_id))
            for one in self._repo.find(FederatedLogin, user_id=user_id)
        )

    def _administers(self, user_id: str) -> bool:
        user = self._repo.get(User, user_id)
        return user is not None and user.is_administrator and not user.disabled

    # ------------------------------------------------------------ who would be locked out

    def users_locked_out(self, limit: int = 1000) -> LockedOut:
        """Who has a password and nothing else. Of the first `limit` users: looking at a million takes too long for a page."""
        switch = self.switch()
        usable = {one.id: one for one in self._repo.find(UpstreamProvider) if one.enabled and one.mode == "sign_in"}
        vouched = {domain for one in usable.values() for domain in one.trusted_domains}
        users = self._repo.find(User, limit=limit + 1)
        found = [
            user
            for user in users[:limit]
            if user.password_hash
            and not user.disabled
            and not excepted(switch, user)
            and not self._joins_by_itself(user, vouched)
            and not any(one.provider_id in usable for one in self._repo.find(FederatedLogin, user_id=user.id))
        ]
        return LockedOut(tuple(found), min(len(users), limit), len(users) <= limit)

    def _joins_by_itself(self, user: User, vouched: set[str]) -> bool:
        """Would a first sign-in through an upstream find this user by the address (idp.domain.linking)?"""
        kept_apart = user.never_auto_link or any(
            role in self._settings.linking.never_auto_link_roles for role in user.roles
        )
        if not user.email or not user.email_verified or kept_apart:
            return False
        return ANY_DOMAIN in vouched or domain_of(user.email) in vouched


def _holds(switch: LocalLoginSwitch, now: float) -> bool:
    return switch.state != "trial" or trial_runs(switch, now)
