"""The contract of idp.ports.Repository on every engine: what has expired is not there."""

from dataclasses import replace
from typing import Any

import pytest

from idp.domain.audit_event import SetupLink
from idp.domain.grant import AuthorizationCode, Grant, RefreshToken, RevokedToken
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from tests.storage.engines import Engine
from tests.storage.examples import example
from tests.support.clock import FakeClock


def code(clock: FakeClock, id: str = "code", **given: Any) -> AuthorizationCode:
    return AuthorizationCode(id, "grant", "client", "https://app.example/cb", None, clock.now, clock.now + 60, **given)


def link(clock: FakeClock, id: str, slot: str) -> SetupLink:
    return SetupLink(id, clock.now, clock.now + 60, slot)


def test_nothing_gives_an_expired_record(store: Repository, clock: FakeClock) -> None:
    store.insert(code(clock))
    clock.advance(59.5)
    assert store.get(AuthorizationCode, "code") is not None
    clock.advance(0.5)
    assert store.get(AuthorizationCode, "code") is None
    assert store.find(AuthorizationCode) == []
    assert store.consume(AuthorizationCode, "code") is None
    assert store.delete(AuthorizationCode, "code") is False
    store.insert(RefreshToken("token", "grant", "client", clock.now - 60, clock.now))
    assert store.find(RefreshToken, grant_id="grant") == []
    assert store.delete_where(RefreshToken, grant_id="grant") == 0


def test_an_expired_record_cannot_be_brought_back(store: Repository, clock: FakeClock) -> None:
    grant = example(Grant, expires_at=clock.now + 60)
    store.insert(grant)
    clock.advance(60)
    assert store.replace_if(replace(grant, expires_at=clock.now + 60)) is None


def test_a_record_lives_as_long_as_its_replacement_says(store: Repository, clock: FakeClock) -> None:
    grant = example(Grant, expires_at=clock.now + 60)
    store.insert(grant)
    longer = store.replace_if(replace(grant, expires_at=clock.now + 600))
    clock.advance(60)
    assert store.get(Grant, grant.id) == longer
    store.replace_if(replace(longer, expires_at=clock.now + 1))  # type: ignore[type-var]
    clock.advance(1)
    assert store.get(Grant, grant.id) is None


def test_an_expired_record_blocks_neither_its_id_nor_its_unique_keys(store: Repository, clock: FakeClock) -> None:
    store.insert(link(clock, "a", "slot-a"))
    store.insert(link(clock, "b", "slot-b"))
    clock.advance(60)
    store.insert(link(clock, "a", "slot-b"))
    assert [found.id for found in store.find(SetupLink)] == ["a"]
    with pytest.raises(Duplicate):
        store.insert(link(clock, "c", "slot-b"))


def test_an_expired_set_up_link_gives_way_to_a_fresh_one(store: Repository, clock: FakeClock) -> None:
    store.insert(SetupLink("old", clock.now, clock.now + 60))
    with pytest.raises(Duplicate):
        store.insert(SetupLink("fresh", clock.now, clock.now + 60))
    clock.advance(60)
    store.insert(SetupLink("fresh", clock.now, clock.now + 60))
    assert store.get(SetupLink, "old") is None
    assert store.get(SetupLink, "fresh") is not None


def test_a_replacement_may_take_the_unique_key_of_an_expired_record(store: Repository, clock: FakeClock) -> None:
    store.insert(link(clock, "a", "slot-a"))
    clock.advance(30)
    other = link(clock, "b", "slot-b")
    store.insert(other)
    with pytest.raises(Duplicate):
        store.replace_if(replace(other, slot="slot-a"))
    clock.advance(30)
    assert store.replace_if(replace(other, slot="slot-a")) is not None


def test_a_record_that_was_born_expired_is_never_seen_and_swept(store: Repository, clock: FakeClock) -> None:
    store.insert(replace(code(clock), expires_at=clock.now))
    store.insert(replace(code(clock, "ancient"), expires_at=-5.0))
    assert store.find(AuthorizationCode) == []
    assert store.sweep() == 2


def test_the_sweep_deletes_what_has_expired_and_nothing_else(store: Repository, clock: FakeClock) -> None:
    store.insert(example(User))
    for number in range(5):
        store.insert(replace(code(clock, f"code-{number}"), expires_at=clock.now + number))
    store.insert(link(clock, "a", "slot-a"))
    clock.advance(2.5)
    assert store.sweep() == 3
    assert store.sweep() == 0
    assert [found.id for found in store.find(AuthorizationCode)] == ["code-3", "code-4"]
    assert store.get(SetupLink, "a") is not None
    assert store.find(User) == [example(User)]


def test_the_sweep_takes_more_than_one_batch(engine: Engine, store: Repository, clock: FakeClock) -> None:
    count = 1201 if engine.kind == "sqlite" else 60
    for number in range(count):
        store.insert(RevokedToken(f"jti-{number}", clock.now, clock.now + 1))
    clock.advance(1)
    assert store.sweep() == count
