"""XML signatures against the xmlsec1 program, and what a signature must not look like."""

import base64
import re

import pytest
from lxml import etree

from idp.saml import signatures as crypto
from idp.saml.signatures import ALGORITHMS, MORE, BadSignature, public_key, sign_element, verify_element
from tests.saml.peer import NS, Pair, Xmlsec, pair

KINDS = [("rsa-2048", "rsa"), ("rsa-3072", "rsa"), ("p-256", "ecdsa"), ("p-384", "ecdsa")]
MATRIX = [(kind, f"{MORE}{family}-{digest}") for kind, family in KINDS for digest in ("sha256", "sha512")]
DOCUMENT = (
    f'<samlp:Response xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}" xmlns:xs="http://www.w3.org/2001/XMLSchema" ID="_r">'
    '<saml:Issuer>https://idp.example</saml:Issuer>\n  <saml:Assertion ID="_a" Version="2.0"><saml:Issuer>i</saml:Issuer>'
    "<saml:Subject><saml:NameID>Zoë &amp; Čapek&#13;\t😀</saml:NameID></saml:Subject></saml:Assertion>\n</samlp:Response>"
).encode()
RESPONSE = NS["samlp"]


def keys(*pairs: Pair) -> list[crypto.PublicKey]:
    return [public_key(p.certificate) for p in pairs]


def signed(kind: str = "rsa-2048", method: str = f"{MORE}rsa-sha256", document: bytes = DOCUMENT) -> bytes:
    key = pair(kind)
    return sign_element(etree.fromstring(document), key.private, key.certificate, ALGORITHMS[method])


def verify(document: bytes, *pairs: Pair) -> bytes:
    return verify_element(etree.fromstring(document), keys(*(pairs or (pair(),))))


@pytest.mark.parametrize(("kind", "method"), MATRIX)
def test_xmlsec1_verifies_what_we_sign_and_refuses_a_tampered_copy(kind: str, method: str, xmlsec: Xmlsec) -> None:
    document = signed(kind, method)
    assert xmlsec.verifies(document, pair(kind).certificate, "Response", RESPONSE)
    assert not xmlsec.verifies(
        document.replace(b"idp.example", b"idp.exampel"), pair(kind).certificate, "Response", RESPONSE
    )
    assert not xmlsec.verifies(document, pair(kind, 1).certificate, "Response", RESPONSE)


@pytest.mark.parametrize(("kind", "method"), MATRIX)
def test_we_verify_what_xmlsec1_signs_and_refuse_a_tampered_copy(kind: str, method: str, xmlsec: Xmlsec) -> None:
    template = re.sub(rb"(<ds:(DigestValue|SignatureValue)>)[^<]*", rb"\1", signed(kind, method))
    document = xmlsec.sign(template, pair(kind).pem, "Response", RESPONSE)

    content = verify(document, pair(kind))

    assert "Zoë &amp; Čapek".encode() in content
    assert b"Signature" not in content
    for changed in (document.replace(b"idp.example", b"idp.exampel"), document.replace(b">i<", b">j<")):
        assert changed != document
        with pytest.raises(BadSignature, match="changed after it was signed"):
            verify(changed, pair(kind))
    with pytest.raises(BadSignature, match="no key"):
        verify(document, pair(kind, 1))


def test_a_prefix_list_with_prefixes_declared_on_an_ancestor_verifies_on_both_sides(xmlsec: Xmlsec) -> None:
    inner = (
        b'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a"><saml:Issuer>i</saml:Issuer>%s'
        b'<saml:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">v</saml:AttributeValue>'
        b"</saml:Assertion>"
    )
    blank = re.search(rb"<ds:Signature .*</ds:Signature>", signed())
    assert blank
    template = re.sub(rb"(<ds:(DigestValue|SignatureValue)>)[^<]*", rb"\1", blank[0]).replace(
        b'URI="#_r"', b'URI="#_a"'
    )
    exclusive = b'<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"'
    template = re.sub(
        exclusive + rb"\s*(/>|></ds:Transform>)",
        exclusive
        + b'><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="xs"/></ds:Transform>',
        template,
    )
    assert b"PrefixList" in template
    outer = b'<r xmlns:xs="http://www.w3.org/2001/XMLSchema">\n %s\n</r>' % (inner % template)
    document = xmlsec.sign(outer, pair().pem, "Assertion", NS["saml"])

    content = verify_element(etree.fromstring(document)[0], keys(pair()))

    assert b"xmlns:xs=" in content
    with pytest.raises(BadSignature):
        verify_element(etree.fromstring(document.replace(b">v<", b">w<"))[0], keys(pair()))


