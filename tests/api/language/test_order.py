"""The order of values and of documents: by type as in BSON, lists by their smallest or largest item."""

import random
from typing import Any

import pytest

from idp.api import language
from idp.base.errors import Refused
from tests.api.language.random_language import value

IN_ORDER: list[Any] = [
    None, -1.7e308, -(2**63), -1, -0.5, 0, 0.5, 1, 2**53, 2**53 + 1, 2**63 - 1, 1.7e308, "", "A", "a", "a\0", "aa", "é", "☃", "𝄞",
    {}, {"a": 1}, {"a": 1, "b": 0}, {"b": 0}, {"a": "x"}, [], [0], [0, 0], [1], ["x"], False, True,
]  # fmt: skip


def test_values_stand_in_the_order_of_their_types_and_then_their_own() -> None:
    keys = [language.key_of(one) for one in IN_ORDER]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    assert [language.key_of(one, -1) for one in IN_ORDER] == sorted(
        (language.key_of(one, -1) for one in IN_ORDER), reverse=True
    )


def test_numbers_are_equal_by_value_and_to_nothing_else() -> None:
    assert language.key_of(1) == language.key_of(1.0)
    assert language.key_of(0) == language.key_of(-0.0)
    assert language.key_of({"a": [1]}) == language.key_of({"a": [1.0]})
    assert language.key_of(1) != language.key_of(True)
    assert language.key_of(2**53) != language.key_of(2**53 + 1)


def test_no_key_begins_another_one() -> None:
    dice = random.Random(3)
    keys = {language.key_of(value(dice)) for _ in range(300)}
    assert not [(a, b) for a in keys for b in keys if a != b and b.startswith(a)]


@pytest.mark.parametrize(
    ("a", "b", "sort"),
    [
        ({"x": 1}, {"x": 2}, {"x": 1}),
        ({"x": 2}, {"x": 1}, {"x": -1}),
        ({}, {"x": 1}, {"x": 1}),
        ({"x": []}, {"x": None}, {"x": 1}),
        ({"x": [5, 1]}, {"x": 2}, {"x": 1}),
        ({"x": [5, 1]}, {"x": 4}, {"x": -1}),
        ({"x": [{"y": [9, 0]}, {"y": 3}]}, {"x": {"y": 1}}, {"x.y": 1}),
        ({"x": [1]}, {"x": {"y": 0}}, {"x.y": 1}),
        ({"x": [{"y": 1, "z": 9}, {"y": 2, "z": 0}]}, {"x": {"y": 2, "z": -5}}, {"x.y": 1, "x.z": 1}),
        ({"x": 1, "y": 2}, {"x": 1, "y": 1}, {"x": 1, "y": -1}),
    ],
)
def test_the_first_stands_before_the_second(a: dict[str, Any], b: dict[str, Any], sort: dict[str, int]) -> None:
    by = language.parse_sort(sort)
    assert language.place(a, by) < language.place(b, by)


def test_two_lists_have_no_order_together_as_on_mongodb() -> None:
    by = language.parse_sort({"x": 1, "y": 1})
    with pytest.raises(Refused, match="parallel_lists"):
        language.place({"x": [1], "y": [2]}, by)
    assert language.place({"x": [1, 2], "y": 2}, by) == language.place({"x": 1, "y": 2}, by)


def test_distinct_values_are_those_at_the_path_with_lists_opened_once() -> None:
    view = {"a": [{"b": [1, [2]]}, {"b": 3}, {}, 4], "c": [], "d": None}
    assert list(language.distinct_values(view, ("a", "b"))) == [1, [2], 3]
    assert list(language.distinct_values(view, ("c",))) == []
    assert list(language.distinct_values(view, ("d",))) == [None]
    assert list(language.distinct_values(view, ("e", "f"))) == []


@pytest.mark.parametrize(
    ("paths", "other", "touches"),
    [
        ([("a",)], ("a",), True),
        ([("a", "b")], ("a",), True),
        ([("a",)], ("a", "b"), True),
        ([("a", "b")], ("a", "c"), False),
        ([("ab",)], ("a",), False),
        ([], ("a",), False),
    ],
)
def test_paths_overlap_when_one_lies_in_the_other(
    paths: list[tuple[str, ...]], other: tuple[str, ...], touches: bool
) -> None:
    assert language.overlap(paths, [("z",), other]) == (other if touches else None)
