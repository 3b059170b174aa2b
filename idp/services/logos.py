"""Logos of apps (OpenID Connect Registration 2): fetched from where the app says, through the guard of all outbound
requests, and kept for an hour. Browsers get them from us: the app's server does not learn who is about to sign in.

Leaves showing them to idp.web, and whether an address may be registered to check_client.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from idp.base.clock import Clock
from idp.base.log import event
from idp.base.net import NetPolicy, Unreachable, fetch
from idp.base.places import Places

_log = logging.getLogger("idp.logos")

MAX_BYTES = 204_800
MOST = 100
FRESH_SECONDS = 3600.0
AGAIN_SECONDS = 60.0  # after it could not be had
# What the first bytes say, whatever the server says. No SVG: it may hold scripts.
_KINDS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


@dataclass(frozen=True, slots=True)
class Logo:
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Known:
    logo: Logo | None
    until: float


class Logos:
    """Safe to share between threads. policy: asked at each fetch. places: so many threads may wait for servers of apps."""

    def __init__(self, policy: Callable[[], NetPolicy], clock: Clock, places: Places) -> None:
        self._policy = policy
        self._clock = clock
        self._places = places
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def at(self, address: str) -> Logo | None:
        """None when there is none to be had. Raises Refused(temporarily_unavailable)."""
        now = self._clock()
        with self._lock:
            known = self._known.get(address)
        if known is not None and now < known.until <= now + FRESH_SECONDS:
            return known.logo
        with self._places.taken():
            logo = self._fetched(address)
        with self._lock:
            self._known[address] = _Known(logo, now + (FRESH_SECONDS if logo else AGAIN_SECONDS))
            self._known.move_to_end(address)
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        return logo

    def _fetched(self, address: str) -> Logo | None:
        try:
            answer = fetch("GET", address, replace(self._policy(), max_bytes=MAX_BYTES), headers={"Accept": "image/*"})
        except Unreachable as problem:
            event(_log, "logo_not_fetched", why=str(problem)[:200])
            return None
        kind = _kind(answer.body) if answer.status == 200 else None
        if kind is None:
            event(_log, "logo_not_fetched", status=answer.status, why="it is no PNG, JPEG, GIF or WebP")
            return None
        return Logo(kind, answer.body)


def _kind(body: bytes) -> str | None:
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for begin, kind in _KINDS if body.startswith(begin)), None)
