"""Foreign XML and queries keep the rules before they are believed. Bombs: test_foreign_xml_bombs."""

import base64
import zlib
from urllib.parse import quote

import pytest
from lxml import etree

from idp.saml import bindings, xml
from idp.saml.bindings import BadMessage
from idp.saml.xml import METADATA, PROTOCOL, BadXml
from tests.saml.measuring import flat
from tests.saml.peer import NS, Sp

NOW = 1_800_000_000.0
REQUEST = Sp().authn_request(NOW, "https://idp.example/saml/sso")


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
    with pytest.raises(BadXml, match=why):
        xml.parse(doctype + REQUEST, PROTOCOL)


def test_other_encodings_are_refused() -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-32", "cp037"):
        with pytest.raises(BadXml):
            xml.parse(REQUEST.decode().encode(encoding), PROTOCOL)


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
    with pytest.raises(BadMessage):
        bindings.from_query(bad)


def test_a_form_is_read_with_or_without_line_breaks() -> None:
    text = base64.encodebytes(REQUEST).decode()
    assert bindings.from_form({"SAMLRequest": [text], "RelayState": ["x"]}).document == REQUEST
    for bad in ({}, {"SAMLRequest": ["*"]}, {"SAMLRequest": [text, text]}, {"SAMLRequest": ["A" * 600_000]}):
        with pytest.raises(BadMessage):
            bindings.from_form(bad)


def test_a_schema_location_in_a_message_opens_no_file(tmp_path: object) -> None:
    hint = f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="{NS["samlp"]} file:///dev/zero urn:x /dev/zero"'
    with flat():
        xml.parse(REQUEST.replace(b' Version="2.0"', f' {hint} Version="2.0"'.encode()), PROTOCOL)


def test_a_schema_is_compiled_again_when_another_thread_has_kept_a_part_of_it_away(monkeypatch):
    tries, resolve = [], xml._Offline.resolve

    def at_first_not_found(self, url, pubid, context):
        tries.append(url)
        return self.resolve_empty(context) if len(tries) == 1 else resolve(self, url, pubid, context)

    monkeypatch.setattr(xml._Offline, "resolve", at_first_not_found)
    assert isinstance(xml._schema(xml.PROTOCOL), etree.XMLSchema)
    assert len(set(tries)) < len(tries)
