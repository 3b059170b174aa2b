"""Fetches SAML metadata from where a peer or a federation publishes them: bounded, through the guard of all outbound requests.

Leaves what they say, and who signed them, to idp.saml. Raises Refused(metadata_unreachable | metadata_missing |
metadata_url), nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

from idp.base.errors import Refused
from idp.base.net import NetPolicy, Unreachable, fetch, is_loopback_url

MAX_BYTES = 1_048_576  # of the metadata of one peer, as idp.saml.xml reads them
MAX_REDIRECTS = 3
MAX_URL = 2048
MISSING = "metadata_missing"
MOVED = (301, 302, 303, 307, 308)
ACCEPT = "application/samlmetadata+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1"


@dataclass(frozen=True, slots=True)
class Fetched:
    """body: None when it is still what etag and last_modified stand for; empty when it went into a file."""

    body: bytes | None
    etag: str = ""
    last_modified: str = ""


def check_metadata_url(url: str, *, signed: bool) -> None:
    """signed: a pinned key vouches for what comes; else TLS must. Raises Refused(metadata_url)."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise _bad_url("It cannot be read") from None
    if len(url) > MAX_URL or not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise _bad_url("It is too long or holds characters that a URL cannot have")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None or parts.fragment:
        raise _bad_url("It must be an http or https URL without user name and fragment")
    if parts.scheme == "http" and not signed and not is_loopback_url(url):
        raise _bad_url("Without a certificate to check the metadata with, it must begin with https")


def fetch_metadata(
    url: str,
    policy: NetPolicy,
    *,
    etag: str = "",
    last_modified: str = "",
    signed: bool = False,
    into: BinaryIO | None = None,
) -> Fetched:
    """policy: its max_bytes is the bound. into: where the body is written instead of being given."""
    headers = {"Accept": ACCEPT}
    headers |= {"If-None-Match": etag} if etag else {}
    headers |= {"If-Modified-Since": last_modified} if last_modified else {}
    for _ in range(MAX_REDIRECTS + 1):
        check_metadata_url(url, signed=signed)
        try:
            answer = fetch("GET", url, policy, headers=headers, into=into)
        except Unreachable as why:
            raise unreachable(f"{why}", url) from None
        if answer.status in MOVED and answer.headers.get("location"):
            url = urljoin(url, answer.headers["location"])
            if into is not None:
                into.seek(0)
                into.truncate()
            continue
        if answer.status == 304 and (etag or last_modified):
            return Fetched(None, etag, last_modified)
        if answer.status == 404:
            raise Refused(
                MISSING, "The metadata are not at this address (404). Check it.", status=502, reason=url[:300]
            )
        if answer.status != 200:
            raise unreachable(f"it answers {answer.status} instead of metadata", url)
        return Fetched(answer.body, _kept(answer.headers, "etag"), _kept(answer.headers, "last-modified"))
    raise unreachable(f"it sends us on more than {MAX_REDIRECTS} times", url)


def one_peer(policy: NetPolicy) -> NetPolicy:
    """The same policy for the metadata of one peer."""
    return replace(policy, max_bytes=min(policy.max_bytes, MAX_BYTES))


def unreachable(why: str, url: str) -> Refused:
    return Refused(
        "metadata_unreachable",
        f"The metadata cannot be fetched: {why}. Check the address, or save them to a file and use that.",
        status=502,
        reason=f"{url[:300]}: {why}",
    )


def _kept(headers: Mapping[str, str], name: str) -> str:
    """To be sent back as it came, so only what may stand in a header."""
    value = headers.get(name, "")
    return value if len(value) <= 200 and value.isprintable() and value.isascii() else ""


def _bad_url(why: str) -> Refused:
    return Refused("metadata_url", f"The address of the metadata cannot be used: {why}.")
