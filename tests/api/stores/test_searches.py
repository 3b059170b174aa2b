"""Searching: what matches, in its order, page by page, and never what the caller may not see; on both engines alike."""

import random
from typing import Any

import pytest

from idp.api import acl
from idp.api.document_store.contract import Document
from tests.api.stores.conftest import AT, SERVERS, Notes, open_store
from tests.api.test_acl import random_acl, random_who

OF_A, OF_B = (frozenset({f"read:user:{name}"}) for name in "ab")


def readable_by(*names: str) -> acl.Acl:
    return tuple(acl.Entry("user", name, ("read",)) for name in names)


def test_a_store_shows_exactly_what_the_rule_allows(notes: Notes) -> None:
    dice = random.Random(11)
    rules = {f"d{number:03}": random_acl(dice) for number in range(60)}
    notes.insert_all([notes.document(id, {"n": 1}, acl_of) for id, acl_of in rules.items()])
    for _ in range(40):
        caller, right = random_who(dice), dice.choice(acl.DOCUMENT_RIGHTS)
        expected = [id for id, acl_of in rules.items() if acl.may(caller, right, acl_of)]
        keys = acl.wanted_keys(caller, right)
        assert notes.find({}, keys=keys) == expected
        assert notes.count({}, keys) == len(expected)
        assert notes.distinct("_id", keys=keys) == expected


def test_what_is_counted_grouped_or_distinct_is_only_what_the_caller_sees(notes: Notes) -> None:
    notes.insert("d1", {"v": "mine", "n": 1}, readable_by("a"))
    notes.insert("d2", {"v": "secret", "n": 2}, readable_by("b"))
    notes.insert("d3", {"v": "nobody's", "n": 4})
    denied = (acl.Entry("everyone", "", ("read",)), acl.Entry("user", "a", ("read",), "deny"))
    notes.insert("d4", {"v": "denied", "n": 8}, denied)
    keys = OF_A | {"read:everyone:"}
    assert notes.find({"n": {"$gt": 1}}, keys=keys) == []
    assert notes.find({}, {"n": -1}, keys=keys) == ["d1"]
    assert notes.count({}, keys) == 1
    assert notes.distinct("v", keys=keys) == ["mine"]


def test_a_count_stops_where_it_is_told_to(notes: Notes) -> None:
    notes.insert_all([notes.document(f"d{number}", {"n": number % 2}) for number in range(9)])
    assert [notes.count({"n": 0}, at_most=limit) for limit in (1, 4, 5, 6)] == [1, 4, 5, 5]


def test_different_values_are_given_once_in_their_order(notes: Notes) -> None:
    values: list[Any] = [1, "b", 1.0, True, None, ["a", "b", ["x"]], {"k": 1}, [], {"k": 1.0}, False, "", -3, 2**53 + 1]
    notes.insert_all([notes.document(f"d{number:02}", {"v": value}) for number, value in enumerate([*values, 2.0**53])])
    notes.insert("without", {"w": 1})
    expected = [None, -3, 1, 2.0**53, 2**53 + 1, "", "a", "b", {"k": 1}, ["x"], False, True]
    assert notes.distinct("v") == expected
    assert notes.distinct("v.k") == [1]
    assert len(notes.distinct("v", at_most=3)) == 4


def test_pages_by_id_and_by_position(notes: Notes) -> None:
    notes.insert_all([notes.document(f"d{number}", {"n": number % 3}) for number in range(10)])
    assert notes.find({}, limit=4) == ["d0", "d1", "d2", "d3"]
    assert notes.find({}, limit=4, after="d3") == ["d4", "d5", "d6", "d7"]
    assert notes.find({}, {"n": -1}, limit=4) == ["d2", "d5", "d8", "d1"]
    assert notes.find({}, {"n": -1}, limit=4, skip=4) == ["d4", "d7", "d0", "d3"]
    assert notes.find({}, {"_id": -1}, limit=2) == ["d9", "d8"]
    assert notes.find({"_id": {"$in": ["d5", "d1", "d7", "x"]}}, limit=2) == ["d1", "d5"]
    assert notes.find({"_id": {"$in": ["d5", "d1", "d7", "x"]}}, limit=2, after="d5") == ["d7"]
    page = notes.store.find(notes.name, notes.ask({}, limit=10))
    assert (len(page.documents), page.more) == (10, False)
    assert notes.store.find(notes.name, notes.ask({}, limit=9)).more


def test_a_page_ends_when_its_documents_are_large(notes: Notes) -> None:
    notes.insert_all([notes.document(f"d{number}", {"n": -number, "text": "x" * 900_000}) for number in range(6)])
    for sort, first in (({}, "d0"), ({"n": 1}, "d5")):
        page = notes.store.find(notes.name, notes.ask({}, sort, limit=6))
        assert (len(page.documents), page.more, page.documents[0].id) == (5, True, first)


