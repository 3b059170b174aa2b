"""Owns attacks on the answers of a SAML upstream, each by name, through the whole door: nobody is signed in by any of them.

What the signature check alone makes of them is in tests/saml.
"""

import pytest

from idp.domain.upstream import FederatedLogin
from idp.saml import names
from tests.saml.peer import bare, pair
from tests.upstream import saml_attacks as attacks

OTHER = "https://other.example/acs"


def test_the_true_answer_is_accepted(way):
    """Or none of the following would say anything."""
    for sign in (("assertion",), ("response",), ("assertion", "response")):
        assert way.come_back(way.answer(way.leave(), sign=sign)).status_code == 303


LIES = {
    "a wrong Destination": ({"destination": OTHER}, "destination"),
    "no Destination": ({"destination": None}, "destination"),
    "a wrong Recipient": ({"recipient": OTHER}, "recipient"),
    "our entityID as Recipient": ({"recipient": "http://127.0.0.1:8000/upstream/corp/metadata"}, "recipient"),
    "no Recipient": ({"recipient": None}, "recipient"),
    "a Response of two days ago": ({"response_issued": -172_800.0}, "issue_instant"),
    "an Assertion of two days ago": ({"issued": -172_800.0}, "issue_instant"),
    "a Response of tomorrow": ({"response_issued": 86_400.0}, "issue_instant"),
    "no AudienceRestriction": ({"audience": None}, "audience"),
    "a wrong Audience": ({"audience": "https://other.example/sp"}, "audience"),
    "two AudienceRestrictions, of which one is not for us": (
        {
            "more_conditions": "<saml:AudienceRestriction><saml:Audience>https://x.example</saml:Audience>"
            "</saml:AudienceRestriction>"
        },
        "audience",
    ),
    "no Conditions": ({"conditions": False}, "conditions"),
    "Conditions that are over": ({"not_on_or_after": -120.0}, "conditions"),
    "Conditions that have not begun": ({"not_before": 120.0}, "conditions"),
    "a confirmation without NotOnOrAfter": ({"confirmed_until": None}, "subject_confirmation"),
    "a confirmation that is over": ({"confirmed_until": -120.0}, "subject_confirmation"),
    "sender-vouches": ({"method": "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"}, "subject_confirmation"),
    "holder-of-key": ({"method": "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"}, "subject_confirmation"),
    "a Response issuer that is not the Assertion's": ({"response_issuer": "https://evil.example"}, "issuer"),
    "an Assertion issuer that is not the Response's": ({"issuer": "https://evil.example"}, "issuer"),
    "a signed Response without issuer": ({"response_issuer": None, "sign": ("response",)}, "issuer"),
    "another request in the Response": ({"in_response_to": "_other"}, "in_response_to"),
    "no request in the Response": ({"in_response_to": None}, "in_response_to"),
    "another request in the confirmation": ({"confirmed_in_response_to": "_other"}, "in_response_to"),
    "no request in the confirmation": ({"confirmed_in_response_to": None}, "in_response_to"),
    "no AuthnStatement": ({"authn_instant": None}, "authn_statement"),
    "a sign-in of tomorrow": ({"authn_instant": 86_400.0}, "authn_instant"),
    "a session that is over": ({"session_until": -120.0}, "authn_statement"),
    "nothing signed": ({"sign": ()}, "signature"),
    "a key that nobody knows, its certificate in the signature": ({"key": pair(which=9)}, "signature"),
    "the name of another service provider": ({"name_qualifiers": 'SPNameQualifier="https://other.example"'}, "name_id"),
    "an empty name": ({"name_id": " "}, "the name of the person is empty, too long or not plain text"),
    "a name of 300 characters": ({"name_id": "x" * 300}, "the name of the person is empty, too long or not plain text"),
}  # fmt: skip


@pytest.mark.parametrize("lie", list(LIES))
def test_an_answer_with_this_lie_is_refused(refused_for, lie):
    changes, code = LIES[lie]

    assert refused_for(**changes) == code


@pytest.mark.parametrize("lie", ["a wrong Destination", "another request in the Response", "a wrong Recipient"])
def test_the_same_with_a_signed_response(refused_for, lie):
    changes, code = LIES[lie]

    assert refused_for(**changes, sign=("response",)) == code


def test_a_transient_name_names_nobody(refused_for):
    assert refused_for(name_format=names.TRANSIENT).startswith("the NameID is transient")


def test_an_assertion_of_a_year_ago_is_refused_where_a_fresh_sign_in_is_wanted(refused_for, set_settings):
    set_settings(max_auth_age_seconds="3600")

    assert refused_for(authn_instant=-31_536_000.0) == "authn_instant"


# ---------------------------------------------------------------- signature wrapping


