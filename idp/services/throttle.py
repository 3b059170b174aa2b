"""Counts failures per key in the store, so that all nodes and browsers share them."""

import ipaddress
import math

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.throttle import FREE_FAILURES, Throttle, failed
from idp.ports import Duplicate, Repository


class Throttles:
    def __init__(self, repo: Repository, clock: Clock) -> None:
        self._repo = repo
        self._clock = clock

    def check(self, *keys: str) -> None:
        """Raises Refused(too_many_attempts) while one of the keys is blocked."""
        now = self._clock()
        for key in keys:
            state = self._repo.get(Throttle, key)
            if state is not None and state.blocked_until > now:
                wait = math.ceil(state.blocked_until - now)
                raise Refused(
                    "too_many_attempts",
                    f"Too many attempts. Wait {wait} seconds, then try again.",
                    status=429,
                    reason=f"{key} is blocked for {wait} s after {state.failures} failures",
                    headers={"Retry-After": str(wait)},
                )

    def fail(self, key: str, free: int = FREE_FAILURES) -> Throttle:
        while True:
            before = self._repo.get(Throttle, key)
            after = failed(before, key, self._clock(), free)
            if before is not None:
                stored = self._repo.replace_if(after)
                if stored is not None:
                    return stored
            else:
                try:
                    self._repo.insert(after)
                    return after
                except Duplicate:
                    continue

    def clear(self, key: str) -> None:
        self._repo.delete(Throttle, key)


def origin(address: str) -> str:
    """What counts as one place: a whole IPv6 network, as anybody at home has 2^64 addresses; IPv4 however it is written."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.ip_network((found, 64), strict=False).network_address)
        found = found.ipv4_mapped
    return str(found)
