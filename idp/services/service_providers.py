"""Which service provider has this entityID, and what does its metadata say: those that were registered, then those of
federations. Read once, kept, and looked up by key.

Leaves changing them to manage_apps, loading federations to `federations`, and reading metadata to idp.saml.
"""

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from idp.domain.relying import ServiceProvider
from idp.domain.saml import FederationEntity, MetadataSource
from idp.ports import Repository

if TYPE_CHECKING:
    from idp.saml.views import SpView

KEPT_VIEWS = 6000  # of about 10 kB


class Federated(Protocol):
    def entity(self, entity_id: str) -> tuple[MetadataSource, FederationEntity] | None:
        """As an enabled federation has it at this moment."""


class Providers:
    """Safe to share between threads. federations: None for an installation without any."""

    def __init__(self, repo: Repository, federations: Federated | None = None) -> None:
        self._repo = repo
        self._federations = federations
        self._lock = threading.Lock()
        self._views: OrderedDict[str, tuple[str, SpView]] = OrderedDict()

    def get(self, entity_id: str) -> "tuple[ServiceProvider, SpView] | None":
        """As it is stored at this moment: a change or removal counts from the next request on. One that is switched off is
        given as well, for the caller to refuse. Raises Refused(invalid_sp_metadata) when its metadata cannot be used."""
        sp = self._repo.get(ServiceProvider, entity_id)
        if sp is not None and not sp.source_id:
            return sp, self._view(entity_id, sp.metadata)
        found = self._federations.entity(entity_id) if self._federations is not None else None
        if found is None:
            return None
        source, entity = found
        if sp is None:
            name, since = entity.name or entity_id, source.created_at
            sp = ServiceProvider(entity_id, name, "", since, attributes=source.attributes, source_id=source.id)
        elif sp.source_id != source.id:
            return None  # its settings were made for what another federation says of it
        elif not sp.attributes:
            sp = replace(sp, attributes=source.attributes)
        return sp, self._view(entity_id, entity.metadata)

    def _view(self, entity_id: str, metadata: str) -> "SpView":
        with self._lock:
            kept = self._views.get(entity_id)
            if kept is not None and kept[0] == metadata:
                self._views.move_to_end(entity_id)
                return kept[1]
        from idp.saml.sp_metadata import read  # here: an installation without SAML never loads it

        view = read(metadata.encode(), entity_id)
        with self._lock:
            self._views[entity_id] = metadata, view
            while len(self._views) > KEPT_VIEWS:
                self._views.popitem(last=False)
        return view
