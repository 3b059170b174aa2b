"""Federations: aggregates that are loaded and put into force. Entities that are asked for one by one: test_metadata_query."""

import threading
from dataclasses import replace

import pytest

from idp.base.errors import Refused
from idp.domain.audit_event import AuditEvent
from idp.domain.relying import ServiceProvider
from idp.saml.sp_metadata import service_provider_from_metadata
from idp.services.metadata.jobs import MetadataJobs
from idp.services.release_saml import attributes_for
from tests.saml.federation import Federation, aggregate, member, members
from tests.saml.peer import Sp, pair
from tests.saml.watching import DAY
from tests.support.clock import START

ZERO = member(0).entity_id


@pytest.fixture
def it(services, clock, publisher) -> Federation:
    return Federation(services, clock, publisher)


# ---------------------------------------------------------------- aggregates


def test_a_member_is_known_like_one_that_was_registered(it: Federation) -> None:
    it.add(attributes={"urn:oid:2.5.4.3": "name"})
    assert it.get() is None
    loaded = it.load(aggregate(members(3), until=START + DAY))
    assert (loaded.entities, loaded.valid_until, loaded.problem) == (3, START + DAY, "")
    sp, view = it.get()
    assert (sp.id, sp.source_id, sp.metadata, sp.attributes) == (ZERO, "home", "", {"urn:oid:2.5.4.3": "name"})
    assert view.acs[0].url == member(0).acs[0]
    assert [one.detail for one in it.services.repo.find(AuditEvent, name="metadata_source.loaded")] == [
        {"entities": "3"}
    ]


def test_one_that_was_registered_counts_before_one_of_a_federation(it: Federation) -> None:
    it.add()
    it.load(aggregate(members(1)))
    own = Sp(ZERO, acs=("https://own.example/acs",)).metadata()
    it.services.apps.add_service_provider(service_provider_from_metadata(own, START), actor="test")
    sp, view = it.get()
    assert (sp.source_id, view.acs[0].url) == ("", "https://own.example/acs")


def test_a_member_may_have_settings_of_its_own(it: Federation) -> None:
    it.add(attributes={"mail": "email"})
    it.add("other", path="/other")
    it.load(aggregate(members(1)))
    mine = ServiceProvider(ZERO, "Mine", "", START, enabled=False, source_id="home")
    it.services.repo.insert(mine)
    sp, _ = it.get()
    assert (sp.enabled, sp.attributes) == (False, {"mail": "email"})
    it.services.repo.replace_if(replace(mine, source_id="other"))
    assert it.get() is None, "its settings were made for what another federation says of it"


def test_the_next_load_takes_the_place_of_the_one_before(it: Federation) -> None:
    it.add()
    it.load(aggregate(members(3)))
    moved = Sp(ZERO, acs=("https://sp-0.example/moved",)).metadata()
    it.load(aggregate([moved, members(3)[2]]))
    assert it.get()[1].acs[0].url == "https://sp-0.example/moved"
    assert it.get(member(1).entity_id) is None
    assert len(it.rows) == 2


def test_a_load_that_is_refused_leaves_the_one_before_in_force(it: Federation) -> None:
    it.add()
    it.load(aggregate(members(2), until=START + DAY))
    for text, why in (
        (aggregate(members(1), signer=None), "not signed"),
        (aggregate(members(1), signer=pair("rsa-2048", 71)), "none of the keys"),
        (aggregate(members(1), until=START - 1), "in the past"),
        (aggregate(members(1), until=START + DAY / 2), "older than"),
        (aggregate(members(1)), "older than"),
        (b"<html/>", "not the metadata"),
        (aggregate(members(1), until=START + 2 * DAY).replace(b"/acs", b"/bad"), "changed after"),
    ):
        with pytest.raises(Refused) as caught:
            it.load(text)
        assert why in caught.value.reason
        assert it.federations.get("home").problem == caught.value.reason
    assert it.get(member(1).entity_id) is not None
    assert len(it.rows) == 2
    assert it.load(aggregate(members(1), until=START + 3 * DAY)).problem == ""


def test_members_end_with_the_metadata_and_at_the_latest_after_thirty_days(it: Federation) -> None:
    it.add()
    it.load(aggregate(members(1), until=START + DAY))
    it.clock.advance(DAY - 1)
    assert it.get() is not None
    it.clock.advance(1)
    assert it.get() is None
    it.federations.change(replace(it.federations.get("home"), url=it.publisher.url("/all?again")), actor="test")
    it.publisher.put(aggregate(members(1)), "/all?again")
    it.federations.refresh("home", actor="test")
    it.clock.advance(30 * DAY)
    assert it.get() is None


