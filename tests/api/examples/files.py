"""Owns examples of requests on files. Those whose bodies are bytes are in test_files.py."""

from typing import Any

from tests.api.examples.example import Example

SETUP: list[tuple[str, str, Any]] = []
_ENTRY = {"kind": "user", "id": "a", "rights": ["read"]}
EXAMPLES: dict[str, Example] = {
    "files.query": Example({"filter": {}}, ({"filter": []}, {"limit": 0}, {"sort": {"a": 2}}, {"cursor": 1}), stranger=200),
    "files.get": Example(stranger="unknown_document"),
    "files.delete": Example(stranger="unknown_document"),
    "files.get_acl": Example(stranger="unknown_document"),
    "files.set_acl": Example(
        {"acl": []}, ({"acl": "x"}, {"acl": [_ENTRY] * 65}, {"acl": [], "version": True}), needs=True, stranger="unknown_document"
    ),
}  # fmt: skip
