"""Foreign XML and queries are bounded before they are believed: each bomb is refused fast and in flat memory."""

import base64
import resource
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest

from idp.saml import bindings, xml
from idp.saml.bindings import BadMessage
from idp.saml.xml import METADATA, PROTOCOL, BadXml
from tests.saml.peer import NS, Sp

NOW = 1_800_000_000.0
REQUEST = Sp().authn_request(NOW, "https://idp.example/saml/sso")


@contextmanager
def bounded(seconds: float = 1.0, mebibytes: int = 48) -> Iterator[None]:
    """CPU seconds and growth of the peak memory of this process."""
    memory, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    yield
    assert time.process_time() - started < seconds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < mebibytes * 1024


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def query(packed: bytes) -> bytes:
    return f"SAMLRequest={quote(base64.b64encode(packed).decode(), safe='')}".encode()


def with_body(body: bytes) -> bytes:
    return REQUEST.replace(
        b"</samlp:AuthnRequest>", b"<samlp:Extensions>" + body + b"</samlp:Extensions></samlp:AuthnRequest>"
    )


def test_a_plain_request_is_read() -> None:
    assert xml.parse(REQUEST, PROTOCOL).tag.endswith("}AuthnRequest")
    assert xml.parse(b'<?xml version="1.0" encoding="UTF-8"?>\n' + REQUEST, PROTOCOL) is not None
    assert bindings.from_query(query(deflated(REQUEST))).document == REQUEST


def test_a_deflate_bomb_is_refused_in_milliseconds_and_flat_memory() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(40)) + packer.flush()  # 40 MB from 39 kB
    with bounded(0.2, 4), pytest.raises(BadMessage, match=r"more than|longer"):
        bindings.from_query(query(bomb))


@pytest.mark.parametrize(
    ("doctype", "why"),
    [
        (b"<!DOCTYPE r>", "DOCTYPE"),
        (b'<!DOCTYPE r [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>', "DOCTYPE"),
        (b'<!DOCTYPE r SYSTEM "file:///etc/passwd">', "DOCTYPE"),
        (b'<?xml version="1.1"?>', "XML 1.0"),
        (b'<?xml version="1.0" encoding="utf-7"?>', "UTF-8"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?>', "UTF-8"),
        (b'<?xml-stylesheet href="x"?>', "XML 1.0|processing instruction"),
        (b"<!-- <!DOCTYPE r> -->", "DOCTYPE"),
    ],
)
def test_a_prolog_that_does_more_than_it_must_is_refused(doctype: bytes, why: str) -> None:
    with bounded(), pytest.raises(BadXml, match=why):
        xml.parse(doctype + REQUEST, PROTOCOL)


def test_other_encodings_are_refused() -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-32", "cp037"):
        with pytest.raises(BadXml):
            xml.parse(REQUEST.decode().encode(encoding), PROTOCOL)


def test_deep_nesting_is_refused_without_recursion() -> None:
    for depth in (41, 2_000, 5_000):
        with bounded(), pytest.raises(BadXml):
            xml.parse(with_body(b"<x>" * depth + b"</x>" * depth), PROTOCOL)


def test_a_message_that_is_too_large_is_not_parsed() -> None:
    with bounded(0.1, 4), pytest.raises(BadXml, match="larger"):
        xml.parse(with_body(b"<x/>" * 60_000), PROTOCOL)


def test_the_largest_allowed_message_costs_little() -> None:
    with bounded(1.0), pytest.raises(BadXml):
        xml.parse(with_body(b"<x/>" * 30_000 + b"<"), PROTOCOL)
    attributes = " ".join(f'a{i}="1"' for i in range(9_000)).encode()
    with bounded(1.0), pytest.raises(BadXml):
        xml.parse(with_body(b"<x %s/>" % attributes), PROTOCOL)


@pytest.mark.parametrize("name", ["ID", "Id", "id", "xml:id"])
def test_an_id_that_two_elements_share_is_refused(name: str) -> None:
    own = REQUEST.split(b'ID="')[1].split(b'"')[0]
    with pytest.raises(BadXml, match=r"same ID|well-formed"):
        xml.parse(with_body(b'<x xmlns="urn:x" %s="%s"/>' % (name.encode(), own)), PROTOCOL)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"not xml",
        b"<r/>",
        REQUEST[:-10],
        REQUEST.replace(b' Version="2.0"', b""),
        REQUEST.replace(b"<saml:Issuer>", b"<saml:NameID/><saml:Issuer>"),
        REQUEST.replace(b'Version="2.0"', b'Version="2.0" Version="2.0"'),
        REQUEST.replace(b'Version="2.0"', b'Version="2.0" IsPassive="yes"'),
        REQUEST.replace(b"sp.example", b"sp\x00.example"),
        REQUEST.replace(b"sp.example", b"sp\xff.example"),
        REQUEST.replace(b"sp.example", b"&nbsp;"),
        with_body(b'<?php echo 1 ?><x xmlns="urn:x"/>'),
    ],
)
def test_what_is_not_well_formed_or_not_by_the_schema_is_refused(document: bytes) -> None:
    with pytest.raises(BadXml):
        xml.parse(document, PROTOCOL)


