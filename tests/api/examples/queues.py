"""Owns examples of requests on queues and messages."""

from typing import Any

from tests.api.examples.example import Example

SETUP: list[tuple[str, str, Any]] = [("PUT", "/queues/{name}", {})]
_ENTRY = {"kind": "user", "id": "a", "rights": ["publish"]}
_GONE = "unknown_queue"
EXAMPLES = {
    "queues.declare": Example(
        {"max_deliveries": 3},
        (
            {"max_deliveries": "5"},
            {"max_deliveries": 0},
            {"acl": [_ENTRY | {"rights": ["read"]}]},
            {"acl": [_ENTRY | {"max_priority": 10}]},
            {"kind": "exchange"},
            {"retry_seconds": -1},
            {"retry_max_seconds": 0},
            {"expires_seconds": 0},
            {"on_success": "other"},
            {"kind": "work_items", "on_failure": "amq.x"},
            {"kind": "work_items", "expires_seconds": 5},
            {"idempotency_key": ""},
        ),
        stranger="name_taken",
    ),
    "queues.get": Example(stranger=_GONE),
    "queues.list": Example({"limit": 5}, ({"limit": 0}, {"limit": 1001}, {"after": "amq.x"}), stranger=200),
    "queues.delete": Example(stranger=_GONE),
    "queues.publish": Example(
        {"body": 1},
        (
            {"body": 1, "priority": "9"},
            {"body": 1, "priority": 10},
            {"body": 1, "delay_seconds": -1},
            {"body": 1, "delay_seconds": 2_592_001},
            {"body": 1, "expires_seconds": 0},
            {"body": 1, "reply_seconds": 3601},
            {"body": 1, "token": 1},
            {"body": 1, "token": "x" * 16_385},
            {"body": 1, "idempotency_key": "ü"},
            {"body": 1, "idempotency_key": "x" * 201},
        ),
        needs=True,
        stranger=_GONE,
    ),
    "queues.take": Example(
        {"lease_seconds": 30}, ({"lease_seconds": "1"}, {"dead": 1}, {"wait_seconds": 6}), stranger=_GONE
    ),
    "queues.renew": Example({"lease_seconds": 30}, ({"lease_seconds": 901},), stranger=_GONE),
    "queues.ack": Example({}, ({"receipt": "x"},), stranger=_GONE),
    "queues.reject": Example(
        {"requeue": True},
        (
            {"requeue": "yes"},
            {"requeue": True, "reason": 1},
            {"requeue": False, "reason": ""},
            {"requeue": True, "delay_seconds": -1},
        ),
        needs=True,
        stranger=_GONE,
    ),
    "queues.reply": Example({"body": 1}, ({"body": 1, "receipt": "x"},), needs=True, stranger=_GONE),
    "queues.fetch_reply": Example({"wait_seconds": 0}, ({"wait_seconds": 6}, {"wait_seconds": "1"}), stranger=_GONE),
    "queues.inspect": Example({"limit": 5}, ({"limit": 0}, {"limit": 101}, {"dead": "yes"}), stranger=_GONE),
    "queues.purge": Example({"dead": True}, ({"dead": "yes"},), stranger=_GONE),
    "queues.redrive": Example({"limit": 5}, ({"limit": 0}, {"limit": 1001}), stranger=_GONE),
}
