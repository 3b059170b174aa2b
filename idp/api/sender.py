"""Owns whether a sender-constrained token is used by the one it is bound to (`cnf`: RFC 9449, RFC 8705).

A bound token is never taken for a bearer token: where a transport cannot show a proof or a certificate it is refused. The
proofs that were used are remembered in this process. Judging the token itself is left to caller.py.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from idp.api.problems import RETRY_SECONDS, bad_token
from idp.base.binding import NotTheSender, Use, check
from idp.base.clock import Clock
from idp.base.config import Settings
from idp.base.dpop import Proof
from idp.base.errors import Refused
from idp.base.mtls import Proxies

MAX_PROOFS = 50_000  # each is remembered for two minutes at most


@dataclass(frozen=True, slots=True)
class Carried:
    """What a transport carries besides the token. path: decoded. proof: the DPoP header. peer: the address of whoever
    holds the connection. headers: names in lower case."""

    method: str
    path: str
    proof: str | None = field(default=None, repr=False)
    peer: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Senders:
    """Safe to share between threads. Raises Misconfigured."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._base = settings.api_url
        self._proxies = Proxies(settings.server)
        self._clock = clock
        self._used = Used(clock)

    def check(self, binding: Mapping[str, Any], token: str, scheme: str, carried: Carried | None) -> None:
        """binding: the claims of the token as far as they bind it. carried: None when the transport can carry neither a
        proof nor a certificate. Raises Refused 401, or 503 when no further proof can be remembered."""
        if not binding and scheme == "bearer":
            return
        if carried is None:
            message = "A token that is bound to a key cannot be used over this transport. Use REST."
            raise bad_token("bound_token", message)
        shown = self._proxies.shown(carried.peer, carried.headers)
        use = Use(scheme, carried.method, self._urls(carried.path), carried.proof, shown.thumbprint if shown else None)
        try:
            check(binding, token, use, self._clock(), first=self._used.first)
        except NotTheSender as wrong:
            raise _refused(wrong) from None

    def _urls(self, path: str) -> set[str]:
        """As senders may spell it: everything escaped that can be, or only what must be."""
        return {self._base + quote(path, safe="/"), self._base + quote(path, safe="/:@!$&'()*+,;=")}


def _refused(wrong: NotTheSender) -> Refused:
    if wrong.error == "invalid_token":
        return Refused("bound_token", wrong.message, status=401, reason=wrong.reason, headers=wrong.headers)
    return Refused("invalid_dpop_proof", wrong.message, status=401, reason=wrong.reason, headers=wrong.headers)


class Used:
    """Proofs that were used, each until it would be refused for its age anyway."""

    def __init__(self, clock: Clock, at_most: int = MAX_PROOFS) -> None:
        self._clock = clock
        self._at_most = at_most
        self._seen: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def first(self, proof: Proof) -> bool:
        """Raises Refused 503 when it is full: to forget one early would let it be used again."""
        key = hashlib.sha256(f"{proof.jkt}|{proof.jti}".encode()).digest()
        now = self._clock()
        with self._lock:
            while self._seen and next(iter(self._seen.values())) <= now:
                self._seen.popitem(last=False)
            if self._seen.get(key, 0.0) > now:
                return False
            if len(self._seen) >= self._at_most:
                self._seen = OrderedDict((old, until) for old, until in self._seen.items() if until > now)
            if len(self._seen) >= self._at_most:
                raise Refused(
                    "too_many_proofs",
                    "Too many DPoP proofs at once. Try again in a moment.",
                    status=503,
                    reason=f"{self._at_most} proofs are remembered",
                    headers={"Retry-After": str(RETRY_SECONDS)},
                )
            self._seen[key] = proof.forget_at
            self._seen.move_to_end(key)
        return True
