"""The public keys of clients (RFC 7517): from the JWK set that is registered, or fetched from the registered jwks_uri.

Fetches are guarded, bounded, remembered, one at a time for each client and a few at a time for all; a failure is remembered
for a moment as well, so that made-up requests cannot make us hammer anybody. Leaves what the keys are used for to
client_auth, mtls, request objects (signing) and tokens (encryption).
"""

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.jws import Unreadable, fits, public_key
from idp.base.log import event
from idp.base.net import NetPolicy, Unreachable, fetch
from idp.base.places import Places
from idp.base.waiting import about_to_wait
from idp.domain.relying import Client

if TYPE_CHECKING:
    from joserfc.jwk import Key

_log = logging.getLogger("idp.oidc.client_keys")

FRESH_SECONDS = 300.0
STALE_SECONDS = 1800.0  # so long keys are used while their address does not answer
REFETCH_SECONDS = 10.0  # a key id that we do not know, or a failure, asks again, but not more often than this
MAX_KEYS = 50
MAX_BYTES = 262_144
MAX_CLIENTS = 2000  # remembered at a time
MAX_CERTIFICATE = 16_384


@dataclass(frozen=True, slots=True)
class ClientKey:
    """key: a joserfc key with public members only. certificate: base64 DER, the first one of its `x5c`."""

    key: "Key"
    certificate: str | None = None


@dataclass(slots=True)
class _Fetched:
    """What one address gave. at: of the last success; tried_at: of the last attempt."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    keys: tuple[ClientKey, ...] = ()
    at: float = float("-inf")
    tried_at: float = float("-inf")


class ClientKeys:
    """Safe to share between threads. policy: asked at each fetch, as the issuer may change at set-up. places: for all who
    wait for an address or for somebody who asks it; then every look-up raises Refused(temporarily_unavailable), too."""

    def __init__(self, policy: Callable[[], NetPolicy], clock: Clock, places: Places | None = None) -> None:
        self._policy = policy
        self._clock = clock
        self._places = places
        self._fetched: OrderedDict[tuple[str, str], _Fetched] = OrderedDict()
        self._lock = threading.Lock()

    def signing(self, client: Client, kid: str | None, alg: str) -> list["Key"]:
        """The keys that may have signed with this algorithm: of that id, or without one; all that fit when kid is None.
        Empty when there is none, or when its jwks_uri does not answer (the log says so)."""
        found = _fitting(self.all(client), kid, alg)
        if not found and client.jwks_uri:
            found = _fitting(self._newer(client, client.jwks_uri), kid, alg)
        return found

    def encryption(self, client: Client, alg: str) -> "Key | None":
        """The key to encrypt to (RSA-OAEP…, ECDH-ES…); None when it has published none that fits."""
        candidates = [one.key for one in self.all(client) if _encrypts(one.key, alg)]
        for key in candidates:
            if key.get("use") == "enc":
                return key
        return candidates[0] if candidates else None

    def all(self, client: Client) -> tuple[ClientKey, ...]:
        """Every key that can be read. A registered set wins over an address (RFC 7591 2: never both)."""
        if client.jwks:
            return _registered(client.jwks)
        if not client.jwks_uri:
            return ()
        known, now = self._known(client, client.jwks_uri), self._clock()
        if 0 <= now - known.at < FRESH_SECONDS:
            return known.keys
        try:
            return self._fetch(client, client.jwks_uri, known)
        except Refused:  # no place: as if its address did not answer
            if known.keys and now - known.at < STALE_SECONDS:
                return known.keys
            raise

    def _newer(self, client: Client, uri: str) -> tuple[ClientKey, ...]:
        return self._fetch(client, uri, self._known(client, uri))

    def _known(self, client: Client, uri: str) -> _Fetched:
        with self._lock:
            known = self._fetched.setdefault((client.id, uri), _Fetched())
            self._fetched.move_to_end((client.id, uri))
            if len(self._fetched) > MAX_CLIENTS:
                self._fetched.popitem(last=False)
            return known

    def _fetch(self, client: Client, uri: str, known: _Fetched) -> tuple[ClientKey, ...]:
        if 0 <= self._clock() - known.tried_at < REFETCH_SECONDS:
            return known.keys
        about_to_wait()  # for the lock already: whoever holds it is asking
        with self._places.taken() if self._places is not None else nullcontext(), known.lock:
            now = self._clock()
            if 0 <= now - known.tried_at < REFETCH_SECONDS:
                return known.keys
            try:
                known.keys = _asked(uri, self._policy())
                known.at = now
            except (Unreachable, Unreadable) as problem:
                event(_log, "client_keys_unreachable", logging.WARNING, client=client.id, reason=str(problem)[:200])
                if now - known.at >= STALE_SECONDS:
                    known.keys = ()
            # Counted from the end: else those who stood in line would ask a slow address one after the other.
            known.tried_at = self._clock()
            return known.keys


@lru_cache(maxsize=1024)
def _registered(text: str) -> tuple[ClientKey, ...]:
    try:
        return read_set(text)
    except Unreadable:
        return ()


def read_set(text: str) -> tuple[ClientKey, ...]:
    """The keys of a JWK set; what cannot be read is left out (RFC 7517 5). Raises Unreadable when it is no set at all."""
    try:
        published = json.loads(text).get("keys")
    except (ValueError, RecursionError, AttributeError):
        raise Unreadable("not a JWK set") from None
    if not isinstance(published, list):
        raise Unreadable("not a JWK set")
    keys = []
    for jwk in published[:MAX_KEYS]:
        try:
            keys.append(ClientKey(public_key(jwk), _certificate(jwk)))
        except Unreadable:
            continue
    return tuple(keys)


def _asked(uri: str, policy: NetPolicy) -> tuple[ClientKey, ...]:
    """Raises Unreachable, Unreadable."""
    headers = {"Accept": "application/jwk-set+json, application/json"}
    answer = fetch("GET", uri, replace(policy, max_bytes=min(policy.max_bytes, MAX_BYTES)), headers=headers)
    if answer.status != 200:
        raise Unreadable(f"its jwks_uri answered {answer.status}")
    return read_set(answer.body.decode("utf-8", "replace"))


def _certificate(jwk: dict[str, Any]) -> str | None:
    chain = jwk.get("x5c")
    first = chain[0] if isinstance(chain, list) and chain else None
    return first if isinstance(first, str) and len(first) <= MAX_CERTIFICATE else None


def _fitting(keys: tuple[ClientKey, ...], kid: str | None, alg: str) -> list["Key"]:
    return [one.key for one in keys if fits(one.key, alg) and (kid is None or one.key.kid in (kid, None))]


def _encrypts(key: "Key", alg: str) -> bool:
    if key.get("use") not in (None, "enc") or key.alg not in (None, alg):
        return False
    if alg.startswith("RSA"):
        return key.key_type == "RSA"
    return key.key_type == "EC" or (key.key_type == "OKP" and key.get("crv") in ("X25519", "X448"))