def test_the_first_of_several_known_keys_that_fits_is_enough() -> None:
    assert verify(signed(), pair("p-256"), pair("rsa-3072"), pair())


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"xmldsig-more#rsa-sha256", b"xmldsig-more#hmac-sha256", "signature method"),
        (b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", b"http://www.w3.org/2000/09/xmldsig#rsa-sha1", "SHA-1"),
        (b"xmldsig-more#rsa-sha256", b"xmldsig-more#ecdsa-sha256", "no key"),
        (b"http://www.w3.org/2001/04/xmlenc#sha256", b"http://www.w3.org/2000/09/xmldsig#sha1", "SHA-1"),
        (b'URI="#_r"', b'URI=""', "does not refer"),
        (b'URI="#_r"', b'URI="#_a"', "does not refer"),
        (b'URI="#_r"', b'URI="http://evil.example/"', "does not refer"),
        (b"xmldsig#enveloped-signature", b"xmldsig#base64", "transforms"),
        (b"2000/09/xmldsig#enveloped-signature", b"TR/1999/REC-xslt-19991116", "transforms"),
        (b"2000/09/xmldsig#enveloped-signature", b"TR/1999/REC-xpath-19991116", "transforms"),
        (b"xml-exc-c14n#", b"xml-exc-c14n#WithComments", "canonical"),
        (b"2001/10/xml-exc-c14n#", b"TR/2001/REC-xml-c14n-20010315", "canonical"),
        (b"</ds:SignedInfo>", b"<ds:Reference/></ds:SignedInfo>", "exactly one reference"),
        (b"<ds:KeyInfo>", b"<ds:Object/><ds:KeyInfo>", "SignedInfo, one SignatureValue"),
        (b"<ds:SignatureValue>", b"<ds:SignedInfo/><ds:SignatureValue>", "SignedInfo, one SignatureValue"),
        (b"</ds:DigestValue>", b"</ds:DigestValue><ds:DigestValue>AA==</ds:DigestValue>", "DigestValue"),
        (b"<ds:DigestValue>", b"<ds:DigestValue><!--AA==-->", "plain text"),
        (b"<ds:SignedInfo", b"<!-- c --><ds:SignedInfo", "comment"),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue>*", "base64"),
        (b'ID="_r"', b"", "does not refer"),
    ],
)
def test_a_signature_of_another_shape_than_the_strict_one_is_refused(old: bytes, new: bytes, why: str) -> None:
    document = signed()
    assert old in document
    with pytest.raises(BadSignature, match=why):
        verify(document.replace(old, new))


def test_two_signatures_on_one_element_are_refused() -> None:
    document = signed()
    signature = re.search(rb"<ds:Signature .*</ds:Signature>", document)
    assert signature
    with pytest.raises(BadSignature, match="more than one"):
        verify(document.replace(signature[0], signature[0] * 2))


def test_the_certificate_in_key_info_is_never_believed() -> None:
    attacker = pair("rsa-2048", 666)
    forged = sign_element(etree.fromstring(DOCUMENT), attacker.private, pair().certificate)
    for document in (forged, sign_element(etree.fromstring(DOCUMENT), attacker.private, attacker.certificate)):
        with pytest.raises(BadSignature, match="no key"):
            verify(document)


def test_an_element_inside_a_signed_document_is_not_signed_by_it() -> None:
    with pytest.raises(BadSignature, match="not signed"):
        verify_element(etree.fromstring(signed())[2], keys(pair()))


def test_weak_keys_are_refused_when_they_are_read() -> None:
    with pytest.raises(BadSignature, match="2048"):
        public_key(pair("rsa-1024").certificate)
    with pytest.raises(BadSignature, match="cannot be read"):
        public_key("bm90IGEgY2VydGlmaWNhdGU=")


