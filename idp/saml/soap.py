"""SOAP 1.1 envelopes around SAML messages, for artifacts and for logout in the back channel (SAML Bindings 3.2).

Knows envelopes only: who may speak here, and what the message means, is for the readers. Raises BadMessage, nothing else.
"""

from typing import Literal
from xml.sax.saxutils import escape

from lxml import etree

from idp.saml.bindings import Arrived, BadMessage
from idp.saml.xml import MAX_MESSAGE_BYTES, BadXml, Element, bounded

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
CONTENT_TYPE = "text/xml; charset=utf-8"
ACTION = '"http://www.oasis-open.org/committees/security"'  # the value of the SOAPAction header, quotes included
_ENVELOPE, _HEADER, _BODY, _FAULT = (f"{{{SOAP}}}{name}" for name in ("Envelope", "Header", "Body", "Fault"))
ROOM = 4_096  # for the envelope itself


def envelope(message: bytes) -> bytes:
    """`message`, a serialised element without XML declaration, in an envelope."""
    return b'<soap:Envelope xmlns:soap="%s"><soap:Body>%s</soap:Body></soap:Envelope>' % (SOAP.encode(), message)


def fault(code: Literal["Client", "Server", "MustUnderstand", "VersionMismatch"], sentence: str) -> bytes:
    """A SOAP fault. `sentence` goes to the peer: it says what the sender did wrong and no reason in detail."""
    return envelope(
        f"<soap:Fault><faultcode>soap:{code}</faultcode><faultstring>{escape(sentence)}</faultstring></soap:Fault>".encode()
    )


def message_in(data: bytes, limit: int = MAX_MESSAGE_BYTES) -> bytes:
    """The one element in the Body, with the namespaces that were declared around it: its signature still holds.

    As text, to be parsed anew with its schema. Raises BadMessage; for a fault as well.
    """
    try:
        root = bounded(data, limit + ROOM)
    except BadXml as error:
        raise BadMessage(str(error)) from None
    if root.tag != _ENVELOPE:
        raise BadMessage("it is not a SOAP 1.1 envelope")
    # SimpleSAMLphp 1.19 writes a stray backslash into every envelope; text there means nothing.
    parts = _elements(root, text_matters=False)
    for header in parts[:1] if parts and parts[0].tag == _HEADER else []:
        if any(one.get(f"{{{SOAP}}}mustUnderstand", "0").strip() not in ("0", "false") for one in header.iter("*")):
            raise BadMessage("the envelope has a header that must be understood, and we understand none")
        parts = parts[1:]
    if [part.tag for part in parts] != [_BODY]:
        raise BadMessage("the envelope is not made of at most one Header and one Body")
    content = _elements(parts[0])
    if len(content) != 1:
        raise BadMessage("the Body does not hold exactly one message")
    if content[0].tag == _FAULT:
        raise BadMessage("the other side answered with a SOAP fault")
    return bytes(etree.tostring(content[0], encoding="utf-8", with_tail=False))


def arrived(data: bytes) -> Arrived:
    """A request that came by SOAP, as the readers of the other bindings take it."""
    return Arrived("soap", message_in(data), None)


def _elements(parent: Element, *, text_matters: bool = True) -> list[Element]:
    """The children. Text between them is an error; comments are passed over."""
    if text_matters and ((parent.text or "").strip() or any((child.tail or "").strip() for child in parent)):
        raise BadMessage("the envelope holds text where there must be none")
    return list(parent.iterchildren("*"))
