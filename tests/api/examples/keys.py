"""Owns examples of requests on the keys of sealed fields."""

from typing import Any

from tests.api.examples.example import Example

SETUP: list[tuple[str, str, Any]] = []
EXAMPLES: dict[str, Example] = {
    "keys.report": Example(stranger="not_permitted"),
    "keys.reseal": Example({"limit": 5}, ({"limit": 0}, {"limit": "5"}, {"limit": 10_001}), stranger="not_permitted"),
}
