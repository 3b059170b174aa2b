"""What the door leaves for the message inspector: what came and went, with its checks; whatever strangers do, sign-ins go on."""

from dataclasses import replace

from idp.domain.saml import SamlMessage
from idp.saml import redact
from idp.services import saml_messages
from idp.services.explain_messages import cause
from tests.saml.house import PEER, SSO, House
from tests.saml.peer import Sp

OF_PEER = f"sp:{PEER.entity_id}"
STRANGER = Sp("https://stranger.example/metadata")


def kept(house: House, peer: str = OF_PEER) -> list[SamlMessage]:
    house.parts.saml_messages.flush()
    return house.parts.saml_messages.of(peer)


def test_a_sign_in_leaves_its_request_and_its_answer(house: House) -> None:
    house.sign_in()
    house.answer(house.ask())
    request, answer = sorted(kept(house), key=lambda one: one.direction)
    assert (request.direction, request.kind, request.binding, request.ok) == ("in", "AuthnRequest", "redirect", True)
    assert (answer.direction, answer.kind, answer.binding, answer.ok) == ("out", "Response", "post", True)
    assert {"schema", "issuer_known", "destination", "acs"} <= {check.code for check in request.checks if check.ok}
    for words in ("ada@example.org", "InResponseTo=", "[certificate, SHA-256 "):
        assert words in answer.xml
    assert answer.xml.count("SignatureValue>[") == 2
    assert redact._LONG.findall(answer.xml) == []


def test_a_refused_request_is_known_by_the_code_on_the_page(house: House) -> None:
    house.sign_in()
    trace = house.refusal(house.ask(attributes='AssertionConsumerServiceURL="https://evil.example/acs"'))
    [message] = kept(house)
    assert house.parts.saml_messages.of_trace(trace.id) == message
    failed = cause(message)
    assert failed is not None
    assert (failed.code, message.ok) == ("acs", False)
    assert "https://evil.example/acs" in message.xml


def test_an_answer_without_an_assertion_is_kept_with_its_reason(house: House) -> None:
    house.statuses(house.ask(attributes='IsPassive="1"'))
    assert {(one.kind, one.ok) for one in kept(house)} >= {("Response", False)}
    assert all(one.trace for one in kept(house))


def test_what_nobody_can_read_or_nobody_registered_is_found_under_unknown(house: House) -> None:
    for query in ("SAMLRequest=%%%", STRANGER.query(STRANGER.authn_request(house.clock(), SSO))):
        house.refusal(house.browser.get(f"/saml/sso?{query}"))
    assert [one.ok for one in kept(house, saml_messages.UNKNOWN)] == [False, False]
    assert kept(house) == []


def test_thousands_of_bad_messages_push_out_nothing_useful_and_stop_no_sign_in(house: House) -> None:
    house.sign_in()
    house.answer(house.ask())
    bad = replace(PEER, signing=None).authn_request(house.clock() - 9_999, SSO)
    for number in range(300):
        request = bad.replace(b'ID="_', b'ID="_%d' % number)
        assert house.browser.get(f"/saml/sso?{PEER.query(request)}").status_code == 400
    house.answer(house.ask())
    messages = kept(house)
    assert sum(one.ok for one in messages) == 4
    assert 0 < sum(not one.ok for one in messages) <= 16


def test_a_sign_in_does_not_notice_that_messages_cannot_be_kept(house: House) -> None:
    house.sign_in()
    house.parts.saml_messages._repo = None  # type: ignore[assignment]
    house.answer(house.ask())
    house.parts.saml_messages.flush()
