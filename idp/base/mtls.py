"""Client certificates as a proxy forwards them (RFC 8705 6.5, RFC 9440): who is believed, in which spelling, and their names.

The proxy has ended TLS, so the certificate is a header like any other: it is believed only from the configured proxies.
Leaves whose certificate it is to the doors, and verifying chains to the proxy (docs/client-authentication.md).
"""

import base64
import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from idp.base.config import Settings
from idp.base.errors import Misconfigured
from idp.base.jws import base64url
from idp.base.sections import Server

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MAX_HEADER = 16_384
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_OID = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+\Z")
_ESCAPED = re.compile(r'((?:\\[0-9A-Fa-f]{2})+)|\\([\\ #="+,;<>])|(\\)')
_TYPES: Final = {
    "CN": "2.5.4.3", "SN": "2.5.4.4", "SERIALNUMBER": "2.5.4.5", "C": "2.5.4.6", "L": "2.5.4.7", "ST": "2.5.4.8",
    "STREET": "2.5.4.9", "O": "2.5.4.10", "OU": "2.5.4.11", "TITLE": "2.5.4.12", "BUSINESSCATEGORY": "2.5.4.15",
    "POSTALCODE": "2.5.4.17", "GIVENNAME": "2.5.4.42", "GN": "2.5.4.42", "ORGANIZATIONIDENTIFIER": "2.5.4.97",
    "DC": "0.9.2342.19200300.100.1.25", "UID": "0.9.2342.19200300.100.1.1", "EMAILADDRESS": "1.2.840.113549.1.9.1",
    "E": "1.2.840.113549.1.9.1", "JURISDICTIONC": "1.3.6.1.4.1.311.60.2.1.3",
}  # fmt: skip

Name = tuple[frozenset[tuple[str, str]], ...]


def available(settings: Settings) -> bool:
    """Can a client's certificate reach us at all? If not, nothing that needs one is offered or may be registered."""
    return bool(settings.server.client_certificate_header and settings.server.proxy_addresses)


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate whose key the client has proved to have, in the TLS handshake with the proxy. thumbprint: its
    `x5t#S256` (RFC 8705 3.1). chain_verified: what the proxy says about its issuer, None when it says nothing."""

    certificate: "Certificate"
    thumbprint: str
    chain_verified: bool | None = None


class Proxies:
    """Those who may say which certificate a client showed. Raises Misconfigured for what is no address or network."""

    def __init__(self, server: Server) -> None:
        self._header = server.client_certificate_header.strip().lower()
        self._networks = []
        for text in server.proxy_addresses:
            try:
                self._networks.append(ipaddress.ip_network(text, strict=False))
            except ValueError:
                raise Misconfigured(
                    "server.proxy_addresses", f"{text!r} is no address or network.", "Give 10.0.0.5 or 10.0.0.0/24."
                ) from None

    def shown(self, peer: str, headers: Mapping[str, str]) -> Shown | None:
        """The client's certificate. peer: the address of whoever holds the connection. headers: names in lower case.

        None when there is none, when it cannot be read, and when it comes from a stranger: whoever needs one then refuses.
        """
        value = headers.get(self._header, "") if self._header else ""
        if not value or not self._knows(peer):
            return None
        certificate = read(value)
        if certificate is None:
            return None
        from cryptography.hazmat.primitives.serialization import Encoding

        said = headers.get(f"{self._header}-verify")
        verified = None if said is None else said.strip() == "SUCCESS"
        return Shown(certificate, thumbprint(certificate.public_bytes(Encoding.DER)), verified)

    def _knows(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


@lru_cache(maxsize=256)
def read(value: str) -> "Certificate | None":
    """PEM (also in one line, as Apache sends it, or URL-encoded, as nginx does), base64 of DER, or `:base64:` (RFC 9440).

    Two values in one header have a comma between them, which no spelling has: they are refused.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import load_der_x509_certificate

    text = (unquote(value) if "%" in value else value).strip()
    if len(value) > MAX_HEADER or not text.isascii() or "," in text:
        return None
    pem = _PEM.match(text)
    if pem:
        text = "".join(pem[1].split())
    elif text.startswith(":") and text.endswith(":"):
        text = text[1:-1]
    try:
        certificate = load_der_x509_certificate(base64.b64decode(text, validate=True))
        # Looked at now, so that nothing odd in it can surprise whoever compares it later.
        certificate.public_key()
        _ = certificate.subject, certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return certificate


def thumbprint(der: bytes) -> str:
    """`x5t#S256`."""
    return base64url(hashlib.sha256(der).digest())


def name_of(certificate: "Certificate") -> Name:
    """The subject, the most specific part first, as `parse_name` gives it. A value that is no text matches nothing."""
    return tuple(
        frozenset((one.oid.dotted_string, one.value if isinstance(one.value, str) else "\0") for one in part)
        for part in reversed(certificate.subject.rdns)
    )


def parse_name(text: str) -> Name:
    """A distinguished name as RFC 4514 writes it, for comparison: types by OID, values without escapes, several values in
    one part in any order. Blanks around separators are taken (RFC 2253 4). Raises ValueError."""
    if not 0 < len(text) <= 2000:
        raise ValueError("empty or too long")
    return tuple(frozenset(_attribute(one) for one in _split(part, "+")) for part in _split(text, ","))


def _attribute(text: str) -> tuple[str, str]:
    kind, equals, value = text.partition("=")
    kind = kind.strip()
    oid = kind if _OID.match(kind) else _TYPES.get(kind.upper(), "")
    if not equals or not oid:
        raise ValueError(f"{kind[:40]!r} is no attribute type that is known; write its OID")
    given = value.lstrip(" ")
    value = given.rstrip(" ")
    if value != given and (len(value) - len(value.rstrip("\\"))) & 1:
        value += " "  # the first of those blanks was escaped
    if value.startswith("#") or any(c in '";<>\0' for c in _ESCAPED.sub("", value)):
        raise ValueError("a value holds what must be escaped (RFC 4514 2.4)")
    return oid, _ESCAPED.sub(_unescaped, value)


def _unescaped(found: re.Match[str]) -> str:
    if found[3]:
        raise ValueError("a backslash escapes nothing")
    return found[2] or bytes.fromhex(found[1].replace("\\", "")).decode()


def _split(text: str, at: str) -> list[str]:
    """At every separator that is not escaped."""
    parts, start, index = [], 0, 0
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == at:
            parts.append(text[start:index])
            start = index + 1
        index += 1
    return [*parts, text[start:]]
