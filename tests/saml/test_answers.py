"""Responses: what stands in them, and that xmlsec1, pysaml2 and the schema agree."""

import base64
import re
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from idp.domain.session import Session
from idp.protocols.saml import outbound
from idp.protocols.saml.errors import SamlStatus
from idp.protocols.saml.name_id import name_id_for
from idp.protocols.saml.request import AuthnRequest
from idp.saml import names, xml
from idp.saml.sp_metadata import read, service_provider_from_metadata
from tests.saml.issuing import ASKED, ENTITY, NOW, PEER, SESSION, STRONG, USER, Issuer
from tests.saml.peer import NS, Sp, Xmlsec, instant, one, pair
from tests.support.clock import START


@pytest.mark.parametrize("kind", ["rsa-2048", "rsa-3072", "p-256", "p-384"])
def test_response_and_assertion_are_signed_and_follow_the_schema(kind: str, repo: Any, xmlsec: Xmlsec) -> None:
    document = Issuer(repo, kind).issue()
    assert xmlsec.verifies(document, pair(kind).certificate, "Assertion", NS["saml"])
    assert xmlsec.verifies(document, pair(kind).certificate, "Response", NS["samlp"])
    assert xml.parse(document, xml.PROTOCOL) is not None
    tampered = document.replace(b">ada@example.org<", b">eve@example.org<")
    assert tampered != document
    assert not xmlsec.verifies(tampered, pair(kind).certificate, "Assertion", NS["saml"])
    assert not xmlsec.verifies(tampered, pair(kind).certificate, "Response", NS["samlp"])


def test_a_service_provider_may_have_the_response_unsigned_but_never_the_assertion(
    issuer: Issuer, xmlsec: Xmlsec
) -> None:
    document = issuer.issue(sign_response="false")
    assert len(etree.fromstring(document).findall("ds:Signature", NS)) == 0
    assert xmlsec.verifies(document, pair().certificate, "Assertion", NS["saml"])


def test_the_answer_is_bound_to_its_request_its_reader_and_a_short_time(issuer: Issuer) -> None:
    root = etree.fromstring(issuer.issue())
    confirmation = one(root, "//saml:SubjectConfirmationData")
    conditions = one(root, "//saml:Conditions")
    assert root.get("Destination") == confirmation.get("Recipient") == PEER.acs[0]
    assert root.get("InResponseTo") == confirmation.get("InResponseTo") == "_request"
    assert one(root, "//saml:Audience").text == PEER.entity_id
    assert {i.text for i in root.iter(f"{{{NS['saml']}}}Issuer")} == {ENTITY.entity_id}
    assert conditions.get("NotOnOrAfter") == confirmation.get("NotOnOrAfter") == instant(NOW + 300)
    assert conditions.get("NotBefore") == instant(NOW - 60)
    assert confirmation.get("NotBefore") is None  # SAML Profiles 4.1.4.2
    assert one(root, "//saml:SubjectConfirmation").get("Method").endswith(":bearer")
    ids = root.xpath("//@ID")
    assert len(set(ids)) == len(ids) == 2
    assert all(re.fullmatch("_[0-9a-f]{40}", i) for i in ids)


def test_the_authentication_statement_tells_of_the_real_session(issuer: Issuer) -> None:
    statement = one(etree.fromstring(issuer.issue()), "//saml:AuthnStatement")
    assert statement.get("AuthnInstant") == instant(SESSION.auth_time)
    assert statement.get("SessionIndex") == "_index"
    assert statement.get("SessionNotOnOrAfter") == instant(SESSION.expires_at)


def test_a_second_factor_shows_in_the_context_class(issuer: Issuer) -> None:
    def context(session: Session, asked: AuthnRequest = ASKED) -> str:
        return str(one(etree.fromstring(issuer.issue(asked, session=session)), "//saml:AuthnContextClassRef").text)

    assert context(SESSION) == names.PASSWORD_TRANSPORT
    assert context(STRONG) == names.MFA
    assert context(replace(SESSION, amr=("fed",))) == names.UNSPECIFIED_CONTEXT
    strong_only = replace(ASKED, contexts=(names.MFA,))
    assert context(STRONG, strong_only) == names.MFA
    assert issuer.status(strong_only, session=SESSION) == names.NO_AUTHN_CONTEXT


# ---------------------------------------------------------------- encryption


def test_an_assertion_is_encrypted_where_that_is_set_and_xmlsec1_reads_it(issuer: Issuer, xmlsec: Xmlsec) -> None:
    document = issuer.issue(encrypt="always")
    assert b"ada@" not in document
    assert b">ada" not in document
    assert xml.parse(document, xml.PROTOCOL) is not None
    assert xmlsec.verifies(document, pair().certificate, "Response", NS["samlp"])
    opened = xmlsec.decrypt(document, pair("rsa-2048", 5).pem)
    inner = one(etree.fromstring(opened), "//saml:EncryptedAssertion/saml:Assertion")
    assert one(inner, ".//saml:Attribute[@FriendlyName='uid']/saml:AttributeValue").text == "ada"
    assert xmlsec.verifies(etree.tostring(inner), pair().certificate, "Assertion", NS["saml"])


