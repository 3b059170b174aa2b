"""Signatures and encryption against the xmlsec1 program, which shares no code with ours: each direction, each kind of key and
method, and copies in which one thing was changed."""

import base64
import re

import pytest
from lxml import etree

from idp.saml import encryption
from idp.saml.encryption import DecryptionFailed, decrypt, encrypt
from idp.saml.signatures import ALGORITHMS, MORE, BadSignature, public_key, sign_element, verify_element
from tests.saml.peer import NS, Pair, Xmlsec, pair

KINDS = [("rsa-2048", "rsa"), ("rsa-3072", "rsa"), ("p-256", "ecdsa"), ("p-384", "ecdsa")]
MATRIX = [(kind, f"{MORE}{family}-{digest}") for kind, family in KINDS for digest in ("sha256", "sha384", "sha512")]
METHODS = [*encryption.KEY_BYTES, *encryption.CBC_KEY_BYTES]
DOCUMENT = (
    f'<samlp:Response xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}" xmlns:xs="http://www.w3.org/2001/XMLSchema" ID="_r">'
    '<saml:Issuer>https://idp.example</saml:Issuer>\n  <saml:Assertion ID="_a" Version="2.0"><saml:Issuer>i</saml:Issuer>'
    "<saml:Subject><saml:NameID>Zoë &amp; Čapek&#13;\t😀</saml:NameID></saml:Subject></saml:Assertion>\n</samlp:Response>"
).encode()
SECRET = f'<saml:Assertion xmlns:saml="{NS["saml"]}" ID="_s">Zoë &amp; 😀</saml:Assertion>'.encode()
RESPONSE = NS["samlp"]


def keys(*pairs: Pair) -> list[object]:
    return [public_key(p.certificate) for p in pairs]


def signed(kind: str, method: str) -> bytes:
    key = pair(kind)
    return sign_element(etree.fromstring(DOCUMENT), key.private, key.certificate, ALGORITHMS[method])


def blank(document: bytes) -> bytes:
    """A template for xmlsec1: what we made, without its values."""
    return re.sub(rb"(<ds:(DigestValue|SignatureValue)>)[^<]*", rb"\1", document)


def tampered(document: bytes) -> dict[str, bytes]:
    value = re.search(rb"<ds:SignatureValue>([^<]*)", document)
    digest = re.search(rb"<ds:DigestValue>([^<]*)", document)
    assert value
    assert digest
    changes = {
        "content": (b"https://idp.example<", b"https://idp.exampel<"),
        "inner content": (b">i<", b">j<"),
        "an attribute": (b'Version="2.0"', b'Version="2.1"'),
        "white space": (b"</saml:Assertion>\n", b"</saml:Assertion>\n\n"),
        "the digest": (digest[1], flipped(digest[1], 3)),
        "the value": (value[1], flipped(value[1], 10)),
    }
    copies = {name: document.replace(old, new) for name, (old, new) in changes.items()}
    assert document not in copies.values()
    return copies


def refuses(document: bytes, key: Pair) -> bool:
    try:
        verify_element(etree.fromstring(document), keys(key))
    except BadSignature:
        return True
    return False


def flipped(value: bytes, at: int) -> bytes:
    raw = bytearray(base64.b64decode("".join(value.decode().split())))
    raw[at] ^= 1
    return base64.b64encode(raw)


@pytest.mark.parametrize(("kind", "method"), MATRIX)
def test_xmlsec1_verifies_what_we_sign_and_refuses_each_tampered_copy(kind: str, method: str, xmlsec: Xmlsec) -> None:
    document = signed(kind, method)
    assert xmlsec.verifies(document, pair(kind).certificate, "Response", RESPONSE)
    for name, copy in tampered(document).items():
        assert not xmlsec.verifies(copy, pair(kind).certificate, "Response", RESPONSE), name
    assert not xmlsec.verifies(document, pair(kind, 1).certificate, "Response", RESPONSE)


@pytest.mark.parametrize(("kind", "method"), MATRIX)
def test_we_verify_what_xmlsec1_signs_and_refuse_each_tampered_copy(kind: str, method: str, xmlsec: Xmlsec) -> None:
    document = xmlsec.sign(blank(signed(kind, method)), pair(kind).pem, "Response", RESPONSE)

    content = verify_element(etree.fromstring(document), keys(pair(kind)))

    assert "Zoë &amp; Čapek".encode() in content
    assert b"Signature" not in content
    for name, copy in tampered(document).items():
        assert refuses(copy, pair(kind)), name
    with pytest.raises(BadSignature, match="none of the keys"):
        verify_element(etree.fromstring(document), keys(pair(kind, 1)))


