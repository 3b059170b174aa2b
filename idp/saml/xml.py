"""Foreign XML, bounded before it is believed: size, encoding, DOCTYPE, depth, duplicate IDs, schema. One parser (libxml2).

Leaves signatures to `signatures`, meaning to `inbound` and `sp_metadata`. Everything here raises BadXml, nothing else.
"""

import re
import threading
import zlib
from importlib.resources import files
from typing import Any, Literal, TypeAlias
from xml.etree import ElementTree

from lxml import etree

Element: TypeAlias = Any  # an lxml element; lxml ships no types
Schema = Literal["saml-schema-protocol-2.0.xsd", "saml-schema-metadata-2.0.xsd"]

MAX_MESSAGE_BYTES = 131_072  # an AuthnRequest has 1 to 3 kB; with an embedded certificate chain 10
MAX_METADATA_BYTES = 1_048_576
MAX_DEPTH = 40  # the deepest path that the SAML schemas give a use to has 14 elements

PROTOCOL: Schema = "saml-schema-protocol-2.0.xsd"
METADATA: Schema = "saml-schema-metadata-2.0.xsd"

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
SHIBMD = "urn:mace:shibboleth:metadata:1.0"

# Once, here: registering is not atomic, so doing it at each message (as pysaml2 can) gives other threads prefixes like ns0.
for _prefix, _uri in {"saml": SAML, "samlp": SAMLP, "md": MD, "ds": DS, "shibmd": SHIBMD}.items():
    ElementTree.register_namespace(_prefix, _uri)

_DECLARATION = re.compile(
    rb"""<\?xml\s+version=(['"])1\.0\1(?:\s+encoding=(['"])(?i:utf-8)\2)?(?:\s+standalone=(['"])\w+\3)?\s*\?>"""
)


class BadXml(Exception):  # noqa: N818
    """The document is not XML that we read; the text says which rule it breaks and holds nothing of the document."""


def inflate(data: bytes, limit: int = MAX_MESSAGE_BYTES) -> bytes:
    """Raw DEFLATE (SAML Bindings 3.4.4.1). At most `limit` bytes are ever produced, whatever the input promises."""
    inflater = zlib.decompressobj(-15)
    try:
        text = inflater.decompress(data, limit)
    except zlib.error:
        raise BadXml("the message is not DEFLATE data") from None
    if not inflater.eof or inflater.unconsumed_tail:
        raise BadXml(f"the message is cut off or inflates to more than {limit} bytes")
    return text


def parse(data: bytes, schema: Schema, limit: int = MAX_MESSAGE_BYTES) -> Element:
    """The root element of a document that keeps every rule above. `limit` in bytes."""
    root = bounded(data, limit)
    validate(root, schema)
    return root


def bounded(data: bytes, limit: int) -> Element:
    """The same without the schema."""
    if len(data) > limit:
        raise BadXml(f"the document is larger than {limit} bytes")
    _check_prolog(data)
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_blank_text=False, recover=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise BadXml("the document is not well-formed XML") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise BadXml("the document has a DOCTYPE")
    _check_tree(root)
    return root


def validate(root: Element, schema: Schema) -> None:
    if not _schemas(schema).validate(root):
        raise BadXml("the document does not follow the SAML schema")


def canonical(element: Element, prefixes: list[str] | None = None) -> bytes:
    """Exclusive canonical form without comments (XML-EXC-C14N). Raises BadXml when there is none.

    A canonicalisation that fails or gives nothing is a refusal: signing "nothing" verifies on every document.
    """
    try:
        text = etree.tostring(
            element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=prefixes
        )
    except (etree.LxmlError, ValueError):
        raise BadXml("the document has no canonical form") from None
    if not text.startswith(b"<"):
        raise BadXml("the document has no canonical form")
    return bytes(text)


def serialised(message: Any) -> bytes:
    """A message built with pysaml2's classes, as UTF-8 without XML declaration."""
    return bytes(message.to_string())


def _check_prolog(data: bytes) -> None:
    if b"\x00" in data or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadXml("the document is not UTF-8")
    start = data.removeprefix(b"\xef\xbb\xbf")
    if start.lstrip()[:5] == b"<?xml" and not _DECLARATION.match(start):
        raise BadXml("the document is not XML 1.0 in UTF-8")
    # Also within a comment or CDATA: nobody needs it there, and no parser trick can then hide one from this line.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise BadXml("the document has a DOCTYPE")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadXml("the document is not UTF-8") from None


def _check_tree(root: Element) -> None:
    """Depth, processing instructions, entity references, duplicate IDs; without recursion."""
    seen: set[str] = set()
    depth = 0
    for event, node in etree.iterwalk(root, events=("start", "end", "pi")):
        if event == "end":
            depth -= 1
            continue
        if event == "pi":
            raise BadXml("the document holds a processing instruction")
        depth += 1
        if depth > MAX_DEPTH:
            raise BadXml(f"the document is deeper than {MAX_DEPTH} elements")
        for name, value in node.attrib.items():
            if name.rpartition("}")[2].lower() == "id":
                if value in seen:
                    raise BadXml("two elements have the same ID")
                seen.add(value)


class _Offline(etree.Resolver):
    """Schemas come from pysaml2's package data, never from the network."""

    def resolve(self, url: str, pubid: str, context: object) -> object:
        file = files("saml2.data.schemas") / url.rsplit("/", 1)[-1]
        if not file.is_file():
            return self.resolve_empty(context)
        return self.resolve_string(file.read_bytes(), context, base_url=url)


# A compiled schema keeps an error log that threads must not share; compiling takes 3 ms, once a thread.
_compiled = threading.local()


def _schemas(name: Schema) -> etree.XMLSchema:
    known: dict[Schema, etree.XMLSchema] = _compiled.__dict__.setdefault("known", {})
    if name not in known:
        parser = etree.XMLParser(no_network=True, load_dtd=False)
        parser.resolvers.add(_Offline())
        text = (files("saml2.data.schemas") / name).read_bytes()
        known[name] = etree.XMLSchema(etree.fromstring(text, parser, base_url=f"schema:/{name}"))
    return known[name]
