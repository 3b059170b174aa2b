"""The contract of idp.ports.Repository on every engine: several records in one go, and what comes into being with a
consumption. Where an engine does more than the contract says (SQLite: all or nothing) the test says so."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from idp.domain.audit_event import AuditEvent, StoredSetting
from idp.domain.grant import AuthorizationCode, RefreshToken, RevokedToken
from idp.domain.user import User
from idp.ports import Duplicate, Repository
from tests.storage.engines import Engine, race, workers
from tests.storage.examples import example
from tests.storage.test_durability import killed_after
from tests.support.clock import FakeClock

PROCESSES = 8


def token(clock: FakeClock, id: str = "old", **given: Any) -> RefreshToken:
    return RefreshToken(id, "grant", "client", clock.now, clock.now + 60, **given)


def event(id: str = "ev") -> AuditEvent:
    return AuditEvent(id, 1.0, "grant.issued", "a", "b")


# --- insert_all -------------------------------------------------------------------------------------------------------


def test_records_of_several_kinds_are_inserted_in_one_go(store: Repository, clock: FakeClock) -> None:
    store.insert_all(token(clock), event(), StoredSetting("s", "1", 1.0))
    assert store.get(RefreshToken, "old") == token(clock)
    assert store.get(AuditEvent, "ev") == event()
    assert store.get(StoredSetting, "s") == StoredSetting("s", "1", 1.0)


def test_inserting_nothing_is_nothing(store: Repository) -> None:
    store.insert_all()


def test_a_double_among_several_leaves_at_most_those_before_it(
    store: Repository, clock: FakeClock, engine: Engine
) -> None:
    store.insert(event())
    with pytest.raises(Duplicate) as refusal:
        store.insert_all(token(clock), event(), StoredSetting("s", "1", 1.0))
    assert (refusal.value.collection, refusal.value.key) == ("audit_events", ("id",))
    assert store.get(StoredSetting, "s") is None
    left = store.get(RefreshToken, "old")
    assert left is None if engine.kind == "sqlite" else left == token(clock)


def test_a_record_that_cannot_be_stored_keeps_the_others_out_too(store: Repository, clock: FakeClock) -> None:
    with pytest.raises(ValueError):
        store.insert_all(token(clock), StoredSetting("s", 7, 1.0))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not a stored kind"):
        store.insert_all(token(clock), {"id": "x"})
    assert store.get(RefreshToken, "old") is None


def test_an_id_that_only_an_expired_record_holds_is_free_among_several(store: Repository, clock: FakeClock) -> None:
    store.insert(RevokedToken("jti", 1.0, clock.now + 10))
    clock.advance(11)
    fresh = RevokedToken("jti", clock.now, clock.now + 10)
    store.insert_all(event(), fresh)
    assert store.get(RevokedToken, "jti") == fresh


# --- consume with what comes into being -------------------------------------------------------------------------------


def test_what_comes_with_a_consumption_is_there_for_the_one_who_won(store: Repository, clock: FakeClock) -> None:
    store.insert(token(clock))
    assert store.consume(RefreshToken, "old", also=[token(clock, "new"), event()]) is not None
    assert store.get(RefreshToken, "new") == token(clock, "new")
    assert store.get(AuditEvent, "ev") == event()


def test_who_comes_second_brings_nothing_into_being(store: Repository, clock: FakeClock) -> None:
    store.insert(token(clock))
    store.consume(RefreshToken, "old")
    assert store.consume(RefreshToken, "old", also=[event()]) is None
    assert store.consume(RefreshToken, "absent", also=[event()]) is None
    clock.advance(61)
    store.insert(token(clock, "late", consumed_at=None))
    clock.advance(61)
    assert store.consume(RefreshToken, "late", also=[event()]) is None
    assert store.find(AuditEvent) == []


def test_a_double_that_comes_with_a_consumption_is_named(store: Repository, clock: FakeClock, engine: Engine) -> None:
    store.insert_all(token(clock), event())
    with pytest.raises(Duplicate) as refusal:
        store.consume(RefreshToken, "old", also=[token(clock, "new"), event(), StoredSetting("s", "1", 1.0)])
    assert refusal.value.collection == "audit_events"
    assert store.get(StoredSetting, "s") is None
    found = store.get(RefreshToken, "old")
    assert found is not None
    if engine.kind == "sqlite":  # nothing has happened
        assert found.consumed_at is None
        assert store.get(RefreshToken, "new") is None


def test_a_consumption_with_something_unstorable_consumes_nothing(store: Repository, clock: FakeClock) -> None:
    store.insert(token(clock))
    with pytest.raises(ValueError):
        store.consume(RefreshToken, "old", also=[StoredSetting("s", 7, 1.0)])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="cannot be consumed"):
        store.consume(User, "old", also=[event()])
    assert store.consume(RefreshToken, "old") is not None


def test_an_expired_holder_makes_room_for_what_comes_with_a_consumption(store: Repository, clock: FakeClock) -> None:
    store.insert(RevokedToken("jti", 1.0, clock.now + 10))
    clock.advance(11)
    store.insert(token(clock))
    fresh = RevokedToken("jti", clock.now, clock.now + 10)
    assert store.consume(RefreshToken, "old", also=[fresh]) is not None
    assert store.get(RevokedToken, "jti") == fresh


@pytest.mark.slow
def test_of_several_threads_exactly_one_brings_its_own_into_being(engine: Engine) -> None:
    now = time.time()
    with engine.opened() as repository:
        for number in range(30 if engine.kind == "sqlite" else 3):
            old = RefreshToken(f"old-{number}", "g", "c", now, now + 600)
            repository.insert(old)

            def work(thread: int, id: str = old.id) -> object:
                return repository.consume(RefreshToken, id, also=[example(AuditEvent, id=f"{id}-{thread}", subject=id)])

            with ThreadPoolExecutor(4) as threads:
                won = [found for found in threads.map(work, range(4)) if found is not None]
            assert len(won) == 1
            assert len(repository.find(AuditEvent, subject=old.id)) == 1


@pytest.mark.slow
def test_of_eight_processes_exactly_one_brings_its_own_into_being(engine: Engine) -> None:
    now = time.time()
    ids = [f"old-{number}" for number in range(200 if engine.kind == "sqlite" else 10)]
    with engine.opened() as repository:
        for id in ids:
            repository.insert(RefreshToken(id, "g", "c", now, now + 600))
        won = sorted(id for lines in race(engine, "rotate", PROCESSES, *ids) for id in lines)
        assert won == sorted(ids)
        assert sorted(one.subject for one in repository.find(AuditEvent, limit=1000)) == sorted(ids)


@pytest.mark.slow
def test_a_rotation_survives_kill_9_whole(engine: Engine) -> None:
    """What was acknowledged is there. On SQLite there is nothing in between; on MongoDB a beginning may be left."""
    with workers(engine, "rotate_all", 2, "r-") as started:
        acknowledged = killed_after(started, 400 if engine.kind == "sqlite" else 30)
    with engine.opened() as repository:
        successors = {
            one.id.removeprefix("new-") for one in repository.find(RefreshToken, limit=100_000, grant_id="new")
        }
        events = {one.subject for one in repository.find(AuditEvent, limit=100_000)}
        used = {one.id for one in repository.find(RefreshToken, limit=100_000, grant_id="old") if one.consumed_at}
        assert set(acknowledged) <= successors & events & used
        assert events <= successors <= used
        if engine.kind == "sqlite":
            assert events == successors == used


def test_a_code_that_was_written_before_grants_were_inline_is_read(store: Repository) -> None:
    from idp.storage.codec import codec

    plain = codec(AuthorizationCode).encode(example(AuthorizationCode))
    plain.pop("grant", None)
    assert codec(AuthorizationCode).decode(plain).id == plain["id"]
