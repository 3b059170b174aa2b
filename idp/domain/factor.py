"""Second factors. A TOTP factor is pending until one code has proved it; each time step is accepted once (RFC 6238 5.2)."""

from dataclasses import dataclass, field, replace

STEP_SECONDS = 30
WINDOW = 1  # steps before and after now
FREE_FAILURES = 5  # wrong codes before the factor locks
FIRST_LOCK_SECONDS = 60.0
LONGEST_LOCK_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class PendingTotp:
    """An enrolment under way. id = digest of user id and browser: nobody else is shown the secret that one person scans."""

    id: str
    sealed_secret: str = field(repr=False)
    created_at: float = 0.0
    expires_at: float = 0.0
    version: int = 0


@dataclass(frozen=True, slots=True)
class ConfirmedTotp:
    """id = user id. last_step: the last accepted 30 s step. failures count per user, whatever browser they come from."""

    id: str
    sealed_secret: str = field(repr=False)
    confirmed_at: float = 0.0
    last_step: int = 0
    failures: int = 0
    locked_until: float = 0.0
    version: int = 0


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """id = digest of user id and code; consumed once."""

    id: str
    user_id: str
    created_at: float
    consumed_at: float | None = None


def after_failure(totp: ConfirmedTotp, now: float) -> ConfirmedTotp:
    """One more wrong code: from the fifth on the factor locks, each time twice as long, an hour at most."""
    failures = totp.failures + 1
    over = failures - FREE_FAILURES
    locked_until = totp.locked_until
    if over >= 0:
        locked_until = now + min(LONGEST_LOCK_SECONDS, FIRST_LOCK_SECONDS * 2 ** min(over, 16))
    return replace(totp, failures=failures, locked_until=locked_until)


def after_success(totp: ConfirmedTotp, step: int) -> ConfirmedTotp:
    return replace(totp, last_step=step, failures=0, locked_until=0.0)


def candidate_steps(now: float) -> range:
    """The steps whose code is acceptable at `now`, oldest first."""
    current = int(now // STEP_SECONDS)
    return range(current - WINDOW, current + WINDOW + 1)
