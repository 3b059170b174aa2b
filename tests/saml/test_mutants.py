"""Mutants of signed and encrypted messages through their readers: 10,000 of signed answers, 3,000 of encrypted ones, 1,000 each of
logout requests and signed queries. Whatever is accepted must say exactly what was signed. The same mutants in every run."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

from idp.base.errors import Refused
from idp.domain.checks import Checks
from idp.saml import bindings, logout, response, xml
from idp.saml.bindings import BadMessage
from idp.saml.encryption import AES256_CBC, AES256_GCM
from idp.saml.response import BadResponse, Login, StatusNotSuccess
from idp.saml.signatures import BadSignature, verify_element
from idp.saml.xml import SAML, SAMLP, BadXml
from tests.saml import fixed, mutating
from tests.saml.mutating import Step, mutant

EXPECTED = response.Expected(
    issuer=fixed.IDP,
    keys=(fixed.rsa_key(0).public_key(),),
    audience=fixed.SP,
    acs_url=fixed.ACS,
    request_id="_request",
    now=fixed.NOW,
    cbc=True,
)
SIGNED = {
    "assertion signed": fixed.response(fixed.assertion(signed=True), signed=False),
    "response signed": fixed.response(fixed.assertion(signed=False), signed=True),
    "both signed": fixed.response(fixed.assertion(signed=True), signed=True),
}
ENCRYPTED = {
    "assertion in GCM": fixed.response(fixed.encrypted(fixed.assertion(signed=True), AES256_GCM), signed=False),
    "assertion in CBC": fixed.response(fixed.encrypted(fixed.assertion(signed=True), AES256_CBC), signed=False),
    "in a signed response": fixed.response(fixed.encrypted(fixed.assertion(signed=False), AES256_GCM), signed=True),
}
ALL = {**SIGNED, **ENCRYPTED}
COUNTS = {"assertion signed": 3_500, "response signed": 3_500, "both signed": 3_000} | dict.fromkeys(ENCRYPTED, 1_000)
HEALTH = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


SIGNABLE = (f"{{{SAML}}}Assertion", f"{{{SAMLP}}}Response")


def covered(document: bytes) -> list[bytes]:
    """What each signature in the document covers, wherever it stands: the signature check alone, without schema and rules."""
    try:
        root = xml.bounded(document, 1_000_000)
    except BadXml:
        return []
    found = []
    for element in root.iter(*SIGNABLE):
        try:
            found.append(verify_element(element, EXPECTED.keys))
        except BadSignature:
            continue
    return found


def read(document: bytes) -> Login:
    return response.read(document, EXPECTED, lambda: [fixed.rsa_key(1)])


@pytest.mark.parametrize("name", list(ALL))
def test_no_mutant_of_an_answer_is_accepted_that_says_anything_else(name: str) -> None:
    original = ALL[name]
    true, signed = read(original), set(covered(original))
    outcomes: Counter[str] = Counter()

    @settings(max_examples=COUNTS[name], derandomize=True, database=None, deadline=None, suppress_health_check=HEALTH)
    @given(mutating.steps)
    def changed(made_by: list[Step]) -> None:
        document = mutant(original, made_by)
        assert set(covered(document)) <= signed
        try:
            login = read(document)
        except BadResponse as refused:
            outcomes[refused.code] += 1
            return
        except StatusNotSuccess:
            outcomes["status"] += 1
            return
        outcomes["unchanged" if document == original else "accepted"] += 1
        assert login == true

    changed()

    # The mutants are worth something only when they get past the parser and the schema, to where the signature decides.
    assert sum(outcomes.values()) >= COUNTS[name]
    assert outcomes["signature"] + outcomes["decryption"] > COUNTS[name] / 20, outcomes
    assert outcomes["accepted"] > 0, outcomes


def test_no_mutant_of_a_logout_request_is_accepted_that_says_anything_else() -> None:
    text = (
        f'<samlp:LogoutRequest xmlns:samlp="{SAMLP}" Destination="https://idp.example/slo" ID="_response" {fixed.TIMES} '
        f'NotOnOrAfter="{fixed.LATER}" Version="2.0"><saml:Issuer xmlns:saml="{SAML}">{fixed.SP}</saml:Issuer>'
        f'<saml:NameID xmlns:saml="{SAML}" SPNameQualifier="{fixed.SP}">ada.lovelace</saml:NameID>'
        "<samlp:SessionIndex>_session</samlp:SessionIndex></samlp:LogoutRequest>"
    )
    original = fixed.after_issuer(text, fixed.signature(text, "_response", fixed.rsa_key(0))).encode()
    rules = logout.Rules("https://idp.example/slo", fixed.NOW, 60.0)

    def read_logout(document: bytes) -> logout.LogoutRequest:
        checks = Checks()
        message = logout.opened(document, checks)
        return logout.read_request(logout.verified(message, EXPECTED.keys, None, None, checks), rules, checks)

    true, accepted = read_logout(original), []

    @settings(max_examples=1_000, derandomize=True, database=None, deadline=None, suppress_health_check=HEALTH)
    @given(mutating.steps)
    def changed(made_by: list[Step]) -> None:
        try:
            accepted.append(read_logout(mutant(original, made_by)))
        except Refused:
            return
        assert accepted[-1] == true

    changed()
    assert accepted


def test_no_mutant_of_a_signed_query_is_accepted_that_says_anything_else() -> None:
    key = fixed.rsa_key(0)
    original = bindings.to_query(ALL["assertion signed"], "https://sp.example/after", key, kind="response").encode()
    true = bindings.from_query(original, ("response",))

    @settings(max_examples=1_000, derandomize=True, database=None, deadline=None, suppress_health_check=HEALTH)
    @given(mutating.steps_of_bytes)
    def changed(made_by: list[Step]) -> None:
        try:
            arrived = bindings.from_query(mutant(original, made_by), ("response",))
            if arrived.signature is None:
                raise BadSignature("the query is not signed")
            arrived.signature.verify([key.public_key()])
        except (BadMessage, BadSignature):
            return
        assert (arrived.document, arrived.relay_state) == (true.document, true.relay_state)

    changed()


def test_a_mutant_of_anything_is_a_tree_or_a_bad_document_and_no_other_error() -> None:
    @settings(max_examples=1_000, derandomize=True, database=None, deadline=None, suppress_health_check=HEALTH)
    @given(mutating.steps_of_bytes)
    def changed(made_by: list[Step]) -> None:
        try:
            xml.parse(mutant(SIGNED["both signed"], made_by), xml.PROTOCOL)
        except BadXml:
            return

    changed()
