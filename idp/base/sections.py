"""The settings by section, each with its default, its bounds and what it means: the docs are made from these. Reads nothing.

Leaves files, the environment and the settings that stand in no section to idp.base.config.
"""

from typing import Any, Literal, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _lists_from_text(cls, tree: object) -> object:
        """The environment can only give text: lists are separated by blanks or commas, mappings are written as YAML."""
        if not isinstance(tree, dict):
            return tree
        return {
            name: _from_text(cls.model_fields[name].annotation, value) if name in cls.model_fields else value
            for name, value in tree.items()
        }


def _from_text(wanted: Any, value: object) -> object:
    kind = get_origin(wanted)
    if not isinstance(value, str) or kind not in (tuple, dict):
        return value
    if kind is tuple and not value.strip().startswith("["):
        return tuple(value.replace(",", " ").split())
    try:
        return yaml.safe_load(value) or kind()
    except yaml.YAMLError:
        raise ValueError("not YAML") from None


class Server(Section):
    host: str = "127.0.0.1"
    """Address the identity provider listens on."""
    port: int = Field(8000, ge=1, le=65535)
    """Port the identity provider listens on."""
    workers: int = Field(1, ge=1, le=256)
    """Worker processes; one per core is a good start for a busy installation."""
    threads: int = Field(4, ge=1, le=256)
    """Threads per worker process."""
    trusted_proxies: int = Field(0, ge=0, le=10)
    """How many reverse proxies stand in front and set X-Forwarded-For, -Proto and -Host. 0: these headers are ignored."""
    proxy_addresses: tuple[str, ...] = ()
    """Addresses or networks of these proxies. Only they may say which certificate a client showed."""
    client_certificate_header: str = ""
    """Header in which a proxy forwards the client's certificate (PEM, URL-encoded PEM, or base64 DER), for example `X-Client-Cert`."""
    mtls_url: str = ""
    """Base URL under which clients reach us with their certificate, when it is not the issuer (RFC 8705 section 5)."""
    tls: bool = False
    """Serve https (and HTTP/2) without a proxy: `idp run --tls`."""
    tls_certificate: str = ""
    """File with the certificate chain (PEM). Empty: one of our own is made in the data folder."""
    tls_key: str = ""
    """File with the private key of that certificate (PEM)."""


class Store(Section):
    url: str = "sqlite"
    """`sqlite` (a file in the data folder), `sqlite:/absolute/path.db`, or `mongodb://…/database`."""


class Api(Section):
    host: str = "127.0.0.1"
    """Address the companion API listens on."""
    port: int = Field(8001, ge=1, le=65535)
    """Port the companion API listens on."""
    workers: int = Field(1, ge=1, le=256)
    """Worker processes of the companion API."""
    threads: int = Field(4, ge=1, le=256)
    """Threads per worker process of the companion API."""
    url: str = ""
    """Base URL under which clients reach the companion. Default: http://HOST:PORT."""
    audience: str = "urn:sheaf:api"
    """The audience that an access token must name to be accepted by the companion."""
    issuer: str = ""
    """The identity provider whose tokens the companion accepts. Default: the issuer of this installation."""
    store: str = "sqlite"
    """Where documents live: `sqlite`, `sqlite:/absolute/path.db`, or `mongodb://…/database`."""
    broker: str = "embedded"
    """Where queues live: `embedded`, or `amqp://…` / `amqps://…` for RabbitMQ."""
    streams_port: int = Field(8002, ge=0, le=65535)
    """Port for WebSocket and server-sent events of the companion API; 0 turns the process for streams off."""
    streams_url: str = ""
    """Base URL under which clients reach WebSocket and server-sent events. Default: http://HOST:STREAMS_PORT."""
    tcp_port: int = Field(0, ge=0, le=65535)
    """Port for framed JSON over TCP with TLS, served by the process for streams; 0: none."""
    client_authorities: str = ""
    """File with certificates (PEM) of authorities or of clients, for TLS of the process for streams. Empty: clients show none."""
    unix_socket: str = ""
    """Path of a Unix socket for framed JSON, served by the process for streams; empty: none."""
    grpc_port: int = Field(0, ge=0, le=65535)
    """Port for gRPC, served by the process for streams; 0: none."""
    grpc_client_certificates: bool = False
    """Must every gRPC client show a certificate of `client_authorities`? Tokens bound to one need it; gRPC cannot ask only some."""
    origins: tuple[str, ...] = ()
    """Origins of browser apps that may use the companion API directly: `https://app.example.org`."""
    collection_makers: tuple[str, ...] = ()
    """Roles that may declare collections of the companion, beside administrators."""
    keyring: SecretStr = SecretStr("")
    """The keyring itself, as JSON: for installations that get their secrets in the environment. Prefer `keyring_file`."""
    keyring_file: str = ""
    """File with the keys under which fields are sealed. Default: `api/keyring` in the data folder, made at the first start."""
    keyring_command: tuple[str, ...] = ()
    """Command that prints the keyring instead of a file: the hook for a KMS or PKI."""
    file_max_bytes: int = Field(268_435_456, ge=1)
    """Size of the largest file that can be stored."""
    drain_seconds: int = Field(10, ge=0, le=300)
    """How long requests under way and open streams may go on after the companion was told to stop."""
    dispatch: Literal["direct", "queue"] = "direct"
    """`direct`: the node that got a request executes it. `queue`: it goes over the broker, and any node executes it."""
    high_priority: tuple[str, ...] = ()
    """Who may send requests with the priority `high`, beside administrators: `role:NAME`, `client:ID`, `user:ID`."""
    limit_user: int = Field(6000, ge=0)
    """Requests a minute of one user, over all nodes; 0: no limit."""
    limit_client: int = Field(12_000, ge=0)
    """Requests a minute of one client, over all nodes; 0: no limit."""
    limit_address: int = Field(12_000, ge=0)
    """Requests a minute from one address, over all nodes; 0: no limit."""
    introspection_client_id: str = ""
    """Client with which the companion asks the identity provider whether a token is still good. `idp run` sets this up itself."""
    introspection_client_secret: SecretStr = SecretStr("")
    """Secret of that client. Prefer `introspection_client_secret_file`."""
    introspection_client_secret_file: str = ""
    """File that holds the secret of that client."""


