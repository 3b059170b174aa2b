"""Owns whether a sender-constrained token is used by the one it is bound to (`cnf`: RFC 9449, RFC 8705).

A bound token is never taken for a bearer token: where a transport cannot show a proof or a certificate it is refused. The
proofs that were used are remembered in this process. Judging the token itself is left to caller.py.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from idp.api.counters.contract import Counters
from idp.api.problems import bad_token
from idp.base.binding import NotTheSender, Use, check
from idp.base.clock import Clock
from idp.base.config import Settings
from idp.base.dpop import Proof
from idp.base.errors import Refused
from idp.base.mtls import Proxies


@dataclass(frozen=True, slots=True)
class Carried:
    """What a transport carries besides the token. path: decoded. proof: the DPoP header. peer: the address of whoever
    holds the connection. headers: names in lower case. thumbprint: of the certificate that was shown to ourselves.
    priority: as the client asks for it."""

    method: str
    path: str
    proof: str | None = field(default=None, repr=False)
    peer: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    thumbprint: str | None = None
    priority: str | None = None


class Senders:
    """Safe to share between threads. Raises Misconfigured."""

    def __init__(self, settings: Settings, clock: Clock, counters: Counters) -> None:
        self._base = settings.api_url
        self._proxies = Proxies(settings.server)
        self._clock = clock
        self._used = Used(counters)

    def check(self, binding: Mapping[str, Any], token: str, scheme: str, carried: Carried | None) -> None:
        """binding: the claims of the token as far as they bind it. carried: None when the transport can carry neither a
        proof nor a certificate. Raises Refused 401, or 503 when no further proof can be remembered."""
        if not binding and scheme == "bearer":
            return
        if carried is None:
            message = "A token that is bound to a key cannot be used over this transport. Use REST."
            raise bad_token("bound_token", message)
        shown = self._proxies.shown(carried.peer, carried.headers)
        certificate = shown.thumbprint if shown else carried.thumbprint
        use = Use(scheme, carried.method, self._urls(carried.path), carried.proof, certificate)
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
    """Proofs that were used, remembered by all nodes together, each until it would be refused for its age anyway."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def first(self, proof: Proof) -> bool:
        """Raises Refused 503 when nobody can tell: then it may have been used."""
        key = hashlib.sha256(f"{proof.jkt}|{proof.jti}".encode()).hexdigest()
        return self._counters.reserve(f"proof:{key}", 1, 1, proof.forget_at) == 1
