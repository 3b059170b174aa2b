"""Owns the claims about reading the `claims` parameter (OIDC Core 5.5). What it does to a sign-in is left to test_authorize_wishes."""

import json
from typing import Any

import pytest

from idp.base.errors import Refused
from idp.protocols.oidc.claims_request import MAX_CHARS, MAX_NAMES, acr, parse, subjects


def test_the_example_of_the_specification_is_read() -> None:
    given = {
        "userinfo": {
            "given_name": {"essential": True},
            "nickname": None,
            "email": {"essential": True},
            "http://example.info/claims/groups": None,
        },
        "id_token": {"auth_time": {"essential": True}, "acr": {"values": ["urn:mace:incommon:iap:silver"]}},
    }
    assert parse(json.dumps(given)) == given


def test_what_means_nothing_to_us_is_left_out() -> None:
    given = {"other": {"a": 1}, "userinfo": {"email": {"purpose": "fun", "essential": False}}, "id_token": None}
    assert parse(json.dumps(given)) == {"userinfo": {"email": {"essential": False}}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "5",
        "null",
        '"a"',
        '{"userinfo": []}',
        '{"userinfo": "email"}',
        '{"id_token": {"acr": "x"}}',
        '{"id_token": {"acr": true}}',
        '{"id_token": {"acr": {"essential": "true"}}}',
        '{"id_token": {"acr": {"essential": 1}}}',
        '{"id_token": {"acr": {"values": "x"}}}',
        '{"id_token": {"acr": {"values": []}}}',
        '{"id_token": {"acr": {"values": [{}]}}}',
        '{"id_token": {"acr": {"value": {}}}}',
        '{"id_token": {"acr": {"value": null}}}',
        '{"id_token": {"acr": {"value": 1e999}}}',
        '{"id_token": {"acr": {"value": NaN}}}',
        '{"id_token": {"acr": {"value": "\\u0000"}}}',
        '{"id_token": {"acr": {"value": "\\ud800"}}}',
        '{"id_token": {"": null}}',
        '{"id_token": {"a b": null}}',
        '{"id_token": {"acr": null, "acr": null}}',
        '{"id_token": {}, "id_token": {}}',
        "[" * 5000,
        '{"a":' * 3000,
        json.dumps({"userinfo": {"x" * 151: None}}),
        json.dumps({"userinfo": {"acr": {"value": "x" * 301}}}),
        json.dumps({"userinfo": {"acr": {"value": 10**400}}}),
        json.dumps({"userinfo": {"acr": {"values": ["x"] * 21}}}),
        json.dumps({"userinfo": {f"c{i}": None for i in range(MAX_NAMES + 1)}}),
        json.dumps({"other": "x" * MAX_CHARS}),
    ],
    ids=lambda text: text[:40],
)
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="invalid_request"):
        parse(text)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ((), False)),
        ({"id_token": {"acr": None}}, ((), False)),
        ({"id_token": {"acr": {"essential": True}}}, ((), False)),
        ({"id_token": {"acr": {"essential": True, "value": "a"}}}, (("a",), True)),
        ({"id_token": {"acr": {"essential": True, "values": ["a", "b"]}}}, (("a", "b"), True)),
        ({"id_token": {"acr": {"values": ["a", 5]}}}, (("a",), False)),
        ({"userinfo": {"acr": {"essential": True, "value": "a"}}}, ((), False)),
    ],
)
def test_the_acr_that_is_asked_for(given: dict[str, Any], expected: tuple[tuple[str, ...], bool]) -> None:
    assert acr(parse(json.dumps(given))) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"id_token": {"sub": None}}, None),
        ({"id_token": {"sub": {"essential": True}}}, None),
        ({"id_token": {"sub": {"value": "u"}}}, ("u",)),
        ({"userinfo": {"sub": {"value": "u"}}}, ("u",)),
        ({"id_token": {"sub": {"values": ["u", "v"]}}}, ("u", "v")),
        ({"id_token": {"sub": {"values": ["u", "v"]}}, "userinfo": {"sub": {"value": "v"}}}, ("v",)),
        ({"id_token": {"sub": {"value": "u"}}, "userinfo": {"sub": {"value": "v"}}}, ()),
        ({"id_token": {"sub": {"value": 5}}}, ()),
    ],
)
def test_the_person_who_is_asked_for(given: dict[str, Any], expected: tuple[str, ...] | None) -> None:
    assert subjects(parse(json.dumps(given))) == expected
