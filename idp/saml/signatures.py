"""XML signatures with lxml and `cryptography`, in process: enveloped ones over an element, detached ones over a query.

Keys come from metadata and from our key store, never from a KeyInfo. What is not on the lists here is refused by name;
SHA-1 is on none. Encryption is in `encryption`. Structure rules: SAML Core 5.4, XMLDSIG 1.1.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from lxml import etree

from idp.saml.xml import DS, BadXml, Element, canonical

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

MORE = "http://www.w3.org/2001/04/xmldsig-more#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DS}enveloped-signature"
MIN_RSA_BITS = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")


class BadSignature(Exception):  # noqa: N818
    """The signature does not hold or is not one that we accept; the text says why."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A signature method: its URI, the kind of key it needs, and the digest (a name that hashlib knows)."""

    uri: str
    kind: Literal["rsa", "ecdsa"]
    digest: Literal["sha256", "sha384", "sha512"]


ALGORITHMS = {
    a.uri: a
    for a in (
        Algorithm(f"{MORE}rsa-sha256", "rsa", "sha256"),
        Algorithm(f"{MORE}rsa-sha384", "rsa", "sha384"),
        Algorithm(f"{MORE}rsa-sha512", "rsa", "sha512"),
        Algorithm(f"{MORE}ecdsa-sha256", "ecdsa", "sha256"),
        Algorithm(f"{MORE}ecdsa-sha384", "ecdsa", "sha384"),
        Algorithm(f"{MORE}ecdsa-sha512", "ecdsa", "sha512"),
    )
}
DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    f"{MORE}sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
DIGEST_URIS = {name: uri for uri, name in DIGESTS.items()}
_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


def algorithm_for(key: PrivateKey | PublicKey) -> Algorithm:
    """What we sign with when nobody asks for anything else: SHA-256, with P-384 SHA-384, with P-521 SHA-512."""
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return ALGORITHMS[f"{MORE}rsa-sha256"]
    return ALGORITHMS[MORE + {256: "ecdsa-sha256", 384: "ecdsa-sha384", 521: "ecdsa-sha512"}[key.curve.key_size]]


def public_key(certificate: str) -> PublicKey:
    """The key in a certificate, PEM or the bare base64 of metadata. Raises BadSignature for one that is too weak.

    Dates and issuer of the certificate say nothing: what vouches for the key is the metadata it stands in.
    """
    body = "".join(line for line in certificate.split() if not line.startswith("-----") and not line.endswith("-----"))
    try:
        if "-----BEGIN" in certificate:
            key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        else:
            key = x509.load_der_x509_certificate(base64.b64decode(body, validate=True)).public_key()
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise BadSignature("the certificate cannot be read") from None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES:
        return key
    raise BadSignature("the certificate holds neither an RSA key of 2048 bits or more nor one on P-256, P-384 or P-521")


def private_key(pem: bytes) -> PrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("SAML signs with RSA and ECDSA keys only")
    return key


def sign_bytes(data: bytes, key: PrivateKey, algorithm: Algorithm | None = None) -> bytes:
    """The value of a ds:SignatureValue, before base64. ECDSA: r and s, each as long as the curve (RFC 4051 2.3.6)."""
    algorithm = algorithm or algorithm_for(key)
    digest = _HASHES[algorithm.digest]()
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), digest)
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def verify_bytes(data: bytes, signature: bytes, uri: str, keys: list[PublicKey]) -> None:
    """Raises BadSignature unless one of `keys` made the signature with the method `uri`."""
    algorithm = ALGORITHMS.get(uri)
    if algorithm is None:
        raise BadSignature("the signature method is not on the list of accepted ones (SHA-1 is not)")
    if not any(_verifies(data, signature, algorithm, key) for key in keys):
        raise BadSignature("no key in the metadata of the sender made this signature")


def _verifies(data: bytes, signature: bytes, algorithm: Algorithm, key: PublicKey) -> bool:
    digest = _HASHES[algorithm.digest]()
    try:
        # The kind of key is bound to the method: an RSA key never serves as the secret of another one.
        if isinstance(key, rsa.RSAPublicKey) and algorithm.kind == "rsa":
            key.verify(signature, data, padding.PKCS1v15(), digest)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm.kind == "ecdsa":
            size = (key.curve.key_size + 7) // 8
            if len(signature) != 2 * size:
                return False
            r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
            key.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(digest))
            return True
    except InvalidSignature:
        return False
    return False


def sign_element(root: Element, key: PrivateKey, certificate: str, algorithm: Algorithm | None = None) -> bytes:
    """The document of `root` with an enveloped signature over it, after the Issuer when there is one (SAML Core 5.4).

    `root` is a document element with an `ID`. Gives UTF-8 without XML declaration.
    """
    algorithm = algorithm or algorithm_for(key)
    digest = _digest(algorithm.digest, canonical(root))
    # Written in its canonical form, so that what is signed and what is sent are the same characters.
    signed_info = (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{algorithm.uri}"></ds:SignatureMethod><ds:Reference URI="#{root.get("ID")}">'
        f'<ds:Transforms><ds:Transform Algorithm="{ENVELOPED}"></ds:Transform><ds:Transform Algorithm="{EXCLUSIVE}">'
        f'</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="{DIGEST_URIS[algorithm.digest]}"></ds:DigestMethod>'
        f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )
    value = base64.b64encode(sign_bytes(signed_info.encode(), key, algorithm)).decode()
    signature = (
        f'<ds:Signature xmlns:ds="{DS}">{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>'
        f"<ds:X509Certificate>{bare(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
    )
    has_issuer = len(root) > 0 and root[0].tag == "{urn:oasis:names:tc:SAML:2.0:assertion}Issuer"
    root.insert(1 if has_issuer else 0, etree.fromstring(signature))
    return bytes(etree.tostring(root, encoding="utf-8"))


