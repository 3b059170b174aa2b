"""The two sorts of peers whose metadata can be watched: service providers and SAML upstreams. What each has now, how a new
copy is read, and how it is taken over.

Leaves fetching, comparing and deciding to watch. A peer is named `sp:ENTITYID` or `upstream:ID`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from idp.base.errors import Refused
from idp.domain.audit_event import EventName
from idp.domain.relying import ServiceProvider
from idp.domain.upstream import UpstreamProvider
from idp.ports import Repository
from idp.services.manage_apps import Apps, changed_meanwhile
from idp.services.manage_upstreams import Upstreams

if TYPE_CHECKING:
    from idp.saml.changes import View

SP, UPSTREAM = "sp:", "upstream:"


class Peer(Protocol):
    """subject: its name in the audit. metadata: what counts now, empty when there is none yet. entity_id: the one that is
    meant, empty when any will do. events: changed, pending, failed."""

    subject: str
    metadata: str
    entity_id: str
    events: tuple[EventName, EventName, EventName]

    def read(self, metadata: str) -> "View":
        """Raises Refused when they cannot be used, or are of another entity."""

    def adopt(self, metadata: str, actor: str) -> None:
        """From now on this counts. Raises Refused."""

    def renew(self, metadata: str) -> None:
        """The same for a copy that says nothing new but is good for longer. Raises Refused(changed_meanwhile)."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an upstream's settings say that its metadata comes from."""

    url: str
    certificates: tuple[str, ...]
    adopt: Literal["ask", "auto"]


class Peers:
    def __init__(self, repo: Repository, apps: Apps, upstreams: Upstreams) -> None:
        self._repo = repo
        self._apps = apps
        self._upstreams = upstreams

    def get(self, id: str) -> Peer | None:
        if id.startswith(SP):
            sp = self._repo.get(ServiceProvider, id.removeprefix(SP))
            return _Sp(sp, self._repo, self._apps) if sp is not None and not sp.source_id else None
        provider = self._repo.get(UpstreamProvider, id.removeprefix(UPSTREAM)) if id.startswith(UPSTREAM) else None
        return _Upstream(provider, self._repo, self._upstreams) if provider and _is_saml(provider) else None

    def upstreams(self) -> Iterator[tuple[str, Source]]:
        """Those that name an address of their metadata."""
        for provider in self._upstreams.all():
            url = provider.settings.get("metadata_url")
            if _is_saml(provider) and url:
                adopt: Literal["ask", "auto"] = "auto" if provider.settings.get("metadata_adopt") == "auto" else "ask"
                pinned = split_pem(str(provider.settings.get("metadata_certificates") or ""))
                yield f"{UPSTREAM}{provider.id}", Source(str(url), pinned, adopt)


def split_pem(text: str) -> tuple[str, ...]:
    """The certificates in a PEM text."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    parts = [part.partition(end)[0] for part in text.split(begin)[1:]]
    return tuple(f"{begin}{part}{end}\n" for part in parts)


def each(texts: Sequence[str]) -> tuple[str, ...]:
    """The certificates in several texts; what is none stays as it is, to be refused by name."""
    return tuple(one for text in texts for one in split_pem(text) or (text,))


def _is_saml(provider: UpstreamProvider) -> bool:
    return provider.kind in ("saml", "adfs")


class _Sp:
    events: tuple[EventName, EventName, EventName] = (
        "sp.metadata_changed",
        "sp.metadata_pending",
        "sp.metadata_failed",
    )

    def __init__(self, sp: ServiceProvider, repo: Repository, apps: Apps) -> None:
        self._sp = sp
        self._repo = repo
        self._apps = apps
        self.subject, self.entity_id, self.metadata = sp.id, sp.id, sp.metadata

    def read(self, metadata: str) -> "View":
        from idp.saml.sp_metadata import read

        return read(metadata.encode(), self._sp.id)

    def adopt(self, metadata: str, actor: str) -> None:
        self._apps.change_service_provider(replace(self._sp, metadata=metadata), actor=actor)

    def renew(self, metadata: str) -> None:
        if self._repo.replace_if(replace(self._sp, metadata=metadata)) is None:
            raise changed_meanwhile()


class _Upstream:
    events: tuple[EventName, EventName, EventName] = (
        "upstream.metadata_changed",
        "upstream.metadata_pending",
        "upstream.metadata_failed",
    )

    def __init__(self, provider: UpstreamProvider, repo: Repository, upstreams: Upstreams) -> None:
        self._provider = provider
        self._repo = repo
        self._upstreams = upstreams
        self.subject, self.entity_id = provider.id, str(provider.settings.get("entity_id") or "")
        self.metadata = str(provider.settings.get("metadata") or "")

    def read(self, metadata: str) -> "View":
        """The issuer is part of the key of every login: another entity is another upstream."""
        from idp.saml.idp_metadata import read

        meant = self.entity_id
        if not meant and self.metadata and metadata != self.metadata:
            meant = read(self.metadata.encode()).entity_id
        view = read(metadata.encode(), meant)
        if meant and view.entity_id != meant:
            raise Refused("invalid_idp_metadata", "The metadata cannot be used: they are of another entity.")
        return view

    def adopt(self, metadata: str, actor: str) -> None:
        self._upstreams.change(self._provider, {"metadata": metadata}, secrets=(), actor=actor)

    def renew(self, metadata: str) -> None:
        settings = {**self._provider.settings, "metadata": metadata}
        if self._repo.replace_if(replace(self._provider, settings=settings)) is None:
            raise changed_meanwhile()
