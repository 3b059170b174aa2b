"""Owns examples of requests on collections."""

from typing import Any

from tests.api.examples.example import Example

SETUP: list[tuple[str, str, Any]] = []
_INDEX = {"name": "i", "fields": {"a": 1}}
_GONE = "unknown_collection"
EXAMPLES: dict[str, Example] = {
    "collections.declare": Example(
        {"indexes": [_INDEX]},
        (
            {"indexes": {}},
            {"indexes": [_INDEX | {"fields": {}}]},
            {"indexes": [_INDEX | {"fields": {"a": 2}}]},
            {"indexes": [_INDEX | {"name": ""}]},
            {"indexes": [_INDEX | {"unique": 1}]},
            {"indexes": [_INDEX | {"name": f"i{number}"} for number in range(17)]},
            {"acl": [{"kind": "user", "id": "a", "rights": ["read"]}]},
            {"default_acl": [{"kind": "user", "id": "a", "rights": ["insert"]}]},
            {"owner_rights": ["insert"]},
            {"expire": {"seconds": 5}},
            {"expire": {"field": "a", "seconds": -1}},
            {"sealed": "some"},
            {"sealed": ["a"] * 33},
        ),
        stranger="not_permitted",
    ),
    "collections.get": Example(stranger=_GONE),
    "collections.list": Example(stranger=200),
    "collections.drop": Example(stranger=_GONE),
}
