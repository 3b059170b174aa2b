"""Encrypted assertions: where peers put the key, and how they wrap it. What is not opened: test_encryption_refused; against
xmlsec1: test_oracle."""

import base64
import re
import secrets
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from idp.saml import encryption, xml
from idp.saml.encryption import (
    AES256_GCM,
    MAX_KEYS,
    OAEP,
    OAEP_11,
    DecryptionFailed,
    decrypt,
    encrypt,
)
from idp.saml.xml import DS, SAML, SAMLP, XENC
from tests.saml import fixed
from tests.saml.peer import pair

XENC11 = "http://www.w3.org/2009/xmlenc11#"
SECRET = (
    '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_s">Zoë &amp; 😀</saml:Assertion>'.encode()
)
SESSION_KEY = secrets.token_bytes(32)
METHODS = [*encryption.KEY_BYTES, *encryption.CBC_KEY_BYTES]
Digest = Callable[[], hashes.HashAlgorithm]


def sealed(method: str = AES256_GCM, transport: str = OAEP, content: bytes = SECRET) -> bytes:
    """An EncryptedAssertion as we write it."""
    data = encrypt(content, pair().private.public_key(), pair().certificate, method, transport)  # type: ignore[arg-type]
    return around(data)


def around(data: bytes, after: bytes = b"", namespaces: str = "") -> bytes:
    return (
        f'<saml:EncryptedAssertion xmlns:saml="{SAML}"{namespaces}>'.encode()
        + data
        + after
        + b"</saml:EncryptedAssertion>"
    )


def opened(document: bytes, *, cbc: bool = False) -> bytes:
    keys = [pair("rsa-2048", 1).private, pair().private]
    return decrypt(etree.fromstring(document), keys, cbc=cbc)  # type: ignore[arg-type]


# ---------------------------------------------------------------- as others write it


def wrapped_key(
    method: str = f'<xenc:EncryptionMethod Algorithm="{OAEP}"/>',
    digest: Digest = hashes.SHA1,
    mask: Digest = hashes.SHA1,
    label: bytes | None = None,
    attributes: str = "",
    key: bytes = SESSION_KEY,
    which: int = 0,
) -> str:
    """An EncryptedKey, made with the library alone."""
    public = pair("rsa-2048", which).private.public_key()
    value = public.encrypt(key, padding.OAEP(padding.MGF1(mask()), digest(), label))  # type: ignore[union-attr]
    return (
        f'<xenc:EncryptedKey xmlns:xenc="{XENC}" {attributes}>{method}<xenc:CipherData><xenc:CipherValue>'
        f"{base64.encodebytes(value).decode()}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>"
    )


def gcm(content: bytes = SECRET) -> bytes:
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(SESSION_KEY).encrypt(nonce, content, None)


def cbc(padded: bytes) -> bytes:
    vector = secrets.token_bytes(16)
    encryptor = Cipher(algorithms.AES(SESSION_KEY), modes.CBC(vector)).encryptor()
    return vector + encryptor.update(padded) + encryptor.finalize()


def data_with(key_info: str, cipher: bytes | None = None, method: str = AES256_GCM, type_: str = "Element") -> bytes:
    value = base64.encodebytes(gcm() if cipher is None else cipher).decode()
    return (
        f'<xenc:EncryptedData xmlns:xenc="{XENC}" Type="{XENC}{type_}"><xenc:EncryptionMethod Algorithm="{method}"/>'
        f'<ds:KeyInfo xmlns:ds="{DS}">{key_info}</ds:KeyInfo>'
        f"<xenc:CipherData><xenc:CipherValue>{value}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
    ).encode()


@pytest.mark.parametrize("transport", [OAEP, OAEP_11])
@pytest.mark.parametrize("method", METHODS)
def test_what_we_encrypt_in_each_way_we_open_again(method: str, transport: str) -> None:
    assert opened(sealed(method, transport), cbc=True) == SECRET


@pytest.mark.parametrize("transport", [OAEP, OAEP_11])
def test_what_we_write_is_its_own_canonical_form_and_stays_it_inside_of_a_response(transport: str) -> None:
    """The response around it is signed as text, without a tree."""
    document = f'<samlp:Response xmlns:samlp="{SAMLP}">'.encode() + sealed(AES256_GCM, transport) + b"</samlp:Response>"
    assert xml.canonical(etree.fromstring(document)) == document


@pytest.mark.parametrize("transport", [OAEP, OAEP_11])
@pytest.mark.parametrize("method", METHODS)
def test_what_we_write_is_by_the_schema_of_saml(method: str, transport: str) -> None:
    """pysaml2's copy of the schema knows nothing of XML Encryption 1.1, and must not refuse it for that."""
    root = xml.parse(fixed.response(sealed(method, transport).decode(), signed=False), xml.PROTOCOL)
    found = root.find(f"{{{SAML}}}EncryptedAssertion")
    assert decrypt(found, [pair().private], cbc=True) == SECRET  # type: ignore[list-item]


