"""Endpoints for programs: a request in, an answer out, no cookies, no web framework, so that they cost little.

Owns the types, the table and what every answer has in common. The HTTP server calls it directly (idp.cli.bridge); every
other WSGI server reaches it through Flask (idp.http.machine_views). Leaves what endpoints do to the doors.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from idp.base.errors import Refused
from idp.base.forwarded import forwarded_for
from idp.http.parts import Parts
from idp.http.refusals import of_fault, of_status, of_store, place
from idp.ports import StoreUnavailable, SyncLater

MAX_BODY_BYTES = 512 * 1024
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode  # made once: json.dumps with options makes one for each call
_log = logging.getLogger("idp.errors")

Headers = list[tuple[str, str]]
NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
_EXPOSED = ("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce")
_MAY_SEND = ("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")


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
    headers: Headers = field(default_factory=list)
    content_type: str = "application/json"


ShortCut = Callable[[Asked], Told | None]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """path: exact, or a prefix when it ends in `/`. cross_origin: may be asked by pages of other origins (no cookie is
    involved). short: its answer costs less than changing to a thread and back."""

    path: str
    methods: frozenset[str]
    run: Callable[[Asked], Told]
    cross_origin: bool = False
    short: bool = False

    @property
    def allowed(self) -> str:
        return ", ".join(sorted({*self.methods, "OPTIONS", *({"HEAD"} if "GET" in self.methods else ())}))


def told_json(answer: Mapping[str, Any], status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Told:
    """For one receiver: nothing on the way may keep it (RFC 6749 5.1)."""
    return Told(status, _ENCODE(answer).encode(), [*NO_STORE, *headers])


def told_published(asked: Asked, body: bytes, etag: str, seconds: int) -> Told:
    """For anybody, for so many seconds; 304 to whoever has it (RFC 9110 13.1.2)."""
    headers = [("Cache-Control", f"public, max-age={seconds}"), ("ETag", f'"{etag}"')]
    known = asked.headers.get("if-none-match")
    if known is not None and (
        known.strip() == "*" or f'"{etag}"' in known.replace("W/", "").replace(" ", "").split(",")
    ):
        return Told(304, b"", headers)
    return Told(200, body, headers)


class Lane:
    """refused: how a refusal is told, with its trace code. short_cuts: pages that often need no page, by their path."""

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        parts: Parts,
        refused: Callable[[Refused, str], Told],
        short_cuts: Mapping[str, ShortCut] | None = None,
    ) -> None:
        self.endpoints = tuple(endpoints)
        self._exact = {one.path: one for one in self.endpoints if not one.path.endswith("/")}
        self._short_cuts = dict(short_cuts or {})
        self._below = tuple(one for one in self.endpoints if one.path.endswith("/"))
        self._parts = parts
        self._as_told = refused
        self._hops = parts.settings.server.trusted_proxies
        # A store across the network makes every answer wait, and so do keys that live elsewhere: that needs threads.
        self._in_place = parts.settings.store.url.startswith("sqlite") and not parts.settings.oidc.external_keys
        self.sync_later: SyncLater | None = getattr(parts.repo, "sync_later", None)

    def in_place(self, endpoint: Endpoint | None) -> bool:
        """May it be answered where the request arrives, one after the other? None: a short cut."""
        return self._in_place and (endpoint is None or endpoint.short)

    def short_cut(self, method: str, path: str) -> ShortCut | None:
        """An answer in place of that page, complete with its headers; it gives None when the page must be asked."""
        run = self._short_cuts.get(path) if method == "GET" else None
        return None if run is None else partial(self._cut_short, run)

    def _cut_short(self, run: ShortCut, asked: Asked) -> Told | None:
        try:
            told = run(asked)
        except (Refused, StoreUnavailable):  # the page will come to the same, and says so to the person
            return None
        except Exception:  # noqa: BLE001  (the page may know better)
            _log.exception("fault in the short cut of %s", asked.path)
            return None
        if told is not None:
            told.headers += [("X-Content-Type-Options", "nosniff"), ("Content-Length", str(len(told.body)))]
            told.headers += self._https_only()
        return told

    def asked(self, method: str, path: str, query: bytes, headers: Mapping[str, str], body: bytes, peer: str) -> Asked:
        """A request as the connection has it; the trusted proxies are believed here."""
        address = forwarded_for(headers.get("x-forwarded-for"), self._hops) if self._hops else None
        return Asked(method, path, query, headers, body, address or peer or "unknown", peer or "unknown")

    def refused(self, endpoint: Endpoint, asked: Asked, error: StoreUnavailable) -> Told:
        """Instead of an answer whose writes were lost."""
        return self._complete(endpoint, asked, self._tell(of_store(error), asked))

    def find(self, path: str) -> Endpoint | None:
        found = self._exact.get(path)
        if found is not None or not self._below:
            return found
        return next((one for one in self._below if path.startswith(one.path) and len(path) > len(one.path)), None)

    def answer(self, asked: Asked) -> Told | None:
        """Complete with its headers; None when the path is not in the table."""
        endpoint = self.find(asked.path)
        return None if endpoint is None else self.run(endpoint, asked)

    def run(self, endpoint: Endpoint, asked: Asked) -> Told:
        try:
            told = self._options(endpoint) if asked.method == "OPTIONS" else _ask(endpoint, asked)
        except Refused as refused:
            told = self._tell(refused, asked)
        except StoreUnavailable as error:
            told = self._tell(of_store(error), asked)
        except Exception as error:  # noqa: BLE001  (no caller may ever see a stack trace)
            _log.exception("fault at %s %r", asked.method, place(asked.path))
            told = self._tell(of_fault(error, asked.method, asked.path), asked)
        return self._complete(endpoint, asked, told)

    def _options(self, endpoint: Endpoint) -> Told:
        """What a page of another origin may send (the Fetch standard's preflight)."""
        headers = [("Allow", endpoint.allowed)]
        if endpoint.cross_origin:
            headers += [
                ("Access-Control-Allow-Methods", ", ".join(sorted(endpoint.methods))),
                _MAY_SEND,
                ("Access-Control-Max-Age", "3600"),
            ]
        return Told(200, b"", headers)

    def _tell(self, refused: Refused, asked: Asked) -> Told:
        door = asked.path.split("/", 2)[1]
        trace = self._parts.traces.keep(door, refused, method=asked.method, endpoint=place(asked.path))
        told = self._as_told(refused, trace)
        told.headers = [*NO_STORE, *refused.headers.items()]
        return told

    def _complete(self, endpoint: Endpoint, asked: Asked, told: Told) -> Told:
        headers = [*told.headers, ("X-Content-Type-Options", "nosniff")]
        if told.status not in (204, 304):
            headers.append(("Content-Type", told.content_type))
            headers.append(("Content-Length", str(len(told.body))))
        headers += self._https_only()
        if endpoint.cross_origin:
            headers.append(("Access-Control-Allow-Origin", "*"))
            if asked.method != "OPTIONS":
                headers.append(_EXPOSED)
        if asked.method == "HEAD":
            told.body = b""
        told.headers = headers
        return told

    def _https_only(self) -> Headers:
        return [("Strict-Transport-Security", "max-age=31536000")] if self._parts.installation.https_only else []


def _ask(endpoint: Endpoint, asked: Asked) -> Told:
    if asked.method not in endpoint.methods and not (asked.method == "HEAD" and "GET" in endpoint.methods):
        raise of_status(405, asked.method, asked.path, {"Allow": endpoint.allowed})
    if len(asked.body) > MAX_BODY_BYTES or (not asked.body and _announced(asked) > MAX_BODY_BYTES):
        raise of_status(413, asked.method, asked.path)
    return endpoint.run(asked)


def _announced(asked: Asked) -> int:
    """What was too long to be read has left its length only."""
    length = asked.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
