"""Who we are and whom we know in SAML: our entityID, addresses and keys; the service providers, read once and kept.

Leaves making and rotating keys to idp.services.rotate_keys, and the messages to `inbound` and `outbound`.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from idp.domain.relying import ServiceProvider
from idp.ports import Repository
from idp.saml.signatures import PrivateKey
from idp.saml.sp_metadata import read
from idp.saml.views import SpView

KEPT_VIEWS = 512


@dataclass(frozen=True, slots=True)
class OurKey:
    """What we sign with now. certificate: PEM."""

    kid: str
    private: PrivateKey = field(repr=False)
    certificate: str


@dataclass(frozen=True, slots=True)
class Entity:
    """Our identity provider as other entities see it."""

    entity_id: str
    issuer: str

    @property
    def sso_url(self) -> str:
        return f"{self.issuer}/saml/sso"


class Providers:
    """Service providers with what their metadata says. Metadata is read (2 ms) when it is new, else a lookup by key."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._lock = threading.Lock()
        self._views: OrderedDict[str, tuple[ServiceProvider, SpView]] = OrderedDict()

    def get(self, entity_id: str) -> tuple[ServiceProvider, SpView] | None:
        """As it is stored at this moment: a change or removal counts from the next request on."""
        sp = self._repo.get(ServiceProvider, entity_id)
        if sp is None:
            return None
        with self._lock:
            kept = self._views.get(entity_id)
            if kept is not None and kept[0] == sp:
                self._views.move_to_end(entity_id)
                return kept
        fresh = (sp, read(sp.metadata.encode()))
        with self._lock:
            self._views[entity_id] = fresh
            while len(self._views) > KEPT_VIEWS:
                self._views.popitem(last=False)
        return fresh
