"""Encrypted assertions against the xmlsec1 program, and what is not decrypted."""

import base64
import re

import pytest
from lxml import etree

from idp.saml.encryption import AES128_GCM, AES256_GCM, Content, DecryptionFailed, decrypt, encrypt
from tests.saml.peer import NS, Xmlsec, pair

SECRET = '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">Zoë &amp; 😀</saml:Assertion>'.encode()
METHODS = pytest.mark.parametrize("method", [AES256_GCM, AES128_GCM])


def encrypted(method: Content = AES256_GCM) -> bytes:
    return encrypt(SECRET, pair().private.public_key(), pair().certificate, method)  # type: ignore[arg-type]


def opened(data: bytes, which: int = 0) -> bytes:
    return decrypt(etree.fromstring(data), pair("rsa-2048", which).private)  # type: ignore[arg-type]


@METHODS
def test_xmlsec1_decrypts_what_we_encrypt(method: Content, xmlsec: Xmlsec) -> None:
    document = xmlsec.decrypt(b"<r>" + encrypted(method) + b"</r>", pair().pem)
    assert etree.canonicalize(etree.fromstring(document)[0]) == etree.canonicalize(etree.fromstring(SECRET))


@METHODS
def test_we_decrypt_what_xmlsec1_encrypts(method: Content, xmlsec: Xmlsec) -> None:
    template = re.sub(rb"(<xenc:CipherValue>)[^<]*", rb"\1", encrypted(method))
    template = re.sub(rb"(<xenc:EncryptedKey>.*?)<ds:KeyInfo>.*?</ds:KeyInfo>", rb"\1", template)
    size = "aes-256" if method == AES256_GCM else "aes-128"
    document = xmlsec.encrypt(template, b"<r>" + SECRET + b"</r>", pair().certificate, size, "/r/*")
    data = etree.fromstring(document).find("xenc:EncryptedData", NS)
    assert etree.canonicalize(decrypt(data, pair().private).decode()) == etree.canonicalize(SECRET.decode())  # type: ignore[arg-type]


def flipped(value: bytes, at: int) -> bytes:
    raw = bytearray(base64.b64decode(value))
    raw[at] ^= 1
    return base64.b64encode(raw)


def test_a_changed_or_cut_cipher_text_gives_one_uniform_failure() -> None:
    good = encrypted()
    content = re.findall(rb"<xenc:CipherValue>([^<]*)", good)[1]
    raw = base64.b64decode(content)
    for bad in (
        flipped(content, 0),
        flipped(content, 20),
        flipped(content, -1),
        base64.b64encode(raw[:-4]),
        base64.b64encode(raw[:20]),
    ):
        with pytest.raises(DecryptionFailed) as caught:
            opened(good.replace(content, bad))
        assert str(caught.value) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2009/xmlenc11#aes256-gcm", b"2001/04/xmlenc#aes256-cbc"),
        (b"2009/xmlenc11#aes256-gcm", b"2001/04/xmlenc#tripledes-cbc"),
        (b"aes256-gcm", b"aes128-gcm"),
        (b"rsa-oaep-mgf1p", b"rsa-1_5"),
        (b"xmldsig#sha1", b"xmldsig#md5"),
    ],
)
def test_other_methods_than_gcm_and_oaep_are_refused(old: bytes, new: bytes) -> None:
    assert old in encrypted()
    with pytest.raises(DecryptionFailed):
        opened(encrypted().replace(old, new))


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(DecryptionFailed):
        opened(encrypted(), which=1)
