"""What tests of watched metadata share: an installation, a peer that is registered, and where it publishes its metadata."""

from dataclasses import dataclass
from typing import Any

from lxml import etree

from idp.domain.audit_event import AuditEvent
from idp.domain.saml import MetadataWatch
from idp.saml.signatures import sign_element
from idp.saml.sp_metadata import service_provider_from_metadata
from tests.saml.peer import Pair, Sp, instant, pair
from tests.saml.publishing import Publisher
from tests.support.clock import START, FakeClock

DAY = 86_400.0
SP = Sp(extra='ID="_m"')
PEER = f"sp:{SP.entity_id}"
SIGNER = pair("rsa-2048", 60)


def saying(acs: str = SP.acs[0], until: float | None = None, signing: Pair | None = SP.signing, **more: Any) -> bytes:
    extra = 'ID="_m"' + (f' validUntil="{instant(until)}"' if until is not None else "")
    return Sp(acs=(acs, SP.acs[1]), extra=extra, signing=signing, **more).metadata()


def signed(text: bytes, signer: Pair = SIGNER) -> bytes:
    return sign_element(etree.fromstring(text), signer.private, signer.certificate)


@dataclass
class Watching:
    services: Any
    clock: FakeClock
    publisher: Publisher

    def begin(self, first: bytes, **how: Any) -> MetadataWatch:
        self.services.apps.add_service_provider(service_provider_from_metadata(first, START), actor="test")
        url = self.publisher.put(first)
        watch: MetadataWatch = self.services.metadata_watch.watch(PEER, url, actor="test", **how)
        return watch

    def look(self, published: bytes | None = None) -> MetadataWatch:
        if published is not None:
            self.publisher.put(published)
        watch: MetadataWatch = self.services.metadata_watch.look(PEER, actor="test")
        return watch

    @property
    def watch(self) -> MetadataWatch:
        found: MetadataWatch = self.services.metadata_watch.of(PEER)
        return found

    @property
    def metadata(self) -> bytes:
        found: str = self.services.apps.service_provider(SP.entity_id).metadata
        return found.encode()

    def events(self, name: str) -> list[AuditEvent]:
        found: list[AuditEvent] = self.services.repo.find(AuditEvent, name=name)
        return found
