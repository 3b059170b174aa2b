"""Owns the claims about apps that are told by SOAP that a session has ended (SAML Bindings 3.2).

How often a note is tried is in tests/services/test_deliver_logout, apps that ask by SOAP in test_slo_soap_asked. The apps here
are real servers on loopback.
"""

from typing import Any

import pytest

from idp.base.errors import Refused
from idp.domain.attempt import Proof
from idp.domain.audit_event import AuditEvent
from idp.domain.grant import LogoutDelivery
from idp.domain.relying import Client
from idp.domain.saml import SamlMessage, SamlParticipant
from idp.domain.session import Session
from idp.protocols.saml.request import AuthnRequest
from idp.saml import names, soap
from tests.saml.leaving import PARTIAL, SUCCESS, App, House, Known, leaving_house, taking_soap  # noqa: F401  (a fixture)
from tests.saml.peer import name_id_policy, pair
from tests.support.html import parse
from tests.support.ports import free_port
from tests.support.receiver import Received, Receiver

SOAP_URL = "http://localhost/saml/slo/soap"


@pytest.fixture
def receiver() -> Any:
    with Receiver() as running:
        yield running


@pytest.fixture
def wiki(house: House) -> App:
    return house.add("Wiki", ("redirect", "https://wiki.example/slo"))


def deliveries(house: House) -> list[LogoutDelivery]:
    return [
        *house.parts.repo.find(LogoutDelivery, state="reached"),
        *house.parts.repo.find(LogoutDelivery, state="waiting"),
    ]


def test_an_app_that_takes_soap_is_told_at_once_and_the_browser_stays(house: House, receiver: Receiver) -> None:
    shop = taking_soap(house, receiver)
    house.sign_in()
    ada = house.open(shop)
    house.parts.logout.on_new = house.queue.take
    page = house.follow(house.sign_out())
    (got,) = receiver.received
    assert got.headers["content-type"].startswith("text/xml")
    assert got.headers["soapaction"] == '"http://www.oasis-open.org/committees/security"'
    asked = house.read_soap(got.body)
    assert (asked.kind, asked.text("./saml:NameID"), asked.text("./samlp:SessionIndex")) == (
        "LogoutRequest",
        ada.value,
        ada.index,
    )
    assert asked.root.get("Destination") == receiver.url("/Shop/slo")
    assert "Shop signed out" in parse(page.text).text
    assert house.queue.quiet(10)
    (event,) = house.parts.repo.find(AuditEvent, name="logout.told")
    assert event.actor == shop.entity_id


