"""Our messages are written in canonical form: what libxml2 makes of them again is the same, character by character."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from idp.domain.relying import ServiceProvider
from idp.protocols.saml import outbound
from idp.protocols.saml.errors import SamlStatus
from idp.saml import names, writing, xml
from idp.saml.artifact import artifact_response
from tests.saml.issuing import ASKED, ENTITY, NOW, PEER, SESSION, USER, Issuer
from tests.saml.peer import NS, Xmlsec, pair
from tests.support.clock import START

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
ODD = "".join(
    map(chr, [*range(0xA0), 0x2028, 0xD800, 0xDFFF, 0xE000, 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x10FFFF])
)


def assert_canonical(document: bytes | str) -> Any:
    data = document.encode() if isinstance(document, str) else document
    root = etree.fromstring(data)
    assert xml.canonical(root) == data
    return root


@given(ANY_TEXT, ANY_TEXT)
def test_any_text_in_an_element_and_in_an_attribute_is_canonical(one: str, other: str) -> None:
    inner = writing.element(
        "saml:NameID", {"SPNameQualifier": other, "Format": one, "Missing": None}, writing.text(one)
    )
    root = assert_canonical(writing.element("saml:Subject", {"b": one, "a": other}, inner, declares=True))
    name_id = root[0]
    assert list(name_id.attrib) == ["Format", "SPNameQualifier"]
    assert ("".join(name_id.itertext()), name_id.get("SPNameQualifier")) == (readable(one), readable(other))


def readable(text: str) -> str:
    """What XML 1.0 can say of it, by its definition (section 2.2)."""
    return "".join(
        c for c in text if c in "\t\n\r" or "\x20" <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c >= "\U00010000"
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_a_whole_answer_is_canonical_whatever_is_in_it(repo: Any, name: str, attribute: str, value: str) -> None:
    sp = ServiceProvider(
        PEER.entity_id, name, PEER.metadata().decode(), attributes={attribute or "x": "name", "y": "=" + value}
    )
    document = Issuer(repo, "p-256").issue_for(sp, user=replace(USER, name=name + value))
    assert_canonical(document)


@pytest.mark.parametrize("encrypt", ["never", "always"])
@pytest.mark.parametrize("signed", [True, False])
def test_answers_of_every_shape_are_canonical_and_verify(repo: Any, xmlsec: Xmlsec, encrypt: Any, signed: bool) -> None:
    sp = ServiceProvider(PEER.entity_id, "x", PEER.metadata().decode(), encrypt=encrypt, sign_response=signed)
    document = Issuer(repo).issue_for(sp, user=replace(USER, name=ODD))
    assert_canonical(document)
    if signed:
        assert xmlsec.verifies(document, pair().certificate, "Response", NS["samlp"])
    if encrypt == "always":
        document = xmlsec.decrypt(document, pair("rsa-2048", 5).pem)
    assert xmlsec.verifies(document, pair().certificate, "Assertion", NS["saml"])


def test_a_status_and_an_artifact_response_are_canonical_and_verify(repo: Any, xmlsec: Xmlsec) -> None:
    issuing = Issuer(repo).issuing
    refused = SamlStatus(replace(ASKED, acs_url="https://sp.example/a?b=c&d='e'"), names.NO_PASSIVE, "why")
    status = outbound.status_response(issuing, refused, "TRACE")
    assert_canonical(status)
    inner = Issuer(repo).issue().decode()
    for content in (inner, "", None):
        document = artifact_response(ENTITY.entity_id, "_asked", NOW, content, issuing.signer)
        root = assert_canonical(document)
        assert xmlsec.verifies(document, pair().certificate, "ArtifactResponse", NS["samlp"])
        assert len(root) == (4 if content else 3)
        assert xml.parse(document, xml.PROTOCOL) is not None
    both = artifact_response(ENTITY.entity_id, "_asked", NOW, inner, issuing.signer)
    assert xmlsec.verifies(both, pair().certificate, "Response", NS["samlp"])
    assert xmlsec.verifies(both, pair().certificate, "Assertion", NS["saml"])


def test_times_are_whole_seconds_of_universal_time() -> None:
    assert writing.instant(int(START)) == "2027-01-15T08:00:00Z"
    assert writing.instant(0) == "1970-01-01T00:00:00Z"


def test_for_showing_nothing_is_signed_and_nothing_encrypted(repo: Any) -> None:
    issuer = Issuer(repo)
    sp = ServiceProvider(PEER.entity_id, "x", PEER.metadata().decode(), encrypt="always")
    from idp.saml.sp_metadata import read

    name_id = {"Format": names.PERSISTENT, "value": "_x"}
    subject = outbound.Subject(USER, SESSION, "_index")
    unsigned = replace(issuer.issuing, key=None)
    shown = outbound.assertion_response(unsigned, ASKED, sp, read(PEER.metadata()), subject, name_id)
    sent = outbound.assertion_response(issuer.issuing, ASKED, sp, read(PEER.metadata()), subject, name_id)
    assert b"Signature" not in shown.document
    assert b"ada@example.org" in shown.document
    assert b"ada@example.org" not in sent.document
    assert b"ada@example.org" in sent.shown
