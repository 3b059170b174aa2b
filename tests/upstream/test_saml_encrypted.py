"""Owns encrypted assertions and names of a SAML upstream, through the whole door: which are opened, and which never."""

import re

import pytest
from lxml import etree

from idp.domain.upstream import FederatedLogin
from idp.saml import encryption
from tests.saml.peer import pair
from tests.upstream import saml_attacks as attacks
from tests.upstream.saml_browser import Way


@pytest.mark.parametrize("sign", [("assertion",), ("response",), ("assertion", "response")])
@pytest.mark.parametrize("transport", [encryption.OAEP, encryption.OAEP_11])
def test_encrypted_assertions_are_read(way, our_certificate, sign, transport):
    fields = way.answer(way.leave(), encrypt_for=our_certificate[1], sign=sign, transport_uri=transport)

    assert way.come_back(fields).status_code == 303


def test_an_encrypted_name_is_read(way, our_certificate, repo):
    way.browser.follow(way.come_back(way.answer(way.leave(), encrypt_name_for=our_certificate[1])))

    assert [login.subject for login in repo.find(FederatedLogin)] == ["user-1"]


def test_cbc_is_refused_unless_it_was_set(way, refused_for, our_certificate, set_settings):
    changes = {"encrypt_for": our_certificate[1], "method_uri": encryption.AES256_CBC}
    assert refused_for(**changes) == "decryption"

    set_settings(cbc="true")
    assert way.come_back(way.answer(way.leave(), **changes)).status_code == 303


def test_an_assertion_in_clear_is_refused_where_encryption_was_set(app, browser, idp, add_saml, refused_for):
    add_saml("strict", encrypted="true")

    assert refused_for(Way(app, browser, idp, "strict")) == "decryption"


def _edit_cipher(change):
    def attack(text):
        import base64

        values = re.findall(r"<xenc:CipherValue>([^<]*)</xenc:CipherValue>", text)
        data = base64.b64encode(change(base64.b64decode(values[-1]))).decode()
        return text.replace(values[-1], data)

    return attack


SPOILED = {
    "a tag of 12 bytes": _edit_cipher(lambda data: data[:-4]),
    "a bit that is turned": _edit_cipher(lambda data: data[:40] + bytes((data[40] ^ 1,)) + data[41:]),
    "nothing in it": _edit_cipher(lambda data: b""),
    "RSA 1.5": lambda text: text.replace("xmlenc#rsa-oaep-mgf1p", "xmlenc#rsa-1_5"),
    "3DES": lambda text: text.replace("2009/xmlenc11#aes256-gcm", "2001/04/xmlenc#tripledes-cbc"),
}


@pytest.mark.parametrize("name", list(SPOILED))
def test_an_encrypted_assertion_with_this_is_refused_like_any_other(refused_for, our_certificate, name):
    assert refused_for(encrypt_for=our_certificate[1], after_signing=SPOILED[name]) == "decryption"


def test_an_assertion_for_somebody_elses_key_is_refused(refused_for, our_certificate):
    assert refused_for(encrypt_for=pair(which=9).certificate) == "decryption"


def test_an_encrypted_assertion_that_nobody_signed_is_refused(refused_for, our_certificate):
    """Everybody has the certificate to encrypt for us."""
    assert refused_for(encrypt_for=our_certificate[1], sign=()) == "signature"
    assert refused_for(encrypt_for=our_certificate[1], key=pair(which=9)) == "signature"


def test_a_wrapped_assertion_inside_of_an_encrypted_one_is_refused(refused_for, our_certificate):
    key, certificate = our_certificate

    def wrap(text):
        plain = re.search(r"<saml:Assertion .*</saml:Assertion>", text)[0]
        response = etree.fromstring(text.encode())
        evil = attacks.without_signature(attacks.in_the_name_of_eve(attacks.assertion(response)))
        evil.append(etree.fromstring(plain))
        data = encryption.encrypt(etree.tostring(evil), key, certificate).decode()
        return text.replace(plain, f"<saml:EncryptedAssertion>{data}</saml:EncryptedAssertion>")

    assert refused_for(after_signing=wrap) in ("structure", "decryption")


@pytest.mark.parametrize("order", ["plain first", "encrypted first"])
def test_a_plain_assertion_beside_an_encrypted_one_is_refused(way, refused_for, our_certificate, order):
    def both(text):
        plain = re.search(r"<saml:Assertion .*</saml:Assertion>", text)
        data = encryption.encrypt(plain[0].replace("user-1", "eve").encode(), *our_certificate).decode()
        hidden = f"<saml:EncryptedAssertion>{data}</saml:EncryptedAssertion>"
        return text.replace(plain[0], plain[0] + hidden if order == "plain first" else hidden + plain[0])

    assert refused_for(after_signing=both) == "structure"