def bare(certificate: str) -> str:
    """The base64 of a PEM certificate on one line, as metadata and KeyInfo carry it."""
    return "".join(line for line in certificate.splitlines() if line and not line.startswith("-----"))


def signature_of(element: Element) -> Element | None:
    """The signature that is a direct child of `element`. Raises BadSignature when there are several."""
    found = element.findall(f"{{{DS}}}Signature")
    if len(found) > 1:
        raise BadSignature("the element carries more than one signature")
    return found[0] if found else None


def verify_element(element: Element, keys: list[PublicKey]) -> bytes:
    """The canonical bytes of `element`, without its signature, that a key of `keys` has signed: read from nothing else.

    Raises BadSignature. The signature must be the one direct child, refer to this element and to nothing besides.
    """
    signature = signature_of(element)
    if signature is None:
        raise BadSignature("the element is not signed")
    signed_info, value = _parts(signature)
    method, prefixes, digest_name, digest = _reference(signed_info, element.get("ID", ""))
    try:
        info_prefixes = _prefixes(signed_info[0])
        verify_bytes(canonical(signed_info, info_prefixes), value, method, keys)
        content = canonical(_without_signature(element), prefixes)
    except BadXml as error:
        raise BadSignature(str(error)) from None
    if not hmac.compare_digest(_digest(digest_name, content), digest):
        raise BadSignature("the element was changed after it was signed")
    return content


def _parts(signature: Element) -> tuple[Element, bytes]:
    children = _elements(signature)
    names = [child.tag.rpartition("}")[2] for child in children]
    if names not in (["SignedInfo", "SignatureValue"], ["SignedInfo", "SignatureValue", "KeyInfo"]):
        raise BadSignature("the signature is not made of one SignedInfo, one SignatureValue and at most one KeyInfo")
    return children[0], _decode(children[1])


def _reference(signed_info: Element, ident: str) -> tuple[str, list[str], str, str]:
    """Signature method, PrefixList, digest name and digest (base64) of the one reference, which must be to `ident`."""
    children = _elements(signed_info)
    if [child.tag for child in children] != [
        f"{{{DS}}}{n}" for n in ("CanonicalizationMethod", "SignatureMethod", "Reference")
    ]:
        raise BadSignature("SignedInfo does not hold exactly one reference")
    if children[0].get("Algorithm") != EXCLUSIVE or len(children[1]) > 0:
        raise BadSignature("SignedInfo must be in exclusive canonical form without comments")
    reference = children[2]
    if not ident or reference.get("URI") != f"#{ident}":
        raise BadSignature("the signature does not refer to the element that holds it")
    parts = _elements(reference)
    if [part.tag for part in parts] != [f"{{{DS}}}{n}" for n in ("Transforms", "DigestMethod", "DigestValue")]:
        raise BadSignature("the reference is not made of Transforms, DigestMethod and DigestValue")
    transforms = _elements(parts[0])
    if [t.get("Algorithm") for t in transforms] != [ENVELOPED, EXCLUSIVE] or len(transforms[0]) > 0:
        raise BadSignature("the transforms are not enveloped-signature and exclusive canonical form, in this order")
    digest_name = DIGESTS.get(parts[1].get("Algorithm", ""))
    if digest_name is None:
        raise BadSignature("the digest method is not on the list of accepted ones (SHA-1 is not)")
    digest = base64.b64encode(_decode(parts[2])).decode()
    return children[1].get("Algorithm", ""), _prefixes(transforms[1]), digest_name, digest


def _prefixes(method: Element) -> list[str]:
    """The PrefixList of exclusive canonicalisation; no other parameter is accepted."""
    children = _elements(method)
    if not children:
        return []
    if len(children) > 1 or children[0].tag != f"{{{EXCLUSIVE}}}InclusiveNamespaces" or len(children[0]) > 0:
        raise BadSignature("a transform carries a parameter that is not accepted")
    return str(children[0].get("PrefixList", "")).split()


def _elements(parent: Element) -> list[Element]:
    """The children, of which each must be an element: a comment inside a signature has no honest use."""
    children = list(parent)
    if any(not isinstance(child.tag, str) for child in children):
        raise BadSignature("the signature holds a comment or something else that is not an element")
    return children


def _decode(element: Element) -> bytes:
    if len(element) > 0:
        raise BadSignature("a value in the signature is not plain text")
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadSignature("a value in the signature is not base64") from None


def _digest(name: str, data: bytes) -> str:
    return base64.b64encode(hashlib.new(name, data).digest()).decode()


def _without_signature(element: Element) -> Element:
    """The same element in a copy of the whole document (namespaces of its ancestors count), its own signature taken out."""
    tree = element.getroottree()
    copy = deepcopy(tree).find(tree.getelementpath(element))
    signature = signature_of(copy)
    assert signature is not None
    before, tail = signature.getprevious(), signature.tail or ""
    copy.remove(signature)
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        copy.text = (copy.text or "") + tail
    return copy
