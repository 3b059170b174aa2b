"""Single logout with an OpenID Provider: sending the browser there (RP-Initiated Logout 1.0), and believing what it says of a
session that has ended there (Back-Channel Logout 1.0).

Leaves which sessions of ours are meant to idp.services.upstream_sessions, and ending them to the doors.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from idp.crypto.seal import SealBroken
from idp.domain.upstream import UpstreamProvider
from idp.ports import Tools
from idp.upstream import person
from idp.upstream.discovery import Discovery, Metadata
from idp.upstream.exchange import Exchange
from idp.upstream.id_token import LEEWAY_SECONDS, Claims, header_of, made_for_us, moment, readable, subject_in, verified
from idp.upstream.jwks import KeySource
from idp.upstream.oidc_settings import OidcSettings
from idp.upstream.refusals import answer_invalid, said

EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_HINT = 4000  # a longer one would not fit into an address everywhere
MAX_LIFE_SECONDS = 86_400.0
TYPES = (None, "jwt", "logout+jwt")


@dataclass(frozen=True, slots=True)
class Ended:
    """Whose session ended there: the name as in `facts`, empty for whoever had the session sid; sid: empty for all of them."""

    format: str
    value: str
    sid: str


class OidcLogout:
    def __init__(
        self,
        settings: OidcSettings,
        tools: Tools,
        discovery: Discovery,
        keys: KeySource,
        issuer_for: Callable[[Claims], str],
        key_issuer: Callable[[str, Claims], str | None],
    ) -> None:
        """issuer_for, key_issuer: as in id_token.Expected."""
        self._settings = settings
        self._tools = tools
        self._discovery = discovery
        self._keys = keys
        self._issuer_for = issuer_for
        self._key_issuer = key_issuer

    def facts(self, claims: Claims, id_token: object, metadata: Metadata) -> dict[str, str]:
        """For UpstreamIdentity.logout; empty when neither side will ever tell the other one. The ID token is kept, sealed,
        only where it will be shown."""
        sid = person.text(claims.get("sid"), 255) or ""
        if not (sid or metadata.tells_of_logout or self._settings.logout):
            return {}
        found = {"value": str(claims["sub"]), "Format": _format(claims), "session_index": sid}
        if self._settings.logout and isinstance(id_token, str) and len(id_token) <= MAX_HINT:
            found["hint"] = self._tools.hide(id_token)
        return found

    def url(self, provider: UpstreamProvider, facts: Mapping[str, str], state: str) -> str | None:
        """Where the browser signs out there; None when nobody can. Raises Refused(upstream_…)."""
        endpoint = self._discovery.metadata(Exchange(self._tools.policy)).end_session_endpoint
        if endpoint is None or not self._settings.logout:
            return None
        params = {"client_id": self._settings.client_id, "post_logout_redirect_uri": back_url(self._tools, provider)}
        if facts.get("hint"):
            with suppress(SealBroken):  # without it the person is asked there
                params["id_token_hint"] = self._tools.show(facts["hint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode({**params, 'state': state})}"

    def ended(self, provider: UpstreamProvider, token: object) -> Ended:
        """What a logout token says, once (Back-Channel Logout 1.0, 2.6). Raises Refused(upstream_answer_invalid |
        upstream_unreachable)."""
        exchange = Exchange(self._tools.policy)
        metadata = self._discovery.metadata(exchange)
        good = readable(token, "logout token")
        kind = header_of(good).get("typ")
        if (kind.lower() if isinstance(kind, str) else kind) not in TYPES:
            raise answer_invalid(f"logout token: typ is {said(kind)!r}")
        claims, key = verified(good, self._settings.algorithms, self._keys, metadata.jwks_uri, exchange)
        if claims.get("iss") != self._issuer_for(claims):
            raise answer_invalid(f"logout token: iss is {said(claims.get('iss'))!r}")
        if key.issuer is not None and self._key_issuer(key.issuer, claims) not in (None, claims["iss"]):
            raise answer_invalid("logout token: signed with a key that speaks for another issuer")
        made_for_us(claims, self._settings.client_id)
        until, name = self._valid(claims), claims.get("jti")
        _is_a_logout_token(claims)
        sub, sid = claims.get("sub"), claims.get("sid")
        if sub is None and sid is None:
            raise answer_invalid("logout token: neither sub nor sid")
        found = Ended(
            _format(claims),
            subject_in(claims, "sub") if sub is not None else "",
            subject_in(claims, "sid") if sid is not None else "",
        )
        if not isinstance(name, str) or not 0 < len(name) <= 255:
            raise answer_invalid("logout token: jti is missing")
        # Last of all: what is refused for another reason may come again.
        if not self._tools.once("logout_token", provider.id, name, until + LEEWAY_SECONDS):
            raise answer_invalid("logout token: it was used before")
        return found

    def _valid(self, claims: Claims) -> float:
        """Until when."""
        now, until, since = self._tools.clock(), moment(claims, "exp"), moment(claims, "iat")
        if until is None or since is None:
            raise answer_invalid("logout token: exp or iat is missing")
        if until <= now - LEEWAY_SECONDS or since > now + LEEWAY_SECONDS or until > now + MAX_LIFE_SECONDS:
            raise answer_invalid("logout token: expired, not valid yet, or valid for too long; do the clocks agree?")
        return until


def back_url(tools: Tools, provider: UpstreamProvider) -> str:
    """Where the browser comes back after it signed out there."""
    return f"{tools.issuer}/upstream/{provider.id}/signed-out"


def _is_a_logout_token(claims: Mapping[str, Any]) -> None:
    """And no ID token, which anybody who signs in has: that one has a nonce and no event."""
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise answer_invalid("logout token: events does not say that a session ended")
    if "nonce" in claims:
        raise answer_invalid("logout token: it has a nonce, so it is something else")


def _format(claims: Claims) -> str:
    return f"oidc {claims['iss']}"
