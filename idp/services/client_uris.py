"""Addresses in the metadata of an app: which ones may be registered, where browsers and where we ourselves go.

Leaves all other metadata to check_client. Redirect URIs are compared byte for byte later; here they are made sure to be
something that a comparison can be trusted with.
"""

import ipaddress
import json
import re
from urllib.parse import SplitResult, urlsplit

from idp.base.net import NetPolicy, Unreachable, fetch, is_loopback_url
from idp.domain.metadata import bad, is_private_use
from idp.domain.relying import Client

MAX_URI = 2000
MAX_LISTED = 1000  # of a sector's document
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?\Z")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z")

WEB_FIELDS = (
    "post_logout_redirect_uris",
    "request_uris",
    "jwks_uri",
    "sector_identifier_uri",
    "backchannel_logout_uri",
    "frontchannel_logout_uri",
    "initiate_login_uri",
    "logo_uri",
    "client_uri",
    "policy_uri",
    "tos_uri",
)


def check_uris(client: Client) -> None:
    """Every address of the client. Raises Refused, which names the field."""
    native = client.is_public and client.application_type == "native"
    for uri in client.redirect_uris:
        _check(uri, "redirect_uris", private_use=native)
    for field in WEB_FIELDS:
        value = getattr(client, field)
        for uri in value if isinstance(value, tuple) else () if value is None else (value,):
            # An app may append the digest of what stands there (OIDC Core 6.2).
            whole = uri.partition("#")[0] if field == "request_uris" else uri
            # A native app may also be returned to after it has signed its person out.
            _check(whole, field, private_use=native and field == "post_logout_redirect_uris")
    if client.profile == "fapi2":
        _check_fapi_redirects(client)


def _check_fapi_redirects(client: Client) -> None:
    """FAPI 2.0 Security Profile 5.3.2.2: http for native apps on a loopback address only."""
    for uri in client.redirect_uris:
        if not uri.startswith("https://") and client.application_type != "native":
            raise bad("redirect_uris", "profile fapi2 allows https only, and http on loopback for native apps")


def _check(uri: str, field: str, *, private_use: bool) -> None:
    """https, http on loopback, or a private-use scheme (RFC 8252 7.1) where that is allowed."""
    if not uri or len(uri) > MAX_URI:
        raise bad(field, f"an address has 1 to {MAX_URI} characters")
    if any(not ("!" <= c <= "~") or c in '"<>\\^`{|}' for c in uri):
        raise bad(field, f"{uri[:100]!r} holds characters that a URI cannot have")
    parts = _split(uri, field)
    if "#" in uri:
        raise bad(field, f"{uri!r} has a fragment")
    if "*" in uri:
        raise bad(field, f"{uri!r} holds *; addresses are compared as they stand, there are no wildcards")
    if "@" in parts.netloc:
        raise bad(field, f"{uri!r} holds user information")
    if parts.scheme in ("https", "http"):
        _check_host(parts, uri, field)
        return
    if not is_private_use(uri):
        own = ", or a scheme of its own with a dot, as org.example.app:/callback (RFC 8252 7.1)" if private_use else ""
        raise bad(field, f"{uri!r} must be https, or http on a loopback address{own}")
    if not private_use:
        raise bad(field, f"{uri!r}: a scheme of its own is for native apps without a secret (RFC 8252 7.1)")


def _split(uri: str, field: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        _ = parts.port  # raises for what is no port
    except ValueError:
        raise bad(field, f"{uri!r} is not a URI") from None
    if not _SCHEME.match(parts.scheme):
        raise bad(field, f"{uri!r} is not a whole URI with a scheme")
    return parts


def _check_host(parts: SplitResult, uri: str, field: str) -> None:
    if not _is_host(parts):
        raise bad(field, f"{uri!r} has no host that can be used")
    if parts.scheme == "http" and not is_loopback_url(uri):
        raise bad(field, f"{uri!r} must be https, or http on a loopback address")


def _is_host(parts: SplitResult) -> bool:
    """A name, or an address in brackets; with a port or without, and nothing else around it."""
    found = re.match(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+))(?::[0-9]*)?\Z", parts.netloc)
    if found is None:
        return False
    if found[2]:
        return _HOST.match(found[2]) is not None
    try:
        return ipaddress.IPv6Address(found[1]) is not None
    except ValueError:
        return False


# ---------------------------------------------------------------- pairwise subjects


def check_sector(client: Client) -> None:
    """Who shares pairwise subjects must be plain (OIDC Core 8.1): one host, or a document that lists all addresses."""
    if client.subject_type != "pairwise":
        return
    if not client.redirect_uris:
        raise bad("subject_type", "pairwise needs redirect URIs: they say which sector this app belongs to")
    if client.sector_identifier_uri:
        return
    hosts = {urlsplit(uri).hostname for uri in client.redirect_uris}
    if len(hosts) > 1 or None in hosts:
        raise bad("sector_identifier_uri", "pairwise with several hosts, or without one, needs it (OIDC Core 8.1)")
    if client.application_type == "native":
        # All native apps on a loopback address would share one host, and with it their subjects.
        raise bad("sector_identifier_uri", "pairwise for a native app needs it")


def check_sector_document(client: Client, policy: NetPolicy) -> None:
    """The document at sector_identifier_uri lists every redirect URI (OIDC Registration 1.0 section 5). Asks its server."""
    uri = client.sector_identifier_uri
    if uri is None:
        return
    try:
        answer = fetch("GET", uri, policy, headers={"Accept": "application/json"})
    except Unreachable as why:
        raise bad("sector_identifier_uri", f"it cannot be fetched: {why.reason}") from None
    if answer.status != 200:
        raise bad("sector_identifier_uri", f"it answers {answer.status}")
    try:
        listed = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise bad("sector_identifier_uri", "its document is not JSON") from None
    if not isinstance(listed, list) or len(listed) > MAX_LISTED or not all(isinstance(one, str) for one in listed):
        raise bad("sector_identifier_uri", "its document is not a list of addresses")
    if missing := [one for one in client.redirect_uris if one not in listed]:
        raise bad("sector_identifier_uri", f"its document does not list {missing[0]!r}")
