"""What the metadata of a peer says, as small frozen values: read by `sp_metadata` and `idp_metadata`, kept, used everywhere."""

from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import rsa

from idp.saml.signatures import PublicKey

Binding = Literal["redirect", "post", "soap", "artifact"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a peer takes messages by a binding. response_url: for answers (ResponseLocation), where it has another one."""

    binding: Binding
    url: str
    response_url: str = ""
    index: int = 0

    @property
    def for_answers(self) -> str:
        return self.response_url or self.url


@dataclass(frozen=True, slots=True)
class Acs:
    """An assertion consumer service, for HTTP-POST or HTTP-Artifact."""

    url: str
    index: int
    is_default: bool | None
    binding: Literal["post", "artifact"] = "post"


@dataclass(frozen=True, slots=True)
class EncryptTo:
    """certificate: bare base64. methods: the content methods that it lists, as URIs; empty when it lists none."""

    certificate: str
    key: rsa.RSAPublicKey
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WantedAttribute:
    """md:RequestedAttribute."""

    name: str
    friendly_name: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class SpView:
    """What we use of an SP's metadata. valid_until in seconds since the epoch. categories: its entity categories."""

    entity_id: str
    name: str
    acs: tuple[Acs, ...]
    requests_signed: bool
    signing_keys: tuple[PublicKey, ...]
    encrypt_to: EncryptTo | None
    name_id_formats: tuple[str, ...]
    valid_until: float | None
    logout: tuple[Endpoint, ...] = ()
    certificates: tuple[str, ...] = ()  # those behind signing_keys, bare base64, in the same order
    wanted: tuple[WantedAttribute, ...] = ()
    categories: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what was left out of it, and why, in words for administrators
    cache_seconds: float | None = None

    def default_acs(self) -> Acs:
        """SAML Metadata 2.2.3: the one marked so, else the first that is not marked otherwise, else the first."""
        ranked = sorted(self.acs, key=lambda a: {True: 0, None: 1, False: 2}[a.is_default])
        return ranked[0]


@dataclass(frozen=True, slots=True)
class IdpView:
    """What we use of the metadata of an upstream identity provider. scopes: shibmd:Scope, literal ones only."""

    entity_id: str
    name: str
    sign_on: tuple[Endpoint, ...]
    signing_keys: tuple[PublicKey, ...]
    certificates: tuple[str, ...]
    wants_signed_requests: bool = False
    logout: tuple[Endpoint, ...] = ()
    name_id_formats: tuple[str, ...] = ()
    encrypt_to: EncryptTo | None = None
    scopes: tuple[str, ...] = ()
    valid_until: float | None = None
    contacts: tuple[str, ...] = field(default=())
    cache_seconds: float | None = None
