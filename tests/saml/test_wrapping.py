"""XML signature wrapping (XSW 1 to 8, as Somorovsky et al. and SAML Raider number them) against the signature check alone.

In each, the true message is still there with its true signature, and a forged one stands where a careless reader looks. What
must hold: no element verifies whose bytes say anything but what was signed. Through the whole door: tests/upstream.
"""

import re
from collections.abc import Iterator
from copy import deepcopy

import pytest
from lxml import etree

from idp.saml import xml
from idp.saml.signatures import BadSignature, PublicKey, public_key, sign_element, verify_element
from idp.saml.xml import DS, SAML, SAMLP, BadXml, Element
from tests.saml.peer import NS, Xmlsec, pair

ASSERTION = (
    f'<saml:Assertion xmlns:saml="{SAML}" ID="_true" Version="2.0"><saml:Issuer>i</saml:Issuer><saml:Subject>'
    "<saml:NameID>ada</saml:NameID></saml:Subject></saml:Assertion>"
).encode()
RESPONSE = (
    f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_response" Version="2.0"><saml:Issuer>i</saml:Issuer>'
    '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>%s</samlp:Response>'
).encode()
CAN_BE_SIGNED = (f"{{{SAML}}}Assertion", f"{{{SAMLP}}}Response")


def signed(document: bytes) -> bytes:
    return sign_element(etree.fromstring(document), pair().private, pair().certificate)


def keys() -> list[PublicKey]:
    return [public_key(pair().certificate)]


def signature(element: Element) -> Element:
    found = element.find("ds:Signature", NS)
    assert found is not None
    return found


def unsigned(element: Element) -> Element:
    copy = deepcopy(element)
    copy.remove(signature(copy))
    return copy


def forged(element: Element, ident: str) -> Element:
    """A copy in the name of eve."""
    copy = deepcopy(element)
    copy.set("ID", ident)
    for name in copy.iter(f"{{{SAML}}}NameID"):
        name.text = "eve"
    return copy


def signed_response(ident: str) -> tuple[Element, Element]:
    """A forged Response with the signature of the true one, and the true one without it."""
    root = etree.fromstring(signed(RESPONSE % ASSERTION))
    return forged(root, ident), unsigned(root)


def signed_assertion(ident: str) -> tuple[Element, Element, Element]:
    """A Response with a true, signed assertion; that assertion; and a forged one with the same signature, not in it."""
    root = etree.fromstring(RESPONSE % signed(ASSERTION))
    true = root.find("saml:Assertion", NS)
    return root, true, forged(true, ident)


def xsw_1(ident: str) -> Element:
    """The forged Response has the signature; the true one is inside of that signature."""
    evil, true = signed_response(ident)
    signature(evil).append(true)
    return evil


def xsw_2(ident: str) -> Element:
    """The forged Response holds the true one, right before the signature."""
    evil, true = signed_response(ident)
    signature(evil).addprevious(true)
    return evil


def xsw_3(ident: str) -> Element:
    """A forged assertion without signature before the true one."""
    root, true, evil = signed_assertion(ident)
    true.addprevious(unsigned(evil))
    return root


def xsw_4(ident: str) -> Element:
    """A forged assertion around the true one."""
    root, true, evil = signed_assertion(ident)
    evil = unsigned(evil)
    true.addprevious(evil)
    evil.append(true)
    return root


def xsw_5(ident: str) -> Element:
    """The forged assertion has the signature; the true one stands without it at the end."""
    root, true, evil = signed_assertion(ident)
    root.replace(true, evil)
    root.append(unsigned(true))
    return root


def xsw_6(ident: str) -> Element:
    """The forged assertion has the signature, and the true one is inside of that."""
    root, true, evil = signed_assertion(ident)
    root.replace(true, evil)
    signature(evil).append(unsigned(true))
    return root


def xsw_7(ident: str) -> Element:
    """A forged assertion inside of Extensions, where the schema lets anything pass, before the true one."""
    root, _, evil = signed_assertion(ident)
    extensions = etree.SubElement(root, f"{{{SAMLP}}}Extensions")
    root.insert(1, extensions)
    extensions.append(unsigned(evil))
    return root


def xsw_8(ident: str) -> Element:
    """The forged assertion has the signature, and the true one is in an Object of it, where anything may be."""
    root, true, evil = signed_assertion(ident)
    root.replace(true, evil)
    etree.SubElement(signature(evil), f"{{{DS}}}Object").append(unsigned(true))
    return root