def test_a_federation_that_is_switched_off_or_removed_vouches_for_nobody(it: Federation) -> None:
    it.add()
    it.load(aggregate(members(1)))
    off = it.federations.change(replace(it.federations.get("home"), enabled=False), actor="test")
    assert it.get() is None
    it.federations.change(replace(off, enabled=True), actor="test")
    assert it.get() is not None
    it.federations.remove("home", actor="test")
    assert it.get() is None
    assert it.rows == []


def test_another_key_or_address_takes_nothing_over(it: Federation) -> None:
    it.add()
    it.load(aggregate(members(1)))
    source = it.federations.get("home")
    it.federations.change(replace(source, certificates=(pair("rsa-2048", 71).certificate,)), actor="test")
    assert it.get() is None
    assert it.rows == []
    assert it.federations.due() == ["home"]


def test_the_audit_says_what_was_changed_about_a_federation(it: Federation) -> None:
    it.add()
    other = replace(it.federations.get("home"), certificates=(pair("rsa-2048", 71).certificate,), enabled=False)
    it.federations.change(other, actor="root")
    (event,) = it.services.repo.find(AuditEvent, name="metadata_source.changed")
    assert (event.actor, event.detail["fields"]) == ("root", "certificates enabled")


def test_what_somebody_else_changed_meanwhile_is_not_overwritten_by_a_load(it: Federation) -> None:
    it.add()
    it.load(aggregate(members(1)))
    source = it.federations.get("home")
    it.federations.change(replace(source, enabled=False), actor="test")
    with pytest.raises(Refused) as caught:
        it.federations.change(source, actor="test")
    assert caught.value.code == "changed_meanwhile"


def test_the_job_loads_what_is_due_once_and_asks_whether_it_is_new(it: Federation) -> None:
    it.publisher.etags = True
    it.publisher.put(aggregate(members(2)), "/all")
    it.add()
    job = MetadataJobs(it.services.metadata_watch, it.federations)
    threads = [threading.Thread(target=job.run_due) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert it.publisher.asked == [("/all", 200)]
    it.clock.advance(21_601)
    job.run_due()
    assert it.publisher.asked[-1] == ("/all", 304)
    assert len(it.rows) == 2


def test_of_two_federations_with_the_same_member_the_one_that_was_added_first_counts(it: Federation) -> None:
    it.add("b-one", path="/b")
    it.clock.advance(1)
    it.add("a-one", path="/a")
    for path in ("b", "a"):
        it.publisher.put(aggregate([Sp(ZERO, acs=(f"https://{path}.example/acs",)).metadata()]), f"/{path}")
        it.federations.refresh(f"{path}-one")
    assert it.get()[1].acs[0].url == "https://b.example/acs"
    it.federations.change(replace(it.federations.get("b-one"), enabled=False), actor="test")
    assert it.get()[1].acs[0].url == "https://a.example/acs"


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"id": "Home!"}, "invalid_federation"),
        ({"kind": "ldap"}, "invalid_federation"),
        ({"certificates": []}, "invalid_federation"),
        ({"certificates": ["junk"]}, "invalid_federation"),
        ({"every_seconds": 5}, "invalid_federation"),
        ({"attributes": {"x": "password"}}, "invalid_sp_setting"),
        ({"attributes": {"": "email"}}, "invalid_federation"),
    ],
)
def test_a_federation_that_cannot_be_is_refused_by_name(it: Federation, how: dict, code: str) -> None:
    with pytest.raises(Refused) as caught:
        it.add(**how)
    assert caught.value.code == code
    assert it.federations.all() == []


def test_the_same_id_twice_and_no_id_at_all_are_refused(it: Federation) -> None:
    it.add()
    with pytest.raises(Refused, match="federation_taken"):
        it.add()
    for act in (it.federations.refresh, lambda id: it.federations.remove(id, actor="test")):
        with pytest.raises(Refused, match="unknown_federation"):
            act("nobody")


def test_a_member_of_a_federation_is_sent_nothing_while_nothing_is_set(it: Federation) -> None:
    ada = it.services.users.add("ada", email="ada@example.org", email_verified=True, name="Ada", actor="test")
    it.add()
    it.load(aggregate(members(1)))
    sp, _ = it.get()
    assert attributes_for(sp, ada) == []
    assert attributes_for(replace(sp, source_id=""), ada), "an app that somebody registered gets the usual three"
