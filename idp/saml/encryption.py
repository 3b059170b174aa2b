"""XML encryption of assertions: AES-GCM for the content, RSA-OAEP for its key (XMLENC 1.1). Nothing else is accepted.

Every failure to decrypt is the same DecryptionFailed: how far an attempt got would help an attacker (padding oracles).
"""

import base64
import binascii
import os
import secrets
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from idp.saml.signatures import bare
from idp.saml.xml import DS, XENC, Element

XENC11 = "http://www.w3.org/2009/xmlenc11#"
OAEP = f"{XENC}rsa-oaep-mgf1p"
Content = Literal["http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2009/xmlenc11#aes128-gcm"]
AES256_GCM: Content = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
AES128_GCM: Content = "http://www.w3.org/2009/xmlenc11#aes128-gcm"
KEY_BYTES: dict[str, int] = {AES256_GCM: 32, AES128_GCM: 16}
NONCE_BYTES, TAG_BYTES = 12, 16

# SHA-1 here is a mask, not a signature: OAEP with it is sound, and xmlsec1 1.2 as well as lasso know no other one.
_OAEP_SHA1 = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303


class DecryptionFailed(Exception):  # noqa: N818
    """The content could not be decrypted with our key; deliberately says no more."""


def encrypt(content: bytes, key: rsa.RSAPublicKey, certificate: str, method: Content = AES256_GCM) -> bytes:
    """An xenc:EncryptedData of type Element over `content`, a serialised element that declares its own namespaces."""
    session_key, nonce = secrets.token_bytes(KEY_BYTES[method]), os.urandom(NONCE_BYTES)
    wrapped = base64.b64encode(key.encrypt(session_key, _OAEP_SHA1)).decode()
    cipher = base64.b64encode(nonce + AESGCM(session_key).encrypt(nonce, content, None)).decode()
    return (
        f'<xenc:EncryptedData xmlns:xenc="{XENC}" Id="_{secrets.token_hex(16)}" Type="{XENC}Element">'
        f'<xenc:EncryptionMethod Algorithm="{method}"/><ds:KeyInfo xmlns:ds="{DS}"><xenc:EncryptedKey>'
        f'<xenc:EncryptionMethod Algorithm="{OAEP}"><ds:DigestMethod Algorithm="{DS}sha1"/></xenc:EncryptionMethod>'
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{bare(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        f"<xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>"
        f"<xenc:CipherData><xenc:CipherValue>{cipher}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
    ).encode()


def decrypt(data: Element, key: rsa.RSAPrivateKey) -> bytes:
    """The content of an xenc:EncryptedData, as text: to be parsed anew, never moved into another tree."""
    try:
        method = _only(data, "xenc:EncryptionMethod").get("Algorithm", "")
        wrapped = _only(data, "ds:KeyInfo/xenc:EncryptedKey")
        key_method = _only(wrapped, "xenc:EncryptionMethod")
        digests = [d.get("Algorithm") for d in key_method.findall(f"{{{DS}}}DigestMethod")]
        if key_method.get("Algorithm") != OAEP or digests not in ([], [f"{DS}sha1"]):
            raise DecryptionFailed
        session_key = key.decrypt(_value(wrapped), _OAEP_SHA1)
        cipher = _value(data)
        if len(session_key) != KEY_BYTES[method] or len(cipher) < NONCE_BYTES + TAG_BYTES:
            raise DecryptionFailed
        return AESGCM(session_key).decrypt(cipher[:NONCE_BYTES], cipher[NONCE_BYTES:], None)
    except (ValueError, KeyError, InvalidTag, binascii.Error):
        raise DecryptionFailed from None


def _only(parent: Element, path: str) -> Element:
    found = parent.findall(path, {"xenc": XENC, "ds": DS})
    if len(found) != 1:
        raise DecryptionFailed
    return found[0]


def _value(parent: Element) -> bytes:
    text = _only(parent, "xenc:CipherData/xenc:CipherValue").text or ""
    return base64.b64decode("".join(text.split()), validate=True)
