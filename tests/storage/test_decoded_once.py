"""Owns the claims about records that need no second decoding: never staler than the store, and never shared if mutable."""

from dataclasses import replace
from pathlib import Path

from idp.domain.grant import RefreshToken
from idp.domain.relying import Client, ServiceProvider
from idp.storage import rows
from idp.storage.sqlite import SqliteRepository
from tests.storage.examples import example
from tests.support.clock import FakeClock


def open_store(folder: Path) -> SqliteRepository:
    return SqliteRepository(folder / "idp.db", FakeClock())


def test_what_is_the_same_text_is_the_same_record(tmp_path: Path) -> None:
    repo = open_store(tmp_path)
    repo.insert(Client("shop", "Shop", 1.0))
    assert repo.get(Client, "shop") is repo.get(Client, "shop")


def test_a_change_by_another_process_is_seen_at_once(tmp_path: Path) -> None:
    here, there = open_store(tmp_path), open_store(tmp_path)
    here.insert(Client("shop", "Shop", 1.0))
    before = here.get(Client, "shop")
    assert before is not None
    assert there.replace_if(replace(before, name="Store")) is not None
    after = here.get(Client, "shop")
    assert after is not None
    assert (after.name, after.version) == ("Store", 1)
    there.delete(Client, "shop")
    assert here.get(Client, "shop") is None


def test_another_record_of_the_same_name_is_another(tmp_path: Path) -> None:
    repo = open_store(tmp_path)
    repo.insert(Client("shop", "Shop", 1.0))
    repo.get(Client, "shop")
    repo.delete(Client, "shop")
    repo.insert(Client("shop", "Shop", 2.0))
    found = repo.get(Client, "shop")
    assert found is not None
    assert found.created_at == 2.0


def test_a_record_that_holds_a_dict_is_nobody_elses(tmp_path: Path) -> None:
    repo = open_store(tmp_path)
    repo.insert(ServiceProvider("urn:sp", "SP", "<xml/>", attributes={"mail": "email"}))
    first, second = repo.get(ServiceProvider, "urn:sp"), repo.get(ServiceProvider, "urn:sp")
    assert first == second
    assert first is not second


def test_what_is_consumed_is_not_remembered(tmp_path: Path) -> None:
    repo = open_store(tmp_path)
    token = example(RefreshToken)
    repo.insert(token)
    assert repo.get(RefreshToken, token.id) is not repo.get(RefreshToken, token.id)


def test_only_so_many_are_remembered(tmp_path: Path) -> None:
    repo = open_store(tmp_path)
    ids = [f"app-{number}" for number in range(rows.REMEMBERED + 10)]
    for id in ids:
        repo.insert(Client(id, "App", 1.0))
        repo.get(Client, id)
    assert len(repo._table.of(Client)._decoded) <= rows.REMEMBERED
    assert all(repo.get(Client, id) is not None for id in ids)