def test_metadata_is_not_a_protocol_message_and_the_reverse() -> None:
    with pytest.raises(BadXml, match="schema"):
        xml.parse(Sp().metadata(), PROTOCOL)
    with pytest.raises(BadXml, match="schema"):
        xml.parse(REQUEST, METADATA)


def test_the_xslt_bomb_of_pysaml2_issue_1035_is_refused_before_any_transform_runs() -> None:
    """B49: a ds:Transform that recurses 2**27 times; here no transform other than two fixed ones is ever looked at."""
    from lxml import etree

    from idp.saml.signatures import BadSignature, public_key, sign_element, verify_element
    from tests.saml.peer import pair

    good = sign_element(etree.fromstring(REQUEST), pair().private, pair().certificate)
    sheet = (
        b'<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
        b'<xsl:call-template name="r"><xsl:with-param name="n" select="27"/></xsl:call-template></xsl:template>'
        b'<xsl:template name="r"><xsl:param name="n"/><xsl:if test="$n &gt; 0">'
        + b'<xsl:call-template name="r"><xsl:with-param name="n" select="$n - 1"/></xsl:call-template>' * 2
        + b"</xsl:if></xsl:template></xsl:stylesheet>"
    )
    transform = b'<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116">%s</ds:Transform>' % sheet
    bomb = good.replace(b"<ds:Transforms>", b"<ds:Transforms>" + transform)
    assert bomb != good
    with bounded(0.1, 4), pytest.raises(BadSignature, match="transforms"):
        verify_element(xml.parse(bomb, PROTOCOL), [public_key(pair().certificate)])


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"RelayState=x",
        b"SAMLRequest=%%%",
        b"SAMLRequest=AAAA",
        query(deflated(REQUEST)[:-4]),
        query(zlib.compress(REQUEST)),
        query(deflated(REQUEST)) + b"&" + query(deflated(REQUEST)),
        query(deflated(REQUEST)) + b"&SAML%52equest=AAAA",
        query(deflated(REQUEST)) + b"&RelayState=a&RelayState=b",
        query(deflated(REQUEST)) + b"&SigAlg=a",
        query(deflated(REQUEST)) + b"&Signature=AAAA",
        query(deflated(REQUEST)) + b"&SigAlg=a&Signature=*",
        query(deflated(REQUEST)) + b"&SAMLEncoding=urn%3Aother",
        query(deflated(REQUEST)) + b"&RelayState=" + b"a" * 5_000,
        query(deflated(REQUEST)) + b"&RelayState=a%00b",
        query(deflated(REQUEST)) + b"&RelayState=%ff",
        b"SAMLRequest=" + b"A" * 100_000,
    ],
)
def test_a_query_that_is_not_one_clear_message_is_refused(bad: bytes) -> None:
    with bounded(), pytest.raises(BadMessage):
        bindings.from_query(bad)


def test_a_form_is_read_with_or_without_line_breaks() -> None:
    text = base64.encodebytes(REQUEST).decode()
    assert bindings.from_form({"SAMLRequest": [text], "RelayState": ["x"]}).document == REQUEST
    for bad in ({}, {"SAMLRequest": ["*"]}, {"SAMLRequest": [text, text]}, {"SAMLRequest": ["A" * 300_000]}):
        with pytest.raises(BadMessage):
            bindings.from_form(bad)


def test_a_schema_location_in_a_message_opens_no_file(tmp_path: object) -> None:
    hint = f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="{NS["samlp"]} file:///dev/zero urn:x /dev/zero"'
    with bounded():
        xml.parse(REQUEST.replace(b' Version="2.0"', f' {hint} Version="2.0"'.encode()), PROTOCOL)
