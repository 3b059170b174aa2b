"""Metadata of SAML upstreams are watched as their settings say, and taken over into those settings."""

from dataclasses import replace
from typing import Any

import pytest

from idp.base.errors import Refused
from idp.domain.audit_event import AuditEvent
from idp.domain.upstream import UpstreamProvider
from idp.protocols.saml.entity import Entity
from idp.protocols.saml.metadata import Published, idp_metadata
from idp.services.metadata.jobs import MetadataJobs
from tests.saml.peer import pair
from tests.saml.publishing import Publisher
from tests.saml.watching import SIGNER, signed
from tests.support.clock import START

PEER = "upstream:campus"
FIRST = Published(Entity("https://campus.example/idp", "https://campus.example"), (pair().certificate,))
ROLLED = replace(FIRST, signing=(pair("rsa-2048", 66).certificate,))


class Campus:
    """An upstream, and where it publishes."""

    def __init__(self, services: Any, publisher: Publisher) -> None:
        self.services, self.publisher, self.watches = services, publisher, services.metadata_watch
        self.jobs = MetadataJobs(services.metadata_watch, services.federations)

    def add(self, published: Published = FIRST, **settings: Any) -> None:
        url = self.publisher.put(idp_metadata(published))
        provider = UpstreamProvider("campus", "saml", "Campus", START, settings={"metadata_url": url, **settings})
        self.services.upstreams.add(provider, secrets=(), actor="test")

    def publish(self, published: Published) -> None:
        self.publisher.put(idp_metadata(published))

    @property
    def stored(self) -> str:
        return str(self.services.upstreams.get("campus").settings.get("metadata") or "")

    def set(self, **settings: Any) -> None:
        self.services.upstreams.change(self.services.upstreams.get("campus"), settings, secrets=(), actor="test")


@pytest.fixture
def campus(services: Any, publisher: Publisher) -> Campus:
    return Campus(services, publisher)


def test_the_first_copy_is_what_was_asked_for_and_a_new_key_waits(campus: Campus) -> None:
    campus.add()
    assert campus.jobs.run_due() == 1
    assert campus.stored.encode() == idp_metadata(FIRST)
    campus.publish(ROLLED)
    campus.watches.look(PEER)
    waiting = campus.watches.pending(PEER)
    assert [one.part for one in waiting.changes] == ["signing_key"]
    assert waiting.grave
    assert campus.stored.encode() == idp_metadata(FIRST)
    campus.watches.adopt(PEER, digest=waiting.digest, actor="root")
    assert campus.stored.encode() == idp_metadata(ROLLED)
    names = {one.name for one in campus.services.repo.find(AuditEvent)}
    assert {"upstream.metadata_pending", "upstream.metadata_changed", "upstream.changed"} <= names


def test_automatic_and_signed_by_the_pinned_key_needs_nobody(campus: Campus) -> None:
    campus.add(metadata_adopt="auto", metadata_certificates=SIGNER.certificate)
    with pytest.raises(Refused, match="not signed"):
        campus.watches.look(PEER)
    assert campus.stored == ""
    for published in (FIRST, ROLLED):
        campus.publisher.put(signed(idp_metadata(published)))
        campus.watches.look(PEER)
    assert pair("rsa-2048", 66).certificate.splitlines()[1] in campus.stored


def test_another_entity_is_never_taken_over(campus: Campus) -> None:
    """The issuer is part of the key of every login: whoever comes after it must not get the accounts."""
    campus.add(metadata_adopt="auto", metadata_certificates=SIGNER.certificate)
    campus.publisher.put(signed(idp_metadata(FIRST)))
    campus.watches.look(PEER)
    before = campus.stored
    other = replace(FIRST, entity=Entity("https://evil.example/idp", "https://evil.example"))
    campus.publisher.put(signed(idp_metadata(other)))
    with pytest.raises(Refused):
        campus.watches.look(PEER)
    assert campus.stored == before
    assert campus.watches.pending(PEER) is None


def test_it_is_watched_exactly_as_its_settings_say(campus: Campus) -> None:
    campus.add()
    campus.watches.follow_upstreams()
    assert (campus.watches.of(PEER).adopt, campus.watches.of(PEER).certificates) == ("ask", ())
    campus.set(metadata_adopt="auto", metadata_certificates=SIGNER.certificate + pair().certificate)
    campus.watches.follow_upstreams()
    assert campus.watches.of(PEER).adopt == "auto"
    assert len(campus.watches.of(PEER).certificates) == 2
    with pytest.raises(Refused):
        campus.watches.watch(PEER, "https://evil.example/", actor="test")
    campus.set(metadata_url="")
    campus.watches.follow_upstreams()
    assert campus.watches.of(PEER) is None


def test_following_twice_changes_nothing(campus: Campus) -> None:
    campus.add()
    campus.watches.follow_upstreams()
    first = campus.watches.of(PEER)
    campus.watches.follow_upstreams()
    assert campus.watches.of(PEER) == first


def test_an_upstream_that_is_removed_is_watched_no_longer(campus: Campus) -> None:
    campus.add()
    campus.jobs.run_due()
    campus.services.remove_upstream.remove("campus", actor="test")
    campus.jobs.run_due()
    assert campus.watches.of(PEER) is None
