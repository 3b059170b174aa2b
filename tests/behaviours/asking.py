"""Owns how these tests ask the companion: requests that must succeed, requests that must be refused, and entries of ACLs."""

import secrets
from typing import Any

from tests.api.transports.conftest import Served

ALL = ["read", "update", "delete", "share"]


def ok(talk: Any, operation: str, token: str, **request: Any) -> Any:
    answer = talk.ask(operation, request, token)
    assert answer.status == 200, (operation, request, answer.body)
    return answer.body


def told(talk: Any, operation: str, token: str, **request: Any) -> tuple[int, str]:
    found: tuple[int, str] = talk.ask(operation, request, token).told
    return found


def entry(kind: str, id: str = "", *rights: str, effect: str = "allow") -> dict[str, Any]:
    return {"kind": kind, "id": id, "rights": list(rights or ("read",)), "effect": effect}


def fresh_name(what: str) -> str:
    return f"{what}-{secrets.token_hex(4)}"


def secret_and_open(nodes: Served, notes: str) -> tuple[str, str]:
    """Two documents of ada: one for herself, one that everybody may read. Gives their ids."""
    ada = nodes.token()
    hidden = nodes.insert(notes, ada, {"n": 1, "word": "hidden", "list": [1, 2]})
    shown = nodes.insert(notes, ada, {"n": 2, "word": "open", "list": [3]}, acl=[entry("everyone")])
    return hidden, shown
