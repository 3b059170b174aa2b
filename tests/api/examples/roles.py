"""Owns examples of requests on roles."""

from typing import Any

from tests.api.examples.example import Example

SETUP: list[tuple[str, str, Any]] = []
_MEMBER = {"kind": "user", "id": "a"}
EXAMPLES: dict[str, Example] = {
    "roles.set": Example(
        {"members": [_MEMBER]},
        (
            {"members": {}},
            {"members": ["a"]},
            {"members": [{"kind": "everyone", "id": "a"}]},
            {"members": [{"kind": "user", "id": ""}]},
            {"members": [{"kind": "user"}]},
            {"members": [_MEMBER] * 1001},
        ),
        needs=True,
        stranger="not_permitted",
    ),
    "roles.get": Example(stranger="not_permitted"),
    "roles.list": Example(stranger="not_permitted"),
    "roles.delete": Example(stranger="not_permitted"),
}
