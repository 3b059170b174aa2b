"""The body of a request as a JSON object, read strictly: one media type, UTF-8, no name twice (RFC 8259).

Leaves how large it may be to idp.http.machine, and what its members mean to the endpoints.
"""

import json
from typing import Any

from idp.base.errors import Refused
from idp.http.machine import Asked

JSON_TYPE = "application/json"


def json_body(asked: Asked) -> dict[str, Any]:
    """An object, and nothing but an object. Raises Refused(invalid_request)."""
    kind = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON_TYPE:
        raise Refused("invalid_request", f"Send {JSON_TYPE}.", reason=f"Content-Type {kind[:100]!r}")
    try:
        found = json.loads(asked.body.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
        if "\\u0000" in json.dumps(found, ensure_ascii=False).encode().decode():  # half a surrogate pair is no text
            raise ValueError
    except (ValueError, RecursionError):
        raise Refused("invalid_request", "The body is not JSON.", reason="not JSON, or a name twice") from None
    if not isinstance(found, dict):
        raise Refused("invalid_request", "The body must be a JSON object.")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Who reads the first of two equal names and who reads the last would see different requests."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are not JSON
