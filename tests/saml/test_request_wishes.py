"""AuthnRequests: what is asked for and cannot be had is answered with a status."""

from idp.saml import names
from tests.saml.asking import PLAIN, SIGNING, Receive, ask, status
from tests.saml.peer import contexts, name_id_policy


def test_a_name_id_policy_for_another_service_provider_is_refused(receive: Receive) -> None:
    """With pysaml2 alone an SP could ask for, and got, the persistent name that a user has at another one."""
    body = name_id_policy(qualifier=SIGNING.entity_id)
    assert status(receive, body) == names.INVALID_NAME_ID_POLICY
    assert receive(PLAIN.query(ask(name_id_policy(qualifier=PLAIN.entity_id))))


def test_a_subject_of_another_service_provider_is_refused(receive: Receive) -> None:
    subject = '<saml:Subject><saml:NameID SPNameQualifier="{}">x</saml:NameID>{}</saml:Subject>'
    assert status(receive, subject.format(SIGNING.entity_id, "")) == names.UNKNOWN_PRINCIPAL
    confirmation = '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"/>'
    assert status(receive, subject.format(PLAIN.entity_id, confirmation)) == names.REQUEST_UNSUPPORTED
    asked = receive(PLAIN.query(ask(subject.format(PLAIN.entity_id, "").replace(">x<", "> ada <")))).request
    assert asked.subject == "ada"


def test_a_name_id_format_that_we_do_not_have_is_refused(receive: Receive) -> None:
    assert (
        status(receive, name_id_policy("urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"))
        == names.INVALID_NAME_ID_POLICY
    )


def test_an_answer_by_another_binding_than_post_is_refused(receive: Receive) -> None:
    artifact = 'ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"'
    assert status(receive, attributes=artifact) == names.UNSUPPORTED_BINDING


def test_contexts_that_no_session_can_have_are_refused(receive: Receive) -> None:
    smartcard = "urn:oasis:names:tc:SAML:2.0:ac:classes:Smartcard"
    assert status(receive, contexts(smartcard)) == names.NO_AUTHN_CONTEXT
    assert status(receive, contexts(names.MFA, comparison="better")) == names.NO_AUTHN_CONTEXT
    declaration = contexts(smartcard).replace("AuthnContextClassRef", "AuthnContextDeclRef")
    assert status(receive, declaration) == names.NO_AUTHN_CONTEXT
    asked = receive(PLAIN.query(ask(contexts(smartcard, names.MFA, comparison="minimum")))).request
    assert (asked.contexts, asked.comparison) == ((smartcard, names.MFA), "minimum")


def test_a_request_survives_the_way_through_a_login_attempt(receive: Receive) -> None:
    import json

    from idp.protocols.saml.request import AuthnRequest

    body = name_id_policy() + contexts(names.MFA)
    request = receive(PLAIN.query(ask(body, 'ForceAuthn="1"'), "state")).request
    assert AuthnRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
