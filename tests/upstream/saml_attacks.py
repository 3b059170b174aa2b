"""Owns ways to turn a true SAML Response into one that lies: signature wrapping, forged signatures, hostile XML.

Each takes the text of a Response and gives that of another one. Where somebody else is named, it is eve.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from idp.saml.signatures import sign_element
from idp.saml.xml import canonical
from tests.saml.peer import NS, Pair, pair

Attack = Callable[[str], str]
EVIL_ID = "_evil"


def _signature(element: Any) -> Any:
    return element.find("ds:Signature", NS)


def without_signature(element: Any) -> Any:
    copy = deepcopy(element)
    copy.remove(_signature(copy))
    return copy


def in_the_name_of_eve(element: Any) -> Any:
    """A copy that names eve, under another ID."""
    copy = deepcopy(element)
    copy.set("ID", EVIL_ID)
    for name in copy.iter(f"{{{NS['saml']}}}NameID"):
        name.text = "eve"
    return copy


def assertion(root: Any) -> Any:
    return root.find("saml:Assertion", NS)


# ---------------------------------------------------------------- XSW 1 and 2: of a signed Response


def xsw_1(root: Any) -> Any:
    evil = in_the_name_of_eve(root)
    assertion(evil).set("ID", "_evil_assertion")
    _signature(evil).append(without_signature(root))
    return evil


def xsw_2(root: Any) -> Any:
    evil = in_the_name_of_eve(root)
    assertion(evil).set("ID", "_evil_assertion")
    _signature(evil).addprevious(without_signature(root))
    return evil


# ---------------------------------------------------------------- XSW 3 to 8: of a signed Assertion


def xsw_3(root: Any) -> Any:
    true = assertion(root)
    true.addprevious(without_signature(in_the_name_of_eve(true)))
    return root


def xsw_4(root: Any) -> Any:
    true = assertion(root)
    evil = without_signature(in_the_name_of_eve(true))
    true.addprevious(evil)
    evil.append(true)
    return root


def xsw_5(root: Any) -> Any:
    true = assertion(root)
    root.replace(true, in_the_name_of_eve(true))
    root.append(without_signature(true))
    return root


def xsw_6(root: Any) -> Any:
    true = assertion(root)
    evil = in_the_name_of_eve(true)
    root.replace(true, evil)
    _signature(evil).append(without_signature(true))
    return root


def xsw_7(root: Any) -> Any:
    extensions = etree.Element(f"{{{NS['samlp']}}}Extensions")
    extensions.append(without_signature(in_the_name_of_eve(assertion(root))))
    root.insert(1, extensions)
    return root


def xsw_8(root: Any) -> Any:
    true = assertion(root)
    evil = in_the_name_of_eve(true)
    root.replace(true, evil)
    etree.SubElement(_signature(evil), f"{{{NS['ds']}}}Object").append(without_signature(true))
    return root


def wrapped(change: Callable[[Any], Any]) -> Attack:
    return lambda text: etree.tostring(change(etree.fromstring(text.encode()))).decode()


def evil_beside(where: str, *, signed_by: Pair | None = None) -> Attack:
    """A second assertion before or after the true one, signed by somebody else or not at all."""

    def attack(text: str) -> str:
        true = re.search(r"<saml:Assertion .*</saml:Assertion>", text)
        assert true
        evil = without_signature(in_the_name_of_eve(etree.fromstring(true[0])))
        if signed_by is not None:
            evil = etree.fromstring(sign_element(evil, signed_by.private, signed_by.certificate))
        second = etree.tostring(evil).decode()
        return text.replace(true[0], second + true[0] if where == "before" else true[0] + second)

    return attack


# ---------------------------------------------------------------- forged signatures


def resigned(edit: Callable[[str], str], sign: Callable[[bytes], bytes], digest: str = "sha256") -> Attack:
    """The SignedInfo of the first signature is edited, and signed anew by whatever `sign` is."""

    def attack(text: str) -> str:
        root = etree.fromstring(text.encode())
        signature = next(root.iter(f"{{{NS['ds']}}}Signature"))
        info = canonical(signature.find("ds:SignedInfo", NS)).decode()
        holder = deepcopy(root).find(root.getroottree().getelementpath(signature.getparent()))
        holder.remove(_signature(holder))
        found = base64.b64encode(hashlib.new(digest, canonical(holder)).digest()).decode()
        info = edit(re.sub(r"(<ds:DigestValue>)[^<]*", rf"\g<1>{found}", info))
        signature.replace(signature.find("ds:SignedInfo", NS), etree.fromstring(info))
        signature.find("ds:SignatureValue", NS).text = base64.b64encode(sign(info.encode())).decode()
        return etree.tostring(root).decode()

    return attack


def signed_by_key(key: Pair, algorithm: Any) -> Callable[[bytes], bytes]:
    return lambda data: key.private.sign(data, padding.PKCS1v15(), algorithm)


SHA1_SIGNATURE = resigned(
    lambda info: info.replace("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", f"{NS['ds']}rsa-sha1"),
    signed_by_key(pair(), hashes.SHA1()),
)
SHA1_DIGEST = resigned(
    lambda info: info.replace("http://www.w3.org/2001/04/xmlenc#sha256", f"{NS['ds']}sha1"),
    signed_by_key(pair(), hashes.SHA256()),
    "sha1",
)
EMPTY_TRANSFORMS = resigned(
    lambda info: re.sub(r'<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>', "", info),
    signed_by_key(pair(), hashes.SHA256()),
)


def hmac_with(secret: bytes) -> Attack:
    """Key confusion: what everybody knows, the certificate, as secret of a MAC."""
    return resigned(
        lambda info: info.replace(
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
        ),
        lambda data: hmac.digest(secret, data, "sha256"),
    )


def in_signature(pattern: str, replacement: str) -> Attack:
    return lambda text: re.sub(pattern, replacement, text, count=1, flags=re.S)


TWO_SIGNED_INFO = in_signature(r"(<ds:SignedInfo.*?</ds:SignedInfo>)", r"\1\1")
TWO_SIGNATURES = in_signature(r"(<ds:Signature .*?</ds:Signature>)", r"\1\1")
TWO_DIGEST_VALUES = in_signature(r"(<ds:DigestValue>.*?</ds:DigestValue>)", r"\1\1")
COMMENT_IN_DIGEST = in_signature(r"(<ds:DigestValue>)", r"\1<!-- x -->")
XSLT = in_signature(
    r'<ds:Transform Algorithm="[^"]*enveloped-signature"(?:/>|></ds:Transform>)',
    '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116">'
    '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"><xsl:template match="/">'
    '<xsl:call-template name="x"/></xsl:template><xsl:template name="x"><xsl:call-template name="x"/></xsl:template>'
    "</xsl:stylesheet></ds:Transform>",
)
NAME_CHANGED = in_signature(r">user-1</saml:NameID>", ">eve</saml:NameID>")

# ---------------------------------------------------------------- hostile XML


def prolog(text: str) -> Attack:
    return lambda document: text + document


BILLION_LAUGHS = prolog(
    '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)
HOSTILE: dict[str, Attack] = {
    "a DOCTYPE without entities": prolog("<!DOCTYPE Response>"),
    "a billion laughs": BILLION_LAUGHS,
    "an external entity": prolog('<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    "XML 1.1": prolog('<?xml version="1.1"?>'),
    "another encoding": prolog('<?xml version="1.0" encoding="UTF-16"?>'),
    "a processing instruction": in_signature(r"<saml:Subject>", "<?go on?><saml:Subject>"),
    "an attribute twice": in_signature(r"<samlp:Response ", '<samlp:Response Consent="a" Consent="b" '),
    "a NUL": in_signature(r"</samlp:Response>", "\x00</samlp:Response>"),
    "5,000 levels": in_signature(r"</samlp:Response>", "<x>" * 5000 + "</x>" * 5000 + "</samlp:Response>"),
    "an ID twice": in_signature(
        r'(<samlp:Response .*?ID=)"[^"]*"(.*?<saml:Assertion .*?ID=)"[^"]*"', r'\1"_same"\2"_same"'
    ),
    "something after the end": lambda text: text + "<x/>",
}
