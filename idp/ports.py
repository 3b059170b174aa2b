"""Every seam to the world, on one page. Adapters implement these; services receive them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from idp.base.clock import Clock
from idp.base.net import NetPolicy
from idp.domain.checks import Checks
from idp.domain.signing_key import KeyUse
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider

T = TypeVar("T")
R = TypeVar("R")


class Duplicate(Exception):  # noqa: N818
    """An insert or replace would break a unique key. `key` names the fields, for example ("username_key",)."""

    def __init__(self, collection: str, key: Sequence[str]) -> None:
        super().__init__(f"{collection}: {', '.join(key)} is taken")
        self.collection = collection
        self.key = tuple(key)


class StoreUnavailable(Exception):  # noqa: N818
    """The store did not answer in time. Doors say 503 with Retry-After."""


class Repository(Protocol):
    """Eight verbs over frozen dataclasses declared in storage/collections.py.

    Every record has `id: str`; those that change have `version: int`, those that end have `expires_at: float` (epoch
    seconds), those used once have `consumed_at: float | None`. No read ever gives an expired record. What has returned is
    durable. Look-ups take only the declared unique and look-up keys, compared for equality.
    """

    def get(self, kind: type[T], id: str) -> T | None: ...

    def find(self, kind: type[T], *, limit: int = 1000, newest: bool = False, **where: str | None) -> list[T]:
        """All records that match every given key, by id (descending when newest). Raises KeyError on an undeclared key."""

    def insert(self, record: object) -> None:
        """Raises Duplicate."""

    def insert_all(self, *records: object) -> None:
        """At the price of one durable write on SQLite, all or nothing. On MongoDB one after the other: a crash, or a
        Duplicate, leaves those before it, so callers order them in such a way that a beginning of them does no harm.
        Raises Duplicate."""

    def replace_if(self, record: T) -> T | None:
        """Store `record` if the stored version equals record.version; gives it with version + 1, or None when somebody
        else was faster or it is gone. Raises Duplicate."""

    def consume(self, kind: type[T], id: str, also: Sequence[object] = ()) -> T | None:
        """Mark as consumed, once: the record for exactly one caller, None for everyone after. `get` still gives it
        (with consumed_at set) until it expires.

        also: what comes into being with that, for the caller who gets the record and for nobody else. On SQLite in the same
        transaction; on MongoDB right after, in this order, so a crash may leave a beginning of them. Raises Duplicate: on
        SQLite nothing has happened then; on MongoDB the record is consumed and those before the double are there."""

    def delete(self, kind: type[Any], id: str) -> bool: ...

    def delete_where(self, kind: type[Any], **where: str) -> int:
        """Delete all that match; needs at least one key."""

    def sweep(self) -> int:
        """Delete what has expired; gives the number."""

    def close(self) -> None: ...


class SyncLater(Protocol):
    """For a thread that answers one request after the other: many of their writes become durable with one sync to disk.
    A Repository that can do so has it as its attribute `sync_later`."""

    def run(self, function: Callable[..., R], *args: Any) -> tuple[R, bool]:
        """Calls it. What it writes is there for every reader at once, but durable only after the next `sync`; until then
        nobody may be told of it. Did it write?"""

    def sync(self) -> None:
        """From one thread at a time, whichever. Raises StoreUnavailable."""


class Signer(Protocol):
    """A private key that may live elsewhere (HSM, KMS). `kid` and `alg` as in JOSE. Used by several threads at once."""

    kid: str
    alg: str

    def sign(self, message: bytes) -> bytes:
        """Raw JWS signature bytes over message for `alg` (RFC 7518 3: for ES256 and ES384 that is r and s, not DER)."""


class ExternalSigner(Signer, Protocol):
    """A key of ExternalKeys. use: `id_token` or `access_token`; alg: RS256, PS256, ES256, ES384 or Ed25519; public_jwk:
    its public half (RFC 7517). All of them are the same for ever."""

    use: KeyUse
    public_jwk: Mapping[str, Any]


class ExternalKeys(Protocol):
    """Keys whose private halves never enter this process. The setting oidc.external_keys names a factory of one."""

    def signers(self) -> Sequence[ExternalSigner]:
        """Those that sign, those that signed lately, and those that will sign next, the oldest first. Asked at start, at a
        rotation, and once an hour. For each use one RS256 (id_token) or ES256 (access_token) key at least."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Where to send the browser, and what must be remembered (server side) until it returns. form: fields that the browser
    posts to the URL; None when it just goes there. remembered["state"] is what the upstream gives back. document: the
    request as it is written, for whoever looks for a fault; empty when there is nothing to look at."""

    url: str
    remembered: Mapping[str, str]
    form: Mapping[str, str] | None = None
    document: bytes = field(default=b"", repr=False)


class SamlKeys(Protocol):
    """Our keys as a SAML service provider. certificate: PEM. Private keys are those of `cryptography`."""

    def saml_current(self, alg: str = "RS256") -> tuple[str, Any, str]:
        """(kid, private key, certificate) that signs now; alg: RS256, ES256 or ES384."""

    def saml_published(self) -> list[str]:
        """Certificates of every key that signs, will sign or did a short while ago, the one that signs first."""

    def saml_decrypting(self) -> list[tuple[Any, str]]:
        """(RSA private key, certificate) of every key that may still be used to encrypt for us, the current one first."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What an upstream kind may use of us. issuer: our base URL, now. organisation: our name for people.
    once(kind, owner, value, expires_at): True for exactly one caller, on every node; asked last. hide, show: seal and open
    what must be kept of an upstream's answer; show raises SealBroken."""

    policy: NetPolicy
    clock: Clock
    issuer: str
    saml_keys: SamlKeys
    once: Callable[[str, str, str, float], bool]
    organisation: str = ""
    hide: Callable[[str], str] = str
    show: Callable[[str], str] = str


class Mailer(Protocol):
    """Hands one mail to a mail server. Within net.timeout_seconds in all."""

    def deliver(self, to: str, subject: str, text: str) -> None:
        """Raises MailFailed."""


class MailFailed(Exception):  # noqa: N818
    """A mail could not be handed over. for_good: trying again is of no use."""

    def __init__(self, problem: str, *, for_good: bool = False) -> None:
        super().__init__(problem)
        self.for_good = for_good


class UpstreamKind(Protocol):
    """One kind of upstream provider, opened with its settings. One file in upstream/kinds."""

    label: str

    def depart(
        self,
        provider: UpstreamProvider,
        callback_url: str,
        *,
        force: bool,
        login_hint: str | None,
        max_age: float | None = None,
    ) -> Departure:
        """force: the person must prove themselves anew; max_age: or at most so many seconds ago (a kind that cannot ask for
        that forces). Raises Refused(upstream_unreachable | upstream_misconfigured)."""

    def arrive(
        self,
        provider: UpstreamProvider,
        callback_url: str,
        params: Mapping[str, str],
        remembered: Mapping[str, str],
        checks: Checks | None = None,
    ) -> UpstreamIdentity:
        """Checks everything and gives the identity; writes each check down. Raises Refused(upstream_…)."""


class DirectoryKind(Protocol):
    """A kind whose people type name and password on a page of ours, which asks a directory. Has `asks_password = True`."""

    label: str
    asks_password: bool

    def typed(self, login: str) -> str:
        """What the directory is asked for when somebody types this."""

    def prove(
        self, provider: UpstreamProvider, login: str, password: str, checks: Checks | None = None
    ) -> UpstreamIdentity:
        """Raises Refused(wrong_credentials | upstream_…). The password is neither kept nor told to anybody but the directory."""
