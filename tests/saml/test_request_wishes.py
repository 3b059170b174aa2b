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


def test_the_usual_mistakes_in_names_of_formats_are_understood(receive: Receive) -> None:
    for wrong, right in (("emailAddress", names.EMAIL), ("unspecified", names.UNSPECIFIED)):
        body = name_id_policy(f"urn:oasis:names:tc:SAML:2.0:nameid-format:{wrong}")
        assert receive(PLAIN.query(ask(body))).request.name_id_format == right


def test_scoping_conditions_and_extensions_are_passed_over(receive: Receive) -> None:
    body = (
        "<saml:Conditions/>"
        '<samlp:Scoping ProxyCount="0"><samlp:IDPList><samlp:IDPEntry ProviderID="https://other.example"/></samlp:IDPList>'
        "<samlp:RequesterID>https://behind.example</samlp:RequesterID></samlp:Scoping>"
    )
    assert receive(PLAIN.query(ask(body))).request.acs_url == PLAIN.acs[0]
    extensions = '<samlp:Extensions><x xmlns="urn:x">y</x></samlp:Extensions>'
    assert receive(PLAIN.query(ask(extensions))).request.acs_url == PLAIN.acs[0]


def test_a_comparison_or_a_number_of_contexts_that_is_no_longer_sane_is_refused(receive: Receive) -> None:
    assert status(receive, contexts(*[names.MFA] * 51)) == names.NO_AUTHN_CONTEXT
    assert receive(PLAIN.query(ask(contexts(*[names.MFA] * 50))))


def test_a_request_of_a_stranger_leaves_little_behind(receive: Receive) -> None:
    """Nobody need have signed it, and what it asks for is kept with the sign-in."""
    assert status(receive, contexts(names.MFA, *["x" * 4_000] * 20)) == names.NO_AUTHN_CONTEXT
    subject = '<saml:Subject><saml:NameID Format="{}">{}</saml:NameID></saml:Subject>'
    assert status(receive, subject.format(names.EMAIL, "x" * 100_000)) == names.UNKNOWN_PRINCIPAL
    assert status(receive, subject.format("urn:x:" + "x" * 100_000, "ada")) == names.UNKNOWN_PRINCIPAL


def test_the_name_of_an_app_counts_only_when_it_is_signed(receive: Receive) -> None:
    said = 'ProviderName=" Team&#9;wiki "'
    assert receive(PLAIN.query(ask(attributes=said))).called == ""
    assert receive(SIGNING.query(ask(attributes=said, sp=SIGNING))).called == "Team wiki"
    for odd in ("x" * 81, "a&#x202e;b", "&#xfeff;"):
        assert receive(SIGNING.query(ask(attributes=f'ProviderName="{odd}"', sp=SIGNING))).called == ""
