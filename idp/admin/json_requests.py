"""Reading requests to the administrators' JSON API, strictly: parameters each once, bodies of bounded size, versions.

Leaves who may to access, and what is asked for to the endpoints.
"""

import re
from typing import Any
from urllib.parse import parse_qsl

from idp.base.errors import Refused
from idp.http.json_body import json_body
from idp.http.machine import Asked
from idp.http.refusals import of_status

MAX_BODY = 131_072
MOST, USUAL = 200, 50  # apps on one page of a list
_VERSION = re.compile(r'"(\d{1,15})"\Z')


def body_of(asked: Asked, most: int = MAX_BODY) -> dict[str, Any]:
    check_size(asked, most)
    query_of(asked)
    return json_body(asked)


def check_size(asked: Asked, most: int) -> None:
    if len(asked.body) > most:
        raise of_status(413, asked.method, asked.path)


def query_of(asked: Asked, *names: str) -> dict[str, str]:
    """The parameters in the address: of these names, each once. Raises Refused(invalid_request)."""
    try:
        pairs = parse_qsl(asked.query.decode("ascii"), encoding="utf-8", errors="strict", max_num_fields=10)
    except ValueError:
        raise Refused("invalid_request", "The parameters cannot be read.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in names:
            raise Refused("invalid_request", f"There is no parameter {name[:100]!r}.")
        if name in found or len(value) > 4096 or "\x00" in value:
            raise Refused("invalid_request", f"The parameter {name} was sent twice, or is too long.")
        found[name] = value
    return found


def page_of(asked: Asked) -> tuple[str, str, int]:
    """Of a list: the words to search for, the cursor of the page before, how many."""
    given = query_of(asked, "q", "limit", "after")
    limit = whole_of(given.get("limit", str(USUAL)), "limit", 1, MOST)
    return given.get("q", ""), given.get("after", ""), limit


def expected_version(asked: Asked, said: object = None) -> int | None:
    """The version that the change is meant for: If-Match (RFC 9110 13.1.1), or the member `version`. None: any."""
    if said is not None and (type(said) is not int or said < 0):
        raise Refused("invalid_request", "version: it must be the number that stands in the app.")
    header = asked.headers.get("if-match", "*").strip()
    found = _VERSION.match(header)
    if header != "*" and found is None:
        raise Refused("invalid_request", 'If-Match is the ETag of the app, as "3".')
    tagged = int(found[1]) if found else None
    if tagged is not None and said is not None and tagged != said:
        raise Refused("invalid_request", "If-Match and version contradict each other.")
    return tagged if tagged is not None else said


def whole_of(text: str, name: str, least: int, most: int) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not least <= value <= most:
        raise Refused("invalid_request", f"{name} is a number from {least} to {most}.")
    return value
