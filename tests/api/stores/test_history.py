"""History and feed: every line, once, in one order, for every reader; and what is sealed in them."""

import threading
import time
from dataclasses import replace

import pytest

from idp.api import acl
from idp.api.document_store.contract import Past, PositionLost, Sealed, Write
from tests.api.stores.conftest import Notes


def write(notes: Notes, id: str, version: int, delta: dict[str, object] | None = None) -> None:
    """A version of a document with its line of history."""
    document = notes.document(id, {"n": version}, version=version)
    action = "insert" if version == 1 else "update"
    line = notes.line(id, version, delta or {"set": [[["n"], version]], "unset": []})
    notes.store.commit([Write(action, document, version - 1, line)])  # type: ignore[arg-type]


def test_a_line_of_history_comes_back_as_it_was_stored(notes: Notes) -> None:
    rules = (acl.Entry("user", "a", ("read",)),)
    delta = {"set": [[["a", "b"], {"x": [1, None, 1.0, "ü"]}]], "unset": [["c"]]}
    line = notes.line("d1", 7, delta, acl=rules, action="restore", seals=frozenset({("a.b", "k1")}), by="user:z")
    notes.store.commit([Write("restore", notes.document("d1", version=7), 0, line)])
    (stored,) = notes.store.history(notes.name, "d1", None, 10)
    assert replace(stored, position="") == line


def test_a_version_is_rebuilt_from_the_last_whole_one_before_it(notes: Notes) -> None:
    for version in range(1, 8):
        write(notes, "d1", version, {"whole": {"n": version}} if version in (1, 4) else None)
    write(notes, "d2", 1, {"whole": {}})
    versions = {
        upto: [line.version for line in notes.store.past(notes.name, "d1", upto)] for upto in (1, 3, 4, 6, None)
    }
    assert versions == {1: [1], 3: [1, 2, 3], 4: [4], 6: [4, 5, 6], None: [4, 5, 6, 7]}
    assert notes.store.past(notes.name, "none") == []


def test_history_is_read_backwards_page_by_page(notes: Notes) -> None:
    for version in range(1, 6):
        write(notes, "d1", version)
    pages = [[line.version for line in notes.store.history(notes.name, "d1", before, 2)] for before in (None, 4, 2, 1)]
    assert pages == [[5, 4], [3, 2], [1], []]


def test_history_outlives_the_document(notes: Notes) -> None:
    write(notes, "d1", 1, {"whole": {"n": 1}})
    notes.store.commit([Write("delete", notes.document("d1"), 1, notes.line("d1", 2, action="delete"))])
    assert [(line.version, line.action) for line in notes.store.history(notes.name, "d1", None, 9)] == [
        (2, "delete"),
        (1, "insert"),
    ]


def test_the_feed_gives_all_collections_in_the_order_of_writing(notes: Notes) -> None:
    start = notes.store.position()
    other = replace(notes, name=f"{notes.name}_other")
    for version in range(1, 4):
        write(notes, "d1", version)
        write(other, "d1", version)
    notes.insert("without trace")
    lines = notes.store.feed(start, 100, 0)
    assert [(line.collection, line.version) for line in lines] == [
        (name, version) for version in range(1, 4) for name in (notes.name, other.name)
    ]
    assert [line.version for line in notes.store.feed(lines[2].position, 2, 0)] == [2, 3]
    assert notes.store.feed(lines[-1].position, 10, 0) == []
    assert notes.store.feed(notes.store.position(), 10, 0) == []
    assert [line.position for line in notes.store.feed(start, 100, 0)] == [line.position for line in lines]


def test_lines_of_one_commit_stand_in_its_order(notes: Notes) -> None:
    start = notes.store.position()
    ids = ["c", "a", "b"]
    notes.store.commit([Write("insert", notes.document(id), 0, notes.line(id, 1)) for id in ids])
    assert [line.id for line in notes.store.feed(start, 10, 0)] == ids
    assert [line.id for line in notes.store.feed(notes.store.feed(start, 1, 0)[0].position, 10, 0)] == ids[1:]


