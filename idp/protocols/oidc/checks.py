"""The authorization request (RFC 6749 4.1.1, OIDC Core 3.1.2.1) as an ordered list of named checks.

Before the app and its redirect URI are known a refusal is a page; afterwards it goes to the app. A request that is being
pushed (RFC 9126) goes through the same checks, and every refusal to whoever pushes it. Leaves the first of them, which
find the request itself, to asking, and who signs in to authorize.
"""

import re
from collections.abc import Callable

from idp.base.errors import Refused
from idp.domain.narrowing import PARAMETER, parse, without_handover
from idp.domain.session import ACR_MFA, ACR_SINGLE
from idp.protocols.oidc import claims_request
from idp.protocols.oidc.asking import (
    Asking,
    exact_redirect_uri,
    known_client,
    pushed_when_demanded,
    response_mode_known,
    whole_request,
)

PROMPTS = frozenset({"none", "login", "consent", "select_account"})
ACRS = (ACR_MFA, ACR_SINGLE)
MAX_NONCE = 1024  # it comes back in every ID token
_UNSUPPORTED = {"registration": "registration_not_supported"}
_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}\Z")


def nothing_repeated(asking: Asking) -> None:
    if asking.params.repeated:
        names = ", ".join(asking.params.repeated)
        raise asking.refused(
            "invalid_request", "A parameter was sent more than once.", reason=f"repeated: {names:.200}"
        )


def signed_when_demanded(asking: Asking) -> None:
    """RFC 9101 10.5. A pushed request was looked at when it was pushed."""
    if asking.client.require_signed_request_object and not asking.by_object:
        raise asking.refused("invalid_request", "This app must send its authorization requests as signed JWTs.")


def nothing_unsupported(asking: Asking) -> None:
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
        if asking.rules.pkce or method is not None:
            raise asking.refused(
                "invalid_request", "PKCE is required: send code_challenge with code_challenge_method=S256."
            )
        return
    if method != "S256":
        raise asking.refused("invalid_request", "Only code_challenge_method=S256 is supported.")
    if not _DIGEST.match(challenge):
        raise asking.refused("invalid_request", "code_challenge is not the base64url of a SHA-256 digest.")
    asking.code_challenge = challenge


def dpop_key_named(asking: Asking) -> None:
    """RFC 9449 10: only the holder of this key can redeem the code."""
    given = asking.params.get("dpop_jkt")
    if given is not None and not _DIGEST.match(given):
        raise asking.refused("invalid_request", "dpop_jkt is not a JWK thumbprint (RFC 7638, SHA-256).")
    asking.key = given


def nonce_bounded(asking: Asking) -> None:
    if len(asking.params.get("nonce", "")) > MAX_NONCE:
        raise asking.refused("invalid_request", f"nonce is longer than {MAX_NONCE} characters.")


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


def details_readable(asking: Asking) -> None:
    """RFC 9396 5: to what the tokens are narrowed."""
    given = asking.params.get(PARAMETER)
    if given is None:
        return
    try:
        asking.details = without_handover(parse(given))
    except Refused as refused:
        raise asking.of(refused) from None


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
        registered = asking.client.default_max_age
        asking.max_age = None if registered is None else float(registered)
        return
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise asking.refused("invalid_request", "max_age must be a number of seconds.")
    asking.max_age = float(given)


def claims_readable(asking: Asking) -> None:
    """OIDC Core 5.5. Which of them the app gets is decided when tokens are made."""
    given = asking.params.get("claims")
    if given is None:
        return
    try:
        asking.claims = claims_request.parse(given)
    except Refused as refused:
        raise asking.of(refused) from None
    asking.subjects = claims_request.subjects(asking.claims)


def acr_within_reach(asking: Asking) -> None:
    """OIDC Core 5.5.1.1: an essential acr of which we have no value is refused at once, as nobody could ever reach it. What
    the request says in acr_values, or the app in its registration, is a wish."""
    values, essential = claims_request.acr(asking.claims) if asking.claims else ((), False)
    known = tuple(value for value in values if value in ACRS)
    if essential and not known:
        raise asking.refused(
            "unmet_authentication_requirements", "None of the acr values that are demanded can be reached here."
        )
    if essential:
        asking.acr = known
        return
    wished = values or asking.params.words("acr_values") or asking.client.default_acr_values
    asking.acr_wished = tuple(value for value in wished if value in ACRS)


def id_token_hint_is_ours(asking: Asking) -> None:
    """It may have expired (OIDC Core 3.1.2.1)."""
    hint = asking.params.get("id_token_hint")
    if hint is None:
        return
    subject = asking.door.subject_of(hint, asking.client)
    if subject is None:
        raise asking.refused("invalid_request", "id_token_hint is not an ID token that was issued to this app.")
    if asking.subjects is not None and subject not in asking.subjects:
        raise asking.refused("invalid_request", "id_token_hint and claims are about different people.")
    asking.subjects = (subject,)


CHECKS: tuple[Callable[[Asking], None], ...] = (
    known_client,
    whole_request,
    exact_redirect_uri,
    response_mode_known,
    nothing_repeated,
    pushed_when_demanded,
    signed_when_demanded,
    nothing_unsupported,
    response_type_is_code,
    grant_type_registered,
    pkce_s256,
    dpop_key_named,
    nonce_bounded,
    scopes_allowed,
    resources_allowed,
    details_readable,
    prompt_consistent,
    max_age_is_a_number,
    claims_readable,
    acr_within_reach,
    id_token_hint_is_ours,
)


def examine(asking: Asking) -> Asking:
    """Raises Refused (a page, or JSON to who pushes) or RefusedToApp (to the app) at the first check that fails."""
    for check in CHECKS:
        check(asking)
    return asking
