"""What is not decrypted: other methods, other keys, changed cipher text; and that all of it fails alike."""

import base64
import re
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lxml import etree

from idp.saml.encryption import AES128_GCM, AES256_CBC, AES256_GCM, DecryptionFailed, decrypt
from tests.saml.peer import pair
from tests.saml.test_encryption import SECRET, SESSION_KEY, around, cbc, data_with, opened, sealed, wrapped_key


def flipped(value: bytes, at: int) -> bytes:
    raw = bytearray(base64.b64decode(value))
    raw[at] ^= 1
    return base64.b64encode(raw)


def failure(document: bytes, *, cbc: bool = False) -> BaseException:
    with pytest.raises(DecryptionFailed) as caught:
        opened(document, cbc=cbc)
    return caught.value


def test_a_changed_or_cut_cipher_text_gives_one_uniform_failure() -> None:
    good = sealed()
    wrapped, content = re.findall(rb"<xenc:CipherValue>([^<]*)", good)
    raw = base64.b64decode(content)
    bad = [flipped(content, at) for at in (0, 11, 12, 20, -16, -1)]
    bad += [base64.b64encode(raw[:size]) for size in (0, 5, 12, 20, 27, 28, len(raw) - 1)]
    documents = [good.replace(content, one) for one in bad]
    documents += [good.replace(wrapped, one) for one in (b"", b"AAAA", flipped(wrapped, 0), flipped(wrapped, -1))]
    for document in documents:
        error = failure(document)
        assert str(error) == ""
        assert error.__cause__ is None
        assert error.__suppress_context__


@pytest.mark.parametrize("length", [4, 8, 12, 13, 14, 15])
def test_an_aes_gcm_tag_that_is_shorter_than_16_bytes_is_refused(length: int) -> None:
    """A short tag can be guessed, and the key of its authentication then computed (SimpleSAMLphp, CVE-2026-32600)."""
    nonce = secrets.token_bytes(12)
    encryptor = Cipher(algorithms.AES(SESSION_KEY), modes.GCM(nonce)).encryptor()
    cipher = nonce + encryptor.update(SECRET) + encryptor.finalize() + encryptor.tag[:length]
    with pytest.raises(DecryptionFailed):
        opened(around(data_with(wrapped_key(), cipher)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2009/xmlenc11#aes256-gcm", b"2001/04/xmlenc#aes256-cbc"),
        (b"2009/xmlenc11#aes256-gcm", b"2001/04/xmlenc#tripledes-cbc"),
        (b"aes256-gcm", b"aes128-gcm"),
        (b"aes256-gcm", b"aes256-ctr"),
        (b"rsa-oaep-mgf1p", b"rsa-1_5"),
        (b"rsa-oaep-mgf1p", b"kw-aes256"),
        (b"xmldsig#sha1", b"xmldsig#md5"),
        (b"2000/09/xmldsig#sha1", b"2001/04/xmlenc#sha256"),
        (b"CipherValue>", b"CipherReference>"),
        (b"EncryptedData", b"EncryptedOther"),
        (
            b"<xenc:EncryptedData",
            b'<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"/><xenc:EncryptedData',
        ),
        (b"<xenc:CipherValue>", b"<xenc:CipherValue><!-- -->"),
        (b"<xenc:CipherValue>", b"<xenc:CipherValue>*"),
    ],
)
def test_other_methods_and_other_shapes_are_refused(old: bytes, new: bytes) -> None:
    good = sealed()
    assert old in good
    failure(good.replace(old, new))


def test_rsa_1_5_is_not_opened_even_when_the_key_inside_is_right() -> None:
    public = pair().private.public_key()
    value = base64.b64encode(public.encrypt(SESSION_KEY, padding.PKCS1v15())).decode()  # type: ignore[union-attr]
    key = re.sub(r"(<xenc:CipherValue>)[^<]*", rf"\g<1>{value}", wrapped_key())
    failure(around(data_with(key)))
    failure(around(data_with(key.replace("rsa-oaep-mgf1p", "rsa-1_5"))))


def test_another_key_does_not_open_it() -> None:
    for keys in ([pair("rsa-2048", 1).private], []):
        with pytest.raises(DecryptionFailed):
            decrypt(etree.fromstring(sealed()), keys)  # type: ignore[arg-type]


def test_a_key_of_the_wrong_length_is_refused() -> None:
    failure(around(data_with(wrapped_key(key=SESSION_KEY[:16]))))
    failure(around(data_with(wrapped_key(), method=AES128_GCM)))


# ---------------------------------------------------------------- CBC, which nothing protects


def test_cbc_is_opened_only_where_it_was_chosen() -> None:
    assert opened(sealed(AES256_CBC), cbc=True) == SECRET
    assert opened(sealed(AES256_GCM), cbc=True) == SECRET
    failure(sealed(AES256_CBC))


def test_the_last_byte_alone_says_how_long_the_padding_is() -> None:
    """XMLENC 5.2.4: the other bytes of it may be anything, and peers do fill them with random ones."""
    for extra in range(16):
        content = SECRET.replace(b"Zo", b"Zo" + b"o" * extra)
        fill = 16 - len(content) % 16
        padded = content + secrets.token_bytes(fill - 1) + bytes((fill,))
        assert opened(around(data_with(wrapped_key(), cbc(padded), AES256_CBC)), cbc=True) == content


def test_wrong_padding_wrong_length_and_wrong_content_fail_alike_in_cbc() -> None:
    """What an attacker needs to open a message byte by byte is any difference between these."""
    block = b"<a>.</a>"
    broken = {
        "padding of 0": cbc(block + b"-------\x00"),
        "padding of 17": cbc(block + b"-------\x11"),
        "padding of 255": cbc(block + b"-------\xff"),
        "padding right, content not XML": cbc(b"<a>.-------" + b"\x05" * 5),
        "no block": secrets.token_bytes(16),
        "half a block": cbc(block * 2)[:-8],
        "nothing": b"",
    }
    failures = {}
    for name, cipher in broken.items():
        error = failure(around(data_with(wrapped_key(), cipher, AES256_CBC)), cbc=True)
        failures[name] = (type(error), error.args, error.__cause__, error.__suppress_context__)
    assert set(failures.values()) == {(DecryptionFailed, (), None, True)}
