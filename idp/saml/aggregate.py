"""Metadata of a whole federation: verified as a stream, in little memory, and only then taken apart.

What is hashed is written down, and entities are read from nothing else. Parsing one entity at a time works because the
exclusive canonical form of an element within its document differs from that of the element alone in one thing only: the
namespaces that the root declares for both. Leaves one entity to `sp_metadata`, and storing them to idp.services.metadata.federations.
"""

import hashlib
import hmac
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from lxml import etree

from idp.saml import xml
from idp.saml.algorithms import BadSignature
from idp.saml.metadata_document import ENTITY, GROUP, Problem, duration, entities_of, find_in, instant
from idp.saml.signatures import signed_reference
from idp.saml.signed_metadata import pinned
from idp.saml.sp_metadata import ROLE, name_of
from idp.saml.xml import DS, MD, Element

SIGNATURE = f"{{{DS}}}Signature"
EXTENSIONS = f"{{{MD}}}Extensions"
MAX_ENTITIES = 100_000
_START = re.compile(rb'<([^\s>/]+)((?: xmlns(?::[^\s=]+)?="[^"]*")*)(?: [^\s=]+="[^"]*")*>')
_NAMESPACE = re.compile(rb' xmlns(?::([^\s=]+))?="[^"]*"')


@dataclass(frozen=True, slots=True)
class Entry:
    """A service provider of a federation. metadata: its EntityDescriptor alone. valid_until: None for no end of its own."""

    entity_id: str
    name: str
    metadata: str
    valid_until: float | None


class Aggregate:
    """What was signed. Has a file of its own: use it as a context manager."""

    def __init__(self, start: bytes, end: bytes, root: Element) -> None:
        self._start, self._end = start, end
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by __exit__)
        self._places: list[tuple[int, int]] = []
        self.valid_until = instant(value) if (value := root.get("validUntil")) else None
        self.cache_seconds = duration(value) if (value := root.get("cacheDuration")) else None

    def __enter__(self) -> "Aggregate":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def keep(self, text: bytes) -> None:
        self._places.append((self._file.tell(), len(text)))
        self._file.write(text)

    def entities(self) -> Iterator[Entry]:
        """Every service provider for SAML 2.0, each entityID once; what cannot be read is left out."""
        seen: set[str] = set()
        for at, length in self._places:
            self._file.seek(at)
            # The limit of one peer holds for each entity; a group of entities may be as large as the whole.
            text = self._start + self._file.read(length) + self._end
            for entry in _entries(text):
                if entry.entity_id not in seen and len(seen) < MAX_ENTITIES:
                    seen.add(entry.entity_id)
                    yield entry


def verified(source: BinaryIO, certificates: Sequence[str], limit: int) -> Aggregate:
    """certificates: PEM; the key of one of them must have signed the document. limit: bytes. Raises Problem."""
    with ExitStack() as closing:
        try:
            found = _Reader(_Bounded(source, limit), certificates, closing).read()
        except etree.XMLSyntaxError:
            raise Problem("it is not well-formed XML") from None
        except xml.BadXml as error:
            raise Problem(str(error)) from None
        except BadSignature as error:
            raise Problem(f"its signature is not good: {error}") from None
        closing.pop_all()
        return found


class _Bounded:
    """A file whose text the parser may have: of a size, and without DOCTYPE wherever it stands."""

    def __init__(self, source: BinaryIO, limit: int) -> None:
        self._source = source
        self._left = limit
        self._tail = b""

    def read(self, size: int = 65_536) -> bytes:
        part = self._source.read(size)
        self._left -= len(part)
        if self._left < 0:
            raise Problem("it is larger than saml.max_aggregate_bytes")
        window = self._tail + part
        if b"<!DOCTYPE" in window or b"<!ENTITY" in window or b"\x00" in window:
            raise Problem("it has a DOCTYPE, or is not UTF-8")
        self._tail = window[-9:]
        return part


class _Reader:
    """Goes through the children of the root, one at a time. Whatever it does not understand changes the digest."""

    def __init__(self, source: _Bounded, certificates: Sequence[str], closing: ExitStack) -> None:
        self._source = source
        self._keys = pinned(certificates)
        self._closing = closing

    def read(self) -> Aggregate:
        events = etree.iterparse(
            self._source, events=("start", "end"), tag=(GROUP, ENTITY, SIGNATURE, EXTENSIONS), remove_comments=True,
            resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False,
        )  # fmt: skip
        event, root = next(events, ("", None))
        if root is None or event != "start" or root.tag != GROUP or root.getparent() is not None:
            raise Problem("it is not the metadata of a federation (EntitiesDescriptor)")
        before: Element | None = None
        for event, element in events:
            if event == "start" or element.getparent() is not root:
                continue
            if before is None:
                self._begin(root, element)
            else:
                self._text(before.tail)
                self._child(element)
                root.remove(before)
            before = element
        if before is None:
            raise Problem("it is empty")
        self._text(before.tail)
        return self._finished()

    def _begin(self, root: Element, signature: Element) -> None:
        """The signature stands first (Metadata 2.3), so that nothing is read on for nothing."""
        if signature.tag != SIGNATURE:
            raise Problem("it is not signed")
        reference = signed_reference(signature, root.get("ID", ""), self._keys)
        listed, self._wanted = list(reference.prefixes), reference.digest
        self._digest = hashlib.new(reference.digest_name)
        match = _START.match(xml.canonical(root, listed))
        if match is None:
            raise Problem("its root cannot be read")
        self._declared = {one[0] for one in _NAMESPACE.finditer(match[2])}
        inherited = [(one[1] or b"#default").decode() for one in _NAMESPACE.finditer(match[2])]
        self._prefixes = list(dict.fromkeys([*reference.prefixes, *inherited]))
        self._end = b"</" + match[1] + b">"
        self._found = self._closing.enter_context(Aggregate(match[0], self._end, root))
        self._digest.update(match[0])
        self._text(root.text)

    def _text(self, text: str | None) -> None:
        if text:
            escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")
            self._digest.update(escaped.encode())

    def _child(self, element: Element) -> None:
        if element.tag == SIGNATURE:
            raise Problem("it carries more than one signature")
        alone = xml.canonical(element, self._prefixes)
        match = _START.match(alone)
        if match is None:
            raise Problem("an entity cannot be read")
        own = b"".join(one[0] for one in _NAMESPACE.finditer(match[2]) if one[0] not in self._declared)
        text = b"<" + match[1] + own + alone[match.end(2) :]
        self._digest.update(text)
        if element.tag != EXTENSIONS and ROLE.encode() in text:
            self._found.keep(text)

    def _finished(self) -> Aggregate:
        self._digest.update(self._end)
        if not hmac.compare_digest(self._digest.digest(), self._wanted):
            raise Problem("its signature is not good: it was changed after it was signed")
        return self._found


def _entries(text: bytes) -> Iterator[Entry]:
    try:
        root = xml.bounded(text, len(text))
    except xml.BadXml:
        return
    for entity in entities_of(root):
        try:
            found = find_in(entity, ROLE)
            metadata = xml.canonical(entity)
        except (Problem, xml.BadXml):
            continue
        if len(metadata) <= xml.MAX_METADATA_BYTES:
            entity_id = entity.get("entityID")
            yield Entry(entity_id, name_of(found) or entity_id, metadata.decode(), found.valid_until)
