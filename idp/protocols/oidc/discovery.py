"""Provider metadata (OpenID Connect Discovery 1.0, RFC 8414): only what is really there, as bytes made once per issuer.

Leaves the key set to idp.crypto.keys.
"""

import hashlib
import json
from functools import lru_cache

from idp.crypto.keys import Published
from idp.crypto.new_keys import ALGS
from idp.domain.session import ACR_MFA, ACR_SINGLE
from idp.protocols.oidc.checks import IDENTITY_SCOPES, PROMPTS
from idp.protocols.oidc.grants import GRANT_TYPES
from idp.protocols.oidc.redirects import RESPONSE_MODES
from idp.services.manage_apps import AUTH_METHODS

CONFIDENTIAL = [method for method in AUTH_METHODS if method != "none"]


@lru_cache(maxsize=8)
def metadata(issuer: str) -> Published:
    body = json.dumps(_document(issuer), indent=1).encode()
    return Published(body, hashlib.sha256(body).hexdigest()[:32])


def _document(issuer: str) -> dict[str, object]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "end_session_endpoint": f"{issuer}/end_session",
        "scopes_supported": list(IDENTITY_SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": [kind.name for kind in GRANT_TYPES],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGS["id_token"]],
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "introspection_endpoint_auth_methods_supported": CONFIDENTIAL,
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": sorted(PROMPTS),
        "acr_values_supported": [ACR_MFA, ACR_SINGLE],
        "claim_types_supported": ["normal"],
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"),
            *("name", "preferred_username", "email", "email_verified", "roles"),
        ],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["en", "de"],
    }
