"""Applications that rely on us: OIDC clients and SAML service providers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

AuthMethod = Literal[
    "none",
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
]
Profile = Literal["", "fapi2", "oauth21", "legacy"]


@dataclass(frozen=True, slots=True)
class Client:
    """An OIDC relying party (names of RFC 7591 and OIDC Dynamic Client Registration, where they have one; the leading
    `token_endpoint_` is left out). secret_digest: SHA-256 of a 256-bit random secret, None for clients without one.

    old_secret_digest: the secret before, good until old_secret_until. sealed_secret, old_sealed_secret: the secret itself,
    sealed (owner = id, field = `secret`), for client_secret_jwt only. jwks: the JSON text of a JWK set. *_alg fields hold
    JOSE names; None: not used. claims: the claims that may be released to this app, None for all that its scopes release.
    roles, groups: the only ones that its tokens show, None for all. *_seconds: lifetimes, None for the installation's.
    """

    id: str
    name: str
    created_at: float
    secret_digest: str | None = field(default=None, repr=False)
    auth_method: AuthMethod = "client_secret_basic"
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = ("authorization_code",)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    audiences: tuple[str, ...] = ()
    pkce_required: bool = True
    consent: Literal["ask", "skip"] = "ask"
    second_factor_required: bool = False
    access_token_seconds: int | None = None
    # how the app authenticates
    profile: Profile = ""
    application_type: Literal["web", "native"] = "web"
    old_secret_digest: str | None = field(default=None, repr=False)
    old_secret_until: float | None = None
    sealed_secret: str | None = field(default=None, repr=False)
    old_sealed_secret: str | None = field(default=None, repr=False)
    auth_signing_alg: str | None = None
    jwks: str | None = None
    jwks_uri: str | None = None
    tls_client_auth_subject_dn: str | None = None
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    tls_client_auth_san_ip: str | None = None
    tls_client_auth_san_email: str | None = None
    # what its requests must be like
    require_pushed_authorization_requests: bool = False
    require_signed_request_object: bool = False
    request_object_signing_alg: str | None = None
    request_uris: tuple[str, ...] = ()
    default_max_age: int | None = None
    default_acr_values: tuple[str, ...] = ()
    require_auth_time: bool = False
    # what its answers are like
    access_token_format: Literal["jwt", "opaque"] = "jwt"  # noqa: S105
    tls_client_certificate_bound_access_tokens: bool = False
    dpop_bound_access_tokens: bool = False
    id_token_signed_response_alg: str = "RS256"  # noqa: S105
    id_token_encrypted_response_alg: str | None = None
    id_token_encrypted_response_enc: str | None = None
    userinfo_signed_response_alg: str | None = None
    userinfo_encrypted_response_alg: str | None = None
    userinfo_encrypted_response_enc: str | None = None
    authorization_signed_response_alg: str | None = None
    introspection_signed_response_alg: str | None = None
    subject_type: Literal["public", "pairwise"] = "public"
    sector_identifier_uri: str | None = None
    id_token_seconds: int | None = None
    refresh_token_seconds: int | None = None
    claims: tuple[str, ...] | None = None
    roles: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    # logout
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = False
    frontchannel_logout_uri: str | None = None
    frontchannel_logout_session_required: bool = False
    # for people
    logo_uri: str | None = None
    client_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    contacts: tuple[str, ...] = ()
    initiate_login_uri: str | None = None
    # dynamic registration
    software_id: str | None = None
    software_version: str | None = None
    registration_token_digest: str | None = field(default=None, repr=False)
    # ids of the only upstreams that people may come by, `local` for the password; None for all
    upstreams: tuple[str, ...] | None = None
    version: int = 0

    @property
    def is_public(self) -> bool:
        return self.auth_method == "none"


@dataclass(frozen=True, slots=True)
class CustomScope:
    """A scope of this installation's own. id = its name; words: what people read when they are asked; claims: names of
    User.claims that it releases."""

    id: str
    words: str = ""
    claims: tuple[str, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class InitialAccessToken:
    """Allows dynamic registration (RFC 7591 1.2). id = digest of the token; uses_left: None for any number."""

    id: str
    name: str
    created_at: float
    expires_at: float
    uses_left: int | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class ServiceProvider:
    """A SAML service provider. id = entityID; metadata: the XML that was registered, checked on the way in.

    name_id_format: a URN, empty for what its metadata lists first. name_id_field: the field that an e-mail or unspecified
    NameID is made of, empty for the usual one. attributes: SAML attribute name -> field: `username`, `email`, `name`, `id`,
    `roles`, `groups`, `claim:NAME` (User.claims), or `=text` for a constant; empty for the default three.
    attribute_filters: SAML attribute name -> glob patterns, of which each value must match one (of our values, before they
    are mapped). attribute_values: SAML attribute name -> {our value: their value}; what is not named there is left out.
    signature_algorithm: a key of idp.saml.formats.SIGNATURES. encryption_method: `auto` (what its metadata lists, GCM only)
    or a key of formats.CONTENT; CBC by naming it only. key_transport: a key of formats.KEY_TRANSPORT. sign_requests:
    must its requests be signed? logout: is it told when a session ends? assertion_seconds: None for the installation's.
    upstreams: ids of the only upstreams that people may come by, `local` for the password; None for all.
    source_id: the federation that vouches for it (MetadataSource); its metadata is then kept there and empty here.
    """

    id: str
    name: str
    metadata: str = field(repr=False)
    created_at: float = 0.0
    name_id_format: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    sign_response: bool = True
    encrypt: Literal["when_possible", "never", "always"] = "never"
    second_factor_required: bool = False
    enabled: bool = True
    name_id_field: str = ""
    attribute_filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    attribute_values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sign_requests: Literal["as_metadata", "always"] = "as_metadata"
    signature_algorithm: str = "rsa-sha256"
    encryption_method: str = "auto"
    key_transport: str = "rsa-oaep-mgf1p"
    idp_initiated: bool = False
    default_relay_state: str = ""
    logout: bool = True
    assertion_seconds: int | None = None
    source_id: str = ""
    upstreams: tuple[str, ...] | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class PersistentNameId:
    """Random name of a user at one service provider (never shared between them). Unique per (user, sp)."""

    id: str
    user_id: str
    sp_id: str
    created_at: float


@dataclass(frozen=True, slots=True)
class SamlRequestSeen:
    """An AuthnRequest that was answered or is being answered. id = digest of issuer and request ID: accepted once."""

    id: str
    seen_at: float
    expires_at: float