def test_an_app_that_joins_while_the_session_ends_is_told_too(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, repo = taking_soap(house, receiver), house.parts.repo
    session = house.sign_in()
    really = repo.delete_where

    def joined_first(kind: type, **where: str) -> int:
        if kind is Session and not repo.find(SamlParticipant, sid=session.sid):
            house.open(shop)
        return really(kind, **where)

    monkeypatch.setattr(repo, "delete_where", joined_first)
    house.parts.sessions.end(session, actor=house.user_id)
    assert [one.client_id for one in deliveries(house)] == [shop.entity_id]


def test_a_session_that_ended_meanwhile_gives_no_answer(house: House, wiki: App) -> None:
    session = house.sign_in()
    user = house.parts.users.get(session.user_id)
    house.open(wiki)
    house.parts.sessions.end(session, actor=house.user_id)
    repo = house.parts.repo
    for one in repo.find(SamlParticipant, sid=session.sid):
        repo.delete(SamlParticipant, one.id)
    request = AuthnRequest("_late", wiki.entity_id, wiki.acs[0])
    with pytest.raises(Refused) as caught:
        house.app.extensions["sheaf_saml_door"]().answer(request, user, session)
    assert caught.value.code == "session_ended"


@pytest.mark.parametrize("how", ["account", "administrator", "password", "somebody else"])
def test_a_session_that_ends_elsewhere_is_told_too(house: House, receiver: Receiver, how: str) -> None:
    shop = taking_soap(house, receiver)
    session = house.sign_in()
    house.open(shop)
    if how == "account":
        house.parts.sessions.end(session, actor=house.user_id)
    elif how == "administrator":
        house.parts.sessions.end_all(house.user_id, actor="admin")
    elif how == "password":
        user = house.parts.users.get(house.user_id)
        assert user is not None
        house.parts.users.set_password(user, "correct horse battery staple", actor="test")
    else:
        bob = house.parts.users.add("bob", email=None, actor="test")
        house.parts.sessions.establish(Proof(bob.id, house.clock(), ("pwd",)), session, "test")
    assert house.queue.run_due() == 1
    assert house.read_soap(receiver.received[0].body).kind == "LogoutRequest"


def test_an_app_that_is_not_there_is_tried_again_with_a_fresh_request(house: House, receiver: Receiver) -> None:
    shop = taking_soap(house, receiver)
    house.sign_in()
    house.open(shop)
    receiver.statuses[:] = [503]
    page = house.follow(house.sign_out())
    house.queue.run_due()
    assert "Shop not reached yet" in parse(house.browser.get(page.request.path).text).text
    house.clock.advance(700)
    house.queue.run_due()
    first, second = (house.read_soap(got.body) for got in receiver.received)
    assert first.id != second.id
    assert first.root.get("IssueInstant") != second.root.get("IssueInstant")
    assert [one.state for one in deliveries(house)] == ["reached"]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({}, "reached"),
        ({"sign": False}, "reached"),  # it came over the connection that we opened
        ({"status": names.REQUESTER, "second": names.UNKNOWN_PRINCIPAL}, "reached"),
        ({"status": names.RESPONDER}, "waiting"),
        ({"to": "_another"}, "waiting"),
    ],
)
def test_what_an_app_answers_says_whether_it_was_reached(
    house: House, receiver: Receiver, answer: dict[str, Any], state: str
) -> None:
    shop = taking_soap(house, receiver, **answer)
    house.sign_in()
    house.open(shop)
    house.sign_out()
    house.queue.run_due()
    assert [one.state for one in deliveries(house)] == [state]


@pytest.mark.parametrize(
    "body", ["", "<a/>", "<!DOCTYPE a><a/>", "<html>fault</html>", "x" * 400_000, soap.fault("Server", "no").decode()]
)
def test_what_is_no_answer_counts_as_none(house: House, receiver: Receiver, body: str) -> None:
    shop = taking_soap(house, receiver)
    receiver.pages["/Shop/slo"] = body
    house.sign_in()
    house.open(shop)
    house.sign_out()
    house.queue.run_due()
    (delivery,) = deliveries(house)
    assert delivery.state == "waiting"
    assert delivery.problem
    assert "fault of ours" not in delivery.problem


def test_an_answer_with_a_signature_that_does_not_hold_counts_as_none(house: House, receiver: Receiver) -> None:
    shop = taking_soap(house, receiver)

    def forged(got: Received) -> str:
        said = shop.logout_response(house.read_soap(got.body).id, house.clock(), destination=None)
        return soap.envelope(shop.signed(said, pair("rsa-2048", 80))).decode()

    receiver.pages["/Shop/slo"] = forged
    house.sign_in()
    house.open(shop)
    house.sign_out()
    house.queue.run_due()
    assert [one.state for one in deliveries(house)] == ["waiting"]


def test_an_app_that_was_told_before_and_knows_no_session_any_more_was_reached(
    house: House, receiver: Receiver
) -> None:
    shop = taking_soap(house, receiver, status=names.RESPONDER, second=PARTIAL)
    house.sign_in()
    house.open(shop)
    house.sign_out()
    house.queue.run_due()
    assert [one.state for one in deliveries(house)] == ["waiting"]
    house.clock.advance(700)
    house.queue.run_due()
    assert [one.state for one in deliveries(house)] == ["reached"]