@pytest.mark.parametrize("attack", [attacks.xsw_1, attacks.xsw_2], ids=["XSW 1", "XSW 2"])
@pytest.mark.parametrize("sign", [("response",), ("assertion", "response")], ids=["response", "both"])
def test_wrapping_of_a_signed_response_is_refused(refused_for, attack, sign):
    refused_for(sign=sign, after_signing=attacks.wrapped(attack))


@pytest.mark.parametrize(
    "attack",
    [attacks.xsw_3, attacks.xsw_4, attacks.xsw_5, attacks.xsw_6, attacks.xsw_7, attacks.xsw_8],
    ids=["XSW 3", "XSW 4", "XSW 5", "XSW 6", "XSW 7", "XSW 8"],
)
@pytest.mark.parametrize("sign", [("assertion",), ("assertion", "response")], ids=["assertion", "both"])
def test_wrapping_of_a_signed_assertion_is_refused(refused_for, attack, sign):
    refused_for(sign=sign, after_signing=attacks.wrapped(attack))


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("signer", [None, pair(which=9), pair()], ids=["unsigned", "by a stranger", "by the same key"])
def test_two_assertions_are_refused_whoever_signed_the_second(refused_for, where, signer):
    assert refused_for(after_signing=attacks.evil_beside(where, signed_by=signer)) == "structure"


# ---------------------------------------------------------------- forged signatures


FORGED = {
    "a name that was changed afterwards": attacks.NAME_CHANGED,
    "RSA with SHA-1": attacks.SHA1_SIGNATURE,
    "a SHA-1 digest": attacks.SHA1_DIGEST,
    "a missing transform": attacks.EMPTY_TRANSFORMS,
    "an HMAC with the certificate as secret": attacks.hmac_with(pair().certificate.encode()),
    "an HMAC with the bare certificate as secret": attacks.hmac_with(bare(pair().certificate).encode()),
    "two SignedInfo": attacks.TWO_SIGNED_INFO,
    "two signatures": attacks.TWO_SIGNATURES,
    "two digests": attacks.TWO_DIGEST_VALUES,
    "a comment in the digest": attacks.COMMENT_IN_DIGEST,
    "an XSLT transform": attacks.XSLT,
    "a namespace that has no canonical form": attacks.in_signature(
        r"<saml:Subject>", '<saml:Subject xmlns:void="../void">'
    ),
}


@pytest.mark.parametrize("name", list(FORGED))
@pytest.mark.parametrize("sign", ["assertion", "response"])
def test_a_signature_with_this_is_refused(refused_for, name, sign):
    assert refused_for(sign=(sign,), after_signing=FORGED[name]) in ("signature", "schema", "structure")


def test_the_signatures_that_are_made_for_these_tests_are_true_ones_but_for_that(way):
    honest = attacks.resigned(lambda info: info, attacks.signed_by_key(pair(), attacks.hashes.SHA256()))

    assert way.come_back(way.answer(way.leave(), after_signing=honest)).status_code == 303


def test_the_true_certificate_beside_the_signature_of_another_key_helps_nothing(refused_for):
    stranger = pair(which=9)

    def disguised(text):
        return text.replace(bare(stranger.certificate), bare(pair().certificate))

    assert refused_for(key=stranger, after_signing=disguised) == "signature"


def test_a_key_of_another_type_is_refused(refused_for):
    assert refused_for(key=pair("p-256")) == "signature"


def test_only_algorithms_that_were_set_are_accepted(refused_for, set_settings):
    set_settings(accepted_algorithms="rsa-sha512")

    assert refused_for() == "signature"


# ---------------------------------------------------------------- hostile XML


@pytest.mark.parametrize("name", list(attacks.HOSTILE))
def test_hostile_xml_is_refused(refused_for, name):
    assert refused_for(after_signing=attacks.HOSTILE[name]) == "schema"


@pytest.mark.parametrize("inside", ["<!-- x -->", "<![CDATA[]]>"])
def test_a_comment_in_a_name_cuts_nothing_off(way, repo, inside):
    """The signature does not cover comments: who has the name `ada.evil` can put one into it and hope to be `ada`."""

    def comment(text):
        return text.replace(">ada.evil<", f">ada{inside}.evil<")

    way.browser.follow(way.come_back(way.answer(way.leave(), "ada.evil", after_signing=comment)))

    assert [login.subject for login in repo.find(FederatedLogin)] == ["ada.evil"]


def test_a_comment_in_a_name_cuts_nothing_off_before_it_was_signed(way, repo):
    way.browser.follow(way.come_back(way.answer(way.leave(), "ada<!-- x -->.evil", sign=("response",))))

    assert [login.subject for login in repo.find(FederatedLogin)] == ["ada.evil"]
