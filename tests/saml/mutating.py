"""Changes to messages: of bytes, of the text, and of the tree. Each is a step (what, where, where else, with what), so that a
mutant is a short list of steps that Hypothesis can shrink, and each gives the same mutant every time."""

import base64
import re
from collections.abc import Callable, Sequence
from copy import deepcopy

from hypothesis import strategies as st
from lxml import etree

from idp.saml.xml import DS, SAML, SAMLP, Element

# What has fooled readers and verifiers before, beside what simply breaks things.
TOKENS = (
    "eve",
    "",
    " ",
    "\n",
    "<!-- -->",
    "<!--",
    "<![CDATA[eve]]>",
    "<?x y?>",
    "&amp;",
    "&#101;",
    "&#0;",
    "<!DOCTYPE r>",
    "]]>",
    ">",
    "</saml:NameID>",
    "<saml:NameID>eve</saml:NameID>",
    "<saml:AttributeValue>admin</saml:AttributeValue>",
    '<saml:Attribute Name="groups"><saml:AttributeValue>admin</saml:AttributeValue></saml:Attribute>',
    "</saml:Assertion><saml:Assertion>",
    "<ds:Object>",
    "<samlp:Extensions><x/></samlp:Extensions>",
    ' ID="_assertion"',
    ' Id="_response"',
    ' xml:id="_assertion"',
    ' xmlns:saml="urn:evil"',
    ' xmlns="urn:oasis:names:tc:SAML:2.0:assertion"',
    ' xmlns:v="1/2"',
    ' xmlns:ds="urn:x"',
    ' xml:base="http://evil.example/"',
    "#_response",
    "#_assertion",
    "#xpointer(/)",
    "http://www.w3.org/2000/09/xmldsig#sha1",
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
    "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
    "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "2030-01-01T00:00:00Z",
    "\x00",
    "\ufeff",
    "\u202e",
    "\u0435ve",
)
Step = tuple[str, int, int, str]
Change = Callable[[bytes, int, int, str], bytes]


def _flip(data: bytes, at: int, bit: int, _: str) -> bytes:
    at %= len(data)
    return data[:at] + bytes((data[at] ^ (1 << bit % 8),)) + data[at + 1 :]


def _insert(data: bytes, at: int, _: int, token: str) -> bytes:
    at %= len(data) + 1
    return data[:at] + token.encode() + data[at:]


def _cut(data: bytes, at: int, size: int, _: str) -> bytes:
    at %= len(data)
    return data[:at] + data[at + 1 + size % 200 :]


def _repeat(data: bytes, at: int, size: int, _: str) -> bytes:
    at %= len(data)
    return data[: at + size % 300] + data[at:]


def _marks(data: bytes) -> list[int]:
    """Where tags begin and end."""
    return [m.end() for m in re.finditer(rb"[<>]", data)] or [0]


def _insert_at_tag(data: bytes, at: int, _: int, token: str) -> bytes:
    marks = _marks(data)
    return _insert(data, marks[at % len(marks)], 0, token)


def _insert_attribute(data: bytes, at: int, _: int, token: str) -> bytes:
    ends = [m.start(1) for m in re.finditer(rb"<[\w:]+[^<>]*?(/?>)", data)] or [0]
    return _insert(data, ends[at % len(ends)], 0, token)


def _value(data: bytes, at: int, _: int, token: str) -> bytes:
    """Another text or another attribute value."""
    values = [m.span(1) for m in re.finditer(rb'(?:>|")([^<>"=]+)(?:<|")', data)] or [(0, 0)]
    start, end = values[at % len(values)]
    return data[:start] + token.encode() + data[end:]


