"""LoginAttempts in the store: drafted and collected by the front doors, loaded for their browser, moved by compare-and-swap.

Leaves what proves a person to sign_in, and the decision itself to idp.domain.attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.attempt import Facts, FrontDoor, LoginAttempt, Proof, Step, Wants, effective_proof, next_step
from idp.domain.grant import Consent
from idp.domain.narrowing import Details
from idp.domain.policy import SecondFactorPolicy
from idp.domain.session import Session
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.ports import Repository
from idp.services.factors import Factors
from idp.services.manage_users import Users
from idp.services.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Draft:
    """An attempt that is not stored yet, and the handle under which it will be."""

    handle: str
    attempt: LoginAttempt


@dataclass(frozen=True, slots=True)
class Decision:
    """step: what comes next; proof and user: whose, when somebody has proved who they are."""

    step: Step
    proof: Proof | None
    user: User | None


@dataclass(frozen=True, slots=True)
class Finished:
    """What a front door issues from. user and session are None when the person declined (attempt.denied)."""

    attempt: LoginAttempt
    user: User | None
    session: Session | None


class Attempts:
    """What every user of an attempt needs; SignIn adds the proofs."""

    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        *,
        users: Users,
        factors: Factors,
        sessions: Sessions,
        policy: SecondFactorPolicy,
        attempt_seconds: float,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._users = users
        self._factors = factors
        self._sessions = sessions
        self._policy = policy
        self._attempt_seconds = attempt_seconds

    def draft(
        self,
        front_door: FrontDoor,
        resume_path: str,
        request: Mapping[str, Any],
        *,
        app_id: str = "",
        app_name: str = "",
        wants: Wants | None = None,
    ) -> Draft:
        """An attempt in memory. `request` is what the front door needs later: JSON values only."""
        now = self._clock()
        handle = ids.secret()
        return Draft(
            handle,
            LoginAttempt(
                id=ids.digest(handle),
                front_door=front_door,
                resume_path=resume_path,
                request=request,
                created_at=now,
                expires_at=now + self._attempt_seconds,
                app_id=app_id,
                app_name=app_name,
                wants=wants or Wants(),
            ),
        )

    def save(self, draft: Draft) -> str:
        """Persist it; gives the handle for /flow/<handle>."""
        self._repo.insert(draft.attempt)
        return draft.handle

    def decide(self, attempt: LoginAttempt, session: Session | None, *, known: User | None = None) -> Decision:
        """What comes next for this attempt in this browser. known: the user of the session, if just read."""
        proof = effective_proof(attempt, session, self._clock())
        user = self._proved(proof, known)
        if proof is not None and user is not None and proof is attempt.proof and not self._stands(proof, user):
            proof = user = None
        consented: frozenset[str] = frozenset()
        narrowed: Details = ()
        if user is not None and attempt.wants.scopes:
            consent = self._repo.get(Consent, consent_id(user.id, attempt.app_id))
            consented, narrowed = (frozenset(consent.scopes), consent.details) if consent else (consented, narrowed)
        # A session that has proved a second factor needs no look at the factors: the fast way of every single sign-on.
        has_factor = user is not None and (proof is None or proof.factor_at is None) and self._factors.has(user.id)
        facts = Facts(user, has_factor, consented, self._policy, narrowed)
        return Decision(next_step(attempt, proof, facts), proof, user)

    def second_factor_needed(self, user: User, *, by_app: bool) -> bool:
        """Would a sign-in of this user ask for a second step? For whoever comes without one (RFC 7523)."""
        return by_app or self._policy.requires(user) or self._factors.has(user.id)

    def _proved(self, proof: Proof | None, known: User | None) -> User | None:
        if proof is not None and known is not None and known.id == proof.user_id:
            return known
        return self._users.get(proof.user_id) if proof else None

    def _stands(self, proof: Proof, user: User) -> bool:
        """A sign-in that is half-way is no way round what ends sessions: the login taken off, the password that no longer
        counts."""
        logins = [self._repo.get(FederatedLogin, login_id) for login_id in proof.logins]
        owned = all(login is not None and login.user_id == user.id for login in logins)
        return owned and self._sessions.stands(proof, user)

    def collect(self, handle: str, browser: str | None) -> Finished:
        """The result of a finished attempt, exactly once, for the browser that made it.

        Raises Refused(attempt_…, session_ended).
        """
        attempt = self.load(handle, browser, finished=True)
        taken = self._repo.consume(LoginAttempt, attempt.id)
        if taken is None:
            raise already_used()
        if taken.denied:
            return Finished(taken, None, None)
        session = self._sessions.by_sid(taken.session_sid or "")
        user = self._users.get(session.user_id) if session else None
        if session is None or user is None or not self._sessions.stands(session, user):
            raise Refused("session_ended", "You were signed out meanwhile. Start again from the app.", status=403)
        return Finished(taken, user, session)

    def load(self, handle: str, browser: str | None, *, finished: bool = False) -> LoginAttempt:
        """The attempt behind a handle, for the browser (digest of its cookie) that it belongs to; the first visit binds it.

        Raises Refused(attempt_expired | attempt_used | attempt_other_browser | attempt_unfinished).
        """
        attempt = self._repo.get(LoginAttempt, ids.digest(handle)) if 20 <= len(handle) <= 100 else None
        if attempt is None:
            raise Refused(
                "attempt_expired",
                "This sign-in has expired. Start again from the app that you want to use.",
                status=410,
            )
        if attempt.consumed_at is not None or (attempt.finished and not finished):
            raise already_used().about(attempt)
        if finished and not attempt.finished:
            raise Refused("attempt_unfinished", "This sign-in is not complete. Go on where you left it.", status=409)
        if attempt.browser is None and browser is not None:
            return self.store(replace(attempt, browser=browser))
        if attempt.browser is None or attempt.browser != browser:
            raise Refused(
                "attempt_other_browser",
                "This sign-in was started in another browser. Start again from the app.",
                status=403,
                reason="the browser cookie is missing or belongs to another browser than the one that began the attempt",
            ).about(attempt)
        return attempt

    def expect(self, attempt: LoginAttempt, session: Session | None, step: Step) -> Decision:
        """Raises Refused(wrong_step): the page that was sent is not the step that is due."""
        decision = self.decide(attempt, session)
        if decision.step is not step:
            raise Refused(
                "wrong_step",
                "This page is no longer the current step.",
                status=409,
                reason=f"{step} sent, {decision.step} due",
            )
        return decision

    def start_over(self, attempt: LoginAttempt) -> LoginAttempt:
        """Forget every proof of this attempt, an existing session included: somebody else wants to sign in."""
        wants = replace(attempt.wants, ignore_session=True)
        blank = replace(attempt, proof=None, waiting=None, joined=False, owner_id=None, said=None, consented=False)
        return self.store(replace(blank, wants=wants))

    def deny(self, attempt: LoginAttempt) -> LoginAttempt:
        """The person turns back."""
        return self.store(replace(attempt, denied=True))

    def store(self, attempt: LoginAttempt) -> LoginAttempt:
        stored = self._repo.replace_if(attempt)
        if stored is None:
            raise Refused(
                "attempt_moved_on", "This sign-in went on in another tab. Go on there, or start again.", status=409
            )
        return stored


def consent_id(user_id: str, client_id: str) -> str:
    return ids.digest(f"consent:{user_id}:{client_id}")


def already_used() -> Refused:
    return Refused(
        "attempt_used", "This sign-in is already complete. Go back to the app, or start again there.", status=410
    )
