"""Writing: all or nothing, at the right version, unique, and remembered."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from idp.api import acl
from idp.api.document_store.contract import (
    DoneBefore,
    Duplicate,
    Memory,
    Overtaken,
    Write,
    delete_if,
    insert,
    replace_if,
    view,
)
from tests.api.stores.conftest import NOW, Notes


def test_a_document_comes_back_as_it_was_stored(notes: Notes) -> None:
    data = {
        "z": 1,
        "a": [1.5, None, True, {"ü": "☃\0"}],
        "big": 2**63 - 1,
        "small": -(2**63),
        "e": {},
        "l": [],
        "f": 1.0,
    }
    rules = (acl.Entry("user", "x:y", ("read",), "deny"), acl.Entry("everyone", "", acl.DOCUMENT_RIGHTS))
    stored = notes.document("d1", data, rules, expires_at=NOW + 0.5, seals=frozenset({("a.b", "k1"), ("c", "k2")}))
    insert(notes.store, stored)
    found = notes.get("d1")
    assert found == stored
    assert list(found.data) == list(data)
    assert [type(value) for value in found.data.values()] == [type(value) for value in data.values()]
    assert notes.get("other") is None
    assert notes.store.get("other", "d1", NOW) is None


def test_an_id_is_unique_in_its_collection(notes: Notes) -> None:
    notes.insert("d1")
    with pytest.raises(Duplicate):
        notes.insert("d1")
    notes.insert("d1", collection=f"{notes.name}_2")


def test_a_write_at_an_old_version_does_not_happen(notes: Notes) -> None:
    notes.insert("d1", {"n": 1})
    assert replace_if(notes.store, notes.document("d1", {"n": 2}, version=2))
    assert not replace_if(notes.store, notes.document("d1", {"n": 3}, version=2))
    assert not replace_if(notes.store, notes.document("gone", {"n": 3}, version=2))
    assert notes.get("d1") == notes.document("d1", {"n": 2}, version=2)
    assert not delete_if(notes.store, notes.document("d1"))
    assert delete_if(notes.store, notes.document("d1", version=2))
    assert not delete_if(notes.store, notes.document("d1", version=2))
    assert notes.get("d1") is None


@pytest.mark.parametrize("failing", ["duplicate", "overtaken", "done before"])
def test_a_commit_is_done_whole_or_not_at_all(notes: Notes, failing: str) -> None:
    notes.insert("old", {"n": 1})
    memory = Memory(f"{notes.name} key", "r", "a", NOW + 60, NOW)
    if failing == "done before":
        notes.store.commit([], memory)
    before = notes.store.position()
    writes = [
        Write("insert", notes.document("new"), 0, notes.line("new", 1, {"whole": {}})),
        Write("replace", notes.document("old", {"n": 2}, version=2), 1, notes.line("old", 2, {"whole": {"n": 2}})),
    ]
    writes += {
        "duplicate": [Write("insert", notes.document("old"), 0)],
        "overtaken": [Write("delete", notes.document("old"), 1)],
        "done before": [],
    }[failing]
    with pytest.raises((Duplicate, Overtaken, DoneBefore)):
        notes.store.commit(writes, memory)
    assert notes.get("new") is None
    assert notes.data("old") == {"n": 1}
    assert notes.find({}) == ["old"]
    assert notes.store.past(notes.name, "old") == []
    assert notes.store.feed(before, 10, 0) == []
    assert (notes.store.recall(memory.key, NOW) is None) == (failing != "done before")


def test_one_commit_inserts_replaces_and_deletes_in_its_order(notes: Notes) -> None:
    notes.insert("a", {"n": 1})
    notes.insert("b")
    second = notes.document("a", {"n": 2}, version=2)
    third = notes.document("a", {"n": 3}, version=3)
    notes.store.commit(
        [
            Write("replace", second, 1),
            Write("update", third, 2),
            Write("delete", notes.document("b"), 1),
            Write("insert", notes.document("c"), 0),
        ]
    )
    assert notes.find({}) == ["a", "c"]
    assert notes.get("a") == third


def race(count: int, work: Callable[[int], Any]) -> list[int]:
    """Run `work` in threads at the same time; the numbers of those for which it was true."""
    won: list[int] = []
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait(10)
        if work(number):
            won.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return won


def test_of_many_writers_at_one_version_exactly_one_wins(notes: Notes) -> None:
    notes.insert("d1")
    won = race(6, lambda number: replace_if(notes.store, notes.document("d1", {"by": number}, version=2)))
    assert len(won) == 1
    assert notes.data("d1") == {"by": won[0]}


def test_of_many_requests_with_one_key_exactly_one_is_carried_out(notes: Notes) -> None:
    def work(number: int) -> bool:
        memory = Memory(f"{notes.name} race", "r", f"answer {number}", NOW + 60, NOW)
        try:
            notes.store.commit([Write("insert", notes.document(f"d{number}"), 0)], memory)
        except DoneBefore:
            return False
        return True

    won = race(5, work)
    assert len(won) == 1
    assert notes.find({}) == [f"d{won[0]}"]
    remembered = notes.store.recall(f"{notes.name} race", NOW)
    assert remembered
    assert remembered.answer == f"answer {won[0]}"


def test_a_memory_gets_its_answer_once_and_is_forgotten_in_time(notes: Notes) -> None:
    key = f"{notes.name} memory"
    begun = Memory(key, "request", "", NOW + 10, NOW)
    notes.store.commit([], begun)
    with pytest.raises(DoneBefore):
        notes.store.commit([], begun)
    notes.store.conclude(Memory(key, "request", "first", NOW + 100, NOW))
    notes.store.conclude(Memory(key, "request", "second", NOW + 200, NOW))
    remembered = notes.store.recall(key, NOW + 50)
    assert remembered
    assert (remembered.request, remembered.answer, remembered.until) == ("request", "first", NOW + 100)
    assert notes.store.recall(key, NOW + 100) is None
    notes.store.commit([], Memory(key, "other", "x", NOW + 300, NOW + 100))
    assert notes.store.recall(f"{notes.name} nothing", NOW) is None


def test_what_has_expired_is_not_there_and_stands_in_nobodys_way(notes: Notes) -> None:
    notes.insert("d1", {"n": 1}, expires_at=NOW + 5)
    notes.insert("d2", {"n": 1}, expires_at=NOW - 5)
    notes.insert("d3", {"n": 1})
    assert [id for id in ("d1", "d2", "d3") if notes.get(id)] == ["d1", "d3"]
    assert notes.get("d1", NOW + 5) is None
    assert notes.find({"n": 1}) == ["d1", "d3"]
    assert notes.find({}, {"n": 1}) == ["d1", "d3"]
    assert notes.count({}) == 2
    assert notes.count({}, now=NOW + 5) == 1
    notes.insert("d2", {"n": 2})  # at the moment NOW
    assert notes.data("d2") == {"n": 2}
    with pytest.raises(Duplicate):
        notes.insert("d1")


def test_what_has_expired_is_swept_with_its_history(notes: Notes) -> None:
    gone = notes.document("gone", expires_at=NOW - 5, seals=frozenset({("a", f"{notes.name} key")}))
    notes.store.commit([Write("insert", gone, 0, notes.line("gone", 1, {"whole": {}}, seals=gone.seals))])
    notes.insert("stays", expires_at=NOW + 5)
    before = notes.store.position()
    while notes.store.sweep(NOW):
        pass
    assert notes.find({}, now=NOW - 10) == ["stays"]
    assert notes.store.history(notes.name, "gone", None, 10) == []
    assert f"{notes.name} key" not in notes.store.count_sealed()
    assert notes.store.feed(before, 10, 0) == []


def test_a_changed_or_deleted_acl_leaves_no_rights_behind(notes: Notes) -> None:
    a, b = frozenset({"read:user:a"}), frozenset({"read:user:b"})
    notes.insert("d1", {}, (acl.Entry("user", "a", ("read",)),))
    assert notes.find({}, keys=a) == ["d1"]
    replace_if(notes.store, notes.document("d1", {}, (acl.Entry("user", "b", ("read",)),), version=2))
    assert notes.find({}, keys=a) == []
    assert notes.find({}, keys=b) == ["d1"]
    delete_if(notes.store, notes.document("d1", version=2))
    notes.insert("d1")
    assert notes.find({}, keys=b) == []
    assert notes.find({}, keys=frozenset()) == []


def test_field_names_of_every_script_and_hostile_values_are_only_data(notes: Notes) -> None:
    data = {"straße": "ü", "x-y": 1, "q": "'; DROP TABLE document; --", "first name": 1, "select": {"from": "$where"}}
    notes.insert("d1", data)
    assert notes.find({"straße": "ü", "x-y": 1, "q": data["q"], "select.from": "$where"}) == ["d1"]
    assert notes.data("d1") == data


def test_a_dropped_collection_is_forgotten_and_the_feed_goes_on(notes: Notes) -> None:
    seals = frozenset({("a", f"{notes.name} key")})
    notes.store.commit(
        [Write("insert", notes.document("d1", seals=seals), 0, notes.line("d1", 1, {"whole": {}}, seals=seals))]
    )
    notes.insert("d1", collection=f"{notes.name}_other")
    before = notes.store.position()
    notes.store.drop(notes.name)
    assert (notes.find({}), notes.get("d1"), notes.store.past(notes.name, "d1")) == ([], None, [])
    assert f"{notes.name} key" not in notes.store.count_sealed()
    assert notes.store.get(f"{notes.name}_other", "d1", NOW)
    assert notes.store.feed(before, 10, 0) == []
    notes.store.commit([Write("insert", notes.document("d2"), 0, notes.line("d2", 1, {"whole": {}}))])
    assert [line.id for line in notes.store.feed(before, 10, 0)] == ["d2"]


def test_a_store_says_that_it_is_ready(notes: Notes) -> None:
    notes.store.ready()


def test_a_view_never_shows_the_acl(notes: Notes) -> None:
    assert not [name for name in view(notes.document("d1", {"a": 1})) if "acl" in name]
