"""What the page of a service provider says about certificates and metadata that end, and the page that removes one about a
federation that has the same entityID."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from idp.domain.relying import ServiceProvider
from idp.domain.saml import MetadataWatch
from tests.admin.service_providers import LIST, PAGE, PEER, register, stored
from tests.saml.federation import SIGNER, aggregate
from tests.saml.peer import Pair, Sp, instant, pair
from tests.saml.publishing import Publisher
from tests.web.house import Browser, House

DAY = 86_400.0


def ending(at: float) -> Pair:
    """A key with a certificate that ends then."""
    key = pair("p-256", 3).private
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sp.example")])
    end = datetime.fromtimestamp(at, UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, end - timedelta(days=900), end)
    return Pair(key, made.sign(key, SHA256()).public_bytes(Encoding.PEM).decode())


def saying(house: House, *, certificate: float = 900, until: float = 900) -> None:
    """Its metadata from now on: days until these end."""
    now = house.clock()
    extra = f'validUntil="{instant(now + until * DAY)}"'
    peer = Sp(PEER.entity_id, signing=ending(now + certificate * DAY), encryption=PEER.encryption, extra=extra)
    assert house.parts.repo.replace_if(replace(stored(house), metadata=peer.metadata().decode())) is not None


@pytest.fixture
def wiki(house: House) -> ServiceProvider:
    return register(house, name="Wiki")


@pytest.mark.parametrize(("days", "note"), [(61, ""), (59, "note warn"), (29, "note warn"), (6, "note bad")])
def test_a_certificate_that_ends_soon_is_told(
    house: House, browser: Browser, wiki: ServiceProvider, days: int, note: str
) -> None:
    saying(house, certificate=days)
    page = browser.open(PAGE)
    assert ("The certificate with which it signs ends" in page.text) is bool(note)
    assert ("put them in" in page.text) is bool(note)
    assert not note or f'class="{note}"' in page.html


def test_a_certificate_that_is_over_does_no_harm_here_and_is_told_all_the_same(
    house: House, browser: Browser, wiki: ServiceProvider
) -> None:
    saying(house, certificate=-1)
    page = browser.open(PAGE)
    assert "The certificate with which it signs ended" in page.text
    assert "Its key still counts here" in page.text


def test_metadata_that_end_soon_are_told_and_once_over_nobody_can_sign_in(
    house: House, browser: Browser, wiki: ServiceProvider
) -> None:
    saying(house, until=29)
    assert "Its metadata are good until" in browser.open(PAGE).text
    saying(house, until=-1)
    page = browser.open(PAGE)
    assert "nobody can sign in to it before there are fresh ones" in page.text
    assert "Its metadata are good until" not in page.text


def test_the_way_to_new_ones_depends_on_where_they_come_from(
    house: House, browser: Browser, wiki: ServiceProvider
) -> None:
    saying(house, certificate=5)
    now = house.clock()
    house.parts.repo.insert(MetadataWatch(f"sp:{PEER.entity_id}", "https://sp.example/metadata", now, now + DAY))
    assert "and look again: Metadata" in browser.open(PAGE).text


def test_the_warnings_are_there_in_german(house: House, browser: Browser, wiki: ServiceProvider) -> None:
    for certificate, until in ((5, 5), (-1, 900)):
        saying(house, certificate=certificate, until=until)
        assert "admin_saml" not in browser.open(PAGE, **{"Accept-Language": "de"}).text


# ---------------------------------------------------------------- removing one that a federation has as well


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as publisher:
        yield publisher


def join(house: House, publisher: Publisher) -> None:
    url = publisher.put(aggregate([PEER.metadata()]), "/all")
    house.parts.federations.add("campus", "aggregate", url, certificates=[SIGNER.certificate], actor="test")
    house.parts.federations.refresh("campus", actor="test")


def test_removing_says_that_a_federation_knows_it_and_what_that_means(
    house: House, browser: Browser, wiki: ServiceProvider, publisher: Publisher
) -> None:
    assert "Nobody can sign in to it any more" in browser.open(f"{PAGE}/remove").text
    join(house, publisher)
    page = browser.open(f"{PAGE}/remove")
    assert "the federation campus has the same entityID" in page.text
    assert "Nobody can sign in to it any more" not in page.text
    page = page.submit("/remove", name="Wiki")
    assert page.path == f"{LIST}?removed=1"
    known = house.parts.providers.get(PEER.entity_id)
    assert known is not None
    assert known[0].source_id == "campus"


def test_a_federation_that_is_switched_off_takes_nobodys_place(
    house: House, browser: Browser, wiki: ServiceProvider, publisher: Publisher
) -> None:
    join(house, publisher)
    source = house.parts.federations.get("campus")
    assert source is not None
    house.parts.federations.change(replace(source, enabled=False), actor="test")
    assert "Nobody can sign in to it any more" in browser.open(f"{PAGE}/remove").text
