"""Enveloped XML signatures over SAML elements, with lxml and `cryptography`, in process (SAML Core 5.4, XMLDSIG 1.1).

Nothing in a KeyInfo is ever read, no transform is ever run but two fixed ones. Leaves the lists of methods and the operations
on bytes to `algorithms` (and gives their names on, so that callers need one import), encryption to `encryption`.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from idp.saml.algorithms import (
    ALGORITHMS,
    DIGEST_URIS,
    DIGESTS,
    Algorithm,
    BadSignature,
    PrivateKey,
    PublicKey,
    algorithm_for,
    algorithm_named,
    bare,
    private_key,
    public_key,
    sign_bytes,
    verify_bytes,
)
from idp.saml.formats import MORE
from idp.saml.xml import DS, SAML, BadXml, Element, canonical

__all__ = [
    "ALGORITHMS",
    "MORE",
    "Algorithm",
    "BadSignature",
    "PrivateKey",
    "PublicKey",
    "Reference",
    "algorithm_for",
    "algorithm_named",
    "bare",
    "private_key",
    "public_key",
    "sign_bytes",
    "sign_element",
    "signature_for",
    "signature_of",
    "signed_reference",
    "verify_bytes",
    "verify_element",
]

EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DS}enveloped-signature"
MAX_PREFIXES = 32  # each is looked for at each element
_SAFE_ID = re.compile(r"[A-Za-z_][\w.\-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """What was signed: the digest of an element in exclusive canonical form with this PrefixList. digest_name: as in hashlib."""

    prefixes: tuple[str, ...]
    digest_name: str
    digest: bytes


def signature_for(
    canonical: bytes, ident: str, key: PrivateKey, certificate: str, algorithm: Algorithm | None = None
) -> str:
    """The text of a ds:Signature over an element whose exclusive canonical form, without signature, is `canonical`.

    ident: the ID of that element. certificate: PEM or bare. The caller puts it right after the Issuer (SAML Core 5.4).
    """
    if not _SAFE_ID.fullmatch(ident):
        raise ValueError("an ID that is signed must be a plain name")
    algorithm = algorithm or algorithm_for(key)
    before, between = _signed_info(algorithm)
    digest = base64.b64encode(hashlib.new(algorithm.digest, canonical).digest()).decode()
    signed_info = f"{before}{ident}{between}{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    value = base64.b64encode(sign_bytes(signed_info.encode(), key, algorithm)).decode()
    # Without what the element around it declares: the result is canonical itself, for a message around it that is signed too.
    inner = signed_info.replace(f' xmlns:ds="{DS}"', "", 1)
    return (
        f'<ds:Signature xmlns:ds="{DS}">{inner}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>'
        f"<ds:X509Certificate>{bare(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
    )


@lru_cache(maxsize=len(ALGORITHMS))
def _signed_info(algorithm: Algorithm) -> tuple[str, str]:
    """SignedInfo up to the ID, and from there to the digest. In its canonical form: what is signed is what is sent."""
    return (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{algorithm.uri}"></ds:SignatureMethod><ds:Reference URI="#',
        f'"><ds:Transforms><ds:Transform Algorithm="{ENVELOPED}"></ds:Transform><ds:Transform Algorithm="{EXCLUSIVE}">'
        f'</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="{DIGEST_URIS[algorithm.digest]}"></ds:DigestMethod>'
        "<ds:DigestValue>",
    )


def sign_element(root: Element, key: PrivateKey, certificate: str, algorithm: Algorithm | None = None) -> bytes:
    """The document of `root` with an enveloped signature over it, after the Issuer when there is one.

    `root` is a document element with an `ID`. Gives UTF-8 without XML declaration. For messages that come often, write them
    in canonical form and use `signature_for`: it needs no tree.
    """
    signature = signature_for(canonical(root), root.get("ID") or "", key, certificate, algorithm)
    has_issuer = len(root) > 0 and root[0].tag == f"{{{SAML}}}Issuer"
    root.insert(1 if has_issuer else 0, etree.fromstring(signature))
    return bytes(etree.tostring(root, encoding="utf-8"))


def signature_of(element: Element) -> Element | None:
    """The signature that is a direct child of `element`. Raises BadSignature when there are several."""
    found = element.findall(f"{{{DS}}}Signature")
    if len(found) > 1:
        raise BadSignature("the element carries more than one signature")
    return found[0] if found else None


def verify_element(
    element: Element, keys: Sequence[PublicKey], algorithms: Collection[Algorithm] | None = None
) -> bytes:
    """The canonical bytes of `element`, without its signature, that a key of `keys` has signed: read from nothing else.

    Raises BadSignature. The signature must be the one direct child, refer to this element and to nothing besides.
    """
    signature = signature_of(element)
    if signature is None:
        raise BadSignature("the element is not signed")
    reference = signed_reference(signature, element.get("ID", ""), keys, algorithms)
    try:
        content = canonical(_without_signature(element), list(reference.prefixes))
    except BadXml as error:
        raise BadSignature(str(error)) from None
    if not hmac.compare_digest(hashlib.new(reference.digest_name, content).digest(), reference.digest):
        raise BadSignature("the element was changed after it was signed")
    return content


def signed_reference(
    signature: Element, ident: str, keys: Sequence[PublicKey], algorithms: Collection[Algorithm] | None = None
) -> Reference:
    """The one reference of `signature`, which must be to `ident`, once a key of `keys` has vouched for it.

    The half of `verify_element` before the content: for documents that are digested as a stream. Raises BadSignature.
    """
    signed_info, value = _parts(signature)
    method, reference = _reference(signed_info, ident)
    try:
        text = canonical(signed_info, _prefixes(signed_info[0]))
    except BadXml as error:
        raise BadSignature(str(error)) from None
    verify_bytes(text, value, method, keys, algorithms)
    return reference


def _parts(signature: Element) -> tuple[Element, bytes]:
    children = _elements(signature)
    names = [child.tag for child in children]
    expected = [f"{{{DS}}}{name}" for name in ("SignedInfo", "SignatureValue", "KeyInfo")]
    if names not in (expected, expected[:2]):
        raise BadSignature("the signature is not made of one SignedInfo, one SignatureValue and at most one KeyInfo")
    return children[0], _decode(children[1])


def _reference(signed_info: Element, ident: str) -> tuple[str, Reference]:
    """The signature method, and the one reference, which must be to `ident`."""
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
    if len(parts[1]) > 0:
        raise BadSignature("the digest method has parameters, and none that we accept takes any")
    if digest_name is None:
        raise BadSignature("the digest method is not on the list of accepted ones (SHA-1 is not)")
    found = Reference(tuple(_prefixes(transforms[1])), digest_name, _decode(parts[2]))
    return children[1].get("Algorithm", ""), found


def _prefixes(method: Element) -> list[str]:
    """The PrefixList of exclusive canonicalisation; no other parameter is accepted."""
    children = _elements(method)
    if not children:
        return []
    if len(children) > 1 or children[0].tag != f"{{{EXCLUSIVE}}}InclusiveNamespaces" or len(children[0]) > 0:
        raise BadSignature("a transform carries a parameter that is not accepted")
    listed = str(children[0].get("PrefixList", "")).split()
    if len(listed) > MAX_PREFIXES:
        raise BadSignature("a transform lists more prefixes than anybody uses")
    return listed


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
