"""Owns examples of requests on the record of denials."""

from typing import Any

from tests.api.examples.example import Example

SETUP: list[tuple[str, str, Any]] = []
EXAMPLES: dict[str, Example] = {
    "audit.query": Example(
        {"caller": "user:usr_a", "code": "not_permitted", "limit": 5},
        (
            {"caller": {"$ne": ""}},
            {"code": 1},
            {"since": ["2026-01-01"]},
            {"limit": 0},
            {"limit": 1001},
            {"limit": True},
            {"cursor": 1},
            {"target": "x" * 301},
        ),
        stranger="not_permitted",
    ),
}
