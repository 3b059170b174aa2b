"""What the kinds `oauth2` and `github` share: the code flow of providers that give no ID token (RFC 6749, 7636, 9207).

Nothing in such an answer is signed or says for whom it was made. What ties it to this departure: `state`, PKCE, a callback for
each provider, and a code that only we can redeem. Leaves asking who the person is to the kinds.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator

from idp.base import ids
from idp.base.net import is_loopback_url
from idp.domain.checks import Checks
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.ports import Departure, Tools
from idp.upstream.authlib_client import CodeClient, Registration, bearer, check_state, code_of
from idp.upstream.checking import checking
from idp.upstream.exchange import Exchange
from idp.upstream.refusals import answer_invalid, misconfigured, said

Reauthentication = Literal["none", "trust"]


def _https(value: str) -> str:
    url = value.strip()
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises for one that is no number)
    except ValueError:
        raise ValueError("This is not a URL") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_url(url)):
        raise ValueError("An https:// URL is needed (http:// only on this very machine)")
    plain = url.isascii() and url.isprintable() and not any(c in url for c in " #\\")
    if not parts.hostname or parts.username is not None or not plain:
        raise ValueError("This is a URL without user, # and blanks")
    return url


def _no_query(value: str) -> str:
    if "?" in value:
        raise ValueError("This is a URL without ?")
    return value


Endpoint = Annotated[str, AfterValidator(_https)]
Place = Annotated[str, AfterValidator(_https), AfterValidator(_no_query)]


def origin(url: str) -> str:
    """Scheme, host and port in one way of writing (RFC 6454 6.1)."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, usual) else "")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """issuer: that of the identities, and what `iss` in an answer must equal. prompt: the value that makes its page ask anew.
    takes_hint: it knows `login_hint`."""

    issuer: str
    authorization: str
    token: str
    further: Mapping[str, str] = field(default_factory=dict)
    reauthentication: Reauthentication = "none"
    prompt: str = "login"
    takes_hint: bool = True


class OAuth2Kind(ABC):
    """One configured provider. A kind says in `who` how the person is asked for."""

    label = "OAuth 2.0"

    def __init__(self, endpoints: Endpoints, ours: Registration, tools: Tools) -> None:
        self._endpoints = endpoints
        self._ours = ours
        self._policy = tools.policy

    def depart(
        self,
        provider: UpstreamProvider,
        callback_url: str,
        *,
        force: bool,
        login_hint: str | None,
        max_age: float | None = None,
    ) -> Departure:
        """Raises Refused(upstream_misconfigured) when a fresh sign-in is asked for, which no answer could show."""
        force = force or max_age is not None
        there = self._endpoints
        if force and there.reauthentication == "none":
            raise misconfigured(
                "a fresh sign-in was asked for, and without an ID token this upstream cannot show one: use another way, or "
                "set reauthentication=trust to be content with coming back"
            )
        remembered = {"state": ids.secret(), **({"verifier": ids.secret()} if self._ours.pkce else {})}
        params = {"login_hint": login_hint[:320]} if login_hint and there.takes_hint else {}
        if force and "prompt" not in there.further:
            params["prompt"] = there.prompt
        client = CodeClient(Exchange(self._policy), self._ours, callback_url)
        return Departure(client.authorization_url(there.authorization, remembered, params, there.further), remembered)

    def arrive(
        self,
        provider: UpstreamProvider,
        callback_url: str,
        params: Mapping[str, str],
        remembered: Mapping[str, str],
        checks: Checks | None = None,
    ) -> UpstreamIdentity:
        """Raises Refused(upstream_denied | upstream_unreachable | upstream_misconfigured | upstream_answer_invalid)."""
        exchange = Exchange(self._policy)
        with checking(checks, "state"):
            check_state(params, remembered)
        with checking(checks, "code"):
            code = code_of(params, self._endpoints.issuer, iss_promised=False)
        with checking(checks, "token"):
            token = CodeClient(exchange, self._ours, callback_url).redeem(self._endpoints.token, code, remembered)
            _must_be_bearer(token)
            shown = bearer(token)
        with checking(checks, "person"):
            return self.who(provider, exchange, shown)

    @abstractmethod
    def who(self, provider: UpstreamProvider, exchange: Exchange, shown: Mapping[str, str]) -> UpstreamIdentity:
        """shown: the header with the access token. Raises like arrive."""


def _must_be_bearer(token: Mapping[str, Any]) -> None:
    """RFC 6749 7.1: a token of a type that is not understood must not be used."""
    stated = token.get("token_type")
    if not isinstance(stated, str) or stated.lower() != "bearer":
        raise answer_invalid(f"the token answer has token_type {said(stated, 60)!r}, expected bearer")
