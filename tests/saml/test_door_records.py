"""The door over HTTP: what an answer leaves in the store and with the message inspector, and what is set for one app."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from idp.domain.attempt import LoginAttempt
from idp.domain.audit_event import AuditEvent
from idp.domain.relying import SamlRequestSeen
from idp.domain.saml import SamlParticipant
from idp.saml import names
from idp.saml.sp_metadata import service_provider_from_metadata
from tests.saml.house import PEER, SSO, House
from tests.saml.peer import NS, Sp, contexts, form, one, pair
from tests.support.html import parse


def test_everything_about_an_answer_is_stored_together(house: House) -> None:
    house.sign_in()
    root = house.answer(house.ask())
    (participant,) = house.parts.repo.find(SamlParticipant)
    name_id = one(root, "//saml:NameID")
    assert participant.sp_id == PEER.entity_id
    assert participant.name_id == {**name_id.attrib, "value": name_id.text}
    assert participant.session_index == one(root, "//saml:AuthnStatement").get("SessionIndex")
    assert len(house.parts.repo.find(SamlRequestSeen)) == 1
    house.answer(house.ask())
    assert len(house.parts.repo.find(SamlParticipant)) == 1
    assert len(house.parts.repo.find(AuditEvent, name="assertion.issued")) == 2


def test_a_request_that_came_to_a_status_is_used_up_as_well(house: House) -> None:
    query = house.query(attributes='IsPassive="1"')
    assert house.statuses(house.browser.get(f"/saml/sso?{query}")) == [names.RESPONDER, names.NO_PASSIVE]
    assert house.refusal(house.browser.get(f"/saml/sso?{query}")).code == "saml_replayed"
    odd = house.query(contexts("urn:oasis:names:tc:SAML:2.0:ac:classes:Smartcard"))
    assert house.statuses(house.browser.get(f"/saml/sso?{odd}")) == [names.RESPONDER, names.NO_AUTHN_CONTEXT]
    assert house.refusal(house.browser.get(f"/saml/sso?{odd}")).code == "saml_replayed"


def test_a_request_whose_sign_in_began_begins_no_second_one(house: House) -> None:
    query = house.query()
    assert house.browser.get(f"/saml/sso?{query}").status_code == 303
    assert house.refusal(house.browser.get(f"/saml/sso?{query}")).code == "saml_replayed"
    assert len(house.parts.repo.find(LoginAttempt)) == 1
    posted = form(PEER.authn_request(house.clock(), SSO))
    assert house.browser.post("/saml/sso", data=posted).status_code == 303
    assert house.refusal(house.browser.post("/saml/sso", data=posted)).code == "saml_replayed"


def test_looking_with_head_neither_answers_nor_uses_up(house: House) -> None:
    house.sign_in()
    query = house.query()
    assert house.browser.head(f"/saml/sso?{query}").status_code == 200
    house.browser.head(f"/saml/start?sp={PEER.entity_id}")
    assert house.parts.repo.find(AuditEvent, name="assertion.issued") == []
    assert house.answer(house.browser.get(f"/saml/sso?{query}")) is not None


def test_a_service_provider_that_is_switched_off_gets_nothing(house: House) -> None:
    page = house.ask()
    house.sign_in()
    house.change(enabled=False)
    assert house.refusal(house.ask()).code == "sp_disabled"
    page = house.browser.get(page.location)
    assert house.refusal(house.browser.get(page.location)).code == "sp_disabled"


def test_the_algorithm_the_life_and_the_encryption_are_those_that_are_set(house: House) -> None:
    house.sign_in()
    peer = Sp("https://sealed.example", acs=PEER.acs, encryption=pair("rsa-2048", 5))
    house.parts.repo.insert(service_provider_from_metadata(peer.metadata(), house.clock()))
    house.change(peer.entity_id, signature_algorithm="ecdsa-sha256", assertion_seconds=60)
    root = house.answer(house.browser.get(f"/saml/sso?{house.query(peer=peer)}"))
    assert {m.get("Algorithm").rpartition("#")[2] for m in root.iter(f"{{{NS['ds']}}}SignatureMethod")} == {
        "ecdsa-sha256"
    }
    times = one(root, "//saml:Conditions")
    assert times.get("NotOnOrAfter") == times.get("NotBefore").replace("07:59:00", "08:01:00")
    methods = {
        "auto": "http://www.w3.org/2009/xmlenc11#aes256-gcm",
        "aes128-gcm": "http://www.w3.org/2009/xmlenc11#aes128-gcm",
        "aes256-cbc": "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
    }
    for method, uri in methods.items():
        house.change(peer.entity_id, encrypt="always", encryption_method=method, key_transport="rsa-oaep-sha256")
        root = house.answer(house.browser.get(f"/saml/sso?{house.query(peer=peer)}"))
        found = [m.get("Algorithm") for m in root.iter("{http://www.w3.org/2001/04/xmlenc#}EncryptionMethod")]
        assert found == [uri, "http://www.w3.org/2009/xmlenc11#rsa-oaep"]


def test_a_signed_request_may_say_what_its_service_provider_calls_itself(house: House) -> None:
    page = house.browser.get(house.ask(attributes='ProviderName="Somebody"').location)
    assert "Somebody" not in page.text
    query = PEER.query(PEER.authn_request(house.clock(), SSO, attributes='ProviderName="Team  wiki"'), sign=True)
    page = house.browser.get(house.browser.get(f"/saml/sso?{query}").location)
    assert "Wiki <1> (Team wiki)" in parse(page.text).text


@pytest.mark.parametrize(
    "query", ["", "SAMLRequest=", "SAMLRequest=%00", "SAMLRequest=AAAA&SAMLRequest=AAAA", "SAMLart=x"]
)
def test_what_is_no_message_is_refused_with_a_page(house: House, query: str) -> None:
    assert house.refusal(house.browser.get(f"/saml/sso?{query}")).code == "saml_unreadable"


def test_the_message_inspector_hears_of_what_came_went_and_was_refused(house: House) -> None:
    house.sign_in()
    house.ask()
    house.ask(attributes='AssertionConsumerServiceURL="https://evil.example/acs"')
    stranger = Sp("https://stranger.example")
    house.browser.get(f"/saml/sso?{house.query(peer=stranger)}")
    house.parts.saml_messages.flush()
    kept = house.parts.saml_messages.of(f"sp:{PEER.entity_id}")
    assert {(m.direction, m.kind, m.ok) for m in kept} == {
        ("in", "AuthnRequest", True),
        ("out", "Response", True),
        ("in", "AuthnRequest", False),
    }
    (refused,) = [m for m in kept if not m.ok]
    assert [c.code for c in refused.checks if not c.ok] == ["acs"]
    trace = house.parts.traces.explain(refused.trace)
    assert trace is not None
    assert trace.code == "saml_acs_unknown"
    (unknown,) = house.parts.saml_messages.of("unknown")
    assert [c.code for c in unknown.checks if not c.ok] == ["issuer_known"]


def test_the_same_request_twice_at_once_is_answered_once(house: House) -> None:
    house.sign_in()
    query, cookie = house.query(), house.cookie

    def ask(way: int) -> bool:
        if way % 2:
            return house.cut_short(query, cookie) is not None
        browser = house.app.test_client(use_cookies=False)
        return browser.get(f"/saml/sso?{query}", headers={"Cookie": cookie}).status_code == 200

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1
    assert len(house.parts.repo.find(AuditEvent, name="assertion.issued")) == 1


def test_the_same_attempt_twice_at_once_is_answered_once(house: House) -> None:
    house.sign_in()
    address = house.browser.post("/saml/sso", data=form(PEER.authn_request(house.clock(), SSO))).location
    house.browser.get("/sign-in")
    cookie = house.cookie

    def ask(_: int) -> int:
        return house.app.test_client(use_cookies=False).get(address, headers={"Cookie": cookie}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))).count(200) <= 1
    assert len(house.parts.repo.find(AuditEvent, name="assertion.issued")) <= 1


def test_a_status_is_sent_once_and_not_to_who_was_removed(house: House) -> None:
    passive = PEER.authn_request(house.clock(), SSO, attributes='IsPassive="true"')
    address = house.browser.post("/saml/sso", data=form(passive)).location
    assert house.statuses(house.browser.get(address)) == [names.RESPONDER, names.NO_PASSIVE]
    assert house.refusal(house.browser.get(address)).code == "attempt_used"
    passive = PEER.authn_request(house.clock(), SSO, attributes='IsPassive="true"')
    address = house.browser.post("/saml/sso", data=form(passive)).location
    house.change(enabled=False)
    assert house.refusal(house.browser.get(address)).code == "sp_disabled"


def test_what_is_too_long_is_refused_before_it_is_read(house: House) -> None:
    assert house.refusal(house.browser.get(f"/saml/sso?SAMLRequest={'A' * 70_000}")).code == "saml_unreadable"
    assert house.browser.post("/saml/sso", data={"SAMLRequest": "A" * 600_000}).status_code == 413
    long = house.query(relay_state="x" * 5000)
    assert house.refusal(house.browser.get(f"/saml/sso?{long}")).code == "saml_unreadable"
