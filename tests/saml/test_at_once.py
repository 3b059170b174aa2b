"""Owns the claims about GET /saml/sso without a page: the same answer by both ways, and nothing done before it is sure."""

import base64
import logging
import re
from typing import Any

import pytest
from lxml import etree

from idp.domain.audit_event import AuditEvent
from idp.domain.relying import SamlRequestSeen
from idp.domain.saml import SamlArtifact, SamlParticipant
from idp.saml import names
from idp.saml.signatures import public_key, verify_element
from idp.saml.sp_metadata import service_provider_from_metadata
from tests.saml.house import PEER, House
from tests.saml.peer import Sp, contexts, name_id_policy, one
from tests.support.html import parse

ARTIFACT = Sp("https://artifact.example", acs=("https://artifact.example/acs?a=b",))


def compared(status: int, headers: Any, body: bytes) -> tuple[int, list[tuple[str, str]], str]:
    """Without what is random in every answer."""
    text = re.sub(r'(name="SAMLResponse" value=")[^"]+', r"\1", body.decode())
    fixed = [(name, re.sub("SAMLart=[^&]+", "", value)) for name, value in headers if name != "Content-Length"]
    return status, sorted(fixed), text


def both(house: House, cookie: str | None = None, peer: Sp = PEER, language: str = "en", **asked: Any) -> None:
    sent = house.cookie if cookie is None else cookie
    told = house.cut_short(house.query(peer=peer, **asked), sent, **{"accept-language": language})
    assert told is not None
    browser = house.app.test_client(use_cookies=False)
    headers = {"Cookie": sent, "Accept-Language": language}
    page = browser.get(f"/saml/sso?{house.query(peer=peer, **asked)}", headers=headers)
    assert compared(told.status, told.headers, told.body) == compared(page.status_code, list(page.headers), page.data)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"relay_state": 'a"b<c>&é/?x=1'},
        {"relay_state": ""},
        {"body": name_id_policy(names.TRANSIENT)},
        {"body": contexts(names.MFA)},
        {"attributes": 'IsPassive="true"'},
        {"language": "de-CH, en;q=0.5"},
        {"language": "xx, de;q=0"},
        {"language": "*"},
    ],
    ids=str,
)
def test_both_ways_give_the_same_answer(house: House, asked: dict[str, str]) -> None:
    house.sign_in()
    both(house, **asked)


def test_both_ways_send_an_artifact_by_address(house: House) -> None:
    house.sign_in()
    metadata = ARTIFACT.metadata().replace(b"bindings:HTTP-POST", b"bindings:HTTP-Artifact")
    house.parts.repo.insert(service_provider_from_metadata(metadata, house.clock()))
    both(house, peer=ARTIFACT, relay_state="a b&c")
    assert len(house.parts.repo.find(SamlArtifact)) == 2


def test_the_answer_is_signed_and_what_belongs_to_it_is_stored(house: House) -> None:
    house.sign_in()
    told = house.cut_short(house.query(relay_state="state"))
    assert told is not None
    (posting,) = parse(told.body.decode()).forms
    assert (posting.action, posting.values["RelayState"]) == (PEER.acs[0], "state")
    root = etree.fromstring(base64.b64decode(posting.values["SAMLResponse"]))
    verify_element(root, [public_key(c) for c in house.parts.keys.saml_published()])
    assert one(root, "//saml:Attribute[@FriendlyName='uid']/saml:AttributeValue").text == "ada"
    counts = [len(house.parts.repo.find(kind)) for kind in (SamlRequestSeen, SamlParticipant)]
    assert counts == [1, 1]
    assert len(house.parts.repo.find(AuditEvent, name="assertion.issued")) == 1
    assert ("Content-Length", str(len(told.body))) in told.headers


def test_a_request_is_answered_once_whichever_way_it_comes(house: House) -> None:
    house.sign_in()
    query = house.query()
    assert house.cut_short(query) is not None
    assert house.cut_short(query) is None
    assert house.refusal(house.browser.get(f"/saml/sso?{query}")).code == "saml_replayed"


def test_what_needs_a_page_is_left_to_the_page_and_leaves_no_trace(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.sign_in(factor=False)
    house.change(idp_initiated=True)
    stranger = Sp("https://stranger.example")
    queries = [
        "",
        "SAMLRequest=AAAA",
        "SAMLRequest=%ff",
        house.query(attributes='ForceAuthn="true"'),
        house.query(attributes='ForceAuthn="true" IsPassive="true"'),
        house.query(attributes='AssertionConsumerServiceURL="https://evil.example"'),
        house.query(attributes='ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:PAOS"'),
        house.query(contexts(names.MFA)),
        house.query(contexts("urn:oasis:names:tc:SAML:2.0:ac:classes:Smartcard")),
        house.query(name_id_policy("urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos")),
        house.query("<saml:Subject><saml:NameID>eve</saml:NameID></saml:Subject>"),
        house.query(peer=stranger),
        PEER.query(PEER.authn_request(house.clock() - 3600, "http://localhost/saml/sso")),
    ]
    with caplog.at_level(logging.INFO):
        assert [house.cut_short(query) for query in queries] == [None] * len(queries)
    for kind in (SamlRequestSeen, SamlParticipant):
        assert house.parts.repo.find(kind) == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    house.parts.saml_messages.flush()
    assert house.parts.saml_messages.newest() == []


def test_without_a_live_session_there_is_no_short_cut(house: House) -> None:
    query = house.query()
    for cookie in ("", "sheaf_session=", f"sheaf_session={'x' * 43}", "sheaf_session=ü", "a=b"):
        assert house.cut_short(query, cookie) is None
    house.sign_in()
    assert house.cut_short(query, method="POST") is None
    assert house.cut_short(query, method="HEAD") is None
    user = house.parts.users.get(house.user_id)
    assert user is not None
    house.parts.users.set_disabled(user, True, actor="test")
    assert house.cut_short(query) is None
    assert house.parts.repo.find(SamlRequestSeen) == []


def test_a_store_that_fails_is_left_to_the_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from idp.ports import StoreUnavailable

    house.sign_in()

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(house.parts.repo, "insert_all", away)
    assert house.cut_short(house.query()) is None
    assert house.browser.get(f"/saml/sso?{house.query()}").status_code == 503
