"""What follows from an upstream's word: the ruling of idp.domain.linking is carried out, whole or not at all.

Leaves what is known and joined to link_login, making users to new_users, mapping to map_login, logins that wait for their
owner to waiting_logins, the other proofs and the end of a sign-in to sign_in.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NoReturn

from idp.base.claims import ADMINISTRATOR
from idp.base.errors import Refused
from idp.domain.attempt import LoginAttempt, Proof, accepts, noted
from idp.domain.linking import Known, Ruling, decide, login_key, trusts_factor
from idp.domain.mapping import Given, given_by
from idp.domain.session import FED, MFA
from idp.domain.upstream import FederatedLogin, UpstreamIdentity, UpstreamProvider
from idp.domain.user import User
from idp.services.arrival_notes import of_mapping, of_ruling
from idp.services.attempts import Attempts
from idp.services.invitations import Invitations
from idp.services.link_login import LinkLogin, login_digest
from idp.services.manage_users import changed_meanwhile
from idp.services.map_login import MapLogin, Mapped
from idp.services.new_users import NewUsers
from idp.services.overtaken import Overtaken
from idp.services.quarantine import Quarantine
from idp.services.record_audit import Audit

TRIES = 8  # two upstreams, two tabs, an administrator at the same moment: each may move the world once
SETTLE_SECONDS = 0.02  # for a user who is right behind their first login, where a store has no transactions
DAY = 86_400.0
# How a refusal of the ruling is told; the codes of Ruling.code.
_SAID = {
    "unknown_upstream": ("This way to sign in is not available. Choose another one.", 404),
    "upstream_not_for_sign_in": ("This way is not for signing in. Choose another one.", 403),
    "login_orphaned": ("This login belongs to a user who no longer exists.", 403),
    "user_disabled": ("Your account is switched off. Ask an administrator.", 403),
    "not_the_owner": ("That login is not linked to the account. Use another way.", 403),
    "login_taken": ("This login already belongs to another user here. Nothing was changed.", 409),
    "invitation_elsewhere": ("Your invitation is for another way to sign in. Choose that one.", 403),
    "invitation_dead": ("This invitation is no longer good. Ask for a new one.", 410),
    "not_invited": (
        "Nobody here has this login, and it may not make a new account. Ask an administrator for an invitation.",
        403,
    ),
}


@dataclass(frozen=True, slots=True)
class Joining:
    """What carrying out a ruling needs besides the attempt."""

    links: LinkLogin
    makes: NewUsers
    maps: MapLogin
    quarantine: Quarantine
    invitations: Invitations
    never_auto_link: Collection[str] = (ADMINISTRATOR,)


class Arrivals(Attempts):
    """Attempts that an upstream moves on. SignIn sets these."""

    _joining: Joining
    _audit: Audit

    def must_accept(self, attempt: LoginAttempt, provider: UpstreamProvider) -> None:
        """Before somebody is sent there, and again when they come back.

        Raises Refused(upstream_not_for_sign_in | way_not_accepted)."""
        if attempt.linking:
            return
        if provider.mode != "sign_in":
            raise refused("upstream_not_for_sign_in")
        # Who only shows that a waiting login is theirs came by another way, which was accepted.
        if attempt.waiting is None and not accepts(attempt.wants, provider.id):
            raise way_not_accepted(provider.id)

    def arrive(
        self, attempt: LoginAttempt, identity: UpstreamIdentity, provider: UpstreamProvider, *, forced: bool = False
    ) -> LoginAttempt:
        """First factor by an upstream. forced: the person was made to prove themselves there for this sign-in.

        Raises Refused with the code of the ruling, way_not_accepted, or attempt_moved_on.
        """
        forced = forced or attempt.wants.force or provider.always_ask
        attempt = replace(attempt, said=identity)
        self.must_accept(attempt, provider)
        invitation = self._joining.invitations.live(attempt.invitation)
        for tries_left in range(TRIES - 1, -1, -1):
            login, known = self._joining.links.look_up(identity, invitation)
            ruling = decide(
                identity,
                provider,
                known,
                owner_id=attempt.owner_id,
                never_auto_link=self._joining.never_auto_link,
            )
            told = of_ruling(attempt, self._clock(), identity, provider, known, ruling)
            if ruling.rule == "orphaned" and login is not None and tries_left:
                if not self._joining.links.forget_orphan(login):
                    time.sleep(SETTLE_SECONDS)
                continue
            if ruling.action == "refuse":
                self._refuse(told, provider, ruling)
            try:
                moved = self._follow(told, identity, provider, login, ruling, known, forced=forced)
            except Overtaken:
                continue
            return self.store(moved)
        raise changed_meanwhile()

    def _refuse(self, attempt: LoginAttempt, provider: UpstreamProvider, ruling: Ruling) -> NoReturn:
        self._audit.record(
            "sign_in.refused",
            actor="anonymous",
            subject=ruling.user.id if ruling.user else "unknown",
            provider=provider.id,
            why=ruling.rule,
        )
        raise refused(ruling.code, f"rule {ruling.rule}").about(attempt)

    def _follow(
        self,
        attempt: LoginAttempt,
        identity: UpstreamIdentity,
        provider: UpstreamProvider,
        login: FederatedLogin | None,
        ruling: Ruling,
        known: Known,
        *,
        forced: bool,
    ) -> LoginAttempt:
        """Raises Overtaken: look again and decide anew."""
        if ruling.action == "ask_owner":
            assert ruling.user is not None
            return replace(attempt, waiting=identity, owner_id=ruling.user.id, joined=False, proof=None)
        if ruling.displaced is not None:
            self._joining.quarantine.displace(ruling.displaced, identity)
        if ruling.action == "create":
            given = given_by(identity, provider)
            user = self._made(identity, given, ruling, known)
            attempt = of_mapping(attempt, self._clock(), given, added=(*user.roles, *user.groups))
        else:
            user, attempt = self._of_old(attempt, identity, provider, login, ruling, known)
        return self._let_in(attempt, user, identity, provider, forced=forced)

    def _made(self, identity: UpstreamIdentity, given: Given, ruling: Ruling, known: Known) -> User:
        invitation = known.invitation
        address = invitation.email if invitation is not None and invitation.email else identity.email
        return self._joining.makes.make(
            identity,
            given,
            email=address if ruling.with_email else None,
            verified=ruling.verified,
            invitation=invitation,
        )

    def _of_old(
        self,
        attempt: LoginAttempt,
        identity: UpstreamIdentity,
        provider: UpstreamProvider,
        login: FederatedLogin | None,
        ruling: Ruling,
        known: Known,
    ) -> tuple[User, LoginAttempt]:
        """Somebody who was here before: joined if need be, with what the upstream says of them now."""
        user, links = ruling.user, self._joining.links
        assert user is not None
        if login is None:
            invitation = known.invitation if ruling.rule == "invited_to_user" else None
            actor = f"upstream:{provider.id}"
            try:
                login = links.link(user, identity, actor=actor, why=ruling.rule, invitation=invitation)
            except Refused as refusal:
                if refusal.code == "login_taken":  # a moment ago nobody had it
                    raise Overtaken from None
                raise
        # Not before the login is theirs: who was refused it must not leave an address by which they would be joined later.
        if ruling.verified:
            user = links.prove_address(user, identity, gets=ruling.with_email)
        return self._mapped(attempt, user, login, identity, provider)

    def _mapped(
        self,
        attempt: LoginAttempt,
        user: User,
        login: FederatedLogin,
        identity: UpstreamIdentity,
        provider: UpstreamProvider,
    ) -> tuple[User, LoginAttempt]:
        mapped = self._joining.maps.apply(user, login, identity, provider)
        self._end_weaker_sessions(user, mapped)
        told = of_mapping(
            attempt,
            self._clock(),
            mapped.given,
            added=mapped.added,
            removed=mapped.removed,
            left_out=mapped.left_out,
            kept=mapped.kept,
        )
        return mapped.user, told

    def _end_weaker_sessions(self, before: User, mapped: Mapped) -> None:
        """Who needs a second factor from now on has no session that was made without one."""
        if not self._policy.requires(mapped.user) or self._policy.requires(before):
            return
        for session in self._sessions.of(before.id):
            if session.factor_at is None:
                self._sessions.end(session, actor="sheaf")

    def _let_in(
        self,
        attempt: LoginAttempt,
        user: User,
        identity: UpstreamIdentity,
        provider: UpstreamProvider,
        *,
        forced: bool,
    ) -> LoginAttempt:
        now, login = self._clock(), self._joining.links.find(identity)
        said = None if forced else identity.auth_time
        auth_time = now if said is None else max(0.0, min(now, said))
        trusted = trusts_factor(provider, identity)
        # When nobody can tell how long ago it was, it is taken for long ago: good for signing in, and for nothing that
        # asks for a recent proof.
        factor_at = (now - DAY if not forced and said is None else auth_time) if trusted else None
        proof = Proof(
            user.id,
            auth_time,
            (FED, MFA) if trusted else (FED,),
            factor_at,
            identity.provider_id,
            logout=dict(identity.logout),
            joins=joins(attempt),
            proved_at=now,
            logins=(login.id,) if login is not None else (),
        )
        if trusted:
            attempt = noted(attempt, now, "factor", "trusted", amr=identity.amr or None, acr=identity.acr)
        return replace(attempt, proof=proof)


def joins(attempt: LoginAttempt) -> str:
    """Digest of the login that waits in this attempt, for the proof that joins it; empty when none waits."""
    return login_digest(login_key(attempt.waiting)) if attempt.waiting is not None and not attempt.joined else ""


def way_not_accepted(way: str) -> Refused:
    return Refused(
        "way_not_accepted",
        "This app does not accept this way of signing in. Choose another one.",
        status=403,
        reason=f"{way} is not among the ways that the app accepts",
    )


def refused(code: str, reason: str = "") -> Refused:
    """The refusal of that name, in words."""
    sentence, status = _SAID[code]
    return Refused(code, sentence, status=status, reason=reason)
