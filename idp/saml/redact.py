"""A SAML message as text for whoever looks for a fault: without what could be used again, and never longer than asked for.

Taken out: signature values, ciphers, artifacts, passwords. A certificate becomes its fingerprint. What cannot be parsed
loses everything that might be one of these. Leaves whether the message is any good to its readers.
"""

import base64
import binascii
import hashlib
import re
from functools import lru_cache

from lxml import etree

from idp.saml import xml

MAX_TEXT = 16_000  # characters of one message
MAX_VALUE = 2_000  # of one value: photographs, long lists of groups
MAX_UNREADABLE = 2_000
WIDTH = 100
_SECRET = frozenset({"SignatureValue", "CipherValue", "Artifact", "Password", "BinarySecurityToken"})
_OF_OURS = re.compile(rf"<((?:\w+:)?({'|'.join(sorted(_SECRET))}|X509Certificate))(\s[^<>]*)?>([^<]*)</\1>")
_START = re.compile(r"^((\s*)<[\w:.-]+)((?:\s[\w:.-]+=\"[^\"]*\"){2,})(\s*/?>)")
_ATTRIBUTE = re.compile(r"\s[\w:.-]+=\"[^\"]*\"")
_LONG = re.compile(r"[A-Za-z0-9+/=_%-]{48,}")


def redacted(document: bytes, most: int = MAX_TEXT, *, ours: bool = False) -> str:
    """At most `most` characters and a remark. Never raises. ours: we wrote it, so there is one way only to read it."""
    if ours:
        return _cut(_OF_OURS.sub(_held, document.decode("utf-8", "replace")), most)
    try:
        root = xml.bounded(document, xml.MAX_MESSAGE_BYTES)
    except xml.BadXml as error:
        return _unreadable(document, str(error))
    for element in list(root.iter(etree.Element)):  # a list: what is removed on the way would end the walk
        _redact(element)
    return _cut(etree.tostring(root, encoding="unicode", with_tail=False), most)


def indented(text: str) -> str:
    """For reading; as it is when it is no XML (any more)."""
    try:
        root = xml.bounded(text.encode("utf-8", "replace"), 4 * xml.MAX_MESSAGE_BYTES)
    except xml.BadXml:
        return text
    etree.indent(root)
    lines = str(etree.tostring(root, encoding="unicode")).split("\n")
    return "\n".join(_START.sub(_broken, line, count=1) if len(line) > WIDTH else line for line in lines)


def _broken(tag: re.Match[str]) -> str:
    """An attribute a line. A start tag and nothing else: lxml writes `<` and `"` within attributes as entities."""
    return "\n".join([tag[1], *(f"{tag[2]}    {one.strip()}" for one in _ATTRIBUTE.findall(tag[3]))]) + tag[4]


@lru_cache(maxsize=64)
def fingerprint(certificate: str) -> str:
    """SHA-256 of a certificate in base64 DER, in hex by colons; empty when it is none."""
    try:
        der = base64.b64decode("".join(certificate.split()), validate=True)
    except (binascii.Error, ValueError):
        return ""
    return hashlib.sha256(der).digest().hex(":").upper()


def _instead(name: str, value: str) -> str:
    if name in _SECRET:
        return f"[{len(value)} characters taken out]"
    found = fingerprint(value)
    return f"[certificate, SHA-256 {found}]" if found else "[not a certificate]"


def _held(found: re.Match[str]) -> str:
    return f"<{found[1]}{found[3] or ''}>{_instead(found[2], found[4])}</{found[1]}>"


def _redact(element: xml.Element) -> None:
    name = element.tag.rpartition("}")[2]
    if name in _SECRET or name == "X509Certificate":
        _hold(element, _instead(name, "".join(element.itertext())))
    elif element.text and len(element.text) > MAX_VALUE:
        element.text = _cut(element.text, MAX_VALUE)
    for name, value in element.attrib.items():
        if len(value) > MAX_VALUE:
            element.set(name, _cut(value, MAX_VALUE))


def _hold(element: xml.Element, words: str) -> None:
    """Nothing else: an element inside could hold what was meant to go."""
    for child in list(element):
        element.remove(child)
    element.text = words


def _unreadable(document: bytes, why: str) -> str:
    text = document[: 4 * MAX_UNREADABLE].decode("utf-8", "replace")
    text = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    text = _LONG.sub(lambda found: f"[{len(found[0])} characters taken out]", text)
    return f"[Not XML that we read: {why}.]\n{_cut(text, MAX_UNREADABLE)}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n[{len(text) - most} more characters]"
