"""Pipelines: what is refused and by which name, what each stage does in Python, and where it ends."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from idp.api import language
from idp.api.language import steps
from idp.base.errors import Refused

CITIES: list[dict[str, Any]] = [
    {"_id": "d1", "city": "Bern", "n": 1, "tags": ["a", "b"]},
    {"_id": "d2", "city": "Biel", "n": 2.5, "tags": []},
    {"_id": "d3", "city": "Bern", "n": None, "tags": ["b"], "at": {"x": 1, "y": 2}},
    {"_id": "d4", "n": "text", "tags": "c", "at": [{"x": 3}, {"y": 4}, 5]},
]


def rows(*stages: dict[str, Any], views: list[dict[str, Any]] = CITIES, at_most: int = 100) -> list[dict[str, Any]]:
    return language.run_pipeline(language.parse_pipeline(list(stages)), iter(views), at_most)


def of_one_group(accumulator: dict[str, Any], *values: Any) -> Any:
    views = [{"_id": f"d{n}", **value} for n, value in enumerate(values)]
    return rows({"$group": {"_id": None, "r": accumulator}}, views=views)[0]["r"]


@pytest.mark.parametrize(
    "stage",
    [
        {"$lookup": {"from": "users", "as": "u", "pipeline": []}},
        {"$graphLookup": {"from": "users"}},
        {"$unionWith": "users"},
        {"$out": "mine"},
        {"$merge": {"into": "mine"}},
        {"$geoNear": {}},
        {"$search": {}},
        {"$collStats": {}},
        {"$currentOp": {}},
        {"$listSessions": {}},
        {"$replaceWith": "$a"},
        {"$set": {"a": 1}},
        {"$addFields": {"a": 1}},
        {"$redact": "$$KEEP"},
        {"$facet": {"a": [{"$lookup": {"from": "users"}}]}},
        {"$match": {"$expr": {"$eq": ["$a", 1]}}},
        {"$match": {"$where": "1"}},
        {"$project": {"a": {"$function": {"body": "1"}}}},
        {"$project": {"a": {"$add": [1, "$b"]}}},
        {"$project": {"a": "$$ROOT"}},
        {"$group": {"_id": {"$dateTrunc": {}}}},
        {"$group": {"_id": "$$NOW"}},
        {"$group": {"_id": None, "a": {"$accumulator": {}}}},
        {"$group": {"_id": None, "a": {"$push": "$$ROOT"}}},
        {"$group": {"_id": None, "a": {"$sum": {"$multiply": [1, 2]}}}},
        {"$unwind": {"path": "$a", "includeArrayIndex": "i"}},
    ],
)
def test_what_is_not_in_the_list_is_refused_by_its_name(stage: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        language.parse_pipeline([{"$limit": 1}, stage])
    assert (refused.value.code, refused.value.status) == ("unknown_operator", 400)
    assert str(refused.value.detail["operator"]) in refused.value.message


@pytest.mark.parametrize(
    ("pipeline", "code"),
    [
        ({"$match": {}}, "query_too_complex"),
        ([{"$limit": 1}] * 21, "query_too_complex"),
        ([1], "bad_operand"),
        ([{}], "bad_operand"),
        ([{"$limit": 1, "$skip": 1}], "bad_operand"),
        ([{"$match": []}], "bad_operand"),
        ([{"$match": {"_acl": 1}}], "reserved_field"),
        ([{"$match": {"a": {"$regex": "a*"}}}], "bad_pattern"),
        ([{"$project": {}}], "bad_operand"),
        ([{"$project": {"a": 0}}], "bad_operand"),
        ([{"$project": {"a": "b"}}], "bad_operand"),
        ([{"$project": {"_acl": 1}}], "reserved_field"),
        ([{"$project": {"a": "$_acl"}}], "reserved_field"),
        ([{"$project": {"_id": "$a"}}], "reserved_field"),
        ([{"$project": {"a.b": "$c"}}], "bad_field_name"),
        ([{"$project": {"a": 1, "a.b": 1}}], "conflicting_paths"),
        ([{"$unwind": "a"}], "bad_operand"),
        ([{"$unwind": {}}], "bad_operand"),
        ([{"$unwind": {"path": "$a", "preserveNullAndEmptyArrays": 1}}], "bad_operand"),
        ([{"$unwind": "$a.0"}], "bad_field_name"),
        ([{"$group": {}}], "bad_operand"),
        ([{"$group": {"a": {"$sum": 1}}}], "bad_operand"),
        ([{"$group": {"_id": 1}}], "bad_operand"),
        ([{"$group": {"_id": {}}}], "bad_operand"),
        ([{"$group": {"_id": None, "a": 1}}], "bad_operand"),
        ([{"$group": {"_id": None, "a": {"$sum": "a"}}}], "bad_operand"),
        ([{"$group": {"_id": None, "a": {"$avg": 1}}}], "bad_operand"),
        ([{"$group": {"_id": None, "a": {"$count": 1}}}], "bad_operand"),
        ([{"$group": {"_id": None, "a.b": {"$sum": 1}}}], "bad_field_name"),
        ([{"$group": {"_id": None, "_version": {"$sum": 1}}}], "reserved_field"),
        ([{"$group": {"_id": None, **{f"f{n}": {"$sum": 1} for n in range(50)}}}], "bad_operand"),
        ([{"$sort": {}}], "bad_operand"),
        ([{"$sort": {"a": 2}}], "bad_operand"),
        ([{"$sort": {"a": True}}], "bad_operand"),
        ([{"$sort": {"a": [1]}}], "bad_operand"),
        ([{"$sort": {"a": 1, "b": 1, "c": 1, "d": 1}}], "query_too_complex"),
        ([{"$limit": 0}], "bad_operand"),
        ([{"$limit": 1.5}], "bad_operand"),
        ([{"$limit": 2**31}], "bad_operand"),
        ([{"$skip": -1}], "bad_operand"),
        ([{"$count": {}}], "bad_operand"),
        ([{"$count": "_n"}], "reserved_field"),
        ([{"$sortByCount": {"$a": 1}}], "unknown_operator"),
        ([{"$facet": {}}], "bad_operand"),
        ([{"$facet": {"a": [{"$facet": {"b": []}}]}}], "bad_operand"),
        ([{"$facet": {"a": []}}, {"$limit": 1}], "bad_operand"),
        ([{"$facet": {name: [] for name in "abcdef"}}], "query_too_complex"),
    ],
)
def test_what_is_not_a_pipeline_is_refused_by_name(pipeline: Any, code: str) -> None:
    with pytest.raises(Refused) as refused:
        language.parse_pipeline(pipeline)
    assert (refused.value.code, refused.value.status) == (code, 400)


def test_match_project_sort_skip_and_limit() -> None:
    found = rows(
        {"$match": {"city": "Bern"}},
        {"$project": {"n": 1, "at.x": 1, "place": "$city", "none": "$gone"}},
        {"$sort": {"_id": -1}},
    )
    assert found == [
        {"_id": "d3", "n": None, "at": {"x": 1}, "place": "Bern"},
        {"_id": "d1", "n": 1, "place": "Bern"},
    ]
    assert [row["_id"] for row in rows({"$sort": {"city": -1}}, {"$skip": 1}, {"$limit": 2})] == ["d1", "d3"]
    assert rows({"$project": {"at.x": 1, "v": "$at.x"}}, {"$skip": 3}) == [
        {"_id": "d4", "at": [{"x": 3}, {}], "v": [3]}
    ]


def test_unwind_gives_one_document_an_item() -> None:
    found = rows({"$unwind": "$tags"}, {"$project": {"tags": 1}})
    assert [(row["_id"], row["tags"]) for row in found] == [("d1", "a"), ("d1", "b"), ("d3", "b"), ("d4", "c")]
    kept = rows({"$unwind": {"path": "$tags", "preserveNullAndEmptyArrays": True}}, {"$match": {"_id": "d2"}})
    assert kept == [{"_id": "d2", "city": "Biel", "n": 2.5}]
    deep = rows({"$unwind": "$at.x"})
    assert deep == [CITIES[2]]


def test_group_by_one_field_by_several_and_by_none() -> None:
    assert rows({"$group": {"_id": "$city", "n": {"$count": {}}}}) == [
        {"_id": None, "n": 1}, {"_id": "Bern", "n": 2}, {"_id": "Biel", "n": 1},
    ]  # fmt: skip
    assert rows({"$group": {"_id": {"c": "$city", "x": "$at.x"}}}, {"$match": {"_id.c": "Bern", "_id.x": 1}}) == [
        {"_id": {"c": "Bern", "x": 1}}
    ]
    assert rows({"$group": {"_id": None, "s": {"$sum": "$n"}, "two": {"$sum": 2}}}) == [
        {"_id": None, "s": 3.5, "two": 8}
    ]
    assert rows({"$group": {"_id": None}}, views=[]) == []


@pytest.mark.parametrize(
    ("accumulator", "values", "expected"),
    [
        ({"$sum": "$n"}, [{"n": 1}, {"n": "x"}, {}, {"n": True}, {"n": [5]}], 1),
        ({"$sum": "$n"}, [{}], 0),
        ({"$sum": "$n"}, [{"n": 2**62}, {"n": 2**62}], 2.0**63),
        ({"$sum": "$n"}, [{"n": 1e16}, {"n": 1.0}, {"n": -1e16}], 1.0),
        ({"$avg": "$n"}, [{"n": 1}, {"n": 2}, {"n": None}], 1.5),
        ({"$avg": "$n"}, [{"n": "x"}], None),
        ({"$min": "$n"}, [{"n": "x"}, {"n": 3}, {}, {"n": None}], 3),
        ({"$max": "$n"}, [{"n": "x"}, {"n": 3}, {}], "x"),
        ({"$max": "$n"}, [{}], None),
        ({"$push": "$n"}, [{"n": 1}, {}, {"n": None}, {"n": [2]}], [1, None, [2]]),
        ({"$push": "$n.x"}, [{"n": [{"x": 1}, {}, 2]}], [[1]]),
        ({"$addToSet": "$n"}, [{"n": "x"}, {"n": 1}, {"n": 1.0}, {"n": True}, {}], [1, "x", True]),
        ({"$first": "$n"}, [{}, {"n": 1}], None),
        ({"$last": "$n"}, [{}, {"n": 1}], 1),
        ({"$count": {}}, [{}, {"n": 1}], 2),
    ],
)
def test_an_accumulator_makes_of_the_values_what_mongodb_makes(
    accumulator: dict[str, Any], values: list[Any], expected: Any
) -> None:
    actual = of_one_group(accumulator, *values)
    assert (actual, type(actual)) == (expected, type(expected))


def test_count_sort_by_count_and_facets() -> None:
    assert rows({"$match": {"city": "Bern"}}, {"$count": "n"}) == [{"n": 2}]
    assert rows({"$match": {"city": "Basel"}}, {"$count": "n"}) == []
    assert rows({"$unwind": "$tags"}, {"$sortByCount": "$tags"}) == [
        {"_id": "b", "count": 2}, {"_id": "a", "count": 1}, {"_id": "c", "count": 1},
    ]  # fmt: skip
    facets = {
        "top": [{"$sort": {"n": -1}}, {"$limit": 1}, {"$project": {"n": 1}}],
        "all": [{"$count": "n"}],
        "none": [],
    }
    assert rows({"$match": {"_id": {"$gt": "d2"}}}, {"$project": {"n": 1}}, {"$facet": facets}) == [
        {
            "top": [{"_id": "d4", "n": "text"}],
            "all": [{"n": 2}],
            "none": [{"_id": "d3", "n": None}, {"_id": "d4", "n": "text"}],
        }
    ]


def test_nothing_depends_on_the_order_in_which_documents_come() -> None:
    pipelines: list[list[dict[str, Any]]] = [
        [{"$limit": 2}],
        [{"$skip": 3}],
        [{"$group": {"_id": None, "ids": {"$push": "$_id"}, "a": {"$first": "$n"}, "z": {"$last": "$n"}}}],
        [{"$group": {"_id": "$city", "n": {"$count": {}}}}, {"$limit": 2}],
        [{"$unwind": "$tags"}, {"$sort": {"city": 1}}, {"$limit": 3}],
        [{"$unwind": "$tags"}, {"$group": {"_id": None, "t": {"$push": "$tags"}}}],
        [{"$sort": {"city": 1}}],
        [{"$facet": {"a": [{"$limit": 1}], "b": [{"$unwind": "$tags"}]}}],
    ]
    for pipeline in pipelines:
        expected = rows(*pipeline)
        assert all(rows(*pipeline, views=list(views)) == expected for views in itertools.permutations(CITIES)), pipeline


def test_the_field_that_breaks_ties_is_never_seen() -> None:
    assert "_place" not in str(rows({"$unwind": "$tags"}))
    assert "_place" not in str(rows({"$facet": {"a": [{"$unwind": "$tags"}, {"$project": {"tags": 1}}]}}))


def test_what_is_hidden_is_not_there_for_any_stage() -> None:
    pipeline = language.parse_pipeline([{"$project": {"n": 1, "at": 1, "copy": "$at.x"}}], hidden=[("n",), ("at", "x")])
    assert language.run_pipeline(pipeline, iter(CITIES), 10)[2:] == [
        {"_id": "d3", "at": {"y": 2}},
        {"_id": "d4", "at": [{}, {"y": 4}, 5], "copy": []},
    ]
    everything = language.parse_pipeline([{"$limit": 1}], hidden=[()])
    assert language.run_pipeline(everything, iter(CITIES), 10) == [{"_id": "d1"}]
    assert {"$unset": ["n", "at.x"]} in language.pipeline_to_mongo(pipeline, 10)


def test_a_pipeline_touches_the_fields_that_it_names_and_not_those_that_it_made() -> None:
    pipeline = language.parse_pipeline(
        [
            {"$match": {"a": {"$elemMatch": {"x": 1}}, "$or": [{"b": 1}, {"c.d": 1}]}},
            {"$sort": {"s": 1}},
            {"$unwind": "$u"},
            {"$project": {"p": 1, "q": "$r", "e": 1, "f": 1}},
            {"$group": {"_id": {"k": "$e"}, "total": {"$sum": "$f"}}},
            {"$match": {"total": 1}},
            {"$facet": {"x": [{"$sort": {"total": 1}}]}},
        ]
    )
    of_data = {path for path in language.touched(pipeline) if not path[0].startswith("_")}
    assert of_data == {("a",), ("b",), ("c", "d"), ("s",), ("u",), ("p",), ("r",), ("e",), ("f",)}
    assert ("x",) in language.touched(language.parse_pipeline([{"$facet": {"y": [{"$sortByCount": "$x"}]}}]))


def test_what_begins_a_pipeline_is_left_to_the_indexes_of_the_store() -> None:
    first = language.leading(
        language.parse_pipeline([{"$match": {"a": 1}}, {"$match": {"b": 2}}, {"$sort": {"n": -1}}, {"$limit": 5}])
    )
    assert first.where == language.parse_filter({"a": 1, "b": 2})
    assert first.sort == ((("n",), -1), (("_id",), 1))
    assert language.leading(language.parse_pipeline([{"$limit": 5}])).sort == ((("_id",), 1),)
    assert language.leading(language.parse_pipeline([{"$count": "n"}])).sort is None
    compiled = language.pipeline_to_mongo(
        language.parse_pipeline([{"$match": {"a": 1}}, {"$sort": {"_version": 1}}]), 10
    )
    assert compiled[:2] == [{"$match": {"data.a": {"$eq": 1}}}, {"$sort": {"version": 1, "_id": 1}}]
    assert compiled[-1] == {"$limit": 11}


def test_no_more_is_read_than_is_needed() -> None:
    def endless() -> Iterator[dict[str, Any]]:
        for number in itertools.count():
            assert number < 10, "read too far"
            yield {"_id": number}

    first = language.leading(language.parse_pipeline([{"$skip": 2}, {"$limit": 5}]))
    assert [row["_id"] for row in language.run_pipeline(first.rest, endless(), 100)] == [2, 3, 4, 5, 6]
    everything = language.leading(language.parse_pipeline([]))
    assert len(language.run_pipeline(everything.rest, endless(), 3)) == 4


def test_a_sort_before_a_limit_holds_no_more_than_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MAX_HELD_BYTES", 3_000_000)
    views = [{"_id": f"d{number:05}", "n": -number, "text": "x" * 1000} for number in range(3000)]
    assert [row["n"] for row in rows({"$sort": {"n": 1}}, {"$limit": 2}, views=views)] == [-2999, -2998]
    few = [view | {"text": "x" * 500_000} for view in views[:20]]
    assert [row["n"] for row in rows({"$sort": {"n": 1}}, {"$limit": 1}, views=few)] == [-19]
    with pytest.raises(Refused, match="query_too_large"):
        rows({"$sort": {"n": 1}}, {"$group": {"_id": None, "n": {"$first": "$n"}}}, views=views)


def test_of_rows_at_the_same_place_the_first_that_came_stays_first() -> None:
    views = [{"_id": [1, number], "n": number, "text": "x" * 1000} for number in range(3000)]
    assert [row["n"] for row in rows({"$sort": {"gone": 1}}, {"$limit": 2}, views=views)] == [0, 1]


def test_one_document_that_becomes_very_many_can_be_stopped() -> None:
    ticks = itertools.count()

    def stop() -> None:
        if next(ticks) > 100:
            raise TimeoutError

    pipeline = language.parse_pipeline([{"$unwind": "$a"}, {"$unwind": "$b"}, {"$count": "n"}])
    with pytest.raises(TimeoutError):
        language.run_pipeline(pipeline, iter([{"_id": "d", "a": [1] * 100_000, "b": [1] * 100_000}]), 10, stop)


@pytest.mark.parametrize(
    "stage",
    [
        {"$group": {"_id": "$_id"}},
        {"$group": {"_id": None, "all": {"$push": "$text"}}},
        {"$group": {"_id": None, "all": {"$addToSet": "$_id"}}},
        {"$facet": {"a": [{"$sort": {"n": 1}}]}},
    ],
)
def test_what_would_need_too_much_memory_is_refused(stage: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MAX_HELD_BYTES", 100_000)
    with pytest.raises(Refused, match="query_too_large"):
        rows(stage, views=[{"_id": f"d{number}", "text": "x" * 100} for number in range(3000)])


def test_answers_are_bounded_and_every_bound_is_loud() -> None:
    views: list[dict[str, Any]] = [{"_id": f"d{number:04}", "n": 1.7e308} for number in range(1500)]
    assert len(rows({"$project": {"n": 1}}, views=views, at_most=20)) == 21
    with pytest.raises(Refused, match="query_too_large"):
        rows({"$facet": {"a": [{"$project": {"n": 1}}]}}, views=views)
    with pytest.raises(Refused, match="query_too_large"):
        rows({"$limit": 5}, views=[{"_id": f"d{number}", "t": "x" * 900_000} for number in range(6)])
    with pytest.raises(Refused, match="number_out_of_range"):
        rows({"$group": {"_id": None, "s": {"$sum": "$n"}}}, views=views)


def test_the_tick_can_end_a_pipeline() -> None:
    def stop() -> None:
        raise TimeoutError

    pipeline = language.parse_pipeline([{"$count": "n"}])
    with pytest.raises(TimeoutError):
        language.run_pipeline(pipeline, iter(CITIES), 10, stop)
