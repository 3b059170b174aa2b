"""Foreign XML, bounded before it is believed: size, encoding, DOCTYPE, depth, duplicate IDs, schema. One parser (libxml2).

Leaves signatures to `signatures`, meaning to `inbound` and `sp_metadata`. Everything here raises BadXml, nothing else.
"""

import re
import threading
import zlib
from contextlib import suppress
from importlib.resources import files
from io import BytesIO
from itertools import islice
from typing import Any, Literal, TypeAlias

from lxml import etree

Element: TypeAlias = Any  # an lxml element; lxml ships no types
Schema = Literal["saml-schema-protocol-2.0.xsd", "saml-schema-metadata-2.0.xsd"]

MAX_MESSAGE_BYTES = 262_144  # a request has 1 to 10 kB; an encrypted answer that lists a thousand groups 200
MAX_METADATA_BYTES = 1_048_576
MAX_ATTRIBUTES = 1_000  # of one element: libxml2 takes the square of that, 2.6 s for the 20,000 that fit into a message
MAX_NAMESPACES = (
    128  # in scope at once: copying and canonicalising search them at each element, half a second for 6,000
)
FEW_ELEMENTS = 200  # most messages have less
MAX_DEPTH = 40  # the deepest path that the SAML schemas give a use to has 14 elements

PROTOCOL: Schema = "saml-schema-protocol-2.0.xsd"
METADATA: Schema = "saml-schema-metadata-2.0.xsd"

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
SHIBMD = "urn:mace:shibboleth:metadata:1.0"

BLANKS = " \t\r\n"  # what XML calls white space

_DECLARATION = re.compile(
    rb"""<\?xml\s+version=(['"])1\.0\1(?:\s+encoding=(['"])(?i:utf-8)\2)?(?:\s+standalone=(['"])\w+\3)?\s*\?>"""
)


# A compiled schema keeps an error log that threads must not share; compiling takes 3 ms, once a thread.
_compiled = threading.local()
_compiling = threading.Lock()
MOST_TRIES = 20  # of 500 on a busy machine one fails
_DEFAULT = "#default"  # in a PrefixList: the default namespace (XML-EXC-C14N 4)
_ATTRIBUTE = re.compile(rb"""=\s*["']""")


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
    _check_attributes(data)
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
    _check_namespaces(data, root)
    return root


def validate(root: Element, schema: Schema) -> None:
    large = next(islice(root.iter(), FEW_ELEMENTS, None), None) is not None
    if (large and not _follows_as_stream(root, schema)) or not _schemas(schema).validate(root):
        raise BadXml("the document does not follow the SAML schema")


def _follows_as_stream(root: Element, schema: Schema) -> bool:
    """In a tree libxml2 counts, for every single mistake, the elements that stand before it: two seconds for a message full of
    them. In a stream there is no tree to count in."""
    parser = etree.XMLParser(schema=_schemas(schema), resolve_entities=False, load_dtd=False, no_network=True)
    try:
        etree.fromstring(etree.tostring(root, with_tail=False), parser)
    except etree.XMLSyntaxError:
        return False
    return True


def canonical(element: Element, prefixes: list[str] | None = None) -> bytes:
    """Exclusive canonical form without comments (XML-EXC-C14N). Raises BadXml when there is none.

    prefixes: its InclusiveNamespaces PrefixList. A canonicalisation that fails or gives nothing is a refusal: signing "nothing"
    verifies on every document.
    """
    if prefixes and _DEFAULT in prefixes:
        _know_default()
    try:
        text = etree.tostring(
            element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=prefixes
        )
    except (etree.LxmlError, ValueError):
        raise BadXml("the document has no canonical form") from None
    if not text.startswith(b"<"):
        raise BadXml("the document has no canonical form")
    return bytes(text)


def _know_default() -> None:
    """lxml drops a prefix that no document of this thread has named yet; #default, which no document can name, it would always
    drop. Asking a parser to look for a tag of that name makes it known."""
    if not getattr(_compiled, "knows_default", False):
        list(etree.iterparse(BytesIO(b"<a/>"), tag=_DEFAULT))
        _compiled.knows_default = True


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


def _check_attributes(data: bytes) -> None:
    """Before the parser sees them. From one `<` to the next, as no tag holds a `<`; attributes in a text count as well."""
    for part in data.split(b"<"):
        if part.count(b"=") > MAX_ATTRIBUTES and len(_ATTRIBUTE.findall(part)) > MAX_ATTRIBUTES:
            raise BadXml(f"an element has more than {MAX_ATTRIBUTES} attributes")


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


def _check_namespaces(data: bytes, root: Element) -> None:
    """Declarations side by side are fine, directories write two into every value; nested ones add up."""
    if data.count(b"xmlns") <= MAX_NAMESPACES:
        return
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start-ns", "end-ns")):
        depth += 1 if event == "start-ns" else -1
        if depth > MAX_NAMESPACES:
            raise BadXml(f"more than {MAX_NAMESPACES} namespaces are in scope at once")


class _Offline(etree.Resolver):
    """Schemas come from pysaml2's package data, never from the network."""

    # What XML Encryption 1.1 puts into an EncryptionMethod (xenc11:MGF) has no schema there, and strict is the default.
    _STRICT = re.compile(rb"""<any namespace=(['"]##other['"]) minOccurs""")

    def resolve(self, url: str, pubid: str, context: object) -> object:
        file = files("saml2.data.schemas") / url.rsplit("/", 1)[-1]
        if not file.is_file():
            return self.resolve_empty(context)
        text = file.read_bytes()
        if file.name == "xenc-schema.xsd":
            text = self._STRICT.sub(rb"<any namespace=\1 processContents='lax' minOccurs", text)
        return self.resolve_string(text, context, base_url=url)


def _schemas(name: Schema) -> etree.XMLSchema:
    known: dict[Schema, etree.XMLSchema] = _compiled.__dict__.setdefault("known", {})
    if name not in known:
        with _compiling:  # libxml2 mixes up the parts of schemas that two threads compile at once
            known[name] = _schema(name)
    return known[name]


def _schema(name: Schema) -> etree.XMLSchema:
    """lxml sets its loader of further files for the whole process and back again around each parse: a parse of another thread
    that ends just now takes it away, and a part of the schema is not found."""
    parser = etree.XMLParser(no_network=True, load_dtd=False)
    parser.resolvers.add(_Offline())
    text = (files("saml2.data.schemas") / name).read_bytes()
    for _ in range(MOST_TRIES):
        with suppress(etree.XMLSchemaParseError):
            return etree.XMLSchema(etree.fromstring(text, parser, base_url=f"schema:/{name}"))
    raise BadXml("the schema cannot be read")