@pytest.mark.parametrize("position", ["", "1", "abc", "0123456789abcdef.0000000000000001", "x.y", "….½"])
def test_a_position_of_another_store_is_lost(notes: Notes, position: str) -> None:
    with pytest.raises(PositionLost):
        notes.store.feed(position, 10, 0)


def test_who_waits_for_the_feed_gets_what_is_written_meanwhile(notes: Notes) -> None:
    start = notes.store.position()
    began = time.monotonic()
    writer = threading.Timer(0.2, lambda: write(notes, "d1", 1))
    writer.start()
    lines = notes.store.feed(start, 10, 20)
    writer.join()
    assert [line.id for line in lines] == ["d1"]
    assert time.monotonic() - began < 10


def test_readers_of_the_feed_miss_nothing_while_many_write(notes: Notes) -> None:
    start = notes.store.position()
    writers = 4

    def work(number: int) -> None:
        for version in range(1, 11):
            write(notes, f"d{number}", version)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    seen: list[Past] = []
    at = start
    while len(seen) < writers * 10:
        lines = notes.store.feed(at, 7, 20)
        assert lines, "the feed stands still"
        seen += lines
        at = lines[-1].position
    for thread in threads:
        thread.join()
    assert notes.store.feed(at, 10, 0) == []
    for number in range(writers):
        assert [line.version for line in seen if line.id == f"d{number}"] == list(range(1, 11))
    assert seen == notes.store.feed(start, 100, 0)


def test_what_is_sealed_under_a_key_is_found_and_sealed_anew(notes: Notes) -> None:
    old, new = f"{notes.name} 1", f"{notes.name} 2"
    seals = frozenset({("a", old), ("b", old)})
    document = notes.document("d1", {"a": "xxx", "b": "yyy", "n": 1}, seals=seals)
    line = notes.line("d1", 1, {"whole": document.data}, seals=seals)
    notes.store.commit([Write("insert", document, 0, line)])
    notes.insert("d2", {"a": "plain"})
    start = notes.store.position()
    found = notes.store.sealed_under(old, 10)
    assert sorted(one.past_version for one in found) == [0, 1]
    assert notes.store.count_sealed()[old] == 2
    assert len(notes.store.sealed_under(old, 1)) == 1
    for one in found:
        body = one.body if one.past_version == 0 else {"whole": one.body["whole"]}
        fresh = {"a": "zzz", "b": "yyy", "n": 1}
        body = fresh if one.past_version == 0 else {"whole": fresh}
        changed = frozenset({("a", new), ("b", new)})
        assert not notes.store.reseal(Sealed(notes.name, "d1", one.past_version, {"x": 1}, seals), body, changed)
        assert not notes.store.reseal(replace(one, seals=changed), body, changed)
        assert notes.store.reseal(one, body, changed)
        assert not notes.store.reseal(one, body, changed)
    assert notes.store.sealed_under(old, 10) == []
    assert old not in notes.store.count_sealed()
    assert notes.store.count_sealed()[new] == 2
    stored = notes.get("d1")
    assert stored == replace(document, data={"a": "zzz", "b": "yyy", "n": 1}, seals=frozenset({("a", new), ("b", new)}))
    (past,) = notes.store.past(notes.name, "d1")
    assert (past.delta, past.seals) == ({"whole": stored.data}, stored.seals)
    assert notes.store.feed(start, 10, 0) == []


def test_a_document_sealed_under_two_keys_counts_for_both(notes: Notes) -> None:
    one, two = f"{notes.name} 1", f"{notes.name} 2"
    notes.insert("d1", {"a": "x", "b": "y"}, seals=frozenset({("a", one), ("b", two)}))
    assert [notes.store.count_sealed()[key] for key in (one, two)] == [1, 1]
    notes.store.commit([Write("replace", notes.document("d1", version=2, seals=frozenset({("b", two)})), 1)])
    assert one not in notes.store.count_sealed()
    notes.store.commit([Write("delete", notes.document("d1", version=2), 2)])
    assert two not in notes.store.count_sealed()


def test_the_body_of_what_is_sealed_is_not_in_its_repr(notes: Notes) -> None:
    assert "xyzzy" not in repr(Sealed(notes.name, "d1", 0, {"a": "xyzzy"}))
