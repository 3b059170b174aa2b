"""Owns examples of requests on work items."""

from typing import Any

from tests.api.examples.example import Example

SETUP: list[tuple[str, str, Any]] = [("PUT", "/queues/{name}", {"kind": "work_items"})]
_GONE = "unknown_queue"
_FILE = {"collection": "photos", "id": "doc_x"}
_HELD = {"receipt": "r"}
_WRONG_CONTENT = ({"payload": []}, {"files": "x"}, {"files": [_FILE] * 21}, {"files": [_FILE | {"id": ""}]})
EXAMPLES = {
    "work_items.add": Example(
        {"payload": {}},
        (
            {"payload": [1]},
            {"payload": {}, "files": [{}]},
            {"payload": {}, "priority": 10},
            {"payload": {}, "delay_seconds": -1},
        ),
        needs=True,
        stranger=_GONE,
    ),
    "work_items.take": Example({"lease_seconds": 5}, ({"lease_seconds": 0}, {"lease_seconds": 3601}), stranger=_GONE),
    "work_items.renew": Example(_HELD, (_HELD | {"lease_seconds": 3601}, {"receipt": ""}), needs=True, stranger=_GONE),
    "work_items.update": Example(_HELD, tuple(_HELD | wrong for wrong in _WRONG_CONTENT), needs=True, stranger=_GONE),
    "work_items.complete": Example(_HELD, tuple(_HELD | wrong for wrong in _WRONG_CONTENT), needs=True, stranger=_GONE),
    "work_items.fail": Example(
        _HELD | {"reason": "x"},
        (
            _HELD | {"reason": ""},
            _HELD | {"reason": "x" * 1001},
            _HELD | {"reason": "x", "retry": 1},
            _HELD | {"reason": "x", "delay_seconds": -1},
        ),
        needs=True,
        stranger=_GONE,
    ),
    "work_items.get": Example(stranger=_GONE),
    "work_items.query": Example(
        {"filter": {}}, ({"filter": []}, {"limit": 0}, {"limit": 1001}, {"after": ""}), stranger=_GONE
    ),
    "work_items.count": Example({"filter": {}}, ({"filter": 1},), stranger=_GONE),
    "work_items.purge": Example({"filter": {}}, ({"filter": 1},), stranger=_GONE),
    "work_items.retry": Example({}, ({"idempotency_key": 1},), stranger=_GONE),
    "work_items.delete": Example(stranger=_GONE),
}
