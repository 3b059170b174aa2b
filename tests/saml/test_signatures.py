"""What a signature and its key must look like. Against xmlsec1: test_oracle; forgeries: test_signatures_forged; signature
wrapping: test_wrapping; mutants: test_mutants."""

import base64
import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from idp.saml import algorithms, formats
from idp.saml import signatures as crypto
from idp.saml.signatures import (
    ALGORITHMS,
    MORE,
    BadSignature,
    algorithm_named,
    public_key,
    sign_bytes,
    sign_element,
    signature_for,
    verify_element,
)
from tests.saml.peer import NS, Pair, pair

DOCUMENT = (
    f'<samlp:Response xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}" xmlns:xs="http://www.w3.org/2001/XMLSchema" ID="_r">'
    '<saml:Issuer>https://idp.example</saml:Issuer>\n  <saml:Assertion ID="_a" Version="2.0"><saml:Issuer>i</saml:Issuer>'
    "<saml:Subject><saml:NameID>Zoë &amp; Čapek&#13;\t😀</saml:NameID></saml:Subject></saml:Assertion>\n</samlp:Response>"
).encode()


def keys(*pairs: Pair) -> list[crypto.PublicKey]:
    return [public_key(p.certificate) for p in pairs]


def signed(kind: str = "rsa-2048", method: str = f"{MORE}rsa-sha256", document: bytes = DOCUMENT) -> bytes:
    key = pair(kind)
    return sign_element(etree.fromstring(document), key.private, key.certificate, ALGORITHMS[method])


def verify(document: bytes, *pairs: Pair) -> bytes:
    return verify_element(etree.fromstring(document), keys(*(pairs or (pair(),))))


@pytest.mark.parametrize("kind", ["rsa-2048", "p-256", "p-384"])
@pytest.mark.parametrize("prefix", ["", "PEM"])
def test_the_text_of_a_signature_is_canonical_and_holds_where_it_is_spliced_in(kind: str, prefix: str) -> None:
    """No tree is needed to sign what was written in canonical form, nor to sign a message around it."""
    key = pair(kind)
    inner = f'<saml:Assertion xmlns:saml="{NS["saml"]}" ID="_a"><saml:Issuer>i</saml:Issuer></saml:Assertion>'
    certificate = key.certificate if prefix else crypto.bare(key.certificate)

    signature = signature_for(inner.encode(), "_a", key.private, certificate)
    document = inner.replace("</saml:Issuer>", "</saml:Issuer>" + signature).encode()

    assert verify_element(etree.fromstring(document), keys(key)) == inner.encode()
    assert etree.tostring(etree.fromstring(document), method="c14n", exclusive=True) == document


@pytest.mark.parametrize("ident", ["", "1", "a b", 'a"', "a&b", "#a", "<a>", "ä"])
def test_an_id_that_would_need_escaping_is_not_signed(ident: str) -> None:
    with pytest.raises(ValueError, match="plain name"):
        signature_for(b"<a/>", ident, pair().private, pair().certificate)


def test_a_key_signs_with_no_method_of_another_kind_of_key() -> None:
    for kind, method in (("rsa-2048", "ecdsa-sha256"), ("p-256", "rsa-sha256")):
        with pytest.raises(ValueError, match="needs a key"):
            sign_bytes(b"x", pair(kind).private, algorithm_named(method))


def test_every_method_that_can_be_configured_is_one_that_we_know() -> None:
    assert {algorithm_named(name).uri for name in formats.SIGNATURES} <= set(ALGORITHMS)
    assert not any("sha1" in uri or "hmac" in uri or "md5" in uri for uri in [*ALGORITHMS, *algorithms.DIGESTS])


def test_a_sender_that_was_bound_to_some_methods_may_use_no_other() -> None:
    root = etree.fromstring(signed())
    assert verify_element(root, keys(pair()), [algorithm_named("rsa-sha256")])
    for allowed in ([], [algorithm_named("rsa-sha512"), algorithm_named("ecdsa-sha256")]):
        with pytest.raises(BadSignature, match="may use"):
            verify_element(root, keys(pair()), allowed)


def test_the_first_of_several_known_keys_that_fits_is_enough() -> None:
    assert verify(signed(), pair("p-256"), pair("rsa-3072"), pair())


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"xmldsig-more#rsa-sha256", b"xmldsig-more#hmac-sha256", "signature method"),
        (b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", b"http://www.w3.org/2000/09/xmldsig#rsa-sha1", "SHA-1"),
        (b"xmldsig-more#rsa-sha256", b"xmldsig-more#ecdsa-sha256", "none of the keys"),
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
        (b'URI="#_r"', b"URI=\"#xpointer(id('_r'))\"", "does not refer"),
        (b'URI="#_r"', b'URI="#xpointer(/)"', "does not refer"),
        (b' URI="#_r"', b"", "does not refer"),
        (b"2000/09/xmldsig#enveloped-signature", b"2002/06/xmldsig-filter2", "transforms"),
        (b"<ds:DigestValue>", b"<ds:DigestValue><?x?>", "plain text"),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue><!-- -->", "plain text"),
        (b"<ds:SignedInfo", b'<x:SignedInfo xmlns:x="urn:x"/><ds:SignedInfo', "SignedInfo, one SignatureValue"),
        (b"<ds:SignatureMethod", b"<ds:SignatureMethod/><ds:SignatureMethod", "exactly one reference"),
        (b"<ds:Reference ", b'<ds:Reference URI="#_a"/><ds:Reference ', "exactly one reference"),
        (b"<ds:Transforms>", b"<ds:Transforms><ds:Transform/>", "transforms"),
        (b"</ds:KeyInfo>", b"</ds:KeyInfo><ds:KeyInfo/>", "SignedInfo, one SignatureValue"),
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
        with pytest.raises(BadSignature, match="none of the keys"):
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
    with pytest.raises(BadSignature, match="none of the keys"):
        verify(document.replace(value[1], short), pair("p-256"))


def certificate_of(key: object) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "odd")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key, 1, start, start + timedelta(days=36500))  # type: ignore[arg-type]
    return builder.sign(pair().private, SHA256()).public_bytes(Encoding.PEM).decode()  # type: ignore[arg-type]


def test_keys_that_nobody_should_sign_with_are_refused_when_they_are_read() -> None:
    for odd in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256K1())):
        with pytest.raises(BadSignature, match="neither"):
            public_key(certificate_of(odd.public_key()))


def test_a_certificate_past_its_end_still_holds_a_key_that_counts() -> None:
    """What vouches for the key is the metadata that it stands in (SAML V2.0 Metadata Interoperability Profile 2.6)."""
    key = pair()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "old")])
    start = datetime(2001, 1, 1, tzinfo=UTC)
    old = x509.CertificateBuilder(name, name, key.private.public_key(), 1, start, start + timedelta(days=1))
    pem = old.sign(key.private, SHA256()).public_bytes(Encoding.PEM).decode()  # type: ignore[arg-type]
    assert verify_element(etree.fromstring(signed()), [public_key(pem)])
