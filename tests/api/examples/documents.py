"""Owns examples of requests on documents."""

from typing import Any

from tests.api.examples.example import Example

SETUP: list[tuple[str, str, Any]] = []
_USER = {"kind": "user", "id": "a", "rights": ["read"]}
_GONE = "unknown_document"
EXAMPLES = {
    "documents.insert": Example(
        {"data": {}},
        ({"data": []}, {"data": "x"}, {"data": None}, {"data": {}, "acl": {}}, {"data": {}, "acl": [1]}),
        needs=True,
        stranger=201,
    ),
    "documents.query": Example(
        {"filter": {}},
        (
            {"filter": []},
            {"limit": "5"},
            {"limit": 0},
            {"limit": 1001},
            {"sort": {"a": "1"}},
            {"sort": {"a": 2}},
            {"fields": "a"},
            {"fields": [1]},
            {"cursor": 1},
        ),
        stranger=200,
    ),
    "documents.get": Example(stranger=_GONE),
    "documents.replace": Example(
        {"data": {}},
        ({"data": 1}, {"data": {}, "version": "1"}, {"data": {}, "version": 0}),
        needs=True,
        stranger=_GONE,
    ),
    "documents.update": Example(
        {"update": {"$set": {"a": 1}}},
        ({"update": []}, {"update": None}, {"update": {"$set": {"a": 1}}, "version": 1.0}),
        needs=True,
        stranger=_GONE,
    ),
    "documents.delete": Example(stranger=_GONE),
    "documents.get_acl": Example(stranger=_GONE),
    "documents.set_acl": Example(
        {"acl": []},
        (
            {"acl": "x"},
            {"acl": [{}]},
            {"acl": [_USER | {"rights": []}]},
            {"acl": [_USER | {"rights": ["admin"]}]},
            {"acl": [{"kind": "user", "rights": ["read"]}]},
            {"acl": [_USER | {"kind": "everyone"}]},
            {"acl": [_USER | {"kind": "group"}]},
            {"acl": [_USER | {"effect": "maybe"}]},
            {"acl": [_USER] * 65},
            {"acl": [], "version": True},
        ),
        needs=True,
        stranger=_GONE,
    ),
    "documents.insert_many": Example(
        {"documents": [{"data": {}}]},
        (
            {"documents": []},
            {"documents": {}},
            {"documents": [{}]},
            {"documents": [{"data": 1}]},
            {"documents": [{"data": {}, "id": "x"}]},
            {"documents": [{"data": {}}] * 501},
        ),
        needs=True,
        stranger=201,
    ),
    "documents.bulk": Example(
        {"changes": [{"insert": {"data": {}}}]},
        (
            {"changes": []},
            {"changes": [{}]},
            {"changes": [{"insert": {"data": {}}, "delete": {"id": "x"}}]},
            {"changes": [{"delete": {"id": 1}}]},
            {"changes": [{"replace": {"id": "x", "data": []}}]},
            {"changes": [{"update": {"id": "x", "update": {}, "version": "1"}}]},
            {"changes": [{"insert": {"data": {}}}] * 501},
        ),
        needs=True,
        stranger=200,
    ),
    "documents.upsert": Example(
        {"match": {"a": 1}, "data": {"a": 1}},
        (
            {"match": {}, "data": {}},
            {"match": {"a": None}, "data": {}},
            {"match": {"a": [1]}, "data": {}},
            {"match": {"a": {"$gt": 1}}, "data": {}},
            {"match": {"a": 1}},
            {"match": {"a": 1}, "data": {}, "update": {}},
            {"match": {"a": 1, "b": 1, "c": 1, "d": 1}, "data": {}},
        ),
        needs=True,
        stranger="no_unique_index",
    ),
    "documents.count": Example({"filter": {}}, ({"filter": 1}, {"at_most": 0}, {"at_most": 1_000_001}), stranger=200),
    "documents.distinct": Example(
        {"field": "a"}, ({"field": 1}, {"field": "a", "filter": []}), needs=True, stranger=200
    ),
    "documents.aggregate": Example(
        {"pipeline": [{"$count": "n"}]},
        ({"pipeline": {}}, {"pipeline": [1]}, {"pipeline": "x"}),
        needs=True,
        stranger=200,
    ),
    "documents.history": Example(
        {"limit": 5}, ({"limit": 0}, {"limit": 1001}, {"before": 0}, {"before": "1"}), stranger=_GONE
    ),
    "documents.get_version": Example(stranger=_GONE),
    "documents.restore": Example({}, ({"version": 0}, {"version": "1"}), stranger=_GONE),
}
