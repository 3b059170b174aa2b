"""The query language: what is refused and by which name, and what the matcher answers."""

from typing import Any

import pytest

from idp.api import query
from idp.base.errors import Refused


def matches(filter: dict[str, Any], data: dict[str, Any]) -> bool:
    return query.to_predicate(query.parse_filter(filter))(data)


@pytest.mark.parametrize(
    "filter",
    [
        {"$where": "sleep(5000)||true"},
        {"$expr": {"$eq": [1, 1]}},
        {"$function": {}},
        {"$text": {"$search": "x"}},
        {"$comment": "x"},
        {"$jsonSchema": {}},
        {"a": {"$regex": "(a+)+$"}},
        {"a": {"$where": "1"}},
        {"a": {"$elemMatch": {"b": 1}}},
        {"a": {"$gt": 1, "$accumulator": 1}},
        {"a": {"$not": {"$regex": "x"}}},
        {"$and": [{"b": {"$or": []}}]},
        {"a": {"$and": [{}]}},
        {"a": {"$near": [0, 0]}},
        {"a": {"$type": "string"}},
        {"a": {"$size": 1}},
        {"a": {"$EQ": 1}},
    ],
)
def test_an_operator_outside_the_list_is_refused_by_its_name(filter: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        query.parse_filter(filter)
    assert (refused.value.code, refused.value.status) == ("unknown_operator", 400)
    assert str(refused.value.detail["operator"]) in refused.value.message


@pytest.mark.parametrize(
    ("filter", "code"),
    [
        ({"a": {}}, "bad_operand"),
        ({"a": {"b": 1}}, "bad_operand"),
        ({"a": [1]}, "bad_operand"),
        ({"a": {"$eq": {"b": 1}}}, "bad_operand"),
        ({"a": {"$gt": None}}, "bad_operand"),
        ({"a": {"$gt": True}}, "bad_operand"),
        ({"a": {"$in": 1}}, "bad_operand"),
        ({"a": {"$in": [[1]]}}, "bad_operand"),
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
    ],
)
def test_what_is_not_a_query_is_refused_by_name(filter: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        query.parse_filter(filter)
    assert (refused.value.code, refused.value.status) == (code, 400)


def test_nesting_has_an_end() -> None:
    deep: dict[str, Any] = {"a": 1}
    for _ in range(50):
        deep = {"$and": [deep]}
    with pytest.raises(Refused, match="query_too_complex"):
        query.parse_filter(deep)
    inner: dict[str, Any] = {"$gt": 1}
    for _ in range(50):
        inner = {"$not": inner}
    with pytest.raises(Refused, match="query_too_complex"):
        query.parse_filter({"a": inner})


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
    ],
)
def test_the_matcher_answers_as_documented(filter: dict[str, Any], data: dict[str, Any], expected: bool) -> None:
    assert matches(filter, data) is expected


def test_nothing_of_the_client_reaches_mongodb_but_values_and_names_under_data() -> None:
    compiled = query.to_mongo(
        query.parse_filter({"a.b": {"$in": [1, "x"]}, "$or": [{"_id": "d"}, {"c": {"$ne": None}}]})
    )
    assert compiled == {
        "$and": [
            {"data.a.b": {"$in": [1, "x"]}},
            {"$or": [{"_id": {"$eq": "d"}}, {"data.c": {"$ne": None}}]},
        ]
    }


def test_a_sort_is_always_completed_by_the_id() -> None:
    assert query.parse_sort({}) == ((("_id",), 1),)
    assert query.parse_sort({"a.b": -1}) == ((("a", "b"), -1), (("_id",), 1))
    assert query.parse_sort({"_id": -1}) == ((("_id",), -1),)
    with pytest.raises(Refused, match="query_too_complex"):
        query.parse_sort({"a": 1, "b": 1, "c": 1, "d": 1})
    with pytest.raises(Refused, match="reserved_field"):
        query.parse_sort({"_acl": 1})
