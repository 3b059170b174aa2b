"""Provider metadata (OpenID Connect Discovery 1.0, RFC 8414): only what is really there, as bytes made once per issuer.

Leaves the key set to idp.crypto.keys.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache

from idp.base import mtls
from idp.base.claims import DETAIL_TYPES
from idp.base.config import Settings
from idp.base.jws import ASYMMETRIC, HMAC
from idp.crypto.algs import ALG_NAMES
from idp.crypto.jwe import ENCRYPTION_ALGS, ENCRYPTION_ENCS
from idp.crypto.keys import Published
from idp.domain.metadata import AUTH_METHODS, TLS_METHODS
from idp.domain.session import ACR_MFA, ACR_SINGLE
from idp.protocols.oidc.checks import PROMPTS
from idp.protocols.oidc.grants import GRANT_TYPES
from idp.protocols.oidc.mtls import ALIASED
from idp.protocols.oidc.redirects import RESPONSE_MODES
from idp.services.scopes import Known


@dataclass(frozen=True, slots=True)
class Offers:
    """What depends on the settings. algs: what we sign with. certificates: those of clients can reach us, at mtls_url when
    that is not the issuer."""

    algs: tuple[str, ...] = ALG_NAMES
    push_everything: bool = False
    registration: bool = False
    certificates: bool = False
    mtls_url: str = ""


def offers(settings: Settings, algs: tuple[str, ...] = ALG_NAMES) -> Offers:
    return Offers(
        algs=algs,
        push_everything=settings.oidc.require_pushed_authorization_requests,
        registration=settings.registration.mode != "closed",
        certificates=mtls.available(settings),
        mtls_url=settings.server.mtls_url.rstrip("/"),
    )


NOTHING_MORE = Offers()


def metadata(issuer: str, known: Known, offered: Offers = NOTHING_MORE) -> Published:
    """known: the scopes of this moment."""
    return _made(issuer, known.names, known.claim_names, offered)


@lru_cache(maxsize=8)
def _made(issuer: str, scopes: tuple[str, ...], claims: tuple[str, ...], offered: Offers) -> Published:
    document = {**_document(issuer, scopes, claims, offered), **_authentication(offered), **_optional(issuer, offered)}
    body = json.dumps(document, indent=1).encode()
    return Published(body, hashlib.sha256(body).hexdigest()[:32])


def _document(issuer: str, scopes: tuple[str, ...], claims: tuple[str, ...], offered: Offers) -> dict[str, object]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "end_session_endpoint": f"{issuer}/end_session",
        "check_session_iframe": f"{issuer}/session/check",
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "scopes_supported": list(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": [kind.name for kind in GRANT_TYPES],
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": list(offered.algs),
        "id_token_encryption_alg_values_supported": list(ENCRYPTION_ALGS),
        "id_token_encryption_enc_values_supported": list(ENCRYPTION_ENCS),
        "userinfo_signing_alg_values_supported": list(offered.algs),
        "userinfo_encryption_alg_values_supported": list(ENCRYPTION_ALGS),
        "userinfo_encryption_enc_values_supported": list(ENCRYPTION_ENCS),
        "introspection_signing_alg_values_supported": list(offered.algs),
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": sorted(PROMPTS),
        "acr_values_supported": [ACR_MFA, ACR_SINGLE],
        "claim_types_supported": ["normal"],
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"),
            *claims,
        ],
        "authorization_details_types_supported": list(DETAIL_TYPES),
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": True,
        # Not `none`: it works for those alone that are registered for it, and whoever reads it here would rely on it.
        "request_object_signing_alg_values_supported": list(ASYMMETRIC),
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "require_pushed_authorization_requests": offered.push_everything,
        "authorization_signing_alg_values_supported": list(offered.algs),
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["en", "de"],
    }


def _authentication(offered: Offers) -> dict[str, object]:
    """How apps authenticate, at each endpoint where they do (RFC 8414 section 2)."""
    methods = [one for one in AUTH_METHODS if offered.certificates or one not in TLS_METHODS]
    found: dict[str, object] = {"dpop_signing_alg_values_supported": list(ASYMMETRIC)}
    for endpoint, allowed in (
        ("token", methods),
        ("revocation", methods),
        ("introspection", [one for one in methods if one != "none"]),
    ):
        found[f"{endpoint}_endpoint_auth_methods_supported"] = allowed
        found[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = [*ASYMMETRIC, *HMAC]
    return found


def _optional(issuer: str, offered: Offers) -> dict[str, object]:
    """What is only there when it is switched on."""
    found: dict[str, object] = {}
    if offered.registration:
        found["registration_endpoint"] = f"{issuer}/register"
    if offered.certificates:
        found["tls_client_certificate_bound_access_tokens"] = True
        if offered.mtls_url not in ("", issuer):
            found["mtls_endpoint_aliases"] = {name: offered.mtls_url + path for name, path in ALIASED.items()}
    return found
