"""Owns the claims about commits that are synced together: seen at once, told of when they were written, durable after."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from idp.domain.grant import AuthorizationCode, RefreshToken
from idp.domain.relying import Client
from idp.ports import Duplicate, StoreUnavailable
from idp.storage.sqlite import SqliteRepository
from tests.storage.examples import example
from tests.support.clock import FakeClock


@pytest.fixture
def store(tmp_path: Path) -> SqliteRepository:
    return SqliteRepository(tmp_path / "idp.db", FakeClock(1.0))


def app(id: str = "shop") -> Client:
    return Client(id, "Shop", 1.0)


def settled(store: SqliteRepository) -> SqliteRepository:
    """With the thread's own connection open: opening it counts as writing."""
    store.sync_later.run(store.get, Client, "nobody")
    return store


def test_what_is_written_is_seen_at_once_by_everybody(store: SqliteRepository, tmp_path: Path) -> None:
    other = SqliteRepository(tmp_path / "idp.db", FakeClock(1.0))
    _, wrote = store.sync_later.run(store.insert, app())
    assert wrote
    assert store.get(Client, "shop") == other.get(Client, "shop") == app()


def test_it_says_whether_anything_was_written(store: SqliteRepository) -> None:
    later = settled(store).sync_later
    assert later.run(store.get, Client, "shop") == (None, False)
    assert later.run(store.delete, Client, "shop") == (False, False)
    assert later.run(store.insert, app()) == (None, True)
    assert later.run(store.find, Client) == ([app()], False)
    assert later.run(store.insert_all, app("a"), app("b")) == (None, True)
    assert later.run(store.delete, Client, "a") == (True, True)


def test_what_is_consumed_is_consumed_once_whoever_syncs(store: SqliteRepository) -> None:
    code = example(AuthorizationCode)
    store.insert(code)
    later = settled(store).sync_later
    taken, wrote = later.run(store.consume, AuthorizationCode, code.id, [app()])
    assert (taken is not None, wrote) == (True, True)
    assert store.consume(AuthorizationCode, code.id) is None
    assert later.run(store.consume, AuthorizationCode, code.id, [app("b")]) == (None, False)


def test_a_failure_takes_back_its_own_work_only(store: SqliteRepository) -> None:
    later = settled(store).sync_later
    later.run(store.insert, app())
    with pytest.raises(Duplicate):
        later.run(store.insert_all, app("b"), app())
    assert [one.id for one in store.find(Client)] == ["shop"]
    assert store._pool.own.unsynced is False


def test_only_the_thread_that_runs_it_commits_without_syncing(store: SqliteRepository) -> None:
    modes: dict[str, list[int]] = {}

    def ask(name: str) -> None:
        with store._pool.connection() as connection:
            modes.setdefault(name, []).append(connection.execute("PRAGMA synchronous").fetchone()[0])

    def inside() -> None:
        ask("inside")
        other = threading.Thread(target=ask, args=("other thread",))
        other.start()
        other.join()

    for _ in range(2):
        store.sync_later.run(inside)
        ask("outside")
    assert modes == {"inside": [1, 1], "other thread": [2, 2], "outside": [2, 2]}  # NORMAL, FULL


def test_a_lost_connection_counts_as_written(store: SqliteRepository) -> None:
    later = settled(store).sync_later

    def broken() -> None:
        with pytest.raises(StoreUnavailable), store._pool.connection() as connection:
            raise sqlite3.OperationalError(f"disk I/O error {connection}")

    assert later.run(broken) == (None, True)
    assert later.run(store.insert, app()) == (None, True)


def test_a_sync_reaches_the_log_that_is_there_now(store: SqliteRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, int]] = []
    monkeypatch.setattr("idp.storage.sqlite.sync_later._to_disk", lambda file: synced.append(_inode(file)))
    for id in ("a", "b"):
        store.sync_later.run(store.insert, app(id))
        store.sync_later.sync()
    log = store.sync_later._log
    assert synced == [(log.stat().st_dev, log.stat().st_ino)] * 2


def _inode(file: int) -> tuple[int, int]:
    found = os.fstat(file)
    return found.st_dev, found.st_ino


def test_a_log_that_was_put_in_its_place_is_opened_anew(store: SqliteRepository) -> None:
    store.sync_later.run(store.insert, app())
    store.sync_later.sync()
    log = store.sync_later._log
    before = _inode(store.sync_later._file)
    kept = log.with_name("kept")
    log.rename(kept)
    log.write_bytes(kept.read_bytes())
    kept.unlink()
    store.sync_later.sync()
    assert _inode(store.sync_later._file) != before


def test_a_sync_that_fails_says_so(store: SqliteRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(5, "Input/output error")

    store.sync_later.run(store.insert, app())
    monkeypatch.setattr("idp.storage.sqlite.sync_later._to_disk", full)
    with pytest.raises(StoreUnavailable, match="not synced"):
        store.sync_later.sync()


def test_a_closed_store_is_closed_for_it_too(store: SqliteRepository) -> None:
    settled(store).close()
    with pytest.raises(StoreUnavailable):
        store.sync_later.run(store.get, Client, "shop")


def test_what_is_consumed_right_after_it_was_read_is_the_same_but_for_the_mark(store: SqliteRepository) -> None:
    token = example(RefreshToken)
    store.insert(token)
    read, taken = store.get(RefreshToken, token.id), store.consume(RefreshToken, token.id)
    assert read is not None
    assert taken is not None
    assert (read.consumed_at, taken.consumed_at) == (None, 1.0)
    anew = store.get(RefreshToken, token.id)
    assert anew == taken
