"""An authorization request under examination: who asks, where the request stands, and where its answer may go.

These are the first checks: until they are through, a refusal is a page. What a request object or a pushed request says
takes the place of all that stands beside it. Leaves what is asked for to checks, and who signs in to authorize.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from idp.base.errors import Refused
from idp.domain.grant import PushedRequest
from idp.domain.narrowing import Details
from idp.domain.profile import Rules, rules
from idp.domain.relying import Client
from idp.protocols.oidc.claims_request import Claims
from idp.protocols.oidc.errors import RefusedToApp
from idp.protocols.oidc.params import Params
from idp.protocols.oidc.redirects import RESPONSE_MODES, Reply, is_loopback_redirect, is_registered
from idp.services.pushed_requests import PREFIX

if TYPE_CHECKING:
    from idp.protocols.oidc.door import Door

# What may stand outside as well although it does not count there (OIDC Core 6.1).
_MUST_AGREE = ("client_id", "response_type")


@dataclass(slots=True)
class Asking:
    """A request under examination: each check adds what it has made sure of. pusher: the app that is pushing it, None for
    one that a browser brings. subjects: whom the app means, as it knows them, None for anybody; acr: the values of which
    one must be reached; acr_wished: those that would be nice, best first."""

    params: Params
    door: "Door"
    pusher: Client | None = None
    client: Client = field(init=False)
    rules: Rules = field(init=False)
    pushed: PushedRequest | None = None
    by_object: bool = False
    reply: Reply | None = None
    scopes: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    code_challenge: str | None = None
    key: str | None = None
    prompt: frozenset[str] = frozenset()
    max_age: float | None = None
    claims: Claims = field(default_factory=dict)
    acr: tuple[str, ...] = ()
    acr_wished: tuple[str, ...] = ()
    subjects: tuple[str, ...] | None = None
    details: Details = ()

    def refused(self, code: str, message: str, *, reason: str = "") -> Refused:
        if self.reply is None or self.pusher is not None:
            return Refused(code, message, reason=reason)
        return RefusedToApp(code, message, self.reply, reason=reason)

    def of(self, refused: Refused) -> Refused:
        """A refusal from below, in the way of this request."""
        if self.reply is None or self.pusher is not None:
            return refused
        return RefusedToApp(refused.code, refused.message, self.reply, reason=refused.reason)


def known_client(asking: Asking) -> None:
    given = asking.params.get("client_id", "")
    if asking.pusher is not None:
        if given not in ("", asking.pusher.id):
            raise asking.refused("invalid_request", "client_id is not the app that authenticates.")
        client: Client | None = asking.pusher
    else:
        client = asking.door.client(given) if 0 < len(given) <= 256 else None
    if client is None or "client_id" in asking.params.repeated:
        raise asking.refused(
            "unknown_client",
            "The app that sent you here is not known. Tell its operator.",
            reason=f"client {given[:100]!r}",
        )
    asking.client = client
    asking.rules = rules(client, push_everything=asking.door.parts.settings.oidc.require_pushed_authorization_requests)


def whole_request(asking: Asking) -> None:
    """RFC 9101 5 and 6.3, RFC 9126 4, OIDC Core 6: what a request object or a pushed request says takes the place of all
    that stands beside it."""
    outside = asking.params
    if "request" not in outside and "request_uri" not in outside:
        return
    asking.reply = _provisional(asking)
    _one_of_both(asking)
    asking.params = _inside(asking)
    asking.by_object = True
    for name in _MUST_AGREE:
        if name in outside and outside[name] != asking.params.get(name, outside[name]):
            raise asking.refused("invalid_request", f"{name} is one thing inside the request and another outside.")


def _provisional(asking: Asking) -> Reply | None:
    """While nobody knows what the request object says, refusals go where the request itself says, if that is the app's."""
    uri = asking.params.get("redirect_uri")
    if uri is None or "redirect_uri" in asking.params.repeated:
        return None
    if not is_registered(asking.client, uri) or not _safe(asking, uri):
        return None
    return Reply(asking.client.id, uri, "query", _state(asking))


def _one_of_both(asking: Asking) -> None:
    params = asking.params
    if "request" in params and "request_uri" in params:
        raise asking.refused("invalid_request", "Send request or request_uri, not both.")
    if "request" in params.repeated or "request_uri" in params.repeated:
        raise asking.refused("invalid_request", "A parameter was sent more than once.", reason="request(_uri) repeated")
    if "request_uri" in params and asking.pusher is not None:
        raise asking.refused("invalid_request", "request_uri cannot be pushed (RFC 9126 2.1).")


def _inside(asking: Asking) -> Params:
    reference, by_value = asking.params.get("request_uri", ""), asking.params.get("request")
    if reference.startswith(PREFIX):
        # What is wrong with it is said to people: the app would not know which of its requests this is about.
        asking.pushed = asking.door.pushed.find(reference, asking.client)
        return Params([(name, value) for name, value in asking.pushed.parameters])
    pushed_when_demanded(asking)
    objects = asking.door.request_objects
    try:
        token = objects.behind(asking.client, reference) if by_value is None else by_value
        return objects.read(asking.client, token)
    except Refused as refused:
        raise asking.of(refused) from None


def pushed_when_demanded(asking: Asking) -> None:
    """RFC 9126 5 and 6."""
    if asking.rules.pushed_request and asking.pushed is None and asking.pusher is None:
        raise asking.refused("invalid_request", "This app must push its authorization requests (RFC 9126).")


def exact_redirect_uri(asking: Asking) -> None:
    uri, client = asking.params.get("redirect_uri", ""), asking.client
    asking.reply = None
    once = bool(uri) and "redirect_uri" not in asking.params.repeated
    if not once or not is_registered(client, uri) or not _safe(asking, uri):
        code = "redirect_uri_mismatch"
        message = "The app wants you sent to an address that is not registered for it. Tell its operator."
        if asking.pusher is not None:
            code, message = "invalid_request", "redirect_uri is missing or not registered for this app."
        raise asking.refused(code, message, reason=f"client {client.id}, redirect_uri {uri[:300]!r}")
    asking.reply = Reply(client.id, uri, "query", _state(asking), client.authorization_signed_response_alg)


def _state(asking: Asking) -> str | None:
    return None if "state" in asking.params.repeated else asking.params.get("state")


def _safe(asking: Asking, uri: str) -> bool:
    """FAPI 2.0 Security Profile 5.3.2.2: https, or the loopback address of a native app."""
    return not asking.rules.https_redirects or uri.startswith("https://") or is_loopback_redirect(asking.client, uri)


def response_mode_known(asking: Asking) -> None:
    """Never a fragment: it would stay in the browser's history and in what scripts of the page can read."""
    assert asking.reply is not None
    mode = asking.params.get("response_mode", "query")
    if mode not in RESPONSE_MODES:
        raise asking.refused("invalid_request", f"response_mode must be one of {', '.join(RESPONSE_MODES)}.")
    asking.reply = replace(asking.reply, response_mode=mode)
