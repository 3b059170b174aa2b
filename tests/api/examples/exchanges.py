"""Owns examples of requests on exchanges."""

from typing import Any

from tests.api.examples.example import Example

_EVERYBODY = {"acl": [{"kind": "everyone", "rights": ["manage"]}]}
SETUP: list[tuple[str, str, Any]] = [("PUT", "/exchanges/{name}", {}), ("PUT", "/queues/bound", _EVERYBODY)]
_GONE = "unknown_queue"
_BINDING = {"queue": "bound", "pattern": "a.#"}
_WRONG_BINDINGS = (
    {"queue": "amq.x", "pattern": "#"},
    {"queue": "bound", "pattern": "a*"},
    {"queue": "bound", "pattern": 1},
)
EXAMPLES = {
    "exchanges.declare": Example({"acl": []}, ({"acl": "x"}, {"acl": [{}]}), stranger="name_taken"),
    "exchanges.get": Example(stranger=_GONE),
    "exchanges.delete": Example(stranger=_GONE),
    "exchanges.bind": Example(_BINDING, _WRONG_BINDINGS, needs=True, stranger=_GONE),
    "exchanges.unbind": Example(_BINDING, _WRONG_BINDINGS, needs=True, stranger=_GONE),
    "exchanges.publish": Example(
        {"topic": "a.b", "body": 1},
        (
            {"topic": "a.*", "body": 1},
            {"topic": "a", "body": 1, "priority": -1},
            {"topic": "a", "body": 1, "delay_seconds": "1"},
            {"topic": "a", "body": 1, "expires_seconds": 0},
        ),
        needs=True,
        stranger=_GONE,
    ),
}
