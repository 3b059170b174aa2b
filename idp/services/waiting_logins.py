"""A login that waits for its owner: joined when they have proved themselves for this very one, or kept apart.

Leaves whether somebody is asked at all to arrivals, and the proofs and the end of a sign-in to sign_in.
"""

from dataclasses import replace

from idp.base.errors import Refused
from idp.domain.attempt import LoginAttempt, noted, waits
from idp.domain.link_change import Invitation
from idp.domain.mapping import given_by
from idp.domain.session import FED, Session
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.services.arrivals import Arrivals, joins, refused
from idp.services.attempts import already_used
from idp.services.manage_users import changed_meanwhile
from idp.services.overtaken import Overtaken


class WaitingLogins(Arrivals):
    """Attempts in which a login waits, and those that were begun to link one more."""

    def keep_separate(self, attempt: LoginAttempt, provider: UpstreamProvider) -> LoginAttempt:
        """The person does not own (or does not want to join) the account with the same e-mail: a user of its own, without
        that address. Raises Refused(not_invited | upstream_not_for_sign_in | unknown_upstream)."""
        waiting = attempt.waiting
        if waiting is None or attempt.joined:
            raise already_used()
        self._must_sign_in(provider)
        invitation = self._invited(attempt, provider)
        if not self.may_keep_separate(attempt, provider):
            raise Refused(
                "not_invited", "This provider may not make new accounts here. Ask an administrator.", status=403
            )
        attempt = noted(replace(attempt, waiting=None, owner_id=None), self._clock(), "rule", "kept_separate")
        login = self._joining.links.find(waiting)
        if login is not None:  # joined, or kept separate, in another tab meanwhile
            return self.arrive(attempt, waiting, provider)
        try:
            user = self._joining.makes.make(
                waiting,
                given_by(waiting, provider),
                email=None,
                verified=False,
                invitation=invitation,
            )
        except Overtaken:
            return self.arrive(attempt, waiting, provider)
        return self.store(self._let_in(attempt, user, waiting, provider, forced=False))

    def may_keep_separate(self, attempt: LoginAttempt, provider: UpstreamProvider) -> bool:
        return provider.may_create == "anybody" or self._invited(attempt, provider) is not None

    def _invited(self, attempt: LoginAttempt, provider: UpstreamProvider) -> Invitation | None:
        """The invitation that makes a new user of whoever has it."""
        found = self._joining.invitations.live(attempt.invitation)
        fits = found is not None and found.user_id is None and found.provider_id in (None, provider.id)
        return found if fits else None

    def join(self, attempt: LoginAttempt) -> LoginAttempt:
        """Its owner has proved everything that is asked of them: the waiting login becomes theirs. Once; again changes nothing.

        Raises Refused(link_proof_other | unknown_upstream | upstream_not_for_sign_in | login_taken | login_orphaned).
        """
        waiting, proof = attempt.waiting, attempt.proof
        if waiting is None or proof is None or not waits(attempt):
            return attempt
        if proof.user_id != attempt.owner_id or proof.joins != joins(attempt):
            raise Refused(
                "link_proof_other",
                "You proved yourself for another login than this one. Start again.",
                status=403,
                reason="the proof was not made by the owner of the address, or not for the login that waits",
            ).about(attempt)
        provider = self._must_sign_in(self._repo.get(UpstreamProvider, waiting.provider_id))
        user = self._users.get(proof.user_id)
        if user is None or user.disabled:
            raise refused("login_orphaned").about(attempt)
        login = self._joining.links.link(user, waiting, actor=user.id, why="owner_confirmed")
        attempt = noted(attempt, self._clock(), "rule", "owner_confirmed", user=user.id)
        try:
            user, attempt = self._mapped(attempt, user, login, waiting, provider)
        except Overtaken:
            raise changed_meanwhile() from None
        # Who came by the waiting login and proved to be its owner has come both ways.
        amr = tuple(dict.fromkeys([*proof.amr, FED]))
        both = replace(proof, provider_id=waiting.provider_id, amr=amr, logins=(*proof.logins, login.id))
        return self.store(replace(attempt, joined=True, proof=both))

    def link_more(
        self,
        attempt: LoginAttempt,
        session: Session | None,
        identity: UpstreamIdentity,
    ) -> None:
        """A signed-in user joins one more login, from the account page. The attempt ends with it, whatever comes out. What the
        upstream says of them counts from the first sign-in by it.

        Raises Refused(link_not_yours | login_taken).
        """
        if not attempt.linking or self._repo.consume(LoginAttempt, attempt.id) is None:
            raise already_used()
        user = self._users.get(session.user_id) if session is not None else None
        begun_in = attempt.request.get("sid")
        same = session is not None and begun_in in (None, session.sid)
        if user is None or user.disabled or user.id != attempt.owner_id or not same:
            raise Refused(
                "link_not_yours", "You are no longer signed in as the one who began this. Start again.", status=403
            ).about(attempt)
        self._joining.links.link(user, identity, actor=user.id, why="account_page")

    def _must_sign_in(self, provider: UpstreamProvider | None) -> UpstreamProvider:
        """Raises Refused(unknown_upstream | upstream_not_for_sign_in): also when that changed while somebody was under way."""
        if provider is None or not provider.enabled:
            raise refused("unknown_upstream")
        if provider.mode != "sign_in":
            raise refused("upstream_not_for_sign_in")
        return provider
