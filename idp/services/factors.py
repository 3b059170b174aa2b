"""Second factors: enrol with proof, prove, recover. Every count and every accepted step is one conditional write.

Leaves when a factor is needed to idp.domain.attempt, and TOTP arithmetic to idp.crypto.totp.
"""

import math
import secrets
from dataclasses import dataclass, replace

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.crypto import totp
from idp.crypto.seal import Seal
from idp.domain.factor import (
    ConfirmedTotp,
    PendingTotp,
    RecoveryCode,
    after_failure,
    after_success,
    candidate_steps,
)
from idp.domain.session import OTP, RECOVERY
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from idp.services.record_audit import Audit
from idp.services.throttle import Throttles

ENROLMENT_SECONDS = 900.0
RECOVERY_CODES = 10
_FIELD = "totp"
_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """secret: base32 for typing; uri: for the QR code."""

    secret: str
    uri: str


class Factors:
    def __init__(
        self, repo: Repository, seal: Seal, clock: Clock, audit: Audit, throttles: Throttles, organisation: str
    ) -> None:
        self._repo = repo
        self._seal = seal
        self._clock = clock
        self._audit = audit
        self._throttles = throttles
        self._organisation = organisation

    def has(self, user_id: str) -> bool:
        return self._repo.get(ConfirmedTotp, user_id) is not None

    def enrolled_at(self, user_id: str) -> float | None:
        factor = self._repo.get(ConfirmedTotp, user_id)
        return factor.confirmed_at if factor else None

    def recovery_codes_left(self, user_id: str) -> int:
        return sum(1 for code in self._repo.find(RecoveryCode, user_id=user_id) if code.consumed_at is None)

    def enrolment(self, user: User, browser: str | None) -> Enrolment:
        """The enrolment under way in this browser (digest of its cookie), or a new one. The same page shown twice shows the
        same secret, but never to another browser: whoever knows the password of somebody without a factor could read it
        there and wait until its owner has confirmed it."""
        now = self._clock()
        pending_id = _pending_id(user, browser)
        pending = self._repo.get(PendingTotp, pending_id)
        if pending is None:
            sealed = self._seal.close(totp.new_secret(), owner=user.id, field=_FIELD)
            pending = PendingTotp(pending_id, sealed, now, now + ENROLMENT_SECONDS)
            try:
                self._repo.insert(pending)
            except Duplicate:  # the same page in a second tab
                pending = self._repo.get(PendingTotp, pending_id) or pending
        secret = self._seal.open(pending.sealed_secret, owner=user.id, field=_FIELD)
        return Enrolment(secret, totp.uri(secret, account=user.username, issuer=self._organisation))

    def confirm(self, user: User, browser: str | None, code: str, *, replacing: bool = False) -> tuple[str, ...]:
        """Prove the enrolment of this browser with one code; gives the recovery codes, shown this once.

        Raises Refused(enrolment_expired | wrong_code | factor_exists). A confirmed factor is replaced only when the caller
        has checked a recent proof of the old one (`replacing`).
        """
        now = self._clock()
        pending = self._repo.get(PendingTotp, _pending_id(user, browser))
        if pending is None:
            raise Refused("enrolment_expired", "This set-up has expired. Start it again.", status=409)
        old = self._repo.get(ConfirmedTotp, user.id)
        if old is not None and not replacing:
            raise Refused("factor_exists", "You already have a second step. Use it to sign in.", status=409)
        secret = self._seal.open(pending.sealed_secret, owner=user.id, field=_FIELD)
        cleaned = totp.clean(code)
        step = totp.matched_step(secret, cleaned, candidate_steps(now)) if cleaned else None
        if step is None:
            raise Refused("wrong_code", "That code is not right. Take the one that the app shows now.", status=401)
        self._store_confirmed(old, ConfirmedTotp(user.id, pending.sealed_secret, now, step))
        self._repo.delete(PendingTotp, pending.id)
        codes = self.renew_recovery_codes(user)
        self._audit.record("factor.enrolled", actor=user.id, subject=user.id, kind="totp")
        return codes

    def enrol_for(self, user: User, *, actor: str) -> tuple[Enrolment, tuple[str, ...]]:
        """For the command line: a confirmed factor without a proof, because whoever has the shell has the store anyway.
        Gives the secret and the recovery codes, shown this once. Raises Refused(factor_exists)."""
        secret = totp.new_secret()
        sealed = self._seal.close(secret, owner=user.id, field=_FIELD)
        self._store_confirmed(None, ConfirmedTotp(user.id, sealed, self._clock()))
        codes = self.renew_recovery_codes(user)
        self._audit.record("factor.enrolled", actor=actor, subject=user.id, kind="totp")
        return Enrolment(secret, totp.uri(secret, account=user.username, issuer=self._organisation)), codes

    def _store_confirmed(self, old: ConfirmedTotp | None, new: ConfirmedTotp) -> None:
        taken = Refused("factor_exists", "Your second step was just set up elsewhere. Use that one.", status=409)
        if old is None:
            try:
                self._repo.insert(new)
            except Duplicate:
                raise taken from None
        else:
            if self._repo.replace_if(replace(new, version=old.version)) is None:
                raise taken

    def renew_recovery_codes(self, user: User) -> tuple[str, ...]:
        """Ten fresh codes; the old ones die first."""
        now = self._clock()
        self._repo.delete_where(RecoveryCode, user_id=user.id)
        codes = tuple(_recovery_code() for _ in range(RECOVERY_CODES))
        for code in codes:
            self._repo.insert(RecoveryCode(_recovery_digest(user.id, code), user.id, now))
        return codes

    def prove(self, user: User, code: str) -> str:
        """Check a TOTP code or a recovery code; gives what was used (`otp` or `recovery`).

        Raises Refused(factor_locked | wrong_code | used_code | no_factor).
        """
        cleaned = totp.clean(code)
        if cleaned is None:
            return self._recover(user, code)
        while True:
            factor = self._unlocked(user)
            secret = self._seal.open(factor.sealed_secret, owner=user.id, field=_FIELD)
            step = totp.matched_step(secret, cleaned, candidate_steps(self._clock()))
            if step is None:
                self._count_failure(user)
                raise Refused("wrong_code", "That code is not right. Take the one that the app shows now.", status=401)
            if step <= factor.last_step:
                # A step is accepted once: within its 30 s a shoulder-surfed code would work again (RFC 6238 5.2).
                raise Refused("used_code", "That code was already used. Wait for the next one.", status=401)
            if self._repo.replace_if(after_success(factor, step)) is not None:
                return OTP
            # somebody else wrote at the same moment: look again, the step may be used by now

    def _unlocked(self, user: User) -> ConfirmedTotp:
        factor = self._repo.get(ConfirmedTotp, user.id)
        if factor is None:
            raise Refused("no_factor", "There is no second step to check. Start again.", status=409)
        left = math.ceil(factor.locked_until - self._clock())
        if left > 0:
            raise Refused(
                "factor_locked",
                f"Too many wrong codes. Wait {_minutes(left)}, or use a recovery code.",
                status=429,
                reason=f"TOTP of {user.id} is locked for {left} s after {factor.failures} failures",
                headers={"Retry-After": str(left)},
            )
        return factor

    def _count_failure(self, user: User) -> None:
        while True:
            factor = self._repo.get(ConfirmedTotp, user.id)
            if factor is None:
                return
            stored = self._repo.replace_if(after_failure(factor, self._clock()))
            if stored is not None:
                name = "factor.locked" if stored.locked_until > self._clock() else "factor.failed"
                self._audit.record(name, actor=user.id, subject=user.id, failures=str(stored.failures))  # type: ignore[arg-type]
                return

    def _recover(self, user: User, code: str) -> str:
        key = f"recovery:{user.id}"
        self._throttles.check(key)
        text = code.strip().lower().replace(" ", "").replace("-", "")
        if len(text) != 10 or self._repo.consume(RecoveryCode, _recovery_digest(user.id, text)) is None:
            self._throttles.fail(key)
            raise Refused("wrong_code", "That code is not right. Check it, or use another way.", status=401)
        self._throttles.clear(key)
        left = self.recovery_codes_left(user.id)
        self._audit.record("factor.recovery_used", actor=user.id, subject=user.id, left=str(left))
        return RECOVERY

    def remove(self, user_id: str) -> None:
        """For an administrator or the command line; the user enrols again at the next sign-in if the policy asks."""
        self._repo.delete(ConfirmedTotp, user_id)
        self._repo.delete_where(RecoveryCode, user_id=user_id)


def _pending_id(user: User, browser: str | None) -> str:
    return ids.digest(f"enrolment:{user.id}:{browser or ''}")


def _recovery_code() -> str:
    """Ten characters, 49 bits: unguessable behind the sign-in that comes first, short enough to copy by hand."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))


def _recovery_digest(user_id: str, code: str) -> str:
    return ids.digest(f"recovery:{user_id}:{code}")


def _minutes(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