@pytest.mark.parametrize("prefixes", ["xs", "#default", "#default saml xs none"])
def test_a_prefix_list_verifies_on_both_sides_wherever_the_prefixes_are_declared(prefixes: str, xmlsec: Xmlsec) -> None:
    """The prefixes stand on an ancestor and are used in values only, which canonical form does not see by itself."""
    template = re.search(rb"<ds:Signature .*</ds:Signature>", blank(signed("rsa-2048", f"{MORE}rsa-sha256")))
    assert template
    exclusive = b'<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"'
    inclusive = (
        '<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="%s"/></ds:Transform>'
    )
    listing = re.sub(
        exclusive + rb"\s*(/>|></ds:Transform>)",
        exclusive + b">" + (inclusive % prefixes).encode(),
        template[0].replace(b'URI="#_r"', b'URI="#_a"'),
    )
    inner = (
        b'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a"><saml:Issuer>i</saml:Issuer>%s'
        b'<saml:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">v</saml:AttributeValue>'
        b"</saml:Assertion>"
    )
    outer = b'<r xmlns="urn:default" xmlns:xs="http://www.w3.org/2001/XMLSchema">\n %s\n</r>' % (inner % listing)
    document = xmlsec.sign(outer, pair().pem, "Assertion", NS["saml"])

    content = verify_element(etree.fromstring(document)[0], keys(pair()))
    assert (b'xmlns="urn:default"' in content) == ("#default" in prefixes)
    assert (b"xmlns:xs=" in content) == ("xs" in prefixes)
    with pytest.raises(BadSignature):
        verify_element(etree.fromstring(document.replace(b">v<", b">w<"))[0], keys(pair()))


def encrypted(method: str, transport: str = encryption.OAEP) -> bytes:
    sealed = encrypt(SECRET, pair().private.public_key(), pair().certificate, method, transport)  # type: ignore[arg-type]
    return b"<r>" + sealed + b"</r>"


def opened(document: bytes, which: int = 0) -> bytes:
    return decrypt(etree.fromstring(document), [pair("rsa-2048", which).private], cbc=True)  # type: ignore[list-item]


@pytest.mark.parametrize("method", METHODS)
def test_xmlsec1_decrypts_what_we_encrypt(method: str, xmlsec: Xmlsec) -> None:
    document = xmlsec.decrypt(encrypted(method), pair().pem)
    assert etree.canonicalize(etree.fromstring(document)[0]) == etree.canonicalize(etree.fromstring(SECRET))


@pytest.mark.parametrize("method", METHODS)
def test_we_decrypt_what_xmlsec1_encrypts_and_refuse_each_tampered_copy(method: str, xmlsec: Xmlsec) -> None:
    template = re.sub(rb"(<xenc:CipherValue>)[^<]*", rb"\1", encrypted(method)[3:-4])
    template = re.sub(rb"(<xenc:EncryptedKey>.*?)<ds:KeyInfo>.*?</ds:KeyInfo>", rb"\1", template)
    size = f"aes-{8 * {**encryption.KEY_BYTES, **encryption.CBC_KEY_BYTES}[method]}"

    document = xmlsec.encrypt(template, b"<r>" + SECRET + b"</r>", pair().certificate, size, "/r/*")

    assert etree.canonicalize(opened(document).decode()) == etree.canonicalize(SECRET.decode())
    wrapped, content = re.findall(rb"<xenc:CipherValue>([^<]*)", document)
    with pytest.raises(DecryptionFailed):
        opened(document, which=1)
    with pytest.raises(DecryptionFailed):
        opened(document.replace(wrapped, flipped(wrapped, 7)))
    if method in encryption.KEY_BYTES:
        for at in (0, 12, 40, -1):
            with pytest.raises(DecryptionFailed):
                opened(document.replace(content, flipped(content, at)))


@pytest.mark.parametrize("method", [encryption.AES256_GCM, encryption.AES256_CBC])
def test_a_signed_assertion_that_xmlsec1_encrypts_verifies_when_we_have_opened_it(method: str, xmlsec: Xmlsec) -> None:
    """Its namespace is declared on the response only: what is encrypted has to get it back."""
    response = (
        f'<samlp:Response xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}"><saml:EncryptedAssertion>'
        '<saml:Assertion ID="_a"><saml:Issuer>i</saml:Issuer>%s</saml:Assertion></saml:EncryptedAssertion></samlp:Response>'
    )
    template = re.search(rb"<ds:Signature .*</ds:Signature>", blank(signed("rsa-2048", f"{MORE}rsa-sha256")))
    assert template
    unsigned = (response % template[0].decode()).replace('URI="#_r"', 'URI="#_a"').encode()
    sealing = re.sub(rb"(<xenc:CipherValue>)[^<]*", rb"\1", encrypted(method)[3:-4])
    sealing = re.sub(rb"(<xenc:EncryptedKey>.*?)<ds:KeyInfo>.*?</ds:KeyInfo>", rb"\1", sealing)

    whole = xmlsec.sign(unsigned, pair().pem, "Assertion", NS["saml"])
    whole = xmlsec.encrypt(sealing, whole, pair().certificate, "aes-256", "//*[local-name()='Assertion']")
    content = opened(etree.tostring(etree.fromstring(whole)[0]))

    assert b">i<" in verify_element(etree.fromstring(content), keys(pair()))