def _decoded_bit(data: bytes, at: int, bit: int, _: str) -> bytes:
    """One bit of what is base64 in the message: a digest, a signature, a cipher."""
    values = [m.span() for m in re.finditer(rb"(?<=>)[A-Za-z0-9+/=]{24,}(?=<)", data)]
    if not values:
        return data
    start, end = values[at % len(values)]
    try:
        raw = base64.b64decode(data[start:end], validate=True)
    except ValueError:
        return data
    return data[:start] + base64.b64encode(_flip(raw, bit // 8, bit, "")) + data[end:]


def _in_tree(change: Callable[[list[Element], int, int, str], None]) -> Change:
    def changed(data: bytes, at: int, other: int, token: str) -> bytes:
        try:
            root = etree.fromstring(data)
            change(list(root.iter("*")), at, other, token)
            return bytes(etree.tostring(root))
        except (etree.LxmlError, ValueError, TypeError, AssertionError):
            return data  # an earlier step has left no tree, or the move is none that a tree can have

    return changed


def _remove(nodes: list[Element], at: int, _: int, __: str) -> None:
    one = nodes[at % len(nodes)]
    one.getparent().remove(one) if one.getparent() is not None else one.clear()


def _move(nodes: list[Element], at: int, to: int, _: str) -> None:
    one, parent = nodes[at % len(nodes)], nodes[to % len(nodes)]
    if one.getparent() is not None and parent not in list(one.iter()):
        parent.insert(to // 7 % (len(parent) + 1), one)


def _copy(nodes: list[Element], at: int, to: int, _: str) -> None:
    one, parent = nodes[at % len(nodes)], nodes[to % len(nodes)]
    parent.insert(to // 7 % (len(parent) + 1), deepcopy(one))


def _evil_copy(nodes: list[Element], at: int, to: int, token: str) -> None:
    """A copy of an assertion or of the response that names somebody else, beside or inside of any element."""
    whole = [one for one in nodes if one.tag in (f"{{{SAML}}}Assertion", f"{{{SAMLP}}}Response")] or nodes
    evil = deepcopy(whole[at % len(whole)])
    for name in evil.iter(f"{{{SAML}}}NameID", f"{{{SAML}}}AttributeValue"):
        name.text = "eve"
    if at % 2:
        evil.set("ID", "_evil")
    if at % 3 == 0:
        for signature in evil.findall(f"{{{DS}}}Signature"):
            evil.remove(signature)
    parent = nodes[to % len(nodes)]
    if token and at % 5 == 0:
        parent = etree.SubElement(parent, f"{{{DS}}}Object")
    parent.insert(to // 7 % (len(parent) + 1), evil)


def _wrap(nodes: list[Element], at: int, to: int, _: str) -> None:
    one, tag = nodes[at % len(nodes)], nodes[to % len(nodes)].tag
    parent = one.getparent()
    if parent is not None:
        around = etree.Element(tag)
        parent.replace(one, around)
        around.append(one)


def _swap_tag(nodes: list[Element], at: int, to: int, _: str) -> None:
    nodes[at % len(nodes)].tag = nodes[to % len(nodes)].tag


def _swap_attribute(nodes: list[Element], at: int, to: int, token: str) -> None:
    one, other = nodes[at % len(nodes)], nodes[to % len(nodes)]
    for name, value in other.attrib.items():
        one.set(name, token or value)


def _comment(nodes: list[Element], at: int, to: int, _: str) -> None:
    """Splits a text in two."""
    one = nodes[at % len(nodes)]
    text = one.text or "x"
    cut = to % (len(text) + 1)
    comment = etree.Comment("x")
    comment.tail, one.text = text[cut:], text[:cut]
    one.insert(0, comment)


CHANGES: dict[str, Change] = {
    "flip": _flip,
    "insert": _insert,
    "cut": _cut,
    "repeat": _repeat,
    "insert at tag": _insert_at_tag,
    "insert attribute": _insert_attribute,
    "value": _value,
    "decoded bit": _decoded_bit,
    "remove": _in_tree(_remove),
    "move": _in_tree(_move),
    "copy": _in_tree(_copy),
    "evil copy": _in_tree(_evil_copy),
    "wrap": _in_tree(_wrap),
    "swap tag": _in_tree(_swap_tag),
    "swap attribute": _in_tree(_swap_attribute),
    "comment": _in_tree(_comment),
}
places = st.integers(0, 9_999)
# Those that a parser and a schema often let pass are more likely.
SUBTLE = ("value", "decoded bit", "evil copy", "swap attribute", "comment", "move") * 3
steps = st.lists(
    st.tuples(st.sampled_from((*SUBTLE, *CHANGES)), places, places, st.sampled_from(TOKENS)), min_size=1, max_size=3
)
OF_BYTES = ("flip", "insert", "cut", "repeat")
steps_of_bytes = st.lists(
    st.tuples(st.sampled_from(OF_BYTES), places, places, st.sampled_from(TOKENS)), min_size=1, max_size=3
)


def mutant(message: bytes, made_by: Sequence[Step]) -> bytes:
    for what, at, other, token in made_by:
        message = CHANGES[what](message, at, other, token) or b" "
    return message
