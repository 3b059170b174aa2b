"""The settings: one pydantic model, read from a YAML file and the environment. Knows nothing of what uses them.

Precedence: environment `IDP_SECTION__KEY` > configuration file > default. Unknown names are refused by name.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_origin
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from idp.base.errors import Misconfigured

MAX_CONFIG_BYTES = 1_000_000


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


class Net(Section):
    private_addresses: Literal["auto", "allow", "refuse"] = "auto"
    """May outbound requests reach private and loopback addresses? auto: only while our own issuer is a loopback address."""
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


class Settings(Section):
    """Everything that can be configured."""

    mode: Literal["development", "production"] = "development"
    """production refuses to start in an unsafe state (see README)."""
    issuer: str = ""
    """Base URL under which browsers reach us. Empty: what the set-up page stored, else http://HOST:PORT."""
    data: str = "data"
    """Folder of the embedded store, keys and secrets (mode 0700)."""
    second_factor: Literal["everyone", "administrators"] | Roles = "everyone"
    """Who must use a second factor: everyone, administrators, or {roles: [...]}."""
    local_login: bool = True
    """May people sign in with a local password?"""
    seal_key: SecretStr = SecretStr("")
    """Key (base64, 32 bytes) that seals secrets at rest. Empty: `secrets/seal.key` in the data folder, made at first start."""
    seal_key_file: str = ""
    """File that holds the seal key."""
    organisation: str = "Sheaf"
    """Name shown on the pages."""
    server: Server = Server()
    store: Store = Store()
    api: Api = Api()
    sign_in: SignIn = SignIn()
    passwords: Passwords = Passwords()
    oidc: Oidc = Oidc()
    registration: Registration = Registration()
    saml: Saml = Saml()
    net: Net = Net()
    log: Log = Log()

    @field_validator("issuer")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)  # raises ValueError
        extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or extra
            or not value.isprintable()
            or " " in value
        ):
            raise ValueError("not an address")
        return value

    @field_validator("second_factor", mode="before")
    @classmethod
    def _roles_from_text(cls, value: object) -> object:
        """The environment can only give text: `roles: [a, b]` is read as YAML."""
        if isinstance(value, str) and value.strip().startswith(("roles", "{")):
            try:
                return yaml.safe_load(value)
            except yaml.YAMLError:
                raise ValueError("not YAML") from None
        return value

    @property
    def data_dir(self) -> Path:
        return Path(self.data).resolve()

    @property
    def default_issuer(self) -> str:
        return self._base_url(self.server.host, self.server.port)

    @property
    def api_url(self) -> str:
        return self.api.url.rstrip("/") or self._base_url(self.api.host, self.api.port)

    def _base_url(self, host: str, port: int) -> str:
        host = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104
        return f"http{'s' if self.server.tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def tls_certificate(self) -> Path | None:
        """The file with the certificate that our own servers show; None without TLS."""
        given = self.server.tls_certificate
        return (Path(given).resolve() if given else self.data_dir / "secrets" / "tls.crt") if self.server.tls else None


def load(path: str | None, overrides: Mapping[str, Any] | None = None, env: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. `overrides` (from the command line) win over everything; nested keys are written `section.key`.

    Raises Misconfigured, which names the setting that is wrong.
    """
    tree = _from_file(path or env.get("IDP_CONFIG"))
    _merge_env(tree, env)
    for dotted, value in (overrides or {}).items():
        if value is not None:
            _put(tree, dotted.split("."), value)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise _misconfigured(error) from None


def _misconfigured(error: ValidationError) -> Misconfigured:
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["loc"][:1] == ("second_factor",):  # more of it names the branches of the union
        return Misconfigured(
            "second_factor", "This is none of the choices.", "Set everyone, administrators, or {roles: [finance]}."
        )
    if name == "issuer":
        return Misconfigured(
            name, "This is not the address of a server.", "Set it as https://id.example.org, with nothing after it."
        )
    if first["type"] == "extra_forbidden":
        return _no_such(name)
    return Misconfigured(name, f"{first['msg']}.", "See config.example.yaml for what is allowed.")


def _no_such(name: str) -> Misconfigured:
    return Misconfigured(name, "There is no setting of this name.", "See config.example.yaml for all names.")


def _from_file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    file = Path(path)
    if not file.is_file():
        raise Misconfigured("--config", f"There is no file {path}.", "Give the path of a YAML file.")
    if file.stat().st_size > MAX_CONFIG_BYTES:
        raise Misconfigured("--config", f"{path} is larger than 1 MB.", "Give a configuration file.")
    try:
        tree = yaml.safe_load(file.read_text()) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise Misconfigured("--config", f"{path} is not valid YAML{where}.", "Mend the file.") from None
    if not isinstance(tree, dict):
        raise Misconfigured("--config", f"{path} does not hold a mapping.", "Start from config.example.yaml.")
    return tree


def _merge_env(tree: dict[str, Any], env: Mapping[str, str]) -> None:
    """Raises Misconfigured for a section that does not exist. Other unknown names may belong to another program."""
    for name, value in env.items():
        path = name.removeprefix("IDP_").lower().split("__")
        if not name.startswith("IDP_"):
            continue
        if path[0] in Settings.model_fields:
            _put(tree, path, value)
        elif len(path) > 1:
            raise _no_such(name)


def _put(tree: dict[str, Any], path: list[str], value: object) -> None:
    for part in path[:-1]:
        branch = tree.setdefault(part, {})
        if not isinstance(branch, dict):
            branch = tree[part] = {}
        tree = branch
    tree[path[-1]] = value
