"""The base URL during set-up: what it seems to be, whether a proxy header is wrong, and whether it leads back to us.

Leaves storing it to idp.services.installation and the page to idp.web.setup_pages.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from idp.base import ids
from idp.base.errors import Refused
from idp.base.net import Answer, Unreachable

CHECK_PATH = "/setup-check/"
Fetch = Callable[[str], Answer]
Answering = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class ProxyAdvice:
    """browser: the address that the browser uses; server: what we see; line: the line of the configuration to change,
    None when the configuration is right and the proxy itself must pass on more."""

    browser: str
    server: str
    line: str | None


@dataclass(frozen=True, slots=True)
class Failed:
    """key: sentence in the catalogue with {url}, {why} or {status}."""

    key: str
    url: str
    why: str = ""
    status: int = 0


def origin_of(url: str) -> str:
    """scheme://host[:port] of an http(s) URL, else an empty text."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") and parts.netloc else ""


def proxy_advice(browser: str, server: str, trusted_proxies: int, forwarded: bool) -> ProxyAdvice | None:
    """None when browser and server see the same origin, or the browser's is not known. forwarded: X-Forwarded-* came in."""
    if not browser or browser == server:
        return None
    line = f"server: {{trusted_proxies: {trusted_proxies + 1}}}" if forwarded or not trusted_proxies else None
    return ProxyAdvice(browser, server, line)


def checked_form(text: str) -> str:
    """The address as an issuer is written: no path, query, fragment, user or trailing slash. Raises Refused(invalid_address)."""
    bad = Refused(
        "invalid_address", "Use an address such as https://id.example.org, with nothing after the name and port."
    )
    text = text.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise bad from None
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in ("http", "https") or not parts.hostname or extra or port == 0:
        raise bad
    if any(not ("!" <= c <= "~") or c in '"<>\\^`{|}*%' for c in text) or len(text) > 250:
        raise bad
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != default else "")


def leads_here(url: str, fetch: Fetch, answer: Answering) -> Failed | None:
    """Ask the address for what only this installation can answer. None when it did."""
    challenge = ids.secret()
    try:
        got = fetch(f"{url}{CHECK_PATH}{challenge}")
    except Unreachable as error:
        return Failed("setup.check_failed", url, why=error.reason)
    if got.status != 200:
        return Failed("setup.check_status", url, status=got.status)
    if not hmac.compare_digest(got.body.strip()[:200], answer(challenge).encode()):
        return Failed("setup.check_other", url)
    return None
