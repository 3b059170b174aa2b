"""Endpoints for programs: a request in, an answer out, no cookies, no web framework, so that they cost little.

Owns the two types and the table. The HTTP server calls them directly (idp.cli.bridge); every other WSGI server reaches
them through Flask (`mount`). Leaves what they do to the doors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Asked:
    """headers: names in lower case; those of one name joined. query: as sent, without `?`. address: of the client, behind
    trusted proxies too. peer: of whoever holds the connection."""

    method: str
    path: str
    query: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    address: str = "unknown"
    peer: str = "unknown"


@dataclass(slots=True)
class Told:
    """headers: further ones; Content-Type, Content-Length, CORS and the common ones are added by the lane."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: list[tuple[str, str]] = field(default_factory=list)
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """path: exact, or a prefix when it ends in `/`. cross_origin: may be asked by pages of other origins (no cookie is
    involved). short: its answer costs less than changing to a thread and back."""

    path: str
    methods: frozenset[str]
    run: Callable[[Asked], Told]
    cross_origin: bool = False
    short: bool = False