def test_system_fields_can_be_queried_and_sorted(notes: Notes) -> None:
    notes.insert("d1", version=3, created_at="2026-01-01T00:00:00.000000Z", updated_by="user:b")
    notes.insert("d2", {"version": 3, "created_at": "x"})
    assert notes.find({"_version": {"$gt": 1}}) == ["d1"]
    assert notes.find({"_created_at": {"$lt": AT}, "_updated_by": "user:b"}) == ["d1"]
    assert notes.find({"_id": {"$in": ["d2", "d9"]}}) == ["d2"]
    assert notes.find({}, {"_created_at": 1}) == ["d1", "d2"]


SCALARS: list[Any] = [None, True, False, 0, 1, 1.0, -2, 2.5, 2**40, "", "a", "b", "B", "ä", "1"]
ORDERED = [value for value in SCALARS if isinstance(value, (int, float, str)) and not isinstance(value, bool)]


def random_value(dice: random.Random, depth: int = 0) -> Any:
    kind = dice.random()
    if kind < 0.15 and depth < 2:
        return [random_value(dice, depth + 1) for _ in range(dice.randint(0, 3))]
    if kind < 0.35 and depth < 2:
        return random_data(dice, depth + 1)
    return dice.choice(SCALARS)


def random_data(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    return {name: random_value(dice, depth) for name in dice.sample("abc", dice.randint(0, 3))}


def random_filter(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    if depth < 2 and dice.random() < 0.3:
        parts = [random_filter(dice, depth + 1) for _ in range(dice.randint(1, 3))]
        return {dice.choice(("$and", "$or", "$nor")): parts}
    return {dice.choice(["a", "b", "a.b", "b.a", "c.a.b", "c"]): random_test(dice) for _ in range(dice.randint(1, 2))}


def random_test(dice: random.Random) -> Any:
    op = dice.choice(["plain", "$eq", "$ne", "$in", "$nin", "$exists", "$not", "$gt", "$gte", "$lt", "$lte"])
    return {
        "plain": lambda: dice.choice(SCALARS),
        "$in": lambda: {op: dice.sample(SCALARS, 3)},
        "$nin": lambda: {op: dice.sample(SCALARS, 3)},
        "$exists": lambda: {op: dice.random() < 0.5},
        "$not": lambda: {op: {"$gte": dice.choice(ORDERED), "$ne": dice.choice(SCALARS)}},
        "$eq": lambda: {op: dice.choice(SCALARS)},
        "$ne": lambda: {op: dice.choice(SCALARS)},
    }.get(op, lambda: {op: dice.choice(ORDERED)})()


def random_documents(dice: random.Random, notes: Notes, count: int) -> list[Document]:
    rules = [readable_by("a"), readable_by("b"), readable_by("a", "b"), None]
    return [notes.document(f"d{number:03}", random_data(dice), dice.choice(rules)) for number in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS)
def test_both_engines_answer_random_queries_alike(
    server: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """MongoDB evaluates its own filters here, SQLite ours: a difference is a fault in the compiler or the matcher."""
    dice = random.Random(2026)
    stores = [open_store(engine, request, tmp_path_factory) for engine in ("sqlite", server)]
    sqlite, mongo = (Notes(store, "notes") for store in stores)
    documents = random_documents(dice, sqlite, 120)
    for notes in (sqlite, mongo):
        notes.insert_all(documents)
    for number in range(60 if server == "mongo" else 300):  # the stand-in is slow
        filter, keys = random_filter(dice), dice.choice([None, OF_A, OF_A | OF_B])
        ours, theirs = sqlite.find(filter, keys=keys), mongo.find(filter, keys=keys)
        differing = {d.id: d.data for d in documents if d.id in set(ours) ^ set(theirs)}
        assert ours == theirs, (filter, differing)
        if number % 10 == 0:
            assert sqlite.count(filter, keys) == mongo.count(filter, keys) == len(ours), filter
            assert sqlite.distinct("a", filter, keys) == mongo.distinct("a", filter, keys), filter
    everything = [d.id for d in documents]
    # Of an item that is no object the stand-in makes no key for a field below, where MongoDB makes null.
    no_lists = [d.id for d in documents if not isinstance(d.data.get("c"), list)]
    scalar = [d.id for d in documents if not any(isinstance(v, (list, dict)) for v in d.data.values())]
    for sort, among in (
        ({"a": 1}, everything), ({"a": -1}, everything), ({"b": -1}, everything), ({"c.a": 1, "_id": -1}, no_lists),
        ({"b": -1, "a": 1}, scalar), ({"a": 1, "c": 1, "b": -1}, scalar),
    ):  # fmt: skip
        ids = {"_id": {"$in": among}}
        assert sqlite.find(ids, sort) == mongo.find(ids, sort), sort
    for store in stores:
        store.close()