class SignIn(Section):
    attempt_seconds: int = Field(600, ge=60, le=3600)
    """How long one sign-in may take."""
    session_seconds: int = Field(43_200, ge=300)
    """How long a session lasts at most."""
    idle_seconds: int = Field(7_200, ge=300)
    """How long a session lasts without being used."""
    recent_seconds: int = Field(600, ge=60)
    """How old a sign-in may be for dangerous actions (linking, unlinking, new factor)."""


class Passwords(Section):
    time_cost: int = Field(2, ge=1, le=20)
    """argon2id passes (OWASP minimum for 19 MiB: 2)."""
    memory_kib: int = Field(19_456, ge=8_192, le=4_194_304)
    """argon2id memory in KiB."""
    parallelism: int = Field(1, ge=1, le=64)
    """argon2id lanes."""
    minimum_length: int = Field(10, ge=8, le=128)
    """Shortest password that is accepted when one is set."""


class Oidc(Section):
    code_seconds: int = Field(60, ge=10, le=60)
    """Life of an authorization code."""
    access_token_seconds: int = Field(600, ge=60, le=3600)
    """Life of an access token."""
    id_token_seconds: int = Field(600, ge=60, le=3600)
    """Life of an ID token."""
    refresh_token_seconds: int = Field(2_592_000, ge=300)
    """Life of a refresh-token family."""
    refresh_retry_seconds: int = Field(10, ge=0, le=60)
    """So long a refresh token that was just used gives the same successor again, for an app that lost our answer."""
    require_pushed_authorization_requests: bool = False
    """Every app must push its authorization requests (RFC 9126)."""
    pushed_request_seconds: int = Field(90, ge=10, le=600)
    """Life of a pushed authorization request."""
    device_code_seconds: int = Field(600, ge=60, le=1800)
    """Life of a device code."""
    assertion_issuers: dict[str, str] = {}
    """Issuer -> address of its JWK set: their assertions may stand for people who have linked a login of that issuer (RFC 7523)."""
    dpop_nonce: bool = False
    """Demand a nonce of ours in every DPoP proof (RFC 9449 section 8). No profile demands it."""
    rotate_keys_days: int = Field(90, ge=0, le=3650)
    """So old the keys that sign tokens may become before they are rotated by themselves. 0: only by command."""
    external_keys: str = ""
    """`module:factory` of a Python package that signs with keys that live elsewhere (HSM, KMS). See docs/keys.md."""


