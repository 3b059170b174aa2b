"""Owns the claims about apps that sign a person out by SOAP (SAML Bindings 3.2): what is believed, who else is told, the answer."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.domain.saml import SamlMessage
from idp.saml import names, soap
from tests.saml.leaving import PARTIAL, SUCCESS, App, House, Known, leaving_house, taking_soap  # noqa: F401  (a fixture)
from tests.saml.peer import pair
from tests.support.receiver import Receiver

SOAP_URL = "http://localhost/saml/slo/soap"


@pytest.fixture
def receiver() -> Any:
    with Receiver() as running:
        yield running


@pytest.fixture
def wiki(house: House) -> App:
    return house.add("Wiki", ("redirect", "https://wiki.example/slo"))


def ask_by_soap(house: House, app: App, document: bytes) -> TestResponse:
    """A program asks: it has no cookies."""
    body = soap.envelope(document)
    return house.app.test_client().post("/saml/slo/soap", data=body, content_type="text/xml")


def test_an_app_may_ask_by_soap_and_the_session_ends_without_its_browser(house: House, wiki: App) -> None:
    house.sign_in()
    ada = house.open(wiki)
    request = wiki.logout_request(ada, house.clock(), id="_asked", destination=None)
    page = ask_by_soap(house, wiki, wiki.signed(request))
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    answer = house.read_soap(page.data)
    assert (answer.kind, answer.statuses, answer.root.get("InResponseTo")) == ("LogoutResponse", [SUCCESS], "_asked")
    assert house.sessions() == []
    assert page.headers.get("Set-Cookie") is None


def test_others_that_only_a_browser_can_tell_make_it_partial(house: House, wiki: App) -> None:
    mail = house.add("Mail", ("redirect", "https://mail.example/slo"))
    house.sign_in()
    ada = house.open(wiki)
    house.open(mail)
    page = ask_by_soap(house, wiki, wiki.signed(wiki.logout_request(ada, house.clock(), destination=SOAP_URL)))
    assert house.read_soap(page.data).statuses == [SUCCESS, PARTIAL]
    house.parts.saml_messages.flush()
    (sent,) = [one for one in house.parts.repo.find(SamlMessage) if one.kind == "LogoutResponse"]
    assert [(check.code, check.ok) for check in sent.checks] == [("status", False)], (
        "a failure without a reason helps nobody"
    )


def test_others_that_take_soap_are_told_and_it_is_whole(house: House, wiki: App, receiver: Receiver) -> None:
    shop = taking_soap(house, receiver)
    house.sign_in()
    ada = house.open(wiki)
    house.open(shop)
    house.parts.logout.on_new = house.queue.take
    page = ask_by_soap(house, wiki, wiki.signed(wiki.logout_request(ada, house.clock(), destination=SOAP_URL)))
    assert house.read_soap(page.data).statuses == [SUCCESS]
    assert len(receiver.received) == 1
    assert house.queue.quiet(10)


def test_who_is_not_known_is_answered_and_stays_signed_in(house: House, wiki: App) -> None:
    house.sign_in()
    house.open(wiki)
    nobody = Known("<saml:NameID>nobody</saml:NameID>", "_1")
    page = ask_by_soap(house, wiki, wiki.signed(wiki.logout_request(nobody, house.clock(), destination=None)))
    assert house.read_soap(page.data).statuses == [names.REQUESTER, names.UNKNOWN_PRINCIPAL]
    assert len(house.sessions()) == 1


def fault(page: TestResponse) -> str:
    assert b"soap:Fault" in page.data
    assert page.status_code in (400, 403, 409)
    return page.text


def test_a_request_by_soap_must_be_signed_fresh_for_us_and_new(house: House, wiki: App) -> None:
    house.sign_in()
    ada, now = house.open(wiki), house.clock()
    unsigned = wiki.logout_request(ada, now, destination=None)
    assert house.refusal(ask_by_soap(house, wiki, unsigned)).code == "slo_signature"
    foreign = wiki.signed(wiki.logout_request(ada, now, destination=None), pair("rsa-2048", 81))
    assert house.refusal(ask_by_soap(house, wiki, foreign)).code == "slo_signature"
    stale = wiki.signed(wiki.logout_request(ada, now - 999, destination=None))
    assert house.refusal(ask_by_soap(house, wiki, stale)).code == "slo_stale"
    elsewhere = wiki.signed(wiki.logout_request(ada, now, destination="https://idp.example/slo"))
    assert house.refusal(ask_by_soap(house, wiki, elsewhere)).code == "slo_destination"
    assert len(house.sessions()) == 1
    once = wiki.signed(wiki.logout_request(ada, now, destination=None))
    assert ask_by_soap(house, wiki, once).status_code == 200
    again = ask_by_soap(house, wiki, once)
    fault(again)
    assert house.refusal(again).code == "slo_replayed"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a/>",
        b"\xff\xfe",
        b"not xml",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<soap:Envelope xmlns:soap='http://schemas.xmlsoap.org/soap/envelope/'><soap:Body/></soap:Envelope>",
        b"<soap:Envelope xmlns:soap='http://schemas.xmlsoap.org/soap/envelope/'><soap:Body>" + b"<a>" * 5000,
        b"x" * 600_000,
    ],
)
def test_what_is_no_message_gives_a_fault_and_never_a_fault_of_ours(house: House, body: bytes) -> None:
    page = house.app.test_client().post("/saml/slo/soap", data=body, content_type="text/xml")
    assert page.status_code in (400, 413)
    assert house.app.test_client().get("/saml/slo/soap").status_code == 405


def test_an_answer_by_soap_is_not_taken_for_a_request(house: House, wiki: App) -> None:
    said = wiki.signed(wiki.logout_response("_x", house.clock(), destination=None))
    assert house.refusal(ask_by_soap(house, wiki, said)).code == "slo_unreadable"
