"""Known ways to forge a signature, each by name: key confusion, keys of the wrong type, void canonicalisation, foreign keys."""

import base64
import hashlib
import hmac
import re

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from idp.saml.signatures import (
    EXCLUSIVE,
    MORE,
    BadSignature,
    bare,
    sign_bytes,
    sign_element,
    signature_for,
    verify_element,
)
from tests.saml.peer import NS, pair
from tests.saml.test_signatures import DOCUMENT, keys, signed, verify

DIGEST_OF_NOTHING = base64.b64encode(hashlib.sha256(b"").digest()).decode()


@pytest.mark.parametrize("secret", ["certificate", "bare certificate", "public key", "public key in DER", "nothing"])
@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
def test_an_hmac_with_something_public_as_its_secret_is_refused(secret: str, digest: str) -> None:
    """Key confusion (SimpleSAMLphp, CVE-2018-7644): everybody knows the certificate."""
    key = pair()
    public = key.private.public_key()
    secrets = {
        "certificate": key.certificate.encode(),
        "bare certificate": base64.b64decode(bare(key.certificate)),
        "public key": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "public key in DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "nothing": b"",
    }
    method = b"http://www.w3.org/2000/09/xmldsig#hmac-sha1" if digest == "sha1" else f"{MORE}hmac-{digest}".encode()
    root = etree.fromstring(signed().replace(f"{MORE}rsa-sha256".encode(), method))
    signed_info = etree.tostring(root.find(".//ds:SignedInfo", NS), method="c14n", exclusive=True)
    value = hmac.digest(secrets[secret], signed_info, digest)
    root.find(".//ds:SignatureValue", NS).text = base64.b64encode(value).decode()
    with pytest.raises(BadSignature, match="signature method"):
        verify_element(root, keys(pair()))


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_a_key_of_the_wrong_type_for_the_method_verifies_nothing(digest: str) -> None:
    rsa_document = signed("rsa-2048", f"{MORE}rsa-{digest}")
    ecdsa_document = signed("p-256", f"{MORE}ecdsa-{digest}")
    for document, old, new in (
        (rsa_document, b"#rsa-", b"#ecdsa-"),
        (ecdsa_document, b"#ecdsa-", b"#rsa-"),
    ):
        for key in (pair(), pair("p-256"), pair("p-384")):
            with pytest.raises(BadSignature, match="none of the keys"):
                verify(document.replace(old, new), key)
    with pytest.raises(BadSignature, match="none of the keys"):
        verify(rsa_document, pair("p-256"))
    with pytest.raises(BadSignature, match="none of the keys"):
        verify(ecdsa_document, pair())


@pytest.mark.parametrize("r", [0, 1, "the order"])
def test_the_degenerate_values_of_ecdsa_are_refused(r: object) -> None:
    """r = s = 0 verifies everything where the range is not checked (CVE-2022-21449)."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    number = order if r == "the order" else int(str(r))
    root = etree.fromstring(signed("p-256", f"{MORE}ecdsa-sha256"))
    root.find(".//ds:SignatureValue", NS).text = base64.b64encode(number.to_bytes(32, "big") * 2).decode()
    with pytest.raises(BadSignature, match="none of the keys"):
        verify_element(root, keys(pair("p-256")))


@pytest.mark.parametrize(
    "key_info",
    [
        "<ds:KeyName>k</ds:KeyName>",
        '<ds:RetrievalMethod URI="http://127.0.0.1:1/key"/>',
        '<ds:RetrievalMethod URI="file:///etc/hostname" Type="http://www.w3.org/2000/09/xmldsig#rawX509Certificate"/>',
        "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>%s</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>",
        "<ds:X509Data/><ds:X509Data/>",
        "",
    ],
)
def test_whatever_key_info_says_it_changes_nothing(key_info: str) -> None:
    attacker = pair("rsa-2048", 666)
    numbers = attacker.private.public_key().public_numbers()
    assert isinstance(numbers, rsa.RSAPublicNumbers)
    if "%s" in key_info:
        key_info = key_info % base64.b64encode(numbers.n.to_bytes(256, "big")).decode()
    new = f"<ds:KeyInfo>{key_info}</ds:KeyInfo>".encode()
    replaced = lambda document: re.sub(rb"<ds:KeyInfo>.*</ds:KeyInfo>", lambda _: new, document)  # noqa: E731
    assert verify(replaced(signed()))
    with pytest.raises(BadSignature, match="none of the keys"):
        verify(replaced(sign_element(etree.fromstring(DOCUMENT), attacker.private, attacker.certificate)))


@pytest.mark.parametrize("relative", ['xmlns="1/2"', 'xmlns:v="1/2"', 'xmlns:v="x"', 'xmlns:v="../a"'])
@pytest.mark.parametrize("where", ["content", "signed info", "both"])
def test_void_canonicalisation_is_a_refusal_and_not_the_digest_of_nothing(relative: str, where: str) -> None:
    """libxml2 has no canonical form for a relative namespace URI. Where that counts as empty, a signature over nothing,
    and the digest of nothing, fit every message (ruby-saml, CVE-2025-66568)."""
    void = f"<v {relative}/>" if relative.startswith("xmlns=") else f"<v:x {relative}/>"
    document = signed().decode()
    over_nothing = base64.b64encode(sign_bytes(b"", pair().private)).decode()
    if where in ("content", "both"):
        document = document.replace("<saml:Subject>", f"<saml:Subject>{void}")
        document = re.sub("(<ds:DigestValue>)[^<]*", rf"\g<1>{DIGEST_OF_NOTHING}", document)
    if where in ("signed info", "both"):
        document = document.replace("<ds:SignedInfo", f"<ds:SignedInfo {relative.replace('xmlns=', 'xmlns:w=')}")
        document = re.sub("(<ds:SignatureValue>)[^<]*", rf"\g<1>{over_nothing}", document)
    with pytest.raises(BadSignature, match=r"canonical form|none of the keys"):
        verify(document.encode())


@pytest.mark.parametrize("empty", [b'<x xmlns="1/2"/>', b'<v:x xmlns:v="1/2"/>'])
def test_a_true_signature_over_nothing_does_not_cover_a_document_without_canonical_form(empty: bytes) -> None:
    document = DOCUMENT.replace(b"<saml:Subject>", b"<saml:Subject>" + empty)
    signature = signature_for(b"", "_r", pair().private, pair().certificate).encode()
    with pytest.raises(BadSignature, match="canonical form"):
        verify(document.replace(b"</saml:Issuer>\n", b"</saml:Issuer>" + signature + b"\n", 1))


def test_a_prefix_list_that_would_cost_much_is_not_worked_through() -> None:
    listing = f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="{"saml " * 5_000}"/>'
    document = re.sub(
        rb"(</ds:Transform><ds:Transform [^>]*)(/>|></ds:Transform>)|(/><ds:Transform [^>]*)/>",
        lambda m: (m[1] or m[3]) + b">" + listing.encode() + b"</ds:Transform>",
        signed(),
        count=1,
    )
    assert b"PrefixList" in document
    with pytest.raises(BadSignature, match="prefixes"):
        verify(document)
