"""Indexes: unique ones hold against everybody, and no index changes an answer."""

import random
from typing import Any

import pytest

from idp.api import language
from idp.api.document_store.contract import Index, NotUnique, Write, delete_if, replace_if, view
from idp.base.errors import Refused
from tests.api.stores.conftest import NOW, Notes
from tests.api.stores.test_commits import race
from tests.api.stores.test_searches import OF_A, OF_B, random_documents, random_filter


def index(name: str, *, unique: bool = False, **ways: int) -> Index:
    """Fields with two underscores for the dot."""
    paths = tuple((language.parse_path(field.replace("__", ".")), way) for field, way in ways.items())
    return Index(name, paths, unique)


def test_a_value_of_a_unique_index_is_held_once(notes: Notes) -> None:
    notes.store.ensure_index(notes.name, index("mail", mail=1, unique=True))
    notes.insert("d1", {"mail": "a"})
    notes.insert("d2", {"mail": "b"})
    for data in ({"mail": "a"}, {"mail": ["x", "a"]}):
        with pytest.raises(NotUnique) as refused:
            notes.insert("d3", data)
        assert refused.value.index == "mail"
        assert "d1" not in str(refused.value)
    with pytest.raises(NotUnique):
        replace_if(notes.store, notes.document("d2", {"mail": "a"}, version=2))
    assert notes.data("d2") == {"mail": "b"}
    assert replace_if(notes.store, notes.document("d1", {"mail": "c"}, version=2))
    notes.insert("d3", {"mail": "a"})
    delete_if(notes.store, notes.document("d2"))
    notes.insert("d4", {"mail": "b"})
    notes.insert("d1", {"mail": "a"}, collection=f"{notes.name}_other")


def test_a_unique_index_leaves_out_documents_that_lack_a_field(notes: Notes) -> None:
    notes.store.ensure_index(notes.name, index("both", a=1, b=-1, unique=True))
    for id, data in {"d1": {}, "d2": {}, "d3": {"a": 1}, "d4": {"a": 1}, "d5": {"b": 1}, "d6": {"b": 1}}.items():
        notes.insert(id, data)
    notes.insert("d7", {"a": 1, "b": None})
    with pytest.raises(NotUnique):
        notes.insert("d8", {"a": 1.0, "b": None})
    notes.insert("d8", {"a": True, "b": None})
    notes.insert("d9", {"a": "1", "b": None})


def test_values_that_are_not_equal_are_not_taken_for_one(notes: Notes) -> None:
    notes.store.ensure_index(notes.name, index("v", v=1, unique=True))
    values: list[Any] = [1, True, "1", None, "", "a", "A", "a\0", 2**53, 2**53 + 1, 1.5, -1, {}, {"a": 1}, {"a": 2}, []]
    for number, value in enumerate(values):
        notes.insert(f"d{number}", {"v": value})
    for number, value in enumerate(values):
        with pytest.raises(NotUnique):
            notes.insert(f"e{number}", {"v": value})


def test_of_many_writers_of_one_unique_value_exactly_one_wins(notes: Notes) -> None:
    notes.store.ensure_index(notes.name, index("mail", mail=1, unique=True))

    def work(number: int) -> bool:
        try:
            notes.insert(f"d{number}", {"mail": "a"})
        except NotUnique:
            return False
        return True

    won = race(5, work)
    assert notes.find({}) == [f"d{number}" for number in won]
    assert len(won) == 1


def test_an_index_is_filled_with_what_is_there_or_refused(notes: Notes) -> None:
    notes.insert_all([notes.document(f"d{number}", {"n": number % 7}) for number in range(8)])
    with pytest.raises(NotUnique):
        notes.store.ensure_index(notes.name, index("n", n=1, unique=True))
    notes.insert("d9", {"n": 3})  # nothing is left of it
    notes.store.ensure_index(notes.name, index("n", n=1))
    notes.store.ensure_index(notes.name, index("n", n=1))
    assert notes.find({"n": 3}) == ["d3", "d9"]
    delete_if(notes.store, notes.document("d9"))
    delete_if(notes.store, notes.document("d7"))
    notes.store.ensure_index(notes.name, index("n", n=1, unique=True))  # another definition under the same name
    with pytest.raises(NotUnique):
        notes.insert("d9", {"n": 3})
    notes.store.drop_index(notes.name, "n")
    notes.store.drop_index(notes.name, "n")
    notes.insert("d9", {"n": 3})
    assert notes.find({"n": 3}) == ["d3", "d9"]


