"""Bombs: small messages that cost much to whoever believes them. Each is refused by name while memory stays flat.

How long a refusal takes is not asserted; `benchmarks/saml_crypto.py` prints it. Where one of these went off it would take
minutes or gigabytes, and the time limit of a test ends that.
"""

import base64
import zlib
from collections.abc import Callable
from urllib.parse import quote

import pytest
from lxml import etree

from idp.saml import bindings, soap, xml
from idp.saml.bindings import BadMessage
from idp.saml.encryption import DecryptionFailed, decrypt
from idp.saml.signatures import BadSignature, verify_element
from idp.saml.xml import MAX_ATTRIBUTES, MAX_DEPTH, MAX_MESSAGE_BYTES, METADATA, PROTOCOL, BadXml
from tests.saml import fixed
from tests.saml.measuring import flat

pytestmark = pytest.mark.timeout(30)
ANSWER = fixed.response(fixed.assertion(signed=True), signed=True)
KEYS = [fixed.rsa_key(0).public_key()]
Opener = Callable[[], object]


def with_body(body: bytes) -> bytes:
    return ANSWER.replace(b"<samlp:Status>", b"<samlp:Extensions>" + body + b"</samlp:Extensions><samlp:Status>")


def parse(document: bytes) -> Opener:
    return lambda: xml.parse(document, PROTOCOL)


def doctype(inside: bytes, use: bytes = b"") -> Opener:
    return parse(b"<!DOCTYPE r [" + inside + b"]>" + with_body(b"<x>" + use + b"</x>"))


def deflated(size: int, *, rounds: int = 1) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = b"".join(packer.compress(bytes(1_000_000)) for _ in range(size)) + packer.flush()
    for _ in range(rounds - 1):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = packer.compress(data) + packer.flush()
    return data


def in_query(data: bytes) -> Opener:
    query = b"SAMLResponse=" + quote(base64.b64encode(data), safe="").encode()
    return lambda: bindings.from_query(query, ("response",))


def in_form(data: bytes) -> Opener:
    return lambda: bindings.from_form({"SAMLResponse": [base64.b64encode(data).decode()]}, ("response",))


LAUGHS = b'<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %s "%s">' % (bytes((98 + n,)), b"&%s;" % bytes((97 + n,)) * 10) for n in range(10)
)
XSLT = (
    b'<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
    b'<xsl:call-template name="r"><xsl:with-param name="n" select="27"/></xsl:call-template></xsl:template>'
    b'<xsl:template name="r"><xsl:param name="n"/><xsl:if test="$n &gt; 0">'
    + b'<xsl:call-template name="r"><xsl:with-param name="n" select="$n - 1"/></xsl:call-template>' * 2
    + b"</xsl:if></xsl:template></xsl:stylesheet>"
)
XPATH = b"<ds:XPath>%s</ds:XPath>" % (b"count(//*[" * 8 + b"//*" + b"])" * 8)


def transform(algorithm: bytes, inside: bytes) -> Opener:
    """In the signature of the response, which is true but for this; through the schema, as in a sign-in."""
    one = b'<ds:Transform Algorithm="%s">%s</ds:Transform>' % (algorithm, inside)
    document = ANSWER.replace(b"<ds:Transforms>", b"<ds:Transforms>" + one, 1)
    assert document != ANSWER
    return lambda: verify_element(xml.parse(document, PROTOCOL), KEYS)


def many_transforms() -> object:
    one = b'<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>'
    document = ANSWER.replace(b"<ds:Transforms>", b"<ds:Transforms>" + one * 2_500, 1)
    return verify_element(xml.parse(document, PROTOCOL), KEYS)


def many_references() -> object:
    reference = ANSWER[ANSWER.index(b"<ds:Reference") : ANSWER.index(b"</ds:Reference>") + 15]
    document = ANSWER.replace(b"</ds:SignedInfo>", reference * 400 + b"</ds:SignedInfo>", 1)
    return verify_element(xml.parse(document, PROTOCOL), KEYS)


def nested_namespaces() -> bytes:
    """Each element below looks through all of them when it is copied or canonicalised."""
    opened = b"".join(
        b"<A:x %s>" % b" ".join(b'xmlns:n%d="a:"' % n for n in range(start, start + 900))
        for start in range(0, 6_300, 900)
    )
    return b'<A:x xmlns:A="urn:x">' + opened + b"<A:x/>" * 10_000 + b"</A:x>" * 8


