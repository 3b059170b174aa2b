"""The update language: what it does, what it refuses, what it cannot reach."""

from typing import Any

import pytest

from idp.api import language
from idp.base.errors import Refused


def applied(data: dict[str, Any], change: dict[str, Any], inserting: bool = False) -> dict[str, Any]:
    return language.apply(data, language.parse_update(change), inserting)


@pytest.mark.parametrize(
    ("data", "change", "expected"),
    [
        ({"a": 1}, {"$set": {"b.c": 2}}, {"a": 1, "b": {"c": 2}}),
        ({"a": {"b": 1, "c": 2}}, {"$unset": {"a.b": True, "x.y": ""}}, {"a": {"c": 2}}),
        ({}, {"$inc": {"n": 2}}, {"n": 2}),
        ({"n": 1.5}, {"$inc": {"n": -0.5}}, {"n": 1.0}),
        ({"l": [1]}, {"$push": {"l": {"x": 1}, "m": 2}}, {"l": [1, {"x": 1}], "m": [2]}),
        ({"a": 1}, {"$set": {"a": None}, "$inc": {"b": 1}}, {"a": None, "b": 1}),
        ({"n": 3}, {"$mul": {"n": 2, "m": 5}}, {"n": 6, "m": 0}),
        ({"n": 3}, {"$min": {"n": 2, "m": 5}}, {"n": 2, "m": 5}),
        ({"n": 3}, {"$min": {"n": 4}, "$max": {"t": "x"}}, {"n": 3, "t": "x"}),
        ({"n": 3}, {"$max": {"n": "text is after numbers"}}, {"n": "text is after numbers"}),
        ({"n": None, "m": [1]}, {"$max": {"n": 0}, "$min": {"m": {"x": 1}}}, {"n": 0, "m": {"x": 1}}),
        ({"a": 1, "o": {"b": 2}}, {"$rename": {"a": "c.d", "o.b": "b", "x": "y"}}, {"o": {}, "c": {"d": 1}, "b": 2}),
        ({"a": 1, "b": 2}, {"$rename": {"a": "b"}}, {"b": 1}),
        ({"l": [1]}, {"$push": {"l": {"$each": [2, [3]]}, "m": {"$each": []}}}, {"l": [1, 2, [3]], "m": []}),
        ({"l": [1, 2]}, {"$push": {"l": {"$each": [3], "$slice": -2}}}, {"l": [2, 3]}),
        ({"l": [1, 2]}, {"$push": {"l": {"$each": [3], "$slice": 2}}}, {"l": [1, 2]}),
        ({"l": [1, 2]}, {"$push": {"l": {"$each": [3], "$slice": 0}}}, {"l": []}),
        (
            {"l": [1]},
            {"$addToSet": {"l": 1.0, "m": {"$each": [1, True, 1, {"x": 1}]}}},
            {"l": [1], "m": [1, True, {"x": 1}]},
        ),
        ({"l": [1, "1", True, 1.0]}, {"$pull": {"l": 1, "x.y": 1}}, {"l": ["1", True]}),
        ({"l": [1, 5, "x", 9]}, {"$pull": {"l": {"$gt": 4, "$lt": 8}}}, {"l": [1, "x", 9]}),
        ({"l": [{"x": 1, "y": 2}, {"x": 2}, 3]}, {"$pull": {"l": {"x": 1}}}, {"l": [{"x": 2}, 3]}),
        ({"l": [[1], 1]}, {"$pull": {"l": [1]}}, {"l": [1]}),
        ({"a": 1}, {"$setOnInsert": {"b": 1}, "$set": {"c": 1}}, {"a": 1, "c": 1}),
    ],
)
def test_an_update_does_what_is_documented(
    data: dict[str, Any], change: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = repr(data)
    assert applied(data, change) == expected
    assert repr(data) == before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "bad_operand"),
        ({"a": 1}, "unknown_operator"),
        ({"$rename": {"x": "_acl"}}, "reserved_field"),
        ({"$rename": {"_acl": "x"}}, "reserved_field"),
        ({"$rename": {"a": 1}}, "bad_operand"),
        ({"$rename": {"a": "a.b"}}, "conflicting_paths"),
        ({"$rename": {"a": "b"}, "$set": {"b": 1}}, "conflicting_paths"),
        ({"$setOnInsert": {"_id": 1}}, "reserved_field"),
        ({"$bit": {"a": {"and": 1}}}, "unknown_operator"),
        ({"$pullAll": {"a": [1]}}, "unknown_operator"),
        ({"$push": {"a": {"$each": [1], "$sort": 1}}}, "unknown_operator"),
        ({"$push": {"a": {"$position": 1}}}, "unknown_operator"),
        ({"$push": {"a": {"$slice": 1}}}, "bad_operand"),
        ({"$push": {"a": {"$each": 1}}}, "bad_operand"),
        ({"$push": {"a": {"$each": [1] * 1001}}}, "bad_operand"),
        ({"$push": {"a": {"$each": [1], "$slice": None}}}, "bad_operand"),
        ({"$push": {"a": {"$each": [1], "$slice": True}}}, "bad_operand"),
        ({"$push": {"a": {"$each": [{"$x": 1}]}}}, "bad_field_name"),
        ({"$addToSet": {"a": {"$each": [1], "$slice": 1}}}, "unknown_operator"),
        ({"$pull": {"a": {"$where": "1"}}}, "unknown_operator"),
        ({"$pull": {"a": {}}}, "bad_operand"),
        ({"$pull": {"a": [{"$gt": 1}]}}, "bad_field_name"),
        ({"$mul": {"a": "1"}}, "bad_operand"),
        ({"$mul": {"big": 2}}, "number_out_of_range"),
        ({"$mul": {"huge": 10}}, "number_out_of_range"),
        ({"$mul": {"big": 1.7e308}}, "number_out_of_range"),
        ({"$replaceWith": {"a": 1}}, "unknown_operator"),
        ({"$set": {}}, "bad_operand"),
        ({"$set": 1}, "bad_operand"),
        ({"$set": {"_acl": []}}, "reserved_field"),
        ({"$set": {"_acl.0.rights": ["read"]}}, "reserved_field"),
        ({"$unset": {"_id": True}}, "reserved_field"),
        ({"$inc": {"_version": 1}}, "reserved_field"),
        ({"$push": {"_created_by": "x"}}, "reserved_field"),
        ({"$set": {"a.$b": 1}}, "bad_field_name"),
        ({"$set": {"a.0": 1}}, "bad_field_name"),
        ({"$inc": {"a": "1"}}, "bad_operand"),
        ({"$inc": {"a": True}}, "bad_operand"),
        ({"$unset": {"a": 1}}, "bad_operand"),
        ({"$set": {"a": 1}, "$inc": {"a": 1}}, "conflicting_paths"),
        ({"$set": {"a.b": 1, "a": 1}}, "conflicting_paths"),
        ({"$set": {"a": {"$b": 1}}}, "bad_field_name"),
        ({"$set": {"a": [{"b.c": 1}]}}, "bad_field_name"),
        ({"$inc": {"big": 1}}, "number_out_of_range"),
        ({"$inc": {"huge": 1.7e308}}, "number_out_of_range"),
    ],
)
def test_what_is_not_an_update_is_refused_by_name(change: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        applied({"big": 2**63 - 1, "huge": 1.7e308}, change)
    assert (refused.value.code, refused.value.status) == (code, 400)


@pytest.mark.parametrize(
    "change",
    [
        {"$inc": {"t": 1}},
        {"$inc": {"f": 1}},
        {"$mul": {"t": 1}},
        {"$push": {"t": 1}},
        {"$addToSet": {"t": 1}},
        {"$pull": {"t": 1}},
        {"$set": {"l.x": 1}},
        {"$rename": {"t": "l.x"}},
    ],
)
def test_an_operator_that_does_not_fit_what_is_stored_is_a_conflict(change: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        applied({"t": "text", "f": False, "l": [1]}, change)
    assert (refused.value.code, refused.value.status) == ("type_conflict", 409)


def test_documents_cannot_grow_past_their_size_or_depth_by_updates() -> None:
    with pytest.raises(Refused) as refused:
        applied({"a": "x" * 900_000}, {"$set": {"b": "y" * 200_000}})
    assert (refused.value.code, refused.value.status) == ("document_too_large", 413)
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(Refused, match="document_too_deep"):
        applied({}, {"$set": {"a": deep}})


def test_a_projection_gives_the_named_fields_through_objects_and_lists() -> None:
    data = {"a": {"b": 1, "c": 2}, "l": [{"x": 1, "y": 2}, 3, {"y": 4}], "z": 0}
    paths = (("a", "b"), ("l", "x"))
    assert language.project(data, paths) == {"a": {"b": 1}, "l": [{"x": 1}, {}]}
    assert language.project(data, ()) == data


def test_what_is_set_on_insert_counts_for_a_new_document_only() -> None:
    change = {"$setOnInsert": {"made": {"by": 1}}, "$inc": {"n": 1}}
    assert applied({"key": 1}, change, inserting=True) == {"key": 1, "made": {"by": 1}, "n": 1}
    assert applied({"key": 1}, change) == {"key": 1, "n": 1}


def test_what_was_pushed_is_a_copy_so_that_steps_can_be_applied_again() -> None:
    steps = language.parse_update({"$push": {"l": {"x": []}}})
    first = language.apply({}, steps)
    first["l"][0]["x"].append(1)
    assert language.apply({}, steps) == {"l": [{"x": []}]}


def test_an_update_touches_what_it_reads_not_what_it_overwrites() -> None:
    steps = language.parse_update({"$set": {"a": 1}, "$unset": {"b": True}, "$rename": {"c": "d"}, "$inc": {"e.f": 1}})
    assert language.touched(steps) == {("c",), ("d",), ("e", "f")}
