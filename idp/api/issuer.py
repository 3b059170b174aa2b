"""Owns what the companion knows of the identity provider: discovery, its public keys, and the answer of introspection.

Judging a token by these is left to caller.py. One fetch at a time; what was fetched has an end; nothing grows without limit.
"""

import base64
import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

from idp.api.problems import unavailable
from idp.base.clock import Clock
from idp.base.config import Settings
from idp.base.errors import Misconfigured, Refused
from idp.base.log import event
from idp.base.net import Answer, NetPolicy, Unreachable, fetch, is_loopback_url, policy_for
from idp.base.secret import Secret
from idp.base.waiting import about_to_wait

if TYPE_CHECKING:
    from joserfc.jwk import Key

logger = logging.getLogger("idp.api.issuer")

FRESH_SECONDS = 300.0  # keys are fetched again after this
STALE_SECONDS = 900.0  # and without an answer used for so long at most
REFETCH_SECONDS = 5.0  # an unknown kid asks again, but not more often than this
REST_SECONDS = 1.0  # after a failure nobody waits for the next one so long
MAX_KEYS = 50


def issuer_of(settings: Settings) -> str:
    """Whose tokens are accepted. Raises Misconfigured when that is unsafe in production."""
    issuer = settings.api.issuer or settings.issuer or settings.default_issuer
    if settings.mode == "production" and not (issuer.startswith("https://") or is_loopback_url(issuer)):
        raise Misconfigured("api.issuer", "It is not an https URL.", "Give the https URL of the identity provider.")
    return issuer


def introspection_client_of(settings: Settings) -> tuple[str, Secret] | None:
    """(client id, secret), or None when revocation is left to the end of each token."""
    api = settings.api
    if not api.introspection_client_id:
        return None
    given = api.introspection_client_secret.get_secret_value()
    if not given and api.introspection_client_secret_file:
        try:
            with open(api.introspection_client_secret_file) as file:
                given = file.read().strip()
        except OSError as error:
            problem = f"The file cannot be read ({error.strerror})."
            raise Misconfigured("api.introspection_client_secret_file", problem, "Give a readable file.") from None
    if not given:
        raise Misconfigured(
            "api.introspection_client_secret", "The introspection client has no secret.", "Give it, or a file with it."
        )
    return api.introspection_client_id, Secret(given)


@dataclass(frozen=True, slots=True)
class _Known:
    """What one fetch gave, and when."""

    at: float
    keys: Mapping[str, "Key"]
    introspection_endpoint: str


class Issuer:
    """Safe to share between threads."""

    def __init__(self, url: str, policy: NetPolicy, client: tuple[str, Secret] | None, clock: Clock) -> None:
        self.url = url
        self.introspects = client is not None
        self._policy = policy
        self._client = client
        self._clock = clock
        self._known: _Known | None = None
        self._tried_at = float("-inf")
        self._failed_at = float("-inf")
        self._fetching = threading.Lock()

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> "Issuer":
        url = issuer_of(settings)
        return cls(
            url, policy_for(settings.net, url, settings.tls_certificate), introspection_client_of(settings), clock
        )

    def key(self, kid: str) -> "Key | None":
        """The public key of that id; None when the issuer has none. Raises Refused 503 when it cannot be asked."""
        known = self._current()
        if kid not in known.keys and self._may_try():
            known = self._refresh(known)
        return known.keys.get(kid)

    def introspect(self, token: str) -> Mapping[str, Any]:
        """RFC 7662. Raises Refused 503 when there is no clear answer: when in doubt, deny."""
        assert self._client
        endpoint = self._current().introspection_endpoint
        if not endpoint:
            raise unavailable("issuer", "discovery names no introspection_endpoint")
        name, secret = self._client
        basic = base64.b64encode(f"{quote_plus(name)}:{quote_plus(secret.reveal())}".encode()).decode()
        headers = {
            "Authorization": f"Basic {basic}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        body = urlencode({"token": token, "token_type_hint": "access_token"}).encode()
        answer = _json(self._ask("POST", endpoint, headers, body), endpoint)
        if not isinstance(answer.get("active"), bool):
            raise unavailable("issuer", "the introspection answer has no `active`")
        return answer

    def _current(self) -> _Known:
        known, now = self._known, self._clock()
        if known and now - known.at < FRESH_SECONDS:
            return known
        if known and now - known.at < STALE_SECONDS and not self._may_try():
            return known
        return self._refresh(known)

    def _may_try(self) -> bool:
        return self._clock() - self._tried_at >= REFETCH_SECONDS

    def _refresh(self, seen: _Known | None) -> _Known:
        """Fetch again, unless another thread has done so since `seen` was read. A failure leaves what is not yet stale."""
        about_to_wait()  # for the lock already: whoever holds it is asking
        with self._fetching:
            if self._known is not seen and self._known:
                return self._known
            self._tried_at = self._clock()
            if self._known is None and self._tried_at - self._failed_at < REST_SECONDS:
                raise unavailable("issuer", "it did not answer a moment ago")
            try:
                self._known = self._fetch()
            except Refused as refused:
                known, self._failed_at = self._known, self._clock()
                if known is None or self._clock() - known.at >= STALE_SECONDS:
                    raise
                event(logger, "keys_not_refreshed", logging.WARNING, issuer=self.url, reason=refused.reason)
                return known
            return self._known

    def _fetch(self) -> _Known:
        where = self.url.rstrip("/") + "/.well-known/openid-configuration"
        metadata = _json(self._ask("GET", where), where)
        if metadata.get("issuer") != self.url:
            raise unavailable("issuer", f"{where} speaks for another issuer: {metadata.get('issuer')!r:.200}")
        jwks_uri = metadata.get("jwks_uri")
        if not isinstance(jwks_uri, str):
            raise unavailable("issuer", "discovery names no jwks_uri")
        found = _json(self._ask("GET", jwks_uri), jwks_uri).get("keys")
        endpoint = metadata.get("introspection_endpoint")
        return _Known(self._clock(), _public_keys(found), endpoint if isinstance(endpoint, str) else "")

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        about_to_wait()
        try:
            return fetch(method, url, self._policy, headers=headers, body=body)
        except Unreachable as error:
            raise unavailable("issuer", f"{url}: {error.reason}") from None


def _json(answer: Answer, url: str) -> Mapping[str, Any]:
    if answer.status != 200:
        raise unavailable("issuer", f"{url} answered {answer.status}")
    try:
        tree = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise unavailable("issuer", f"{url} did not answer with JSON") from None
    if not isinstance(tree, dict):
        raise unavailable("issuer", f"{url} did not answer with a JSON object")
    return tree


def _public_keys(found: object) -> Mapping[str, "Key"]:
    """Keys for signatures by kid; a key that cannot be read is left out (RFC 7517 section 5)."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    keys: dict[str, Key] = {}
    for jwk in found[:MAX_KEYS] if isinstance(found, list) else []:
        kid = jwk.get("kid") if isinstance(jwk, dict) else None
        # A symmetric key in a public document would let every reader sign.
        if not isinstance(kid, str) or jwk.get("kty") not in ("RSA", "EC", "OKP") or jwk.get("use", "sig") != "sig":
            continue
        try:
            keys[kid] = JWKRegistry.import_key(jwk)
        except (JoseError, ValueError, TypeError, KeyError):
            event(logger, "key_left_out", logging.WARNING, kid=kid[:128])
    return keys
