"""Which of a peer's kept SAML messages must go when there are too many, and how many may come. Pure.

Whoever knows the name of a peer can send any number of bad messages in that name. Successes and failures therefore have
halves of their own, messages of one kind give way to one another first, and each kind may come only so often.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from idp.domain.saml import MessageCheck

K = TypeVar("K")
MOST_KEYS = 4096
OTHER = "other"
GOOD = "ok "  # begins the shares of successes


def share_of(ok: bool, kind: str, checks: Sequence[MessageCheck]) -> str:
    """Of a success, its kind: anybody can send requests that are good, but nobody else gets their answers. Of a failure, the
    check that failed, and whether a signature had shown before who speaks: what a stranger can cause is never of one share
    with what only the peer itself can."""
    if ok:
        return GOOD + kind
    vouched = any(check.ok and check.code == "signature" for check in checks)
    failed = next((check.code for check in checks if not check.ok), OTHER)
    return f"{failed} signed" if vouched else failed


@dataclass(frozen=True, slots=True)
class Kept:
    """What must be known of a message to decide about it."""

    id: str
    share: str


def surplus(found: Sequence[Kept], kept: int) -> set[str]:
    """The ids of those to remove, so that `kept` are left. found: the oldest first."""
    good = [one for one in found if one.share.startswith(GOOD)]
    bad = [one for one in found if not one.share.startswith(GOOD)]
    gone = set()
    for _ in range(len(found) - kept):
        too_many = good if len(good) - kept // 2 > len(bad) - (kept + 1) // 2 else bad
        crowd = Counter(one.share for one in too_many).most_common(1)[0][0]
        gone.add(too_many.pop(next(n for n, one in enumerate(too_many) if one.share == crowd)).id)
    return gone


@dataclass(frozen=True, slots=True)
class Pace:
    """So many at once, and after that one every so many seconds."""

    burst: float
    every_seconds: float


class Allowance(Generic[K]):
    """What is left of its pace for each key. Not for two threads at once."""

    def __init__(self) -> None:
        self._left: OrderedDict[K, tuple[float, float]] = OrderedDict()

    def take(self, key: K, pace: Pace, now: float) -> bool:
        left, at = self._left.get(key, (pace.burst, now))
        left = min(pace.burst, left + max(0.0, now - at) / pace.every_seconds)
        self._left[key] = (left - 1 if left >= 1 else left, now)
        self._left.move_to_end(key)
        if len(self._left) > MOST_KEYS:
            self._left.popitem(last=False)
        return left >= 1