def test_an_ecdsa_value_of_the_wrong_length_is_refused() -> None:
    document = signed("p-256", f"{MORE}ecdsa-sha256")
    value = re.search(rb"<ds:SignatureValue>([^<]*)", document)
    assert value
    short = base64.b64encode(base64.b64decode(value[1])[:-1])
    with pytest.raises(BadSignature, match="no key"):
        verify(document.replace(value[1], short), pair("p-256"))


@pytest.mark.parametrize("empty", [b'<x xmlns="1/2"/>', b'<v:x xmlns:v="1/2"/>'])
def test_a_canonical_form_that_fails_is_a_refusal_and_not_an_empty_digest(empty: bytes) -> None:
    """Void canonicalisation: a relative namespace URI makes libxml2 give nothing, and nothing has a constant digest."""
    document = DOCUMENT.replace(b"<saml:Subject>", b"<saml:Subject>" + empty)
    signature = re.search(rb"<ds:Signature .*</ds:Signature>", signed())
    assert signature
    with pytest.raises(BadSignature, match="canonical form"):
        verify(document.replace(b"</saml:Issuer>\n", b"</saml:Issuer>" + signature[0] + b"\n", 1))


# XML signature wrapping, against the backend alone: whatever is read must be what was signed.
ASSERTION = (
    b'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a"><saml:Issuer>i</saml:Issuer>'
    b"<saml:Subject><saml:NameID>ada</saml:NameID></saml:Subject></saml:Assertion>"
)
EVIL = ASSERTION.replace(b"ada", b"eve").replace(b'"_a"', b'"_evil"')


def signed_assertion() -> bytes:
    return sign_element(etree.fromstring(ASSERTION), pair().private, pair().certificate)


def wrappings() -> dict[str, bytes]:
    """XSW 3 to 8 (assertion) as Somorovsky et al. number them; 1 and 2 are the same moves with a Response."""
    good = signed_assertion()
    signature = re.search(rb"<ds:Signature .*</ds:Signature>", good)
    assert signature
    bare_good = good.replace(signature[0], b"")
    wrap = b'<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_x">%s</samlp:Response>'
    into = lambda outer, inner: outer.replace(b"</saml:Assertion>", inner + b"</saml:Assertion>")  # noqa: E731
    after_issuer = lambda outer, inner: outer.replace(b"</saml:Issuer>", b"</saml:Issuer>" + inner, 1)  # noqa: E731
    with_object = signature[0].replace(b"</ds:Signature>", b"<ds:Object>%s</ds:Object></ds:Signature>")
    return {
        "1 response copied, signature on the copy": wrap % (EVIL + good),
        "2 signature detached before the original": wrap % (EVIL + signature[0] + bare_good),
        "3 evil before the signed one": wrap % (EVIL + good),
        "4 signed one inside of the evil one": wrap % into(EVIL, good),
        "5 evil carries the signature, original at the end": wrap % (after_issuer(EVIL, signature[0]) + bare_good),
        "6 original inside of the signature of the evil one": wrap
        % after_issuer(EVIL, signature[0].replace(b"<ds:KeyInfo>", bare_good + b"<ds:KeyInfo>")),
        "7 signed one in Extensions": wrap % (b"<samlp:Extensions>" + good + b"</samlp:Extensions>" + EVIL),
        "8 original in an Object of the signature": wrap % after_issuer(EVIL, with_object % bare_good),
        "same ID twice": wrap % (after_issuer(EVIL.replace(b"_evil", b"_a"), signature[0]) + bare_good),
    }


@pytest.mark.parametrize("name", list(wrappings()))
def test_signature_wrapping_never_verifies_an_element_with_other_content(name: str) -> None:
    root = etree.fromstring(wrappings()[name])
    for element in root.iter(
        "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion", "{urn:oasis:names:tc:SAML:2.0:protocol}Response"
    ):
        try:
            content = verify_element(element, keys(pair()))
        except BadSignature:
            continue
        assert b"eve" not in content
        assert b">ada<" in content


def test_a_comment_in_a_name_is_no_end_of_it() -> None:
    document = signed_assertion().replace(b">ada<", b">a<!-- -->da<")
    content = verify(document)
    assert b">ada<" in content