def test_each_encryption_uses_a_key_and_a_nonce_of_its_own() -> None:
    values = [re.findall(rb"<xenc:CipherValue>([^<]*)", sealed()) for _ in range(5)]
    assert len({value for pair_ in values for value in pair_}) == 10
    assert len({base64.b64decode(content)[:12] for _, content in values}) == 5


METHOD_10 = f'<xenc:EncryptionMethod Algorithm="{OAEP}">%s</xenc:EncryptionMethod>'
METHOD_11 = f'<xenc:EncryptionMethod Algorithm="{OAEP_11}">%s</xenc:EncryptionMethod>'
DIGEST = f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="%s"/>'
MASK = f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{XENC11}%s"/>'
SHA512 = f"{XENC}sha512"


@pytest.mark.parametrize(
    ("method", "digest", "mask", "label"),
    [
        (METHOD_10 % "", hashes.SHA1, hashes.SHA1, None),
        (METHOD_10 % DIGEST % f"{DS}sha1", hashes.SHA1, hashes.SHA1, None),
        (METHOD_10 % DIGEST % f"{XENC}sha256", hashes.SHA256, hashes.SHA1, None),
        (METHOD_10 % DIGEST % SHA512, hashes.SHA512, hashes.SHA1, None),
        (METHOD_10 % "<xenc:OAEPparams>bGFiZWw=</xenc:OAEPparams>", hashes.SHA1, hashes.SHA1, b"label"),
        (METHOD_10 % "<xenc:OAEPparams></xenc:OAEPparams>", hashes.SHA1, hashes.SHA1, None),
        (METHOD_10 % DIGEST % f"{DS}sha256", hashes.SHA256, hashes.SHA256, None),  # as npm's xml-encryption does
        (METHOD_10 % DIGEST % f"{DS}sha512", hashes.SHA512, hashes.SHA512, None),
        (METHOD_11 % "", hashes.SHA1, hashes.SHA1, None),
        (METHOD_11 % (DIGEST % f"{XENC}sha256"), hashes.SHA256, hashes.SHA1, None),
        (METHOD_11 % (DIGEST % f"{XENC}sha256" + MASK % "mgf1sha256"), hashes.SHA256, hashes.SHA256, None),
        (METHOD_11 % (DIGEST % SHA512 + MASK % "mgf1sha384"), hashes.SHA512, hashes.SHA384, None),
    ],
)
def test_the_ways_in_which_peers_wrap_a_key_are_all_opened(
    method: str, digest: Digest, mask: Digest, label: bytes | None
) -> None:
    assert opened(around(data_with(wrapped_key(method, digest, mask, label)))) == SECRET


def test_the_key_is_found_inside_of_the_key_info_beside_the_data_or_by_a_retrieval_method() -> None:
    beside = wrapped_key(attributes='Id="_k"').encode()
    retrieval = f'<ds:RetrievalMethod Type="{XENC}EncryptedKey" URI="#_k"/>'
    inside = data_with(wrapped_key())
    for document in (
        around(inside),
        around(data_with(retrieval), beside),
        around(data_with("<ds:KeyName>k</ds:KeyName>"), beside),
        around(re.sub(rb"<ds:KeyInfo.*</ds:KeyInfo>", b"", data_with("")), beside),
    ):
        assert opened(document) == SECRET


def test_of_several_keys_the_one_for_us_is_taken_whatever_recipient_it_names() -> None:
    other = wrapped_key(which=7, attributes='Recipient="https://we.example"')
    strange = wrapped_key(f'<xenc:EncryptionMethod Algorithm="{XENC}rsa-1_5"/>')
    ours = wrapped_key(attributes='Recipient="https://somebody-else.example"')
    assert opened(around(data_with(other + strange), ours.encode())) == SECRET


def test_more_keys_than_anybody_sends_are_not_tried() -> None:
    other = wrapped_key(which=7)
    assert opened(around(data_with(other * (MAX_KEYS - 1) + wrapped_key()))) == SECRET
    with pytest.raises(DecryptionFailed):
        opened(around(data_with(other * MAX_KEYS + wrapped_key())))


def test_a_namespace_that_is_declared_around_the_encrypted_element_is_given_back_to_it() -> None:
    inner = (
        b'<saml:Assertion ID="_s"><saml:AttributeValue xsi:type="xs:string">v</saml:AttributeValue></saml:Assertion>'
    )
    scope = ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    content = opened(around(data_with(wrapped_key(), gcm(inner)), namespaces=scope))
    root = xml.bounded(content, 10_000)
    assert root.tag == f"{{{SAML}}}Assertion"
    assert root.nsmap["xs"] == "http://www.w3.org/2001/XMLSchema"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"<a/><b/>",
        b"<a/>text",
        b"<saml:a/></scope><scope>",
        b"<a>",
        b"<unknown:a/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<a>" * 60 + b"</a>" * 60,
        b"<a>" + b"x" * xml.MAX_MESSAGE_BYTES + b"</a>",
        '<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16"),
        b'<a><b ID="1"/><b ID="1"/></a>',
    ],
)
def test_what_is_inside_must_be_one_bounded_element(content: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        opened(around(data_with(wrapped_key(), gcm(content))))