def elements_in_the_digest_method() -> object:
    """Canonicalised before anybody has vouched for them."""
    digest = b'<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256">'
    document = ANSWER.replace(digest, digest + b'<x xmlns="urn:x"/>' * 10_000, 1)
    assert document != ANSWER
    return verify_element(xml.parse(document, PROTOCOL), KEYS)


def many_signatures() -> object:
    signature = ANSWER[ANSWER.index(b"<ds:Signature ") : ANSWER.index(b"</ds:Signature>") + 15]
    root = xml.bounded(ANSWER.replace(b"<samlp:Status>", signature * 150 + b"<samlp:Status>"), MAX_MESSAGE_BYTES)
    return verify_element(root, KEYS)


def encrypted_in_encrypted() -> object:
    """What is inside is given back once and not opened again."""
    inner = fixed.encrypted(fixed.assertion(signed=True), "http://www.w3.org/2001/04/xmlenc#aes256-cbc")
    outer = etree.fromstring(fixed.encrypted(inner * 20, "http://www.w3.org/2009/xmlenc11#aes256-gcm"))
    return decrypt(outer, [fixed.rsa_key(1)])


BOMBS: dict[str, tuple[Opener, type[Exception], str]] = {
    "deflate bomb of 300 MB": (in_query(deflated(300)), BadMessage, "longer"),
    "deflate bomb of 30 MB": (in_query(deflated(30)), BadMessage, "more than"),
    "deflate bomb in a form": (in_form(deflated(300)), BadMessage, "neither XML nor"),
    "deflate bomb in a deflate bomb": (in_query(deflated(300, rounds=2)), BadMessage, "more than|cut off"),
    "form of 600 kB": (in_form(b"<" * 600_000), BadMessage, "too large"),
    "message of 300 kB": (parse(with_body(b"<x/>" * 75_000)), BadXml, "larger"),
    "5,000 elements deep": (parse(with_body(b"<x>" * 5_000 + b"</x>" * 5_000)), BadXml, "well-formed|deeper"),
    "as deep as libxml2 lets pass": (parse(with_body(b"<x>" * 250 + b"</x>" * 250)), BadXml, "deeper"),
    "40,000 deep and never closed": (parse(b"<x>" * 40_000), BadXml, "well-formed"),
    "one level too deep": (parse(with_body(b"<x>" * MAX_DEPTH + b"</x>" * MAX_DEPTH)), BadXml, "deeper"),
    "20,000 attributes": (
        parse(with_body(b"<x %s/>" % b" ".join(b'a%d="1"' % n for n in range(20_000)))),
        BadXml,
        "attributes",
    ),
    "6,000 namespaces": (
        parse(with_body(b"<x %s/>" % b" ".join(b'xmlns:a%d="urn:%d"' % (n, n) for n in range(6_000)))),
        BadXml,
        "attributes",
    ),
    "6,000 namespaces, nested, in a replayed signature": (
        lambda: verify_element(xml.parse(with_body(nested_namespaces()), PROTOCOL), KEYS),
        BadXml,
        "namespaces",
    ),
    "10,000 elements in a digest method": (elements_in_the_digest_method, BadSignature, "digest method"),
    "attributes behind a sign": (
        parse(with_body(b"<x b='>' %s/>" % b" ".join(b"a%d = '1'" % n for n in range(MAX_ATTRIBUTES + 1)))),
        BadXml,
        "attributes",
    ),
    "60,000 elements": (parse(with_body(b"<x/>" * 60_000 + b"<")), BadXml, "well-formed"),
    "14,000 IDs": (
        parse(with_body(b"".join(b'<x ID="i%d"/>' % (n % 13_999) for n in range(14_000)))),
        BadXml,
        "same ID",
    ),
    "billion laughs": (doctype(LAUGHS, b"&k;"), BadXml, "DOCTYPE"),
    "quadratic blow-up": (doctype(b'<!ENTITY a "%s">' % (b"a" * 50_000), b"&a;" * 20_000), BadXml, "DOCTYPE"),
    "entity in itself": (doctype(b'<!ENTITY a "&a;">', b"&a;"), BadXml, "DOCTYPE"),
    "parameter entities": (doctype(b'<!ENTITY % p SYSTEM "file:///dev/zero"> %p;'), BadXml, "DOCTYPE"),
    "file without end": (doctype(b'<!ENTITY a SYSTEM "file:///dev/zero">', b"&a;"), BadXml, "DOCTYPE"),
    "DOCTYPE alone": (parse(b"<!DOCTYPE r>" + ANSWER), BadXml, "DOCTYPE"),
    "DOCTYPE in UTF-16": (
        parse(("\ufeff<!DOCTYPE r>" + ANSWER.decode()).encode("utf-16-le")),
        BadXml,
        "UTF-8",
    ),
    "DOCTYPE in UTF-7": (
        parse(b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE r+AD4-' + ANSWER),
        BadXml,
        "UTF-8",
    ),
    "XInclude without end": (
        parse(b'<x xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///dev/zero" parse="text"/></x>'),
        BadXml,
        "schema",
    ),
    "XML 1.1": (parse(b'<?xml version="1.1"?>' + ANSWER), BadXml, "XML 1.0"),
    "processing instruction": (
        parse(with_body(b'<?xml-stylesheet href="file:///dev/zero"?><x/>')),
        BadXml,
        "instruction",
    ),
    "XSLT bomb": (transform(b"http://www.w3.org/TR/1999/REC-xslt-19991116", XSLT), BadSignature, "transforms"),
    "XPath bomb": (transform(b"http://www.w3.org/TR/1999/REC-xpath-19991116", XPATH), BadSignature, "transforms"),
    "XPath filter bomb": (transform(b"http://www.w3.org/2002/06/xmldsig-filter2", XPATH), BadSignature, "transforms"),
    "base64 transform": (transform(b"http://www.w3.org/2000/09/xmldsig#base64", b""), BadSignature, "transforms"),
    "2,500 transforms": (many_transforms, BadSignature, "transforms"),
    "400 references": (many_references, BadSignature, "exactly one reference"),
    "150 signatures": (many_signatures, BadSignature, "more than one"),
    "encrypted 20 times in encrypted": (encrypted_in_encrypted, DecryptionFailed, "^$"),
    "SOAP around a bomb": (
        lambda: soap.message_in(soap.envelope(b"<!DOCTYPE r [" + LAUGHS + b"]><x>&k;</x>")),
        BadMessage,
        "DOCTYPE",
    ),
    "metadata of 2 MB": (lambda: xml.parse(b"<x/>" * 500_000, METADATA, xml.MAX_METADATA_BYTES), BadXml, "larger"),
}


@pytest.fixture(scope="module", autouse=True)
def _schemas_are_there() -> None:
    """Compiling them takes memory once, which is no bomb's."""
    xml.parse(ANSWER, PROTOCOL)


@pytest.mark.parametrize("name", list(BOMBS))
def test_a_bomb_is_refused_for_what_it_is_and_memory_stays_flat(name: str) -> None:
    bomb, expected, why = BOMBS[name]
    with flat(), pytest.raises(expected, match=why):
        bomb()


def test_in_a_message_full_of_mistakes_their_places_are_not_looked_for() -> None:
    """That takes the square of their number."""
    mistakes = b'<Object xmlns="http://www.w3.org/2000/09/xmldsig#">' + b"<Manifest/>" * 20_000 + b"</Object>"
    with flat(), pytest.raises(BadXml, match="schema"):
        xml.parse(with_body(mistakes), PROTOCOL)
    assert len(xml._schemas(PROTOCOL).error_log) == 0


def test_a_large_message_without_a_mistake_is_read() -> None:
    document = with_body(b'<x xmlns="urn:x">' + b"<y/>" * 5_000 + b"</x>")
    assert len(xml.parse(document, PROTOCOL).xpath("//*[local-name()='y']")) == 5_000
    assertion = xml.parse(document, PROTOCOL).find(f"{{{xml.SAML}}}Assertion")
    xml.validate(assertion, PROTOCOL)


def test_a_schema_location_in_a_message_opens_no_file() -> None:
    hint = b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x file:///dev/zero urn:y /dev/zero"'
    with flat():
        xml.parse(ANSWER.replace(b"<samlp:Response ", b"<samlp:Response " + hint + b" ", 1), PROTOCOL)


def test_the_largest_message_that_is_read_at_all_stays_flat_to_its_signature() -> None:
    """Nothing here is a mistake that could be refused early; it only must not cost more than its size."""
    document = with_body(b"<x>" + b"<y/>" * ((MAX_MESSAGE_BYTES - len(ANSWER) - 60) // 4) + b"</x>")
    with flat(), pytest.raises(BadSignature, match="changed"):
        verify_element(xml.bounded(document, MAX_MESSAGE_BYTES), KEYS)
