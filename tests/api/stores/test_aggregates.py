"""Aggregation on a store: only what the caller sees goes in, whatever way it is read; both engines give the same."""

from typing import Any

import pytest

from tests.api.stores.conftest import NOW, Notes
from tests.api.stores.test_indexes import index
from tests.api.stores.test_searches import OF_A, readable_by

BY_STATE = {"$group": {"_id": "$state", "number": {"$count": {}}, "sum": {"$sum": "$n"}}}


@pytest.fixture
def filled(notes: Notes) -> Notes:
    documents = [
        notes.document(
            f"d{number:02}",
            {"n": number, "state": "even" if number % 2 == 0 else "odd", "tags": ["x", number % 3]},
            readable_by("a") if number < 6 else readable_by("b"),
        )
        for number in range(12)
    ]
    documents.append(notes.document("gone", {"n": 1000, "state": "odd"}, readable_by("a"), expires_at=NOW - 1))
    notes.insert_all(documents)
    return notes


def test_only_what_the_caller_sees_goes_in(filled: Notes) -> None:
    assert filled.aggregate(BY_STATE, {"$sort": {"_id": 1}}, keys=OF_A) == [
        {"_id": "even", "number": 3, "sum": 6},
        {"_id": "odd", "number": 3, "sum": 9},
    ]
    assert filled.aggregate({"$count": "all"}, keys=frozenset()) == []
    assert filled.aggregate({"$count": "all"}) == [{"all": 12}]
    facet = {"$facet": {"states": [BY_STATE, {"$count": "n"}], "all": [{"$count": "n"}]}}
    assert filled.aggregate(facet, keys=OF_A) == [{"states": [{"n": 2}], "all": [{"n": 6}]}]


@pytest.mark.parametrize("indexed", [False, True], ids=["no index", "indexes"])
def test_stages_at_the_start_are_served_in_their_order(filled: Notes, indexed: bool) -> None:
    if indexed:
        filled.store.ensure_index(filled.name, index("n", n=1))
        filled.store.ensure_index(filled.name, index("state", state=1, n=-1))
    stages: list[dict[str, Any]] = [
        {"$match": {"state": "odd"}}, {"$sort": {"n": -1}}, {"$limit": 3}, {"$project": {"n": 1}},
    ]  # fmt: skip
    assert [row["n"] for row in filled.aggregate(*stages)] == [11, 9, 7]
    assert [row["n"] for row in filled.aggregate(*stages, keys=OF_A)] == [5, 3, 1]
    tags: list[dict[str, Any]] = [{"$unwind": "$tags"}, {"$match": {"tags": "x"}}, {"$count": "tagged"}]
    assert filled.aggregate({"$match": {"n": {"$gte": 3}}}, *tags) == [{"tagged": 9}]


def test_more_rows_than_asked_for_are_not_computed(filled: Notes) -> None:
    rows = filled.aggregate({"$sort": {"n": 1}}, at_most=4)
    assert [row["n"] for row in rows] == [0, 1, 2, 3, 4]
