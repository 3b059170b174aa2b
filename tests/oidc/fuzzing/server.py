"""Owns the HTTP server's side of granian's RSGI, without a server: a request as it hands it over, and where it takes the answer.

What becomes of them is left to idp.cli.bridge.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

from tests.oidc.fuzzing.wire import Answer, Wire


class Headers:
    """plain: as granian has them, where a value that is not ASCII is missing. Else as other servers have them: Latin-1."""

    def __init__(self, headers: dict[str, str], plain: bool) -> None:
        self._all = headers
        self._told = {name: value for name, value in headers.items() if value.isascii() or not plain}

    def items(self) -> list[tuple[str, str]]:
        return list(self._told.items())

    def keys(self) -> list[str]:
        return list(self._all)


@dataclass
class Scope:
    method: str
    path: str
    query_string: str
    headers: Headers
    client: str
    server: str = "localhost:80"
    http_version: str = "1.1"
    scheme: str = "http"
    authority: str | None = None

    @classmethod
    def of(cls, wire: Wire, *, plain: bool) -> Self:
        length = {"content-length": str(len(wire.body))} if wire.body else {}
        headers = Headers({"host": "localhost", **wire.headers, **length}, plain)
        return cls(wire.method, wire.path, wire.query, headers, f"{wire.address}:1234")


@dataclass
class Told:
    answer: Answer | None = None


class Body:
    def __init__(self, body: bytes, told: Told) -> None:
        self._body = body
        self._told = told

    async def __call__(self) -> bytes:
        return self._body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self._told.answer = Answer(status, headers, body)
