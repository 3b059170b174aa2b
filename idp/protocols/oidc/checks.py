"""The authorization request (RFC 6749 4.1.1, OIDC Core 3.1.2.1) as an ordered list of named checks.

Before the app and its redirect URI are known a refusal is a page; afterwards it goes to the app. Leaves who signs in to
authorize.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from idp.base.errors import Refused
from idp.domain.relying import Client
from idp.protocols.oidc.errors import RefusedToApp
from idp.protocols.oidc.params import Params
from idp.protocols.oidc.redirects import RESPONSE_MODES, Reply, is_registered

IDENTITY_SCOPES = ("openid", "profile", "email", "roles", "offline_access")
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_UNSUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}


@dataclass(slots=True)
class Asking:
    """A request under examination: each check adds what it has made sure of. subject_of: the user that an id_token_hint
    names, None when it is not a token of ours for that client."""

    params: Params
    find: Callable[[str], Client | None]
    subject_of: Callable[[str, Client], str | None]
    client: Client = field(init=False)
    reply: Reply | None = None
    scopes: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    code_challenge: str | None = None
    prompt: frozenset[str] = frozenset()
    max_age: float | None = None
    hint_sub: str | None = None

    def refused(self, code: str, message: str, *, reason: str = "") -> Refused:
        if self.reply is None:
            return Refused(code, message, reason=reason)
        return RefusedToApp(code, message, self.reply, reason=reason)


def known_client(asking: Asking) -> None:
    client_id = asking.params.get("client_id", "")
    client = asking.find(client_id) if 0 < len(client_id) <= 256 and "client_id" not in asking.params.repeated else None
    if client is None:
        raise asking.refused(
            "unknown_client",
            "The app that sent you here is not known. Tell its operator.",
            reason=f"client {client_id[:100]!r}",
        )
    asking.client = client


def exact_redirect_uri(asking: Asking) -> None:
    uri = asking.params.get("redirect_uri", "")
    if not uri or "redirect_uri" in asking.params.repeated or not is_registered(asking.client, uri):
        raise asking.refused(
            "redirect_uri_mismatch",
            "The app wants you sent to an address that is not registered for it. Tell its operator.",
            reason=f"client {asking.client.id}, redirect_uri {uri[:300]!r}",
        )
    state = None if "state" in asking.params.repeated else asking.params.get("state")
    asking.reply = Reply(asking.client.id, uri, "query", state)


def response_mode_known(asking: Asking) -> None:
    assert asking.reply is not None
    mode = asking.params.get("response_mode", "query")
    if mode not in RESPONSE_MODES:
        raise asking.refused("invalid_request", f"response_mode must be one of {', '.join(RESPONSE_MODES)}.")
    asking.reply = Reply(asking.reply.client_id, asking.reply.redirect_uri, mode, asking.reply.state)


def nothing_repeated(asking: Asking) -> None:
    if asking.params.repeated:
        names = ", ".join(asking.params.repeated)
        raise asking.refused(
            "invalid_request", "A parameter was sent more than once.", reason=f"repeated: {names:.200}"
        )


def no_request_object(asking: Asking) -> None:
    for name, code in _UNSUPPORTED.items():
        if name in asking.params:
            raise asking.refused(code, f"The parameter {name} is not supported.")


def response_type_is_code(asking: Asking) -> None:
    given = asking.params.get("response_type")
    if given is None:
        raise asking.refused("invalid_request", "The parameter response_type is missing.")
    if given != "code":
        raise asking.refused("unsupported_response_type", "Only response_type=code is supported.")


def grant_type_registered(asking: Asking) -> None:
    if "authorization_code" not in asking.client.grant_types:
        raise asking.refused("unauthorized_client", "This app is not registered for sign-ins of people.")


def pkce_s256(asking: Asking) -> None:
    """RFC 7636, RFC 9700 2.1.1: S256 and nothing else; `plain` would show the verifier."""
    challenge, method = asking.params.get("code_challenge"), asking.params.get("code_challenge_method")
    if challenge is None:
        if asking.client.pkce_required or asking.client.is_public or method is not None:
            raise asking.refused(
                "invalid_request", "PKCE is required: send code_challenge with code_challenge_method=S256."
            )
        return
    if method != "S256":
        raise asking.refused("invalid_request", "Only code_challenge_method=S256 is supported.")
    if not _CHALLENGE.match(challenge):
        raise asking.refused("invalid_request", "code_challenge is not the base64url of a SHA-256 digest.")
    asking.code_challenge = challenge


def scopes_allowed(asking: Asking) -> None:
    """Only scopes of the client. offline_access comes with the refresh_token grant; without that it is ignored, as OIDC
    Core 11 says. No scope at all: what the client is registered for, without signing in."""
    client = asking.client
    asked = asking.params.words("scope") or tuple(
        scope for scope in client.scopes if scope not in ("openid", "offline_access")
    )
    offline = "refresh_token" in client.grant_types
    kept = tuple(scope for scope in asked if scope != "offline_access" or offline)
    for scope in kept:
        if scope not in client.scopes and scope != "offline_access":
            raise asking.refused(
                "invalid_scope", "This app may not ask for that scope.", reason=f"scope {scope[:100]!r}"
            )
    if not kept:
        raise asking.refused("invalid_scope", "Ask for at least one scope.")
    asking.scopes = kept


def resources_allowed(asking: Asking) -> None:
    """RFC 8707: the audiences of the access token, all of the client's when none is named."""
    asked = asking.params.every("resource")
    for resource in asked:
        if resource not in asking.client.audiences:
            raise asking.refused(
                "invalid_target",
                "This app may not get tokens for that resource.",
                reason=f"resource {resource[:200]!r}",
            )
    asking.audiences = asked or asking.client.audiences


def prompt_consistent(asking: Asking) -> None:
    prompt = frozenset(asking.params.words("prompt"))
    if prompt - PROMPTS:
        raise asking.refused("invalid_request", "prompt must be none, login, consent or select_account.")
    if "none" in prompt and len(prompt) > 1:
        raise asking.refused("invalid_request", "prompt=none cannot be combined with other values.")
    asking.prompt = prompt


def max_age_is_a_number(asking: Asking) -> None:
    given = asking.params.get("max_age")
    if given is None:
        return
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise asking.refused("invalid_request", "max_age must be a number of seconds.")
    asking.max_age = float(given)


def id_token_hint_is_ours(asking: Asking) -> None:
    hint = asking.params.get("id_token_hint")
    if hint is None:
        return
    asking.hint_sub = asking.subject_of(hint, asking.client)
    if asking.hint_sub is None:
        raise asking.refused("invalid_request", "id_token_hint is not an ID token that was issued to this app.")


CHECKS: tuple[Callable[[Asking], None], ...] = (
    known_client,
    exact_redirect_uri,
    response_mode_known,
    nothing_repeated,
    no_request_object,
    response_type_is_code,
    grant_type_registered,
    pkce_s256,
    scopes_allowed,
    resources_allowed,
    prompt_consistent,
    max_age_is_a_number,
    id_token_hint_is_ours,
)


def examine(asking: Asking) -> Asking:
    """Raises Refused (a page) or RefusedToApp (a redirect) at the first check that fails."""
    for check in CHECKS:
        check(asking)
    return asking
