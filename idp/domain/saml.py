"""What SAML leaves in the store besides ServiceProvider: who is signed in where, artifacts, logouts under way, where metadata
comes from, messages for whoever looks for a fault. Frozen dataclasses; all times in seconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Binding = Literal["redirect", "post", "soap", "artifact"]


@dataclass(frozen=True, slots=True)
class SamlParticipant:
    """A service provider that got an assertion in a session (SAML Core 3.7.3.2). id = digest of sp_id, NameID, sid and the
    end of the session: who proves themselves anew goes on with the sid.

    name_key: digest of sp_id, format and value of the NameID: what a LogoutRequest names. name_id: its XML attributes
    (Format, NameQualifier, SPNameQualifier) and `value`. session_index: as that service provider knows the session.
    """

    id: str
    sp_id: str
    sid: str
    user_id: str
    name_key: str
    name_id: Mapping[str, str]
    session_index: str
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class SamlArtifact:
    """A message that waits to be fetched, once (SAML Bindings 3.6). id = digest of the artifact; sp_id: who may have it."""

    id: str
    sp_id: str
    message: str = field(repr=False)
    created_at: float
    expires_at: float
    consumed_at: float | None = None


@dataclass(frozen=True, slots=True)
class ToldOfLogout:
    """One service provider of a LogoutRun, or (upstream) the identity provider that the session came from; sp_id is its
    entityID, or the id of the upstream. state: waiting (not yet asked), asked, done, failed.

    way: browser, soap (by the LogoutDelivery with the id `delivery`, whose state counts), none (it cannot be told).
    """

    sp_id: str
    name: str
    session_index: str
    name_id: Mapping[str, str]
    state: Literal["waiting", "asked", "done", "failed"] = "waiting"
    way: Literal["browser", "soap", "none"] = "browser"
    upstream: bool = False
    delivery: str = ""


@dataclass(frozen=True, slots=True)
class LogoutRun:
    """A browser that is being led from app to app after its session ended. id: random, stands in its address.

    browser: digest of the cookie of the browser that may go on with it, and no other. request_id: ID of the LogoutRequest that the one
    `asked` has, asked_at and asked_times: when and how often. apps: the OpenID Connect apps of the session, for the last page;
    target: where the app app_id wants the person sent then. initiator, initiator_request, initiator_binding, relay_state: the
    peer that began it (`sp:ENTITYID` or `upstream:ID`) and gets a LogoutResponse; empty when we began.
    """

    id: str
    browser: str
    sid: str
    told: tuple[ToldOfLogout, ...]
    created_at: float
    expires_at: float
    request_id: str = ""
    apps: tuple[str, ...] = ()
    target: str | None = None
    app_id: str | None = None
    initiator: str = ""
    initiator_request: str = ""
    initiator_binding: str = ""
    relay_state: str | None = None
    asked_at: float = 0.0
    asked_times: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class UpstreamSession:
    """A session of ours that hangs on an upstream's. id = our sid. name_key: digest of provider, format and value of the
    NameID, what the upstream's LogoutRequest names (OpenID Connect: issuer and sub). index_key: the same of its session index
    (sid). facts: what a LogoutRequest to it must say (name ID, session index)."""

    id: str
    provider_id: str
    name_key: str
    facts: Mapping[str, str]
    created_at: float
    expires_at: float
    index_key: str | None = None


@dataclass(frozen=True, slots=True)
class UpstreamArrival:
    """An upstream's answer that came by POST, from another site and so without our cookies. id = digest of the handle with
    which this browser goes on. params: what was posted."""

    id: str
    provider_id: str
    params: Mapping[str, str] = field(repr=False)
    created_at: float
    expires_at: float
    consumed_at: float | None = None


@dataclass(frozen=True, slots=True)
class MetadataWatch:
    """Where the metadata of a peer comes from, and how the last look went. id = `sp:ENTITYID`, `upstream:ID`.

    certificates: PEM; one of them must have signed the metadata, none means that TLS vouches. adopt: `ask` keeps a changed
    copy in `pending` until somebody agrees, `auto` takes it. next_at: when to look again. problem: empty when all is well.
    declined: what somebody did not want. last_change: what the newest adopted copy changed, a line each. seen: digest of the
    copy that counted at the last look, when etag and last_modified were given.
    """

    id: str
    url: str
    created_at: float
    next_at: float
    certificates: tuple[str, ...] = ()
    adopt: Literal["ask", "auto"] = "ask"
    every_seconds: int = 86_400
    checked_at: float | None = None
    adopted_at: float | None = None
    valid_until: float | None = None
    problem: str = ""
    failures: int = 0
    pending: str | None = field(default=None, repr=False)
    pending_at: float | None = None
    declined: str = ""
    last_change: tuple[str, ...] = ()
    seen: str = ""
    etag: str = ""
    last_modified: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class MetadataSource:
    """A federation: a signed aggregate of many entities, or a Metadata Query server (MDQ). id: chosen, like an upstream's.

    url: of the aggregate, or the base of the MDQ server. certificates: PEM; one of them must have signed (required).
    attributes: what its service providers get when nothing is set for one of them, as ServiceProvider.attributes.
    batch: names the load of an aggregate that counts; entities of another one are not there. entities: how many there are.
    """

    id: str
    kind: Literal["aggregate", "mdq"]
    url: str
    created_at: float
    certificates: tuple[str, ...]
    enabled: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)
    every_seconds: int = 21_600
    next_at: float = 0.0
    checked_at: float | None = None
    loaded_at: float | None = None
    valid_until: float | None = None
    problem: str = ""
    failures: int = 0
    batch: str = ""
    entities: int = 0
    etag: str = ""
    last_modified: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class FederationEntity:
    """A service provider of a federation. id = digest of MetadataSource.batch and entityID. metadata: its EntityDescriptor alone.
    slice: `BATCH.NUMBER`, a part of the load that it came with. expires_at: at its validUntil nobody has it any more; fresh_until
    (MDQ): then it is asked for again."""

    id: str
    entity_id: str
    source_id: str
    name: str
    metadata: str = field(repr=False)
    slice: str
    expires_at: float
    fresh_until: float = 0.0
    version: int = 0


@dataclass(frozen=True, slots=True)
class MessageCheck:
    """One check of a message. code: a name that the catalogue has words and a proposed cure for."""

    code: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SamlMessage:
    """A message that came or went, for the message inspector. id sorts by time. peer: `sp:ENTITYID` or `upstream:ID`.

    xml: decoded, with signature values, ciphers and certificates taken out, so that what is kept cannot be used again.
    trace: the trace code when it was refused.
    """

    id: str
    peer: str
    at: float
    expires_at: float
    direction: Literal["in", "out"]
    kind: str
    binding: str
    xml: str = field(repr=False)
    checks: tuple[MessageCheck, ...] = ()
    ok: bool = True
    trace: str = ""
