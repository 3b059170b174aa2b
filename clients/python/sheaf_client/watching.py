"""Owns what a watch is, the same for both clients: server-sent events (WHATWG HTML 9.2) to changes, and from where to go on.

Connecting is left to client.py.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypedDict

import httpx

from sheaf_client.attempts import wait_after
from sheaf_client.operations import DocumentReply
from sheaf_client.problems import Problem
from sheaf_client.tokens import Tokens

PATH = "/commands/documents.watch"
SILENT_SECONDS = 60.0  # the companion says something every 25: whoever is silent for longer has gone


class Change(TypedDict, total=False):
    """One change of one document. document: as it stands now, None when it was deleted. token: to go on from here.
    action `alive` has a token and nothing else: nothing that happens from here on is missed."""

    token: str
    action: Literal["alive", "insert", "replace", "update", "acl", "delete", "restore"]
    id: str
    version: int
    at: str
    by: str
    document: DocumentReply | None


class Events:
    """Bytes to (kind, data). Lines end at a line feed only: JSON holds other characters that Python takes for line ends."""

    def __init__(self) -> None:
        self._rest = b""

    def read(self, part: bytes) -> Iterator[tuple[str, Any]]:
        *whole, self._rest = (self._rest + part).split(b"\n\n")
        for event in whole:
            fields = dict(line.split(": ", 1) for line in event.decode().split("\n"))
            yield fields["event"], json.loads(fields["data"])


class Place:
    """Where a watch stands, over all its connections."""

    def __init__(self, collection: str, filter: Mapping[str, Any] | None, after: str | None, tokens: Tokens) -> None:
        self._asked = {"collection": collection, "filter": dict(filter or {})}
        self._after = after
        self._renews = callable(tokens)
        self._failures = 0
        self._heard = False

    def request(self) -> dict[str, Any]:
        self._heard = False
        return self._asked | ({"after": self._after} if self._after else {})

    def arrived(self, kind: str, data: Any) -> Change:
        """Raises Problem when it says why the stream ends."""
        if kind != "change":
            raise Problem(data, int(data.get("status", 500)))
        self._heard, self._failures, self._after = True, 0, data["token"]
        change: Change = data
        return change

    def wait_after(self, error: httpx.HTTPError | Problem, retries: int) -> float:
        """Seconds before the next connection. Raises Problem or NoAnswer when there is none."""
        # A token that was good has ended: with the next one it goes on. One that is refused at once is no good.
        if isinstance(error, Problem) and error.status == 401 and self._heard and self._renews:
            return 0.0
        self._failures += 1
        return wait_after(error, "documents.watch", self._failures - 1, retries)
