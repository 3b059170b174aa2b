"""Owns a request in parts that can be changed, the request as the connection has it, the answer, and the log.

What is asked is left to recipes, what is wrong with it to changes, the way in to world.
"""

import json
import logging
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from tests.oidc.certificates import PROXY

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Wire:
    """A request as the connection has it."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    address: str = PROXY


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


class Log(logging.Handler):
    """All that is written, as it is written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {self.format(record)}")

    def take(self) -> list[str]:
        taken, self.lines = self.lines, []
        return taken


@dataclass
class Ask:
    """A request in parts that can be changed one by one. document: sent as JSON. raw: the body as it is."""

    method: str
    path: str
    query: Pairs = field(default_factory=list)
    form: Pairs = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    document: Any = None
    raw: bytes | None = None
    query_raw: str | None = None

    def wire(self, serial: int) -> Wire:
        headers, body = dict(self.headers), b""
        if self.raw is not None:
            body = self.raw
        elif self.document is not None:
            body = json.dumps(self.document).encode()
            headers.setdefault("content-type", JSON)
        elif self.form:
            body = encoded(self.form).encode()
            headers.setdefault("content-type", FORM)
        query = encoded(self.query) if self.query_raw is None else self.query_raw
        # Another address each time: who is slowed down sees nothing of what stands behind.
        address = f"10.{serial >> 16 & 255}.{serial >> 8 & 255}.{serial & 255}"
        return Wire(self.method, self.path, query, headers, body, address)


def encoded(pairs: Pairs) -> str:
    """Half a surrogate pair becomes bytes that are no UTF-8."""
    return "&".join("=".join(quote_plus(one, errors="surrogatepass") for one in pair) for pair in pairs)
