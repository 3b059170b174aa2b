"""The query language: what is refused and by which name, and what the matcher answers."""

from typing import Any

import pytest

from idp.api import language
from idp.api.language.filter import TYPES
from idp.base.errors import Refused


def matches(filter: dict[str, Any], data: dict[str, Any]) -> bool:
    return language.to_predicate(language.parse_filter(filter))(data)


@pytest.mark.parametrize(
    "filter",
    [
        {"$where": "sleep(5000)||true"},
        {"$expr": {"$eq": [1, 1]}},
        {"$function": {}},
        {"$text": {"$search": "x"}},
        {"$comment": "x"},
        {"$jsonSchema": {}},
        {"a": {"$mod": [2, 0]}},
        {"a": {"$bitsAllSet": 1}},
        {"a": {"$where": "1"}},
        {"a": {"$elemMatch": {"$where": "1"}}},
        {"a": {"$elemMatch": {"$gt": 1, "b": 1}}},
        {"a": {"$elemMatch": {"$not": {"$gt": 1}}}},
        {"a": {"$elemMatch": {"b": {"$expr": 1}}}},
        {"a": {"$gt": 1, "$accumulator": 1}},
        {"a": {"$not": {"$where": "x"}}},
        {"$and": [{"b": {"$or": []}}]},
        {"a": {"$and": [{}]}},
        {"a": {"$near": [0, 0]}},
        {"a": {"$EQ": 1}},
    ],
)
def test_an_operator_outside_the_list_is_refused_by_its_name(filter: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        language.parse_filter(filter)
    assert (refused.value.code, refused.value.status) == ("unknown_operator", 400)
    assert str(refused.value.detail["operator"]) in refused.value.message


@pytest.mark.parametrize(
    ("filter", "code"),
    [
        ({"a": {}}, "bad_operand"),
        ({"a": {"b": 1}}, "bad_operand"),
        ({"a": [1]}, "bad_operand"),
        ({"a": {"$eq": {"$gt": 1}}}, "bad_field_name"),
        ({"a": {"$in": [{"$where": "1"}]}}, "bad_field_name"),
        ({"a": {"$all": []}}, "bad_operand"),
        ({"a": {"$all": 1}}, "bad_operand"),
        ({"a": {"$size": -1}}, "bad_operand"),
        ({"a": {"$size": True}}, "bad_operand"),
        ({"a": {"$size": 1.5}}, "bad_operand"),
        ({"a": {"$type": "int"}}, "bad_operand"),
        ({"a": {"$type": []}}, "bad_operand"),
        ({"a": {"$type": [["null"]]}}, "bad_operand"),
        ({"a": {"$elemMatch": {}}}, "bad_operand"),
        ({"a": {"$elemMatch": [1]}}, "bad_operand"),
        ({"a": {"$elemMatch": {"b.0": 1}}}, "bad_field_name"),
        ({"a": {"$regex": 1}}, "bad_operand"),
        ({"a": {"$regex": "x", "$options": "m"}}, "bad_operand"),
        ({"a": {"$regex": "x", "$options": ["i"]}}, "bad_operand"),
        ({"a": {"$options": "i"}}, "bad_operand"),
        ({"a": {"$regex": "(a+)+$"}}, "bad_pattern"),
        ({"a": {"$gt": None}}, "bad_operand"),
        ({"a": {"$gt": True}}, "bad_operand"),
        ({"a": {"$in": 1}}, "bad_operand"),
        ({"a": {"$in": list(range(1001))}}, "bad_operand"),
        ({"a": {"$exists": 1}}, "bad_operand"),
        ({"a": {"$not": 1}}, "bad_operand"),
        ({"$and": []}, "bad_operand"),
        ({"$or": {"a": 1}}, "bad_operand"),
        ({"$or": [1]}, "bad_operand"),
        ({"_acl": {"$exists": True}}, "reserved_field"),
        ({"_acl.0.rights": "read"}, "reserved_field"),
        ({"_key": 1}, "reserved_field"),
        ({"_id.x": 1}, "reserved_field"),
        ({"": 1}, "bad_field_name"),
        ({"a.": 1}, "bad_field_name"),
        ({"a..b": 1}, "bad_field_name"),
        ({"a.$b": 1}, "bad_field_name"),
        ({"a.0": 1}, "bad_field_name"),
        ({"x') IS NULL OR ('1' = '1": 1}, "bad_field_name"),
        ({"a\0b": 1}, "bad_field_name"),
        ({"a" * 256: 1}, "bad_field_name"),
        ({".".join("a" * 17): 1}, "bad_field_name"),
        ({f"f{n}": 1 for n in range(101)}, "query_too_complex"),
        ({"$or": [{"a": 1}] * 101}, "query_too_complex"),
        ({"a": {"$all": [1] * 101}}, "query_too_complex"),
    ],
)
def test_what_is_not_a_query_is_refused_by_name(filter: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        language.parse_filter(filter)
    assert (refused.value.code, refused.value.status) == (code, 400)


def test_nesting_has_an_end() -> None:
    deep: dict[str, Any] = {"a": 1}
    for _ in range(50):
        deep = {"$and": [deep]}
    with pytest.raises(Refused, match="query_too_complex"):
        language.parse_filter(deep)
    inner: dict[str, Any] = {"$gt": 1}
    for _ in range(50):
        inner = {"$not": inner}
    with pytest.raises(Refused, match="query_too_complex"):
        language.parse_filter({"a": inner})
    for name in ("$elemMatch", "b"):
        inner = {"$gt": 1}
        for _ in range(50):
            inner = {"$elemMatch": inner if name == "$elemMatch" else {name: inner}}
        with pytest.raises(Refused, match="query_too_complex"):
            language.parse_filter({"a": inner})


@pytest.mark.parametrize(
    ("filter", "data", "expected"),
    [
        ({}, {}, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": None}, {}, True),
        ({"a": None}, {"a": None}, True),
        ({"a": None}, {"a": 0}, False),
        ({"a": {"$ne": 1}}, {}, True),
        ({"a": 1}, {"a": [3, 1]}, True),
        ({"a": 1}, {"a": [[1]]}, False),
        ({"a.b": 1}, {"a": {"b": 1}}, True),
        ({"a.b": 1}, {"a": [{"b": 2}, {"b": 1}]}, True),
        ({"a.b": None}, {"a": [1, 2]}, False),
        ({"a.b": None}, {"a": 1}, True),
        ({"a": {"$gt": 1}}, {"a": "2"}, False),
        ({"a": {"$gt": 1, "$lt": 3}}, {"a": 2}, True),
        ({"a": {"$gt": 1, "$lt": 3}}, {"a": [0, 5]}, True),
        ({"a": {"$lt": 5}}, {}, False),
        ({"a": {"$gte": "b"}}, {"a": "b"}, True),
        ({"a": {"$in": []}}, {"a": 1}, False),
        ({"a": {"$in": [None, 2]}}, {}, True),
        ({"a": {"$nin": [1, 2]}}, {"a": 3}, True),
        ({"a": {"$exists": True}}, {"a": None}, True),
        ({"a": {"$exists": False}}, {}, True),
        ({"a": {"$not": {"$gt": 1}}}, {}, True),
        ({"$or": [{"a": 1}, {"b": 1}]}, {"b": 1}, True),
        ({"$nor": [{"a": 1}, {"b": 1}]}, {"b": 1}, False),
        ({"_version": {"$gte": 2}}, {"_version": 2}, True),
        ({"a": {"$eq": {"x": 1, "y": 2}}}, {"a": {"x": 1.0, "y": 2}}, True),
        ({"a": {"$eq": {"x": 1, "y": 2}}}, {"a": {"y": 2, "x": 1}}, False),
        ({"a": {"$eq": {"x": 1}}}, {"a": {"x": True}}, False),
        ({"a": {"$eq": [1, 2]}}, {"a": [1, 2]}, True),
        ({"a": {"$eq": [1, 2]}}, {"a": [[1, 2]]}, True),
        ({"a": {"$eq": [1]}}, {"a": 1}, False),
        ({"a": {"$ne": []}}, {"a": []}, False),
        ({"a": {"$in": [[], "x"]}}, {"a": []}, True),
        ({"a": {"$nin": [{"x": 1}]}}, {"a": {"x": 1}}, False),
        ({"a": {"$all": [1, 2]}}, {"a": [2, 3, 1]}, True),
        ({"a": {"$all": [1, 2]}}, {"a": 1}, False),
        ({"a": {"$all": [1]}}, {"a": 1}, True),
        ({"a": {"$size": 2}}, {"a": [1, [2]]}, True),
        ({"a": {"$size": 1}}, {"a": 1}, False),
        ({"a.b": {"$size": 1}}, {"a": [{"b": [1]}]}, True),
        ({"a": {"$type": "number"}}, {"a": True}, False),
        ({"a": {"$type": "number"}}, {"a": ["x", 1]}, True),
        ({"a": {"$type": ["array", "null"]}}, {"a": []}, True),
        ({"a": {"$type": "null"}}, {}, False),
        ({"a": {"$elemMatch": {"$gt": 1, "$lt": 3}}}, {"a": [0, 5]}, False),
        ({"a": {"$elemMatch": {"$gt": 1, "$lt": 3}}}, {"a": [0, 2]}, True),
        ({"a": {"$elemMatch": {"$gt": 1}}}, {"a": [[2]]}, False),
        ({"a": {"$elemMatch": {"$gt": 1}}}, {"a": 2}, False),
        ({"a": {"$elemMatch": {"b": 1, "c": 2}}}, {"a": [{"b": 1}, {"c": 2}]}, False),
        ({"a": {"$elemMatch": {"b": 1, "c": 2}}}, {"a": [{"c": 2, "b": 1}]}, True),
        ({"a": {"$elemMatch": {"$or": [{"b": 1}, {"_id": 7}]}}}, {"a": [{"_id": 7}]}, True),
        ({"a": {"$elemMatch": {"b": None}}}, {"a": [1]}, False),
        ({"a": {"$not": {"$elemMatch": {"b": 1}}}}, {"a": [{"b": 2}]}, True),
        ({"a": {"$regex": "^x"}}, {"a": ["y", "xy"]}, True),
        ({"a": {"$not": {"$regex": "x"}}}, {"a": 1}, True),
        ({"a": {"$regex": "STRASSE", "$options": "i"}}, {"a": "Strasse 1"}, True),
    ],
)
def test_the_matcher_answers_as_documented(filter: dict[str, Any], data: dict[str, Any], expected: bool) -> None:
    assert matches(filter, data) is expected


def test_nothing_of_the_client_reaches_mongodb_but_values_and_names_under_data() -> None:
    compiled = language.to_mongo(
        language.parse_filter({"a.b": {"$in": [1, "x"]}, "$or": [{"_id": "d"}, {"c": {"$ne": None}}]})
    )
    assert compiled == {
        "data.a.b": {"$in": [1, "x"]},
        "$or": [{"_id": {"$eq": "d"}}, {"data.c": {"$ne": None}}],
    }


def test_conditions_on_one_field_are_put_together_and_none_is_lost() -> None:
    given = {
        "a": {"$gt": 1, "$lt": 3, "$all": [2, 4]},
        "$and": [{"a": {"$gt": 0}}, {"$or": [{"b": 1}]}],
        "$or": [{"c": 1}],
    }
    assert language.to_mongo(language.parse_filter(given)) == {
        "data.a": {"$gt": 1, "$lt": 3, "$eq": 2},
        "$or": [{"data.b": {"$eq": 1}}],
        "$and": [{"data.a": {"$eq": 4}}, {"data.a": {"$gt": 0}}, {"$or": [{"data.c": {"$eq": 1}}]}],
    }
    inside = {
        "a": {"$elemMatch": {"b": {"$ne": 1}, "_x": 2}},
        "c": {"$elemMatch": {"$gt": 1, "$regex": "x.", "$options": "i"}},
    }
    assert language.to_mongo(language.parse_filter(inside)) == {
        "data.a": {"$elemMatch": {"b": {"$ne": 1}, "_x": {"$eq": 2}}},
        "data.c": {"$elemMatch": {"$gt": 1, "$regex": r"[Xx][^\n]"}},
    }


def test_every_name_of_a_type_can_be_asked_for() -> None:
    values = [None, True, 1, "x", {}, []]
    for name, value in zip(TYPES, values, strict=True):
        assert [v for v in values if matches({"a": {"$type": name}}, {"a": v})] == [value]


def test_a_tick_comes_between_the_items_of_a_list_too() -> None:
    ticks = []
    predicate = language.to_predicate(
        language.parse_filter({"a": {"$elemMatch": {"$gt": 5}}, "b": {"$elemMatch": {"c": 1}}}), lambda: ticks.append(1)
    )
    assert not predicate({"a": [1, 2, 3], "b": [{}, {}]})
    assert len(ticks) == 4
    assert not predicate({"a": [6], "b": [{}, {}]})
    assert len(ticks) == 4 + 2 + 5


def test_a_sort_is_always_completed_by_the_id() -> None:
    assert language.parse_sort({}) == ((("_id",), 1),)
    assert language.parse_sort({"a.b": -1}) == ((("a", "b"), -1), (("_id",), 1))
    assert language.parse_sort({"_id": -1}) == ((("_id",), -1),)
    with pytest.raises(Refused, match="query_too_complex"):
        language.parse_sort({"a": 1, "b": 1, "c": 1, "d": 1})
    with pytest.raises(Refused, match="reserved_field"):
        language.parse_sort({"_acl": 1})
