"""The HTTP bindings as bytes: what arrived by Redirect or POST, bounded, before any XML is looked at (SAML Bindings 3.4, 3.5).

Leaves the XML to `xml` and the meaning to `inbound`. Raises BadMessage, nothing else.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote_plus

from idp.saml.signatures import Algorithm, PrivateKey, PublicKey, algorithm_for, sign_bytes, verify_bytes
from idp.saml.xml import MAX_MESSAGE_BYTES, BadXml, inflate

MAX_QUERY = 65_536
MAX_RELAY_STATE = 4_096  # the standard says 80 bytes; real service providers put whole URLs there
DEFLATE = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"
_KNOWN = ("SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding")


class BadMessage(Exception):  # noqa: N818
    """What arrived is not a message of this binding; the text says why and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class QuerySignature:
    """A detached signature over the query as it was sent: octets, method, value."""

    octets: bytes
    method: str
    value: bytes

    def verify(self, keys: list[PublicKey]) -> None:
        """Raises BadSignature."""
        verify_bytes(self.octets, self.value, self.method, keys)


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message as it came. document: XML, not yet parsed. signature: of the query, for Redirect only."""

    binding: Literal["redirect", "post"]
    document: bytes
    relay_state: str | None
    signature: QuerySignature | None = None


def from_query(query: bytes) -> Arrived:
    """An AuthnRequest from the raw query string. It must be the raw one: the signature is over the characters that were
    sent, and a decode and re-encode would change `%2f` to `%2F`."""
    if len(query) > MAX_QUERY:
        raise BadMessage(f"the query is longer than {MAX_QUERY} bytes")
    raw = _split(query)
    if "SAMLRequest" not in raw:
        raise BadMessage("the query has no SAMLRequest")
    if "SAMLEncoding" in raw and _decoded(raw["SAMLEncoding"]) != DEFLATE:
        raise BadMessage("the message is not in DEFLATE encoding")
    if ("SigAlg" in raw) != ("Signature" in raw):
        raise BadMessage("the query has a Signature or a SigAlg, but not both")
    signature = None
    if "Signature" in raw:
        signed = [name for name in ("SAMLRequest", "RelayState", "SigAlg") if name in raw]
        octets = b"&".join(name.encode() + b"=" + raw[name] for name in signed)
        signature = QuerySignature(octets, _decoded(raw["SigAlg"]), _base64(_decoded(raw["Signature"])))
    try:
        document = inflate(_base64(_decoded(raw["SAMLRequest"])))
    except BadXml as error:
        raise BadMessage(str(error)) from None
    return Arrived(
        "redirect", document, _relay_state(_decoded(raw["RelayState"]) if "RelayState" in raw else None), signature
    )


def from_form(form: Mapping[str, list[str]]) -> Arrived:
    """An AuthnRequest from the fields of a form (name -> values)."""
    for name in ("SAMLRequest", "RelayState"):
        if len(form.get(name, [])) > 1:
            raise BadMessage(f"{name} was sent more than once")
    if not form.get("SAMLRequest"):
        raise BadMessage("the form has no SAMLRequest")
    text = form["SAMLRequest"][0]
    if len(text) > 2 * MAX_MESSAGE_BYTES:
        raise BadMessage("the message is too large")
    return Arrived("post", _base64(text), _relay_state(next(iter(form.get("RelayState", [])), None)))


def to_query(
    document: bytes, relay_state: str | None = None, key: PrivateKey | None = None, algorithm: Algorithm | None = None
) -> str:
    """A SAMLRequest as query string, signed when there is a key."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = base64.b64encode(packer.compress(document) + packer.flush()).decode()
    query = f"SAMLRequest={quote(packed, safe='')}"
    if relay_state is not None:
        query += f"&RelayState={quote(relay_state, safe='')}"
    if key is not None:
        method = algorithm or algorithm_for(key)
        query += f"&SigAlg={quote(method.uri, safe='')}"
        query += f"&Signature={quote(base64.b64encode(sign_bytes(query.encode(), key, method)).decode(), safe='')}"
    return query


def _split(query: bytes) -> dict[str, bytes]:
    """The SAML parameters, still encoded; each at most once. Two of a name are how a verifier and a reader come apart."""
    raw: dict[str, bytes] = {}
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        known = next((k for k in _KNOWN if unquote_plus(name.decode("latin-1")) == k), None)
        if known is None:
            continue
        if known in raw or name != known.encode():
            raise BadMessage(f"{known} was sent more than once or under an encoded name")
        raw[known] = value
    return raw


def _decoded(value: bytes) -> str:
    try:
        return unquote_plus(value.decode("ascii"), errors="strict")
    except UnicodeDecodeError:
        raise BadMessage("a parameter is not URL-encoded UTF-8") from None


def _relay_state(value: str | None) -> str | None:
    """Opaque; only given back. Raises BadMessage when nobody could want it back."""
    if value is not None and (len(value) > MAX_RELAY_STATE or any(ord(c) < 32 or ord(c) == 127 for c in value)):
        raise BadMessage("RelayState is too long or holds control characters")
    return value


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadMessage("a value is not base64") from None
