"""Owns the service providers of the tests of administrators' pages: registered as pages and programs would."""

from dataclasses import replace
from typing import Any

from idp.admin.names import name_of
from idp.domain.relying import ServiceProvider
from idp.saml.sp_metadata import service_provider_from_metadata
from tests.saml.peer import NS, Sp, pair
from tests.web.house import House

LIST = "/admin/saml"
PEER = Sp("https://sp.example/metadata", encryption=pair("rsa-2048", 5))
NAME = name_of(PEER.entity_id)
PAGE = f"{LIST}/{NAME}"


def register(house: House, peer: Sp = PEER, **settings: Any) -> ServiceProvider:
    sp = replace(service_provider_from_metadata(peer.metadata(), house.clock()), **settings)
    return house.parts.apps.add_service_provider(sp, actor="test")


def stored(house: House, peer: Sp = PEER) -> ServiceProvider:
    sp = house.parts.apps.service_provider(peer.entity_id)
    assert sp is not None
    return sp


def wanting(peer: Sp, *wanted: tuple[str, str, bool]) -> bytes:
    """Metadata that ask for attributes: (name, friendly name, required)."""
    requested = "".join(
        f'<md:RequestedAttribute Name="{name}" FriendlyName="{friendly}" isRequired="{str(required).lower()}"/>'
        for name, friendly, required in wanted
    )
    service = (
        f'<md:AttributeConsumingService index="0"><md:ServiceName xml:lang="en">Wiki</md:ServiceName>{requested}'
        "</md:AttributeConsumingService>"
    )
    assert NS["md"].encode() in peer.metadata()
    return peer.metadata().replace(b"</md:SPSSODescriptor>", service.encode() + b"</md:SPSSODescriptor>")
