"""What a client's profile switches on: FAPI 2.0, OAuth 2.1, the usual rules, or those for old clients. Pure.

Leaves enforcing each rule to whoever meets it: registration, the authorization request, client authentication, tokens.
"""

from dataclasses import dataclass
from functools import cache

from idp.domain.relying import Client, Profile

# FAPI 2.0 Security Profile 5.4.1; Ed25519 is the name of RFC 9864 for what was EdDSA.
FAPI_ALGS = frozenset({"PS256", "ES256", "Ed25519", "EdDSA"})
FAPI_AUTH_METHODS = frozenset({"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"})


@dataclass(frozen=True, slots=True)
class Rules:
    """pushed_request: PAR only. sender_constrained: tokens are bound to a key (DPoP or mTLS). auth_methods, signing_algs:
    the only ones allowed, None for all that we support. rotate_refresh: a refresh token is replaced at each use.
    issuer_audience: client assertions and request objects must name the issuer, and nothing else, as their audience.
    https_redirects: the code goes to https addresses, or to the loopback address of a native app.
    loud: every place that shows this client says that its security is weakened."""

    pushed_request: bool
    pkce: bool
    sender_constrained: bool
    auth_methods: frozenset[str] | None
    signing_algs: frozenset[str] | None
    rotate_refresh: bool
    issuer_audience: bool
    https_redirects: bool
    loud: bool


def rules(client: Client, *, push_everything: bool = False) -> Rules:
    """push_everything: the setting oidc.require_pushed_authorization_requests."""
    pushed = push_everything or client.require_pushed_authorization_requests
    return _rules(client.profile, client.is_public, client.pkce_required, pushed)


@cache
def _rules(profile: Profile, is_public: bool, pkce_required: bool, pushed: bool) -> Rules:
    fapi = profile == "fapi2"
    strict = fapi or profile == "oauth21" or is_public
    pkce = strict or pkce_required
    return Rules(
        pushed_request=fapi or pushed,
        pkce=pkce,
        sender_constrained=fapi,
        auth_methods=FAPI_AUTH_METHODS if fapi else None,
        signing_algs=FAPI_ALGS if fapi else None,
        # FAPI 2.0 5.3.2.1: rotation gives nothing to a token that is bound to a key, and breaks honest apps.
        rotate_refresh=not fapi,
        issuer_audience=fapi,
        https_redirects=fapi,
        loud=profile == "legacy" or not pkce,
    )


WEAKNESSES = {
    "pkce_optional": "PKCE is optional: whoever steals an authorization code of this app may be able to use it.",
    "legacy_needless": "Profile legacy is for old apps; this one uses PKCE and does not need it.",
    "requests_unsigned": "Its request objects need no signature: what is in them may come from anybody.",
}


def weak_points(client: Client) -> tuple[str, ...]:
    """What must be said loudly of this client, wherever an operator sees it, by its names in WEAKNESSES."""
    found = []
    if not rules(client).pkce:
        found.append("pkce_optional")
    elif rules(client).loud:
        found.append("legacy_needless")
    if client.request_object_signing_alg == "none":
        found.append("requests_unsigned")
    return tuple(found)


def weaknesses(client: Client) -> tuple[str, ...]:
    """The same in words; empty when there is nothing."""
    return tuple(WEAKNESSES[name] for name in weak_points(client))
