"""A federation of our own for tests: aggregates of as many service providers as wanted, signed or not, in any style."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from lxml import etree

from idp.domain.saml import FederationEntity
from idp.saml.signatures import sign_element
from tests.saml.peer import NS, Pair, Sp, instant, pair
from tests.saml.publishing import Publisher
from tests.support.clock import FakeClock

SIGNER = pair("rsa-2048", 70)
MDUI = "urn:oasis:names:tc:SAML:metadata:ui"


def member(number: int) -> Sp:
    return Sp(f"https://sp-{number}.example/metadata", acs=(f"https://sp-{number}.example/acs",))


def aggregate(
    entities: Iterable[bytes],
    *,
    signer: Pair | None = SIGNER,
    until: float | None = None,
    start: str = "",
    between: str = "\n",
) -> bytes:
    """start: the start tag of the root, for styles of namespaces; between: what stands between two entities."""
    ends = f' validUntil="{instant(until)}"' if until is not None else ""
    start = start or f'<md:EntitiesDescriptor xmlns:md="{NS["md"]}" ID="_all" Name="https://federation.example">'
    start = start[:-1] + ends + ">"
    name = start[1:].split()[0]
    inside = between.join(["", *(one.decode() for one in entities), ""])
    text = f"{start}{inside}</{name}>".encode()
    if signer is None:
        return text
    return sign_element(etree.fromstring(text), signer.private, signer.certificate)


def members(count: int) -> list[bytes]:
    return [member(number).metadata() for number in range(count)]


ZERO = member(0).entity_id


class Federation:
    """One that is added to an installation, and where it publishes."""

    def __init__(self, services: Any, clock: FakeClock, publisher: Publisher) -> None:
        self.services, self.clock, self.publisher = services, clock, publisher
        self.federations = services.federations

    def add(self, id: str = "home", kind: str = "aggregate", path: str = "/all", **how: Any) -> None:
        how = {"certificates": [SIGNER.certificate], **how}
        self.federations.add(id, kind, self.publisher.url(path), actor="test", **how)

    def load(self, text: bytes, id: str = "home") -> Any:
        self.publisher.put(text, "/all")
        return self.federations.refresh(id, actor="test")

    def publish(self, sp: Sp, extra: str = 'ID="_q"') -> None:
        text = sign_element(etree.fromstring(replace(sp, extra=extra).metadata()), SIGNER.private, SIGNER.certificate)
        self.publisher.put(text, f"/mdq/entities/{quote(sp.entity_id, safe='')}")

    def get(self, entity_id: str = ZERO) -> Any:
        return self.services.providers.get(entity_id)

    @property
    def rows(self) -> list[FederationEntity]:
        found: list[FederationEntity] = self.services.repo.find(FederationEntity, limit=10_000)
        return found