XSW = {attack.__name__: attack for attack in (xsw_1, xsw_2, xsw_3, xsw_4, xsw_5, xsw_6, xsw_7, xsw_8)}
# The ID of the forged element: a new one, or that of the true one, or none.
IDENTS = {"another ID": "_evil", "the same ID": "_true", "the ID of the response": "_response", "no ID": ""}
# Where the signature, looked at alone, is as good as ever: a program that asks no more than that is fooled.
FOOLS_XMLSEC1 = ("xsw_2", "xsw_3", "xsw_4", "xsw_5", "xsw_7")


def verified(document: bytes) -> Iterator[bytes]:
    """What each element says that anybody could take for signed, wherever it stands."""
    for element in etree.fromstring(document).iter(*CAN_BE_SIGNED):
        try:
            yield verify_element(element, keys())
        except BadSignature:
            continue


@pytest.mark.parametrize("ident", list(IDENTS.values()), ids=list(IDENTS))
@pytest.mark.parametrize("name", list(XSW))
def test_no_element_of_a_wrapped_message_verifies_with_other_content_than_was_signed(name: str, ident: str) -> None:
    document = etree.tostring(XSW[name](ident))
    assert b"eve" in document
    for content in verified(document):
        assert b"eve" not in content
        assert b">ada<" in content


@pytest.mark.parametrize("name", list(XSW))
def test_the_element_that_a_careless_reader_would_take_first_is_refused(name: str) -> None:
    root = etree.fromstring(etree.tostring(XSW[name]("_evil")))
    tag = f"{{{SAMLP}}}Response" if name in ("xsw_1", "xsw_2") else f"{{{SAML}}}Assertion"
    first = next(one for one in root.iter(tag) if b"eve" in etree.tostring(one))
    with pytest.raises(BadSignature):
        verify_element(first, keys())


@pytest.mark.parametrize("name", list(XSW))
def test_the_same_id_twice_is_refused_before_any_signature_is_looked_at(name: str) -> None:
    same = "_response" if name in ("xsw_1", "xsw_2") else "_true"
    with pytest.raises(BadXml, match="same ID"):
        xml.bounded(etree.tostring(XSW[name](same)), 100_000)


@pytest.mark.parametrize("name", FOOLS_XMLSEC1)
def test_the_attack_is_a_real_one_for_the_signature_in_it_is_good(name: str, xmlsec: Xmlsec) -> None:
    document = etree.tostring(XSW[name]("_evil"))
    element, namespace = ("Response", SAMLP) if name == "xsw_2" else ("Assertion", SAML)
    assert xmlsec.verifies(document, pair().certificate, element, namespace)


@pytest.mark.parametrize("where", ["before", "after", "both"])
def test_a_forged_assertion_beside_the_true_one_does_not_verify(where: str) -> None:
    true = signed(ASSERTION)
    signature_ = re.search(rb"<ds:Signature .*</ds:Signature>", true)
    assert signature_
    for evil in (ASSERTION.replace(b"ada", b"eve"), true.replace(b"ada", b"eve")):
        parts = {"before": evil + true, "after": true + evil, "both": evil + true + evil}[where]
        contents = list(verified(RESPONSE % parts))
        assert contents
        assert all(b"eve" not in content for content in contents)


def test_an_assertion_inside_of_a_signed_response_is_covered_by_the_bytes_of_the_response_only() -> None:
    root = etree.fromstring(signed(RESPONSE % ASSERTION))
    assert b">ada<" in verify_element(root, keys())
    with pytest.raises(BadSignature, match="not signed"):
        verify_element(root.find("saml:Assertion", NS), keys())


@pytest.mark.parametrize("inside", [b"<!-- -->", b"<![CDATA[]]>", b"<!---->", b"&#100;"])
def test_a_comment_or_an_entity_in_a_name_is_no_end_of_it(inside: bytes) -> None:
    """Canonical form leaves comments out, so the signature still holds; who then reads the first text node reads `a`."""
    good = signed(ASSERTION)
    name = b">a" + inside + (b"a<" if inside == b"&#100;" else b"da<")
    content = verify_element(etree.fromstring(good.replace(b">ada<", name)), keys())
    assert b">ada<" in content
