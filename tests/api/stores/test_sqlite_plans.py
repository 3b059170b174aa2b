"""What a search of the embedded store costs: the candidates it looks at do not grow with the collection where a way exists
that does not need them."""

from collections.abc import Iterator
from typing import Any

import pytest

from idp.api import acl
from idp.api.document_store import sqlite_search
from idp.api.document_store.contract import Document
from idp.api.document_store.sqlite import SqliteDocumentStore
from idp.api.document_store.sqlite_schema import Row, to_document
from tests.api.stores.conftest import Notes
from tests.api.stores.test_indexes import index

EVERYONE, FEW = frozenset({"read:everyone:", "read:role:none"}), frozenset({"read:user:few"})
SMALL, LARGE = 300, 6000


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Notes]]:
    """The same kind of documents, few and many; of each the same ten may be read by `few`."""
    store = SqliteDocumentStore(tmp_path_factory.mktemp("plans") / "documents.db")
    found = []
    for size in (SMALL, LARGE):
        notes = Notes(store, f"of{size}")
        for one in (index("age", age=1), index("mail", mail=1, unique=True), index("kind", kind=1, age=-1)):
            store.ensure_index(notes.name, one)
        for start in range(0, size, 500):
            notes.insert_all([one_of(notes, number) for number in range(start, min(start + 500, size))])
        found.append(notes)
    yield found
    store.close()


def one_of(notes: Notes, number: int) -> Any:
    data = {
        "age": number * 7919 % 100_003,
        "mail": f"m{number}",
        "kind": "rare" if number % 30 == 0 < number < SMALL else "usual",
    }
    rules: acl.Acl = (acl.Entry("everyone", "", ("read",)),)
    if number % 30 == 1 and number < SMALL:
        rules += (acl.Entry("user", "few", ("read",)),)
    return notes.document(f"d{number:06}", data, rules)


CASES: dict[str, tuple[dict[str, Any], dict[str, int], frozenset[str] | None, int]] = {
    "a page of what everyone may read": ({}, {}, EVERYONE, 21),
    "the last page": ({"_id": {"$gte": "d000290"}}, {"_id": -1}, EVERYONE, 21),
    "a page for an administrator": ({}, {}, None, 21),
    "the few that one may read": ({}, {}, FEW, 10),
    "the few that one may read, sorted by an index": ({}, {"age": 1}, FEW, 150),
    "one unique value": ({"mail": "m7"}, {}, EVERYONE, 1),
    "one unique value, in another order": ({"mail": "m7"}, {"kind": 1}, EVERYONE, 1),
    "a rare value, sorted by what is not indexed": ({"kind": "rare"}, {"mail": 1}, EVERYONE, 150),
    "all, sorted by an index": ({}, {"age": 1}, EVERYONE, 21),
    "all, sorted backwards": ({}, {"age": -1}, EVERYONE, 21),
    "a frequent value, sorted by the rest of its index": ({"kind": "usual"}, {"age": 1}, EVERYONE, 21),
    "a rare value, sorted by the rest of its index": ({"kind": "rare"}, {"age": -1}, EVERYONE, 21),
    "a range of an index, in its order": ({"age": {"$gte": 50, "$lt": 90_000}}, {"age": 1}, EVERYONE, 21),
    "some ids": ({"_id": {"$in": ["d000001", "d000007", "x"]}}, {"age": 1}, EVERYONE, 2),
}


@pytest.mark.parametrize("case", CASES)
def test_a_search_does_not_look_at_the_whole_collection(collections: list[Notes], case: str) -> None:
    filter, sort, keys, at_most = CASES[case]
    for notes in collections:
        plan = notes.store.explain(notes.name, notes.ask(filter, sort, keys=keys, limit=20))
        assert plan["examined"] <= at_most, plan
    answers = [notes.find(filter, sort, keys=keys, limit=20) for notes in collections]
    assert answers[0]
    if keys == FEW or "rare" in filter.values():
        assert answers[0] == answers[1]


def test_the_way_is_chosen_by_what_is_there_not_by_guessing(collections: list[Notes]) -> None:
    notes = collections[1]
    ways: dict[str, tuple[dict[str, Any], dict[str, int], str | None]] = {
        "index of a rare value": ({"kind": "rare", "age": {"$gte": 0}}, {}, "kind"),
        "index of a small range": ({"age": {"$lt": 100}}, {"mail": 1}, "age"),
        "no index: nearly all match": ({"age": {"$gte": 5}}, {}, None),
    }
    for filter, sort, wanted in ways.values():
        assert notes.store.explain(notes.name, notes.ask(filter, sort, keys=EVERYONE, limit=20))["index"] == wanted


def test_different_values_of_an_index_are_found_by_leaps(
    collections: list[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, examined = collections[1], list[Row]()

    def noted(row: Row) -> Document:
        examined.append(row)
        return to_document(row)

    monkeypatch.setattr(sqlite_search, "to_document", noted)
    for way in (1, -1):
        notes.store.ensure_index(notes.name, index("only kind", kind=way))
        assert notes.distinct("kind", keys=EVERYONE) == ["rare", "usual"]
        assert notes.distinct("kind", {"age": {"$gte": 0}}, EVERYONE) == ["rare", "usual"]
    assert len(examined) < 400
    assert notes.distinct("kind", keys=frozenset()) == []
