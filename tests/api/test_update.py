"""The update language: what it does, what it refuses, what it cannot reach."""

from typing import Any

import pytest

from idp.api import update
from idp.base.errors import Refused


def applied(data: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return update.apply(data, update.parse_update(change))


@pytest.mark.parametrize(
    ("data", "change", "expected"),
    [
        ({"a": 1}, {"$set": {"b.c": 2}}, {"a": 1, "b": {"c": 2}}),
        ({"a": {"b": 1, "c": 2}}, {"$unset": {"a.b": True, "x.y": ""}}, {"a": {"c": 2}}),
        ({}, {"$inc": {"n": 2}}, {"n": 2}),
        ({"n": 1.5}, {"$inc": {"n": -0.5}}, {"n": 1.0}),
        ({"l": [1]}, {"$push": {"l": {"x": 1}, "m": 2}}, {"l": [1, {"x": 1}], "m": [2]}),
        ({"a": 1}, {"$set": {"a": None}, "$inc": {"b": 1}}, {"a": None, "b": 1}),
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
        ({"$rename": {"x": "_acl"}}, "unknown_operator"),
        ({"$setOnInsert": {"a": 1}}, "unknown_operator"),
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


@pytest.mark.parametrize("change", [{"$inc": {"t": 1}}, {"$inc": {"f": 1}}, {"$push": {"t": 1}}, {"$set": {"l.x": 1}}])
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
    assert update.project(data, paths) == {"a": {"b": 1}, "l": [{"x": 1}, {}]}
    assert update.project(data, ()) == data