def test_when_possible_encrypts_only_for_those_who_have_a_key(issuer: Issuer) -> None:
    assert b"EncryptedAssertion" in issuer.issue(encrypt="when_possible")
    assert b"EncryptedAssertion" not in issuer.issue(encrypt="when_possible", peer=Sp())
    assert b"EncryptedAssertion" not in issuer.issue()


def test_always_never_falls_back_to_plain_text(issuer: Issuer, repo: Any) -> None:
    sp = replace(service_provider_from_metadata(Sp().metadata(), START), encrypt="always")
    with pytest.raises(SamlStatus) as caught:
        issuer.issue_for(sp)
    assert caught.value.second == names.REQUEST_DENIED


# ---------------------------------------------------------------- status


def test_an_error_answer_is_signed_and_says_no_more_than_its_status_and_a_trace_code(
    issuer: Issuer, xmlsec: Xmlsec
) -> None:
    refused = SamlStatus(ASKED, names.NO_PASSIVE, "ada is not signed in")
    document = outbound.status_response(issuer.issuing, refused, "ABCD1234")
    root = etree.fromstring(document)
    assert root.xpath("//samlp:StatusCode/@Value", namespaces=NS) == [names.RESPONDER, names.NO_PASSIVE]
    assert (root.get("InResponseTo"), root.get("Destination")) == (ASKED.id, ASKED.acs_url)
    assert one(root, "//samlp:StatusMessage").text == "Trace code ABCD1234"
    assert b"ada@" not in document
    assert b">ada" not in document
    assert root.find("saml:Assertion", NS) is None
    assert xmlsec.verifies(document, pair().certificate, "Response", NS["samlp"])
    assert xml.parse(document, xml.PROTOCOL) is not None


def test_pysaml2_with_xmlsec1_accepts_the_answer_as_a_service_provider(
    issuer: Issuer, xmlsec: Xmlsec, tmp_path: Any
) -> None:
    """Another reader than ours, with another crypto library. Its clock is the real one, so ours is set to it."""
    import time

    from saml2 import BINDING_HTTP_POST
    from saml2.client import Saml2Client
    from saml2.config import SPConfig

    from idp.protocols.saml.metadata import Published, idp_metadata

    (tmp_path / "idp.xml").write_bytes(idp_metadata(Published(ENTITY, (pair().certificate,))))
    (tmp_path / "sp.key").write_text(pair("rsa-2048", 5).pem)
    (tmp_path / "sp.crt").write_text(pair("rsa-2048", 5).certificate)
    key_pair = {"key_file": str(tmp_path / "sp.key"), "cert_file": str(tmp_path / "sp.crt")}
    config = SPConfig().load(
        {
            "entityid": PEER.entity_id,
            **key_pair,
            "encryption_keypairs": [key_pair],
            "metadata": {"local": [str(tmp_path / "idp.xml")]},
            "service": {
                "sp": {
                    "endpoints": {"assertion_consumer_service": [(PEER.acs[0], BINDING_HTTP_POST)]},
                    "want_assertions_signed": True,
                    "want_response_signed": True,
                }
            },
        }
    )
    client = Saml2Client(config)
    now = time.time()
    session = replace(SESSION, auth_time=now - 60, expires_at=now + 3600)
    for settings in ({}, {"encrypt": "always"}):
        sp = service_provider_from_metadata(PEER.metadata(), now, **settings)
        view = read(sp.metadata.encode())
        name_id = name_id_for(issuer.repo, ASKED, sp, view, USER, ENTITY.entity_id, now)
        issuing = replace(issuer.issuing, now=now)
        subject = outbound.Subject(USER, session, "_index")
        document = outbound.assertion_response(issuing, ASKED, sp, view, subject, name_id).document
        answer = client.parse_authn_request_response(
            base64.b64encode(document).decode(),
            BINDING_HTTP_POST,
            {"_request": "/"},
            conv_info={"entity_id": PEER.entity_id},
        )
        assert answer.ava == {"uid": ["ada"], "mail": ["ada@example.org"], "displayName": [USER.name]}
        assert answer.name_id.text == name_id["value"]


def test_no_answer_does_without_the_second_factor_that_is_demanded(issuer: Issuer) -> None:
    """It may have been set while somebody was signing in."""
    assert issuer.status(second_factor_required="true") == names.NO_AUTHN_CONTEXT
    assert issuer.issue(session=STRONG, second_factor_required="true")
