"""Outbound HTTP: every request that Sheaf makes to another server goes through `fetch`.

Owns time-outs, the size limit and the address guard (no private addresses unless allowed; never link-local ones, where
clouds keep their metadata service). Redirects are not followed: the caller sees them. The guard connects to the very
address it has checked, so that a second DNS answer cannot slip in (DNS rebinding).
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from idp.base.sections import Net
from idp.base.waiting import about_to_wait

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool


# Where clouds keep their metadata service besides the link-local addresses: AWS, Google, Alibaba, Oracle, Azure.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
)


class Unreachable(Exception):  # noqa: N818
    """The other server did not give a usable answer; `reason` says why and holds no secret."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason


@dataclass(frozen=True, slots=True)
class NetPolicy:
    """allow_private: loopback and private ranges; timeout: seconds for the whole exchange; max_bytes: of the body.
    trusted: file with certificates that are trusted besides those of the system: our own, when we ask ourselves.
    private_hosts: hosts that may have private addresses all the same."""

    allow_private: bool = False
    timeout: float = 5.0
    max_bytes: int = 1_048_576
    trusted: Path | None = None
    private_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """status, headers (names in lower case), body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def policy_for(net: Net, issuer: str, trusted: Path | None = None) -> NetPolicy:
    """`auto` allows private addresses only to an installation that is itself on loopback."""
    allow = net.private_addresses == "allow" or (net.private_addresses == "auto" and is_loopback_url(issuer))
    hosts = tuple(host.lower() for host in net.private_hosts)
    return NetPolicy(allow, net.timeout_seconds, net.max_bytes, trusted, hosts)


def is_loopback_url(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        if host == "localhost":
            return True
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def fetch(
    method: str,
    url: str,
    policy: NetPolicy,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    into: BinaryIO | None = None,
) -> Answer:
    """One exchange, no redirects, no retries. into: where the body is written as it comes, and the Answer has none then.

    Raises Unreachable; any HTTP status is an Answer.
    """
    about_to_wait()
    import urllib3  # here: not needed until the first outbound request

    deadline = time.monotonic() + policy.timeout
    scheme, host, port, target = _split(url)
    address = address_of(host, port, policy)
    left = max(0.1, deadline - time.monotonic())
    pool: HTTPConnectionPool
    if scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address, port, ssl_context=_tls(policy.trusted), server_hostname=host, assert_hostname=host, maxsize=1
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, maxsize=1)
    default = {"https": 443, "http": 80}[scheme]
    authority = f"[{host}]" if ":" in host else host
    sent = {"Host": authority if port == default else f"{authority}:{port}", "User-Agent": "Sheaf", **(headers or {})}
    cut = _cut_off(pool, left)
    try:
        response = pool.request(
            method,
            target,
            body=body,
            headers=sent,
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=urllib3.Timeout(total=left),
            decode_content=False,
        )
        with closing(response):
            body = _read(response, deadline, policy, host, into)
        return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, body)
    except urllib3.exceptions.HTTPError as error:
        raise Unreachable(host, "time-out" if time.monotonic() > deadline else _why(error)) from None
    finally:
        cut.cancel()
        pool.close()


def _cut_off(pool: "HTTPConnectionPool", seconds: float) -> threading.Timer:
    """Ends the exchange then, whatever the other side does: the time-out of a socket starts anew with every byte, and a
    header may come a byte at a time."""
    made: list[Any] = []
    plain = pool.ConnectionCls

    def kept(*args: Any, **named: Any) -> Any:
        made.append(plain(*args, **named))
        return made[-1]

    def cut() -> None:
        for connection in made:
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    pool.ConnectionCls = kept  # type: ignore[assignment]
    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    return timer


def _read(response: "object", deadline: float, policy: NetPolicy, host: str, into: BinaryIO | None) -> bytes:
    parts: list[bytes] = []
    keep: Callable[[bytes], object] = parts.append if into is None else into.write
    size = 0
    while True:
        part = response.read1(65_536)  # type: ignore[attr-defined]  # read() would wait for all of them
        if time.monotonic() > deadline:  # first of all: what was cut off looks like an end
            raise Unreachable(host, f"no whole answer within {policy.timeout:g} s")
        if not part:
            return b"".join(parts)
        size += len(part)
        if size > policy.max_bytes:
            raise Unreachable(host, f"the answer is larger than {policy.max_bytes} bytes")
        keep(part)


def _split(url: str) -> tuple[str, str, int, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unreachable("?", "the URL cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise Unreachable(parts.hostname or "?", "the URL is not a plain http(s) URL")
    if any(ord(c) <= 32 or ord(c) == 127 for c in url):
        raise Unreachable(parts.hostname, "the URL holds a control character or a blank")
    target = parts.path or "/"
    if parts.query:
        target += "?" + parts.query
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), target


def address_of(host: str, port: int, policy: NetPolicy) -> str:
    """The address to connect to, which may be reached. Raises Unreachable."""
    if host.lower() in policy.private_hosts:
        policy = replace(policy, allow_private=True)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable(host, "the name cannot be resolved") from None
    addresses = [str(info[4][0]) for info in found]
    for address in addresses:
        if not _allowed(ipaddress.ip_address(address.partition("%")[0]), policy):
            raise Unreachable(host, "the address is private and `net.private_addresses` does not allow it")
    # IPv4 first: on loopback-only machines "localhost" also resolves to ::1, where nothing may listen
    return sorted(addresses, key=lambda a: ":" in a)[0]


def _allowed(address: ipaddress.IPv4Address | ipaddress.IPv6Address, policy: NetPolicy) -> bool:
    inner = _inner(address)
    if inner.is_loopback:
        return policy.allow_private  # ::1 is in a reserved block, too
    if inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner.is_reserved or inner in _METADATA:
        return False
    site_local = isinstance(inner, ipaddress.IPv6Address) and inner.is_site_local  # Python takes fec0::/10 for global
    return (inner.is_global and not site_local) or policy.allow_private


def _inner(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that one of IPv6 stands for: mapped, or 6to4 (RFC 3056), by which it would be reached as well."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return address.ipv4_mapped or address.sixtofour or address


def _tls(trusted: Path | None) -> ssl.SSLContext:
    if trusted is None:
        return _context("", 0)
    try:
        return _context(str(trusted), trusted.stat().st_mtime_ns)
    except OSError:  # it is not there, or holds no certificate: then the system's only
        return _context("", 0)


@lru_cache(maxsize=4)
def _context(trusted: str, changed_at: int) -> ssl.SSLContext:
    """changed_at: a renewed file is read again."""
    context = ssl.create_default_context()
    if trusted:
        context.load_verify_locations(trusted)
        # It is a server's certificate and not an authority's: it vouches for itself alone.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _why(error: Exception) -> str:
    name = type(error).__name__
    if "Timeout" in name:
        return "time-out"
    if "SSL" in name or "Certificate" in name:
        return "the TLS certificate or handshake was refused"
    return "no connection" if "Connection" in name else f"broken answer ({name})"
