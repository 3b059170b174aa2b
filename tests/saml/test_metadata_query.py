"""Entities that are asked for one by one (MDQ): kept as long as they may, asked for as seldom as they must."""

import threading
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from tests.saml.federation import SIGNER, ZERO, Federation, member
from tests.saml.peer import pair
from tests.saml.watching import DAY, signed


@pytest.fixture
def it(services: Any, clock: Any, publisher: Any) -> Federation:
    return Federation(services, clock, publisher)


def test_an_entity_is_asked_for_when_somebody_needs_it_and_kept(it: Federation) -> None:
    it.add(kind="mdq", path="/mdq")
    it.publish(member(0))
    assert it.get()[1].acs[0].url == member(0).acs[0]
    assert it.get()[0].source_id == "home"
    assert len(it.publisher.asked) == 1
    it.clock.advance(6 * 3600)
    it.publish(replace(member(0), acs=("https://sp-0.example/moved",)))
    assert it.get()[1].acs[0].url == "https://sp-0.example/moved"


def test_what_is_kept_counts_while_the_server_is_down_and_not_longer_than_it_says(it: Federation) -> None:
    it.add(kind="mdq", path="/mdq")
    it.publish(member(0), 'ID="_q" cacheDuration="PT1H" validUntil="2027-01-16T08:00:00Z"')
    assert it.get() is not None
    it.publisher.broken = True
    it.clock.advance(3601)
    assert it.get() is not None
    assert it.get() is not None
    assert len(it.publisher.asked) == 2, "not asked again right away"
    it.clock.set(1_800_086_400.0)  # its validUntil
    assert it.get() is None


def test_an_entity_that_was_taken_out_is_gone_when_that_is_said(it: Federation) -> None:
    it.add(kind="mdq", path="/mdq")
    it.publish(member(0))
    it.get()
    it.publisher.documents.clear()
    it.clock.advance(DAY)
    assert it.get() is None
    assert it.rows == []


def test_a_no_is_remembered_for_a_while(it: Federation) -> None:
    it.add(kind="mdq", path="/mdq")
    assert [it.get() for _ in range(3)] == [None] * 3
    assert len(it.publisher.asked) == 1
    it.publish(member(0))
    it.clock.advance(301)
    assert it.get() is not None


def test_names_that_nobody_knows_are_asked_for_so_many_times_a_minute(it: Federation) -> None:
    it.add(kind="mdq", path="/mdq")
    for number in range(100):
        assert it.get(f"https://nobody.example/{number}") is None
    assert len(it.publisher.asked) == 60
    it.clock.advance(61)
    assert it.get("https://nobody.example/new") is None
    assert len(it.publisher.asked) == 61


@pytest.mark.parametrize("entity_id", ["", "a b", "https://ü.example/", "https://sp.example/\n", "x" * 2000])
def test_what_is_no_entity_id_is_never_asked_for(it: Federation, entity_id: str) -> None:
    it.add(kind="mdq", path="/mdq")
    assert it.get(entity_id) is None
    assert it.publisher.asked == []


def test_an_answer_must_be_signed_and_about_the_one_that_was_asked_for(it: Federation) -> None:
    it.add(kind="mdq", path="/mdq")
    path = f"/mdq/entities/{quote(ZERO, safe='')}"
    bad = replace(member(0), extra='ID="_q"').metadata()
    for text in (
        bad,
        signed(bad, pair("rsa-2048", 71)),
        signed(replace(member(1), extra='ID="_q"').metadata(), SIGNER),
        signed(replace(member(0), extra='ID="_q" validUntil="2020-01-01T00:00:00Z"').metadata(), SIGNER),
        signed(bad, SIGNER).replace(b"/acs", b"/bad"),
        b"junk",
    ):
        it.publisher.put(text, path)
        assert it.get() is None
        it.clock.advance(301)
    assert it.rows == []


def test_an_older_answer_that_somebody_plays_again_does_not_take_the_place_of_a_newer_one(it: Federation) -> None:
    """It is signed as well, and would bring back a key that was taken out since."""
    it.add(kind="mdq", path="/mdq")
    it.publish(member(0), 'ID="_q" validUntil="2027-01-17T08:00:00Z"')
    assert it.get() is not None
    it.clock.advance(6 * 3600)
    it.publish(replace(member(0), acs=("https://sp-0.example/old",)), 'ID="_q" validUntil="2027-01-16T20:00:00Z"')
    assert it.get()[1].acs[0].url == member(0).acs[0]
    it.clock.advance(3600)
    it.publish(replace(member(0), acs=("https://sp-0.example/new",)), 'ID="_q" validUntil="2027-01-18T08:00:00Z"')
    assert it.get()[1].acs[0].url == "https://sp-0.example/new"


def test_forgetting_what_is_kept_asks_again(it: Federation) -> None:
    it.add(kind="mdq", path="/mdq")
    it.publish(member(0))
    it.get()
    it.federations.refresh("home", actor="test")
    it.get()
    assert len(it.publisher.asked) == 2


def test_two_that_ask_at_the_same_time_both_get_it(it: Federation) -> None:
    it.add(kind="mdq", path="/mdq")
    it.publish(member(0))
    found = []
    threads = [threading.Thread(target=lambda: found.append(it.get())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one[0].id for one in found] == [ZERO, ZERO]
    assert len(it.rows) == 1
