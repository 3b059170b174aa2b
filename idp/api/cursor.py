"""Owns the opaque cursor: where the next page of one query of one caller begins, under a MAC.

Nothing in it reaches a store before the MAC was checked and the query found to be the same.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idp.api.problems import bad_request

MAC_BYTES = 16


@dataclass(frozen=True, slots=True)
class Position:
    """after: id of the last document given (sort by _id alone). skip: number of documents given (every other sort)."""

    after: str | None = None
    skip: int = 0


def fingerprint(caller: str, *query: object) -> str:
    """Of whose query this is; a cursor continues no other one."""
    return hashlib.sha256(json.dumps([caller, *query], sort_keys=True).encode()).hexdigest()[:32]


def write(position: Position, query: str, key: bytes) -> str:
    body = json.dumps([query, position.after, position.skip]).encode()
    return _text(_mac(body, key) + body)


def read(text: str, query: str, key: bytes) -> Position:
    """Raises Refused 400 bad_cursor."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise _bad() from None
    mac, body = raw[:MAC_BYTES], raw[MAC_BYTES:]
    if _text(raw) != text:  # base64 has several spellings of the same bytes; one is ours
        raise _bad()
    if not hmac.compare_digest(mac, _mac(body, key)):
        raise _bad()
    of, after, skip = json.loads(body)
    if of != query:
        raise bad_request("bad_cursor", "The cursor belongs to another query or another caller.")
    return Position(after, skip)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _mac(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")[:MAC_BYTES]


def _bad() -> Exception:
    return bad_request("bad_cursor", "The cursor is not one that this API gave.")


def new_key(data: Mapping[str, Any]) -> bytes:
    """The key as it is kept in the store."""
    return bytes.fromhex(str(data["key"]))
