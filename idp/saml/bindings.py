"""The HTTP bindings as bytes: what arrived by Redirect or POST, bounded, before any XML is looked at (SAML Bindings 3.4, 3.5).

Leaves SOAP to `soap`, the XML to `xml` and the meaning to the readers. Raises BadMessage, nothing else.
"""

import base64
import binascii
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote_plus

from idp.saml.algorithms import Algorithm, PrivateKey, PublicKey, algorithm_for, sign_bytes, verify_bytes
from idp.saml.xml import MAX_MESSAGE_BYTES, BadXml, inflate

Kind = Literal["request", "response"]
MAX_QUERY = 65_536
MAX_RELAY_STATE = 4_096  # the standard says 80 bytes; real service providers put whole URLs there
DEFLATE = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"
FIELDS: Mapping[Kind, str] = {"request": "SAMLRequest", "response": "SAMLResponse"}
ONLY_REQUESTS: tuple[Kind, ...] = ("request",)
_KNOWN = (*FIELDS.values(), "RelayState", "SigAlg", "Signature", "SAMLEncoding")


class BadMessage(Exception):  # noqa: N818
    """What arrived is not a message of this binding; the text says why and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class QuerySignature:
    """A detached signature over the query as it was sent: octets, method, value."""

    octets: bytes
    method: str
    value: bytes

    def verify(self, keys: Sequence[PublicKey], algorithms: Collection[Algorithm] | None = None) -> None:
        """Raises BadSignature. algorithms: as in verify_bytes."""
        verify_bytes(self.octets, self.value, self.method, keys, algorithms)


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message as it came. document: XML, not yet parsed. signature: of the query, for Redirect only. kind: the name it
    came under (SAMLRequest, SAMLResponse); what the document is, its root element says."""

    binding: Literal["redirect", "post", "soap", "artifact"]
    document: bytes
    relay_state: str | None
    signature: QuerySignature | None = None
    kind: Kind = "request"


def from_query(query: bytes, wanted: Collection[Kind] = ONLY_REQUESTS) -> Arrived:
    """A message of a kind in `wanted` from the raw query string. It must be the raw one: the signature is over the
    characters that were sent, and a decode and re-encode would change `%2f` (as ADFS writes it) to `%2F`."""
    if len(query) > MAX_QUERY:
        raise BadMessage(f"the query is longer than {MAX_QUERY} bytes")
    raw = _split(query)
    kind = _kind(raw, wanted)
    field = FIELDS[kind]
    if "SAMLEncoding" in raw and _decoded(raw["SAMLEncoding"]) != DEFLATE:
        raise BadMessage("the message is not in DEFLATE encoding")
    if ("SigAlg" in raw) != ("Signature" in raw):
        raise BadMessage("the query has a Signature or a SigAlg, but not both")
    signature = None
    if "Signature" in raw:
        signed = [name for name in (field, "RelayState", "SigAlg") if name in raw]
        octets = b"&".join(name.encode() + b"=" + raw[name] for name in signed)
        signature = QuerySignature(octets, _decoded(raw["SigAlg"]), _query_base64(raw["Signature"]))
    try:
        document = inflate(_query_base64(raw[field]))
    except BadXml as error:
        raise BadMessage(str(error)) from None
    relay_state = _relay_state(_decoded(raw["RelayState"]) if "RelayState" in raw else None)
    return Arrived("redirect", document, relay_state, signature, kind)


def from_form(form: Mapping[str, Sequence[str]], wanted: Collection[Kind] = ONLY_REQUESTS) -> Arrived:
    """A message of a kind in `wanted` from the fields of a form (name -> values)."""
    for name in (*FIELDS.values(), "RelayState"):
        if len(form.get(name, ())) > 1:
            raise BadMessage(f"{name} was sent more than once")
    kind = _kind({name: values for name, values in form.items() if values and values[0]}, wanted)
    text = form[FIELDS[kind]][0]
    if len(text) > 2 * MAX_MESSAGE_BYTES:
        raise BadMessage("the message is too large")
    relay_state = _relay_state(next(iter(form.get("RelayState", ())), None))
    return Arrived("post", _posted(_base64(text)), relay_state, kind=kind)


def to_query(
    document: bytes,
    relay_state: str | None = None,
    key: PrivateKey | None = None,
    algorithm: Algorithm | None = None,
    *,
    kind: Kind = "request",
) -> str:
    """A message as query string, signed when there is a key. `document` itself must not be signed (Bindings 3.4.4.1)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = base64.b64encode(packer.compress(document) + packer.flush()).decode()
    query = f"{FIELDS[kind]}={quote(packed, safe='')}"
    if relay_state is not None:
        query += f"&RelayState={quote(relay_state, safe='')}"
    if key is not None:
        method = algorithm or algorithm_for(key)
        query += f"&SigAlg={quote(method.uri, safe='')}"
        query += f"&Signature={quote(base64.b64encode(sign_bytes(query.encode(), key, method)).decode(), safe='')}"
    return query


def to_form(document: bytes, relay_state: str | None = None, *, kind: Kind = "request") -> dict[str, str]:
    """The fields of a form of the POST binding; a signature is in the document."""
    fields = {FIELDS[kind]: base64.b64encode(document).decode()}
    return fields if relay_state is None else {**fields, "RelayState": relay_state}


def _kind(given: Collection[str], wanted: Collection[Kind]) -> Kind:
    there = [kind for kind, field in FIELDS.items() if field in given]
    if len(there) > 1:
        raise BadMessage("there is a SAMLRequest and a SAMLResponse")
    if not there or there[0] not in wanted:
        raise BadMessage(f"there is no {' and no '.join(FIELDS[kind] for kind in wanted)}")
    return there[0]


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


def _posted(data: bytes) -> bytes:
    """node-saml, so passport-saml, deflates what it posts when nobody tells it otherwise; a document begins with `<`."""
    if data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        return data
    try:
        return inflate(data)
    except BadXml:
        raise BadMessage("what was posted is neither XML nor a deflated message") from None


def _query_base64(value: bytes) -> bytes:
    """Some peers leave the `+` of base64 as it is, which reads as a blank; base64 has no other use for one."""
    return _base64(_decoded(value).replace(" ", "+"))


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadMessage("a value is not base64") from None
