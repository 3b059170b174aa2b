"""OpenID Connect Session Management 1.0: the iframe that tells an app whether the session is still the same, without a
request, and the `session_state` with which the app asks it.

Leaves the browser's side of the state to idp.http.visit, and comparing to static/session-check.js.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit

from idp.domain.relying import Client
from idp.http.machine import Asked, Told, told_published
from idp.protocols.oidc.door import Door

CHECK_PATH = "/session/check"
CHECK_SECONDS = 3600
_PAGE = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><title>Session</title>'
    b'<script src="/static/session-check.js"></script></html>\n'
)
# May stand in a frame of any app. It has nothing to click, and answers only to those who know a session_state.
_POLICY = "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_PORTS = {"http": 80, "https": 443}


def check_session(door: Door, asked: Asked) -> Told:
    """check_session_iframe (section 3.2): the same bytes for everybody."""
    told = told_published(asked, _PAGE, _etag(), CHECK_SECONDS)
    told.headers += [("Content-Security-Policy", _POLICY), ("Referrer-Policy", "no-referrer")]
    told.content_type = "text/html; charset=utf-8"
    return told


@cache
def _etag() -> str:
    return hashlib.sha256(_PAGE + _POLICY.encode()).hexdigest()[:32]


def in_answer(client: Client, redirect_uri: str, browser_state: str) -> Mapping[str, str]:
    """What an authorization answer says of the session (section 2). Nothing to apps that are not pages of an origin."""
    origin = origin_of(redirect_uri)
    if origin is None:
        return {}
    return {"session_state": session_state(client.id, origin, browser_state, secrets.token_urlsafe(12))}


def session_state(client_id: str, origin: str, browser_state: str, salt: str) -> str:
    """As static/session-check.js computes it."""
    said = f"{client_id} {origin} {browser_state} {salt}".encode()
    return f"{hashlib.sha256(said).hexdigest()}.{salt}"


def origin_of(uri: str) -> str | None:
    """As a browser writes it (RFC 6454 6.2); None when the address has none. Safe in a Content-Security-Policy."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    host = f"[{host}]" if ":" in host else host
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host):
        return None
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None and port != _PORTS[parts.scheme] else "")