def test_an_expired_document_holds_no_unique_value(notes: Notes) -> None:
    notes.store.ensure_index(notes.name, index("mail", mail=1, unique=True))
    notes.insert("d1", {"mail": "a"}, expires_at=NOW - 1)
    notes.insert("d2", {"mail": "a"})
    assert notes.find({"mail": "a"}) == ["d2"]
    notes.store.ensure_index(notes.name, index("n", n=1, unique=True))


def test_two_lists_in_one_index_are_refused(notes: Notes, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["store"] == "mongo":
        pytest.skip("the stand-in takes them; MongoDB refuses them")
    notes.store.ensure_index(notes.name, index("both", a=1, b=1))
    with pytest.raises(Refused) as refused:
        notes.insert("d1", {"a": [1, 2], "b": [3, 4]})
    assert (refused.value.code, refused.value.status) == ("parallel_lists", 400)
    assert notes.find({}) == []
    notes.insert("d1", {"a": [1, 2], "b": 3})


def test_a_dropped_collection_drops_its_indexes(notes: Notes) -> None:
    notes.store.ensure_index(notes.name, index("mail", mail=1, unique=True))
    notes.insert("d1", {"mail": "a"})
    notes.store.drop(notes.name)
    notes.insert("d1", {"mail": "a"})
    notes.insert("d2", {"mail": "a"})


INDEXES = [
    index("up", a=1), index("down", a=-1), index("pair", b=1, a=-1), index("inner", a__b=1), index("c", c=-1, a__b=1),
    index("same list", a__b=1, a__a=-1), index("made", _created_at=1),
]  # fmt: skip
SORTS: list[dict[str, int]] = [
    {}, {"_id": -1}, {"a": 1}, {"a": -1}, {"b": 1, "a": -1}, {"b": -1, "a": 1}, {"a.b": 1}, {"a.b": -1}, {"c": -1, "a.b": 1},
    {"a.b": 1, "a.a": -1}, {"c": 1}, {"a": 1, "_id": -1}, {"_created_at": -1},
]  # fmt: skip


def expected(notes: Notes, documents: list[Any], filter: dict[str, Any], sort: dict[str, int]) -> list[str] | None:
    """By the language alone; None when two lists have no order."""
    matches, order = language.to_predicate(language.parse_filter(filter)), language.parse_sort(sort)
    try:
        return [d.id for d in sorted(filter_by(matches, documents), key=lambda d: language.place(view(d), order))]
    except Refused:
        return None


def filter_by(matches: Any, documents: list[Any]) -> list[Any]:
    return [d for d in documents if matches(view(d))]


def test_an_index_changes_no_answer(notes: Notes, request: pytest.FixtureRequest) -> None:
    """Random documents and queries with seven indexes, against the language alone."""
    rounds = (
        30 if request.node.callspec.params["store"] == "mongo" else 250
    )  # the stand-in hardly uses them, and is slow
    dice = random.Random(7)
    documents = []
    for d in random_documents(dice, notes, 150):
        try:
            for one in INDEXES:
                list(language.rows_at(view(d), [path for path, _ in one.paths]))
        except Refused:
            continue
        documents.append(d)
    for one in INDEXES[:4]:
        notes.store.ensure_index(notes.name, one)
    notes.store.commit([Write("insert", d, 0) for d in documents])
    for one in INDEXES[4:]:
        notes.store.ensure_index(notes.name, one)
    for number in range(rounds):
        filter, sort, keys = random_filter(dice), dice.choice(SORTS), dice.choice([None, OF_A, OF_A | OF_B])
        visible = [d for d in documents if keys is None or any(f"read:user:{e.id}" in keys for e in d.acl or ())]
        wanted = expected(notes, visible, filter, sort)
        if wanted is None:
            continue
        assert notes.find(filter, sort, keys=keys) == wanted, (filter, sort)
        page = slice(number % 5, number % 5 + 3)
        assert notes.find(filter, sort, keys=keys, skip=page.start, limit=3) == wanted[page], (filter, sort)
        assert notes.count(filter, keys) == len(wanted), filter
