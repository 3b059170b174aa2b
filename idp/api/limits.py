"""Owns how many requests a minute a user, a client and an address may make, counted over all nodes together.

Each process reserves a share of the minute's requests from the shared counters and spends it by itself, so that most requests
cost no look there. The limit is never exceeded; what other processes have reserved and not spent is missing from it.
"""

import ipaddress
import logging
import threading
from collections.abc import Mapping

from idp.api.counters.contract import Counters
from idp.base.clock import Clock
from idp.base.config import Settings
from idp.base.errors import Refused
from idp.base.log import event

logger = logging.getLogger("idp.api.limits")

WINDOW_SECONDS = 60
SHARES = 20  # of a limit a process reserves a twentieth at a time
MAX_KNOWN = 100_000  # users, clients and addresses of one minute that one process remembers


class Limits:
    """Safe to share between threads."""

    def __init__(self, counters: Counters, clock: Clock, limits: Mapping[str, int]) -> None:
        """limits: requests a minute by kind (`user`, `client`, `address`); 0 or missing: none."""
        self._counters = counters
        self._clock = clock
        self._limits = {kind: limit for kind, limit in limits.items() if limit}
        self._minute = -1
        self._left: dict[tuple[str, str], int] = {}
        self._alone: dict[tuple[str, str], int] = {}  # given while the shared counters did not answer
        self._lock = threading.Lock()

    @classmethod
    def from_settings(cls, counters: Counters, clock: Clock, settings: Settings) -> "Limits":
        api = settings.api
        return cls(counters, clock, {"user": api.limit_user, "client": api.limit_client, "address": api.limit_address})

    def take_address(self, address: str) -> None:
        """Before anything is known of the token. Raises Refused 429 too_many_requests."""
        if "address" in self._limits and address:
            self.take("address", network_of(address))

    def take_caller(self, subject: str, client_id: str) -> None:
        """Of whoever the token stands for and of the app that uses it. Raises Refused 429 too_many_requests."""
        if subject != client_id:
            self.take("user", subject)
        self.take("client", client_id)

    def take(self, kind: str, who: str) -> None:
        limit = self._limits.get(kind)
        if limit is None:
            return
        now = self._clock()
        minute, key = int(now // WINDOW_SECONDS), (kind, who)
        with self._lock:
            if minute != self._minute or len(self._left) > MAX_KNOWN:
                self._minute, self._left, self._alone = minute, {}, {}
            left = self._left.get(key)
            if left is not None and left > 0:
                self._left[key] = left - 1
                return
        # None: nobody has asked in this minute. 0: the share is spent. Below: the counters said that nothing is left.
        given = 0 if left is not None and left < 0 else self._reserve(kind, who, limit, minute)
        with self._lock:
            if self._minute == minute:
                self._left[key] = self._left.get(key, 0) + given - 1 if given else -1
        if not given:
            raise _too_many(kind, limit, (minute + 1) * WINDOW_SECONDS - now)

    def _reserve(self, kind: str, who: str, limit: int, minute: int) -> int:
        share = max(1, limit // SHARES)
        try:
            return self._counters.reserve(f"{kind}:{who}:{minute}", share, limit, (minute + 2.0) * WINDOW_SECONDS)
        except Refused as refused:
            # Without the counters each process counts for itself: less exact, but neither a lock-out nor a flood-gate.
            event(logger, "limits_not_shared", logging.WARNING, reason=refused.reason)
            with self._lock:
                before = self._alone.get((kind, who), 0)
                self._alone[kind, who] = min(limit, before + share)
                return self._alone[kind, who] - before

    def close(self) -> None:
        self._counters.close()


def network_of(address: str) -> str:
    """Whoever has one IPv6 address has 2⁶⁴ of them."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:60]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _too_many(kind: str, limit: int, wait: float) -> Refused:
    return Refused(
        "too_many_requests",
        f"At most {limit} requests a minute from one {kind}. Wait a moment.",
        status=429,
        detail={"limit": limit, "per": kind},
        headers={"Retry-After": str(max(1, int(wait) + 1))},
    )
