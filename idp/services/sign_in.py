"""One sign-in: prove by password and factor, consent, finish. Decides by `decide` and nothing else.

Leaves attempts as records to attempts, what comes by an upstream to arrivals and waiting_logins, and cookies, HTML and
protocols to the doors.
"""

from dataclasses import replace

from idp.base import ids
from idp.base.claims import API_SCOPES
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.crypto.passwords import Passwords
from idp.domain.attempt import LoginAttempt, Proof, Step, Wants, accepts, noted
from idp.domain.grant import Consent
from idp.domain.policy import SecondFactorPolicy
from idp.domain.session import OTP, PWD, Session
from idp.domain.upstream import LOCAL, UpstreamIdentity
from idp.domain.user import User, login_key
from idp.ports import Duplicate, Repository
from idp.services.arrivals import Joining, joins, way_not_accepted
from idp.services.attempts import consent_id
from idp.services.factors import Factors
from idp.services.local_login import LocalLogin
from idp.services.manage_users import Users
from idp.services.record_audit import Audit
from idp.services.sessions import Sessions
from idp.services.throttle import Throttles, origin
from idp.services.upstream_sessions import UpstreamSessions
from idp.services.waiting_logins import WaitingLogins

ADDRESS_FREE_FAILURES = 50


class SignIn(WaitingLogins):
    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        *,
        users: Users,
        passwords: Passwords,
        factors: Factors,
        sessions: Sessions,
        joining: Joining,
        throttles: Throttles,
        audit: Audit,
        policy: SecondFactorPolicy,
        attempt_seconds: float,
        local_login: LocalLogin,
    ) -> None:
        super().__init__(
            repo,
            clock,
            users=users,
            factors=factors,
            sessions=sessions,
            policy=policy,
            attempt_seconds=attempt_seconds,
        )
        self._passwords = passwords
        self._joining = joining
        self._throttles = throttles
        self._audit = audit
        self._local_login = local_login
        self._upstream_sessions = UpstreamSessions(repo, clock)

    def local_login_allowed(self, user: User | None) -> bool:
        """The one decision whether passwords count. Every path that takes a password asks here."""
        return self._local_login.allows(user)

    def prove_password(self, attempt: LoginAttempt, login: str, password: str, address: str) -> LoginAttempt:
        """First factor by password. Raises Refused(wrong_credentials | too_many_attempts | way_not_accepted)."""
        # Who only shows that a waiting login is theirs came by another way, which was accepted.
        if attempt.waiting is None and not accepts(attempt.wants, None):
            raise way_not_accepted(LOCAL).about(attempt)
        user = self._users.by_login(login)
        # By what was typed, not by whose it is: else a block that an address shares with a user name, or with another
        # spelling of it, would tell which accounts there are.
        account = f"password:{ids.digest(login_key(login))[:32]}"
        place = f"password-from:{origin(address)}"
        self._throttles.check(account, place)
        allowed = self.local_login_allowed(user)
        matches, fresh = self._passwords.verify(password, user.password_hash if user and allowed else None)
        if user is None or not matches or user.disabled or not self._fits_owner(attempt, user):
            self._throttles.fail(account)
            self._throttles.fail(place, ADDRESS_FREE_FAILURES)
            self._audit.record(
                "sign_in.failed", actor="anonymous", subject=user.id if user else "unknown", by="password"
            )
            why = "local login is off" if not allowed else _why_refused(user, matches)
            told = noted(attempt, self._clock(), "password", "wrong", user=user.id if user else None, why=why)
            refused = Refused("wrong_credentials", "User name or password is not right.", status=401, reason=why)
            raise refused.about(told)
        if fresh:
            self._users.store_rehash(user, fresh)
        self._throttles.clear(account)
        attempt = noted(attempt, self._clock(), "password", "right", user=user.id)
        proof = Proof(user.id, self._clock(), (PWD,), joins=joins(attempt))
        return self.store(replace(attempt, proof=proof))

    def _fits_owner(self, attempt: LoginAttempt, user: User) -> bool:
        return attempt.owner_id is None or attempt.owner_id == user.id

    def prove_factor(self, attempt: LoginAttempt, session: Session | None, code: str) -> LoginAttempt:
        """Second factor. Raises Refused(wrong_code | used_code | factor_locked | wrong_step)."""
        decision = self.expect(attempt, session, Step.FACTOR)
        assert decision.user is not None
        assert decision.proof is not None
        used = self._factors.prove(decision.user, code)
        return self._with_factor(self._why_asked(attempt, decision.user), decision.proof, used)

    def prove_enrolment(
        self, attempt: LoginAttempt, session: Session | None, code: str
    ) -> tuple[LoginAttempt, tuple[str, ...]]:
        """Enrol at the first sign-in: one proof is also the second factor of this sign-in. Gives the recovery codes."""
        decision = self.expect(attempt, session, Step.ENROL)
        assert decision.user is not None
        assert decision.proof is not None
        codes = self._factors.confirm(decision.user, attempt.browser, code)
        attempt = noted(self._why_asked(attempt, decision.user), self._clock(), "factor", "enrolled")
        return self._with_factor(attempt, decision.proof, OTP), codes

    def _why_asked(self, attempt: LoginAttempt, user: User) -> LoginAttempt:
        """The factor rule, for the record."""
        now = self._clock()
        if self._policy.requires(user):
            return noted(attempt, now, "factor", "asked_by_settings")
        if attempt.wants.second_factor:
            return noted(attempt, now, "factor", "asked_by_app")
        return noted(attempt, now, "factor", "asked_as_set_up")

    def _with_factor(self, attempt: LoginAttempt, proof: Proof, used: str) -> LoginAttempt:
        amr = tuple(dict.fromkeys([*proof.amr, used]))
        attempt = noted(attempt, self._clock(), "factor", "proved", by=used)
        return self.store(replace(attempt, proof=replace(proof, factor_at=self._clock(), amr=amr)))

    def answer_consent(self, attempt: LoginAttempt, session: Session | None, *, allow: bool) -> LoginAttempt:
        decision = self.expect(attempt, session, Step.CONSENT)
        assert decision.user is not None
        if not allow:
            self._audit.record("consent.denied", actor=decision.user.id, subject=attempt.app_id)
            return self.store(replace(noted(attempt, self._clock(), "consent", "denied"), denied=True))
        self._remember_consent(decision.user, attempt)
        self._audit.record(
            "consent.given", actor=decision.user.id, subject=attempt.app_id, scopes=" ".join(attempt.wants.scopes)
        )
        return self.store(replace(noted(attempt, self._clock(), "consent", "given"), consented=True))

    def _remember_consent(self, user: User, attempt: LoginAttempt) -> None:
        key, now = consent_id(user.id, attempt.app_id), self._clock()
        while True:
            before = self._repo.get(Consent, key)
            if before is None:
                try:
                    wants = attempt.wants
                    self._repo.insert(Consent(key, user.id, attempt.app_id, wants.scopes, now, wants.details))
                    return
                except Duplicate:
                    continue
            if self._repo.replace_if(widened(before, attempt.wants, now)) is not None:
                return

    def finish(
        self, attempt: LoginAttempt, session: Session | None, user_agent: str, left: Session | None = None
    ) -> tuple[LoginAttempt, str | None]:
        """All steps are done: join a waiting login, make or step up the session, close the attempt.

        session: the live session of this browser, whoever it belongs to; left: one that it was not used for too long, which
        goes on or ends like a live one, as apps still hang on it. Gives the finished attempt and the new session handle,
        None when the session stays as it is.
        """
        due = Step.DENIED if attempt.denied else Step.DONE
        self.expect(attempt, session, due)
        if self._complete_but_for_consent(attempt, session):
            attempt = self.join(attempt)
        # Asked again: what came with the login that was joined may need a second factor.
        proof = self.expect(attempt, session, due).proof
        fresh = attempt.proof if due is Step.DONE or self._complete_but_for_consent(attempt, session) else None
        sid = session.sid if session is not None and due is Step.DONE and fresh is None else None
        # Closed first, by compare-and-swap: of two tabs that finish at once only one makes a session.
        closed = self.store(replace(attempt, finished=True, proof=proof, session_sid=sid))
        if fresh is None:
            return closed, None
        made, handle = self._sessions.establish(fresh, session or left, user_agent)
        self._remember_upstream(made, fresh, attempt.waiting)
        self._audit.record(
            "sign_in.succeeded",
            actor=fresh.user_id,
            subject=fresh.user_id,
            by=" ".join(fresh.amr),
            provider=fresh.provider_id,
            app=attempt.app_id or None,
        )
        self._local_login.saw(made, began_at=attempt.created_at)
        return self.store(replace(closed, session_sid=made.sid)), handle

    def _remember_upstream(self, session: Session, proof: Proof, joined: UpstreamIdentity | None) -> None:
        """Where the person is signed in as well, and is to be signed out. joined: a login that the owner has just proved by
        other means; the upstream has a session all the same."""
        if joined is not None:
            self._upstream_sessions.keep(session, joined.provider_id, joined.logout)
        if proof.provider_id is not None:
            self._upstream_sessions.keep(session, proof.provider_id, proof.logout)

    def _complete_but_for_consent(self, attempt: LoginAttempt, session: Session | None) -> bool:
        """Who has proved everything and then denies an app is signed in with us all the same."""
        return self.decide(replace(attempt, denied=False), session).step in (Step.CONSENT, Step.DONE)


def widened(before: Consent, wants: Wants, now: float) -> Consent:
    """What is remembered after a further answer. What was allowed within one narrowing is not allowed within another: of
    the scopes that are narrowed only those of the last answer stay, and the person is asked again about the others."""
    same = before.details == wants.details
    kept = [scope for scope in before.scopes if same or scope not in API_SCOPES]
    scopes = tuple(dict.fromkeys([*kept, *wants.scopes]))
    return replace(before, scopes=scopes, granted_at=now, details=wants.details)


def _why_refused(user: User | None, matches: bool) -> str:
    if user is None:
        return "no such user"
    if not matches:
        return "wrong password" if user.password_hash else "the user has no password"
    return "the user is disabled" if user.disabled else "another user than the owner of the e-mail"
