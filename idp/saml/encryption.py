"""XML encryption of assertions and names (XMLENC 1.1): AES-GCM, or AES-CBC where it was chosen, under RSA-OAEP.

RSA 1.5 and 3DES are on no list. Every failure to decrypt is the same DecryptionFailed: how far an attempt got would help an
attacker. Leaves what is inside to be parsed and verified anew by the caller, like anything else that is foreign.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from idp.saml.algorithms import bare
from idp.saml.formats import MORE, XENC, XENC11
from idp.saml.xml import DS, MAX_MESSAGE_BYTES, BadXml, Element, bounded

OAEP = f"{XENC}rsa-oaep-mgf1p"
OAEP_11 = f"{XENC11}rsa-oaep"
AES256_GCM, AES128_GCM = f"{XENC11}aes256-gcm", f"{XENC11}aes128-gcm"
AES256_CBC, AES128_CBC = f"{XENC}aes256-cbc", f"{XENC}aes128-cbc"
KEY_BYTES: dict[str, int] = {AES256_GCM: 32, AES128_GCM: 16, f"{XENC11}aes192-gcm": 24}
CBC_KEY_BYTES: dict[str, int] = {AES256_CBC: 32, AES128_CBC: 16, f"{XENC}aes192-cbc": 24}
NONCE_BYTES, TAG_BYTES, BLOCK_BYTES = 12, 16, 16
MAX_KEYS = 8  # encrypted keys in one message: each costs an RSA operation for each of our keys

_OAEP_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    # SHA-1 here is a mask, not a signature: OAEP with it is sound, and xmlsec1 1.2 as well as lasso know no other one.
    f"{DS}sha1": hashes.SHA1,
    f"{XENC}sha256": hashes.SHA256,
    f"{MORE}sha384": hashes.SHA384,
    f"{XENC}sha512": hashes.SHA512,
}
_MASKS: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    f"{XENC11}mgf1sha1": hashes.SHA1,
    f"{XENC11}mgf1sha256": hashes.SHA256,
    f"{XENC11}mgf1sha384": hashes.SHA384,
    f"{XENC11}mgf1sha512": hashes.SHA512,
}
# Names that no standard has: npm's xml-encryption (node-samlp, Auth0) writes them, and then masks with the same hash.
_OF_NODE: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    f"{DS}sha256": hashes.SHA256,
    f"{DS}sha512": hashes.SHA512,
}
_NAMES = {"xenc": XENC, "xenc11": XENC11, "ds": DS}


class DecryptionFailed(Exception):  # noqa: N818
    """The content could not be decrypted with our keys; deliberately says no more."""


@dataclass(frozen=True, slots=True)
class _Transport:
    """How a key is wrapped, and how that is written, in canonical form where `ds` is declared."""

    oaep: padding.OAEP
    parameters: str


_TRANSPORTS = {
    OAEP: _Transport(
        padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),  # noqa: S303  (see above)
        f'<ds:DigestMethod Algorithm="{DS}sha1"></ds:DigestMethod>',
    ),
    OAEP_11: _Transport(
        padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
        f'<ds:DigestMethod Algorithm="{XENC}sha256"></ds:DigestMethod>'
        f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{XENC11}mgf1sha256"></xenc11:MGF>',
    ),
}


def encrypt(
    content: bytes, key: rsa.RSAPublicKey, certificate: str, method: str = AES256_GCM, transport: str = OAEP
) -> bytes:
    """An xenc:EncryptedData of type Element over `content`, a serialised element that declares its own namespaces.

    method, transport: URIs. Raises KeyError for one that we do not use. Written in exclusive canonical form, to be spliced
    into a text that is signed without a tree.
    """
    how = _TRANSPORTS[transport]
    session_key = secrets.token_bytes({**KEY_BYTES, **CBC_KEY_BYTES}[method])
    wrapped = base64.b64encode(key.encrypt(session_key, how.oaep)).decode()
    seal = _seal_gcm if method in KEY_BYTES else _seal_cbc
    cipher = base64.b64encode(seal(session_key, content)).decode()
    return (
        f'<xenc:EncryptedData xmlns:xenc="{XENC}" Id="_{secrets.token_hex(16)}" Type="{XENC}Element">'
        f'<xenc:EncryptionMethod Algorithm="{method}"></xenc:EncryptionMethod><ds:KeyInfo xmlns:ds="{DS}"><xenc:EncryptedKey>'
        f'<xenc:EncryptionMethod Algorithm="{transport}">{how.parameters}</xenc:EncryptionMethod>'
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{bare(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        f"<xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>"
        f"<xenc:CipherData><xenc:CipherValue>{cipher}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
    ).encode()


def decrypt(
    encrypted: Element, keys: Sequence[rsa.RSAPrivateKey], *, cbc: bool = False, limit: int = MAX_MESSAGE_BYTES
) -> bytes:
    """The element inside of an EncryptedAssertion or EncryptedID, as text: to be parsed anew, never moved into another tree.

    Well-formed, of at most `limit` bytes, and with the namespaces that it took from around it; whether it is true is for its
    signature to say. cbc: also open AES-CBC, which anybody can change unseen: only for peers that were set so, and better
    inside of a signed response. The Recipient of a key is not looked at: whether we can open it is what counts.
    """
    try:
        return _decrypted(encrypted, keys, cbc, limit)
    except (DecryptionFailed, ValueError, InvalidTag, BadXml):
        raise DecryptionFailed from None


def _decrypted(encrypted: Element, keys: Sequence[rsa.RSAPrivateKey], cbc: bool, limit: int) -> bytes:
    data = _only(encrypted, "xenc:EncryptedData")
    method = _only(data, "xenc:EncryptionMethod").get("Algorithm", "")
    size = KEY_BYTES.get(method) or (CBC_KEY_BYTES.get(method) if cbc else None)
    if size is None:
        raise DecryptionFailed
    session_key = _session_key(encrypted, data, keys, size)
    return _element(_opened(method, session_key, _value(data)), encrypted, limit)


def _seal_gcm(key: bytes, content: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, None)


def _seal_cbc(key: bytes, content: bytes) -> bytes:
    vector, fill = os.urandom(BLOCK_BYTES), BLOCK_BYTES - len(content) % BLOCK_BYTES
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return vector + encryptor.update(content + bytes((fill,)) * fill) + encryptor.finalize()


def _opened(method: str, key: bytes, cipher: bytes) -> bytes:
    if method in KEY_BYTES:
        if len(cipher) < NONCE_BYTES + TAG_BYTES:
            raise DecryptionFailed
        return AESGCM(key).decrypt(cipher[:NONCE_BYTES], cipher[NONCE_BYTES:], None)
    if len(cipher) < 2 * BLOCK_BYTES or len(cipher) % BLOCK_BYTES:
        raise DecryptionFailed
    decryptor = Cipher(algorithms.AES(key), modes.CBC(cipher[:BLOCK_BYTES])).decryptor()
    padded = decryptor.update(cipher[BLOCK_BYTES:]) + decryptor.finalize()
    # Padding that cannot be is no failure of its own: it goes on like any other text that is not XML, and takes as long.
    fill = padded[-1] if padded[-1] <= BLOCK_BYTES else 0
    return padded[: len(padded) - fill]


def _session_key(encrypted: Element, data: Element, keys: Sequence[rsa.RSAPrivateKey], size: int) -> bytes:
    """The first key that one of ours opens and that is as long as the method needs."""
    wrapped = list(_encrypted_keys(encrypted, data))
    if not 0 < len(wrapped) <= MAX_KEYS:
        raise DecryptionFailed
    for one in wrapped:
        try:
            oaep, value = _oaep(_only(one, "xenc:EncryptionMethod")), _value(one)
        except (DecryptionFailed, KeyError):
            continue
        for key in keys:
            try:
                opened = key.decrypt(value, oaep)
            except ValueError:
                continue
            if len(opened) == size:
                return opened
    raise DecryptionFailed


def _encrypted_keys(encrypted: Element, data: Element) -> Iterator[Element]:
    """In the KeyInfo, beside the data, or beside it and named by a RetrievalMethod of the KeyInfo: in use is each of these."""
    yield from data.iterfind("ds:KeyInfo/xenc:EncryptedKey", _NAMES)
    yield from encrypted.iterfind("xenc:EncryptedKey", _NAMES)


def _oaep(method: Element) -> padding.OAEP:
    """From an EncryptionMethod. In rsa-oaep-mgf1p the mask is SHA-1 whatever the digest; rsa-oaep names both (XMLENC1 5.5.2)."""
    name = method.get("Algorithm", "")
    if name not in _TRANSPORTS:
        raise DecryptionFailed
    digest_name = _named(method, "ds:DigestMethod", f"{DS}sha1")
    mask = _MASKS[_named(method, "xenc11:MGF", f"{XENC11}mgf1sha1") if name == OAEP_11 else f"{XENC11}mgf1sha1"]
    if digest_name in _OF_NODE and name == OAEP:
        digest = mask = _OF_NODE[digest_name]
    else:
        digest = _OAEP_HASHES[digest_name]
    labels = method.findall("xenc:OAEPparams", _NAMES)
    if len(labels) > 1:
        raise DecryptionFailed
    label = _base64(labels[0]) if labels else None
    return padding.OAEP(padding.MGF1(mask()), digest(), label or None)


def _named(method: Element, path: str, default: str) -> str:
    found = [one.get("Algorithm", "") for one in method.iterfind(path, _NAMES)] or [default]
    if len(found) > 1:
        raise DecryptionFailed
    return str(found[0])


def _element(text: bytes, encrypted: Element, limit: int) -> bytes:
    """`text` when it is an element by itself; else with the namespaces that are in scope around `encrypted`.

    Java's and xmlsec's encryption leave declarations out that an ancestor made. Raises BadXml.
    """
    if len(text) > limit:
        raise BadXml("too large")
    try:
        bounded(text, limit)
    except BadXml:
        scope = etree.Element("scope", nsmap=dict(encrypted.nsmap))
        before = etree.tostring(scope)[:-2]
        wrapped = bounded(before + b">" + text + b"</scope>", limit + len(before) + 16)
        if len(wrapped) != 1 or (wrapped.text or "").strip() or (wrapped[0].tail or "").strip():
            raise BadXml("not one element") from None
        return bytes(etree.tostring(wrapped[0], encoding="utf-8", with_tail=False))
    return text


def _only(parent: Element, path: str) -> Element:
    found = parent.findall(path, _NAMES)
    if len(found) != 1:
        raise DecryptionFailed
    return found[0]


def _value(parent: Element) -> bytes:
    return _base64(_only(parent, "xenc:CipherData/xenc:CipherValue"))


def _base64(element: Element) -> bytes:
    if len(element) > 0:
        raise DecryptionFailed
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except binascii.Error:
        raise DecryptionFailed from None
