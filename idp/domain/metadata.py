"""Names and bounds of what an app may register: algorithms, grant types, ways to authenticate. Pure.

Leaves whether a whole client makes sense to idp.services.check_client, and what a profile demands to `profile`.
"""

from dataclasses import replace

from idp.base.errors import Refused
from idp.domain.relying import Client

CODE = "authorization_code"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANT_TYPES = (CODE, "refresh_token", "client_credentials", DEVICE, EXCHANGE, JWT_BEARER)
# These need a client that can prove who it is.
CONFIDENTIAL_GRANTS = ("client_credentials", EXCHANGE, JWT_BEARER)

SECRET_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt")
TLS_METHODS = ("tls_client_auth", "self_signed_tls_client_auth")
AUTH_METHODS = ("none", *SECRET_METHODS, "private_key_jwt", *TLS_METHODS)

# What we and apps sign with. Never `none`, and never HS*: an ID token that a shared secret signs can be made by the app
# itself. EdDSA is what Ed25519 was called before RFC 9864; what is registered is what stands in the header.
SIGNING_ALGS = ("RS256", "PS256", "ES256", "ES384", "Ed25519", "EdDSA")
SECRET_ALGS = ("HS256", "HS384", "HS512")
# RSA1_5 is left out: its padding tells the key, one question at a time (RFC 8725 3.2).
ENCRYPTION_ALGS = ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
ENCRYPTION_ENCS = ("A256GCM", "A128GCM", "A128CBC-HS256", "A256CBC-HS512")
DEFAULT_ENC = "A128CBC-HS256"  # OIDC Dynamic Client Registration 1.0 section 2

TLS_SUBJECTS = (
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
)

ID_TOKEN_ALG = "id_token_signed_response_alg"  # noqa: S105
RESPONSE_ALGS = (
    ID_TOKEN_ALG,
    "userinfo_signed_response_alg",
    "authorization_signed_response_alg",
    "introspection_signed_response_alg",
)
DEFAULT_RS256 = ("authorization_signed_response_alg", "introspection_signed_response_alg")  # JARM 3, RFC 9701 6
ENCRYPTED = ("id_token_encrypted_response", "userinfo_encrypted_response")

# Fields that hold or describe a secret. Nobody sets them from outside, and nothing shows them.
SECRET_FIELDS = (
    "secret_digest",
    "old_secret_digest",
    "old_secret_until",
    "sealed_secret",
    "old_sealed_secret",
    "registration_token_digest",
)


def bad(field: str, why: str) -> Refused:
    """RFC 7591 3.2.2. The sentence begins with the name of the field."""
    code = "invalid_redirect_uri" if field == "redirect_uris" else "invalid_client_metadata"
    return Refused(code, f"{field}: {why}.", status=400)


def has_secret(client: Client) -> bool:
    """Is it registered for a method that needs one?"""
    return client.auth_method in SECRET_METHODS


def is_private_use(uri: str) -> bool:
    """`com.example.app:/callback` (RFC 8252 7.1): such a scheme has a dot, which no other scheme of ours has."""
    return "." in uri.partition(":")[0]


def normal(client: Client) -> Client:
    """The same client as everything else expects it: the default `enc` (OIDC Registration section 2), native where the
    scheme of an address allows nothing else, ID tokens as its profile wants them, no secrets that are not used."""
    changes: dict[str, object] = {}
    for name in ENCRYPTED:
        if getattr(client, f"{name}_alg") and not getattr(client, f"{name}_enc"):
            changes[f"{name}_enc"] = DEFAULT_ENC
    if client.is_public and any(is_private_use(uri) for uri in client.redirect_uris):
        changes["application_type"] = "native"
    if client.profile == "fapi2":
        # FAPI 2.0 5.4.1 forbids RS256, which is what every specification says where nothing is registered.
        alg = getattr(client, ID_TOKEN_ALG)
        changes[ID_TOKEN_ALG] = alg = "PS256" if alg == "RS256" else alg  # the same type of key
        changes |= {name: alg for name in DEFAULT_RS256 if getattr(client, name) is None}
    if not has_secret(client):
        changes |= {name: None for name in SECRET_FIELDS if name != "registration_token_digest"}
    elif client.auth_method != "client_secret_jwt":
        changes |= {"sealed_secret": None, "old_sealed_secret": None}
    return replace(client, **changes)  # type: ignore[arg-type]
