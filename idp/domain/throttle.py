"""Back-off after failures, per key (an account, an address). Short enough that nobody can lock an owner out for long."""

from dataclasses import dataclass, replace

FREE_FAILURES = 5
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 120.0
FORGET_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Throttle:
    """id: what is throttled, for example `password:<user id>`. blocked_until: epoch seconds."""

    id: str
    failures: int
    blocked_until: float
    expires_at: float
    version: int = 0


def failed(throttle: Throttle | None, key: str, now: float, free: int = FREE_FAILURES) -> Throttle:
    """State after one more failure."""
    before = throttle or Throttle(key, 0, 0.0, 0.0)
    failures = before.failures + 1
    over = failures - free
    wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(over, 10)) if over >= 0 else 0.0
    return replace(before, failures=failures, blocked_until=now + wait, expires_at=now + FORGET_SECONDS)