class Registration(Section):
    mode: Literal["closed", "token", "open"] = "closed"
    """Dynamic client registration (RFC 7591): closed, token (an initial access token is needed), or open to anybody."""
    scopes: tuple[str, ...] = ("openid", "profile", "email", "address", "phone", "offline_access")
    """What apps that register themselves may ask for."""
    require_pkce: bool = False
    """Must apps that register themselves and have a secret use PKCE, too? Those without a secret always must."""
    burst: int = Field(100, ge=1, le=1_000_000)
    """So many registrations come from one address before each further one has to wait longer (mode open)."""
    software_statement_issuers: dict[str, str] = {}
    """Issuer of software statements -> address of its JWK set. Statements of others are refused."""


class Saml(Section):
    entity_id: str = ""
    """entityID of our identity provider. Default: ISSUER/saml/metadata."""
    assertion_seconds: int = Field(300, ge=30, le=300)
    """How long an assertion may be presented."""
    request_skew_seconds: int = Field(300, ge=30, le=600)
    """How old or early an AuthnRequest may be."""
    require_signed_requests: bool = False
    """Refuse every unsigned AuthnRequest, also from service providers whose metadata does not promise to sign."""
    scopes: tuple[str, ...] = ()
    """Domains that we vouch for in scoped attributes (shibmd:Scope). Empty: the host of the issuer."""
    entity_categories: tuple[str, ...] = ()
    """Entity categories of our metadata (URIs), as a federation asks for them."""
    contact: str = Field("", max_length=254)
    """E-mail address for technical questions, in our metadata. Empty: none."""
    sign_metadata: bool = False
    """Sign our metadata always; `?signed=1` asks for it in any case."""
    metadata_valid_days: int = Field(0, ge=0, le=365)
    """validUntil of our metadata so many days ahead, 0 for none. Whoever reads it must then read it again."""
    artifact_seconds: int = Field(60, ge=10, le=300)
    """How long an answer by artifact may be fetched."""
    keep_messages: int = Field(20, ge=0, le=200)
    """So many of the newest messages of each peer are kept for the message inspector; 0 keeps none."""
    message_hours: int = Field(24, ge=1, le=336)
    """How long they are kept."""
    max_aggregate_bytes: int = Field(134_217_728, ge=1_048_576)
    """Largest federation metadata that is read."""


class Linking(Section):
    never_auto_link_roles: tuple[str, ...] = ("administrator",)
    """People with one of these roles are never joined to a login without a proof of their own."""
    invitation_days: int = Field(7, ge=1, le=90)
    """How long an invitation is good."""


class LocalLogin(Section):
    proof_seconds: int = Field(900, ge=60, le=3600)
    """How old an administrator's federated sign-in may be when local login is turned off."""
    trial_seconds: int = Field(600, ge=60, le=3600)
    """Local login comes back by itself after this time, unless somebody confirms that it is off."""
    break_glass_users: tuple[str, ...] = ()
    """User names of the administrators for whom break-glass opens local login. Empty: all administrators with a password."""
    break_glass_seconds: int = Field(900, ge=60, le=86_400)
    """So long break-glass opens local login, unless the command says another time."""


class Mail(Section):
    url: str = ""
    """SMTP server: `smtp://host:25`, `smtp+starttls://user@host:587` or `smtps://user@host:465`. Empty: no mail is sent."""
    password: SecretStr = SecretStr("")
    """Password of the user in mail.url. Prefer `password_file`."""
    password_file: str = ""
    """File that holds that password."""
    sender: str = Field("", max_length=254)
    """Sender address of our mails."""
    ca_file: str = ""
    """File with the certificate (PEM) of the authority that vouches for the mail server, if it is one of your own."""


class Net(Section):
    private_addresses: Literal["auto", "allow", "refuse"] = "auto"
    """May outbound requests reach private and loopback addresses? auto: only while our own issuer is a loopback address."""
    private_hosts: tuple[str, ...] = ()
    """Hosts that may be at private addresses although others may not: the directory or AD FS of your own network."""
    timeout_seconds: float = Field(5.0, gt=0, le=60)
    """Time-out of outbound requests, in all."""
    max_bytes: int = Field(1_048_576, ge=1024)
    """Largest answer that is read from another server."""


class Log(Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe line that is written."""
    trace_days: int = Field(14, ge=1, le=365)
    """How long `idp explain CODE` knows a trace code."""


class Roles(Section):
    roles: tuple[str, ...]