def test_an_answer_that_is_signed_with_sha1_is_vouched_for_by_the_connection(house: House, receiver: Receiver) -> None:
    """Shibboleth's service provider answers so when nothing is set."""
    shop = taking_soap(house, receiver)

    def old(got: Received) -> str:
        said = shop.logout_response(house.read_soap(got.body).id, house.clock(), destination=None)
        return soap.envelope(shop.signed(said)).decode().replace("xmldsig-more#rsa-sha256", "xmldsig#rsa-sha1")

    receiver.pages["/Shop/slo"] = old
    house.sign_in()
    house.open(shop)
    house.sign_out()
    house.queue.run_due()
    assert [one.state for one in deliveries(house)] == ["reached"]


def test_an_app_is_told_of_every_name_that_it_knows(house: House, receiver: Receiver) -> None:
    shop = taking_soap(house, receiver)
    house.sign_in()
    known = {house.open(shop, body=name_id_policy(names.TRANSIENT)).value for _ in range(3)}
    house.sign_out()
    assert house.queue.run_due() == 3
    assert {house.read_soap(got.body).text("./saml:NameID") for got in receiver.received} == known


def test_the_app_that_began_it_is_not_told_what_it_knows(house: House, receiver: Receiver) -> None:
    shop = taking_soap(house, receiver, "Shop", ("redirect", "https://shop.example/slo"))
    house.sign_in()
    ada = house.open(shop)
    assert house.read(house.ask(shop, shop.logout_request(ada, house.clock()))).statuses == [SUCCESS]
    assert deliveries(house) == []


def test_an_app_that_was_not_reached_by_soap_is_visited_by_the_browser(house: House, wiki: App) -> None:
    shop = house.add("Shop", ("soap", f"http://127.0.0.1:{free_port()}/slo"), ("redirect", "https://shop.example/slo"))
    house.sign_in()
    ada = house.open(wiki)
    house.open(shop)
    house.parts.logout.on_new = house.queue.take
    page = house.ask(wiki, wiki.logout_request(ada, house.clock()))
    assert house.read(page).url == "https://shop.example/slo"
    answer = house.read(house.come_back(shop, page))
    assert answer.statuses == [SUCCESS]
    assert deliveries(house) == []  # it knows, and need not be tried again
    assert house.queue.quiet(10)


def test_an_app_that_is_still_tried_makes_the_logout_partial(house: House, wiki: App, receiver: Receiver) -> None:
    shop = taking_soap(house, receiver)
    house.sign_in()
    ada = house.open(wiki)
    house.open(shop)
    receiver.statuses[:] = [503]
    house.parts.logout.on_new = house.queue.take
    page = house.ask(wiki, wiki.logout_request(ada, house.clock()))
    assert "Shop not reached yet" in parse(page.text).text
    page = house.browser.get(page.headers["Refresh"].partition("url=")[2])
    assert house.read(page).statuses == [SUCCESS, PARTIAL]
    assert house.queue.quiet(10)


def test_messages_of_both_ways_are_kept_for_the_inspector(house: House, receiver: Receiver) -> None:
    shop = taking_soap(house, receiver)
    house.sign_in()
    house.open(shop)
    house.sign_out()
    house.queue.run_due()
    house.parts.saml_messages.flush()
    kept = house.parts.repo.find(SamlMessage, peer=f"sp:{shop.entity_id}")
    seen = {(one.direction, one.kind, one.binding, one.ok) for one in kept}
    assert {("out", "LogoutRequest", "soap", True), ("in", "LogoutResponse", "soap", True)} <= seen
    (answer,) = [one for one in kept if one.kind == "LogoutResponse"]
    assert {check.code for check in answer.checks} >= {"schema", "signature", "status", "in_response_to"}


def test_openid_connect_apps_of_the_session_are_told_as_ever(house: House, wiki: App, receiver: Receiver) -> None:
    client = Client("shop", "Shop", house.clock(), backchannel_logout_uri=receiver.url("/shop"))
    house.parts.repo.insert(client)
    session = house.sign_in()
    house.parts.sessions.used_by(session, "shop")
    ada = house.open(wiki)
    house.parts.logout.on_new = house.queue.take
    answer = house.read(house.ask(wiki, wiki.logout_request(ada, house.clock())))
    assert answer.statuses == [SUCCESS]
    (got,) = receiver.received
    assert set(got.form) == {"logout_token"}
    assert house.queue.quiet(10)
