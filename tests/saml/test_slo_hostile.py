"""Owns the claims about LogoutRequests that must end nothing: not signed, changed, stale, used before, of somebody else."""

import random
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.domain.audit_event import AuditEvent
from idp.domain.relying import ServiceProvider
from idp.saml import names, soap
from idp.saml.bindings import to_query
from idp.saml.encryption import encrypt
from tests.saml.leaving import ISSUER, SLO, SUCCESS, App, House, Known, leaving_house  # noqa: F401  (a fixture)
from tests.saml.peer import form, instant, pair


@pytest.fixture
def wiki(house: House) -> App:
    return house.add("Wiki", ("redirect", "https://wiki.example/slo", "https://wiki.example/slo-answer"))


@pytest.fixture
def ada(house: House, wiki: App) -> Known:
    house.sign_in()
    return house.open(wiki)


def test_an_app_cannot_end_a_session_by_the_name_that_another_app_knows(house: House, wiki: App, ada: Known) -> None:
    evil = house.add("Evil", ("redirect", "https://evil.example/slo"))
    house.open(evil)
    answer = house.read(house.ask(evil, evil.logout_request(ada, house.clock())))
    assert answer.statuses[-1] == names.UNKNOWN_PRINCIPAL
    assert len(house.sessions()) == 1


def test_a_request_that_is_not_signed_ends_nothing(house: House, wiki: App, ada: Known) -> None:
    request = wiki.logout_request(ada, house.clock())
    assert house.refusal(house.browser.get(f"/saml/slo?{to_query(request)}")).code == "slo_signature"
    assert house.refusal(house.browser.post("/saml/slo", data=form(request))).code == "slo_signature"
    assert len(house.sessions()) == 1


def test_a_signature_of_another_key_or_over_another_message_ends_nothing(house: House, wiki: App, ada: Known) -> None:
    request = wiki.logout_request(ada, house.clock())
    foreign = wiki.by_query(request, key=pair("rsa-2048", 77))
    assert house.refusal(house.browser.get(f"/saml/slo?{foreign}")).code == "slo_signature"
    moved = wiki.by_query(request, "a").replace("RelayState=a", "RelayState=b")
    assert house.refusal(house.browser.get(f"/saml/slo?{moved}")).code == "slo_signature"
    signed = wiki.signed(request).replace(ada.index.encode(), b"_" + b"0" * 40)
    assert house.refusal(house.browser.post("/saml/slo", data=form(signed))).code == "slo_signature"
    assert len(house.sessions()) == 1


def test_an_unsigned_request_around_a_signed_one_ends_nothing(house: House, wiki: App, ada: Known) -> None:
    """Signature wrapping: the signed message is hidden in the Extensions of another one."""
    evil = wiki.logout_request(Known("<saml:NameID>mallory</saml:NameID>", "_1"), house.clock())
    hidden = f'<samlp:Extensions><x:Any xmlns:x="urn:x">{wiki.signed(evil).decode()}</x:Any></samlp:Extensions>'
    outer = wiki.logout_request(ada, house.clock(), extensions=hidden)
    assert house.refusal(house.browser.post("/saml/slo", data=form(outer))).code == "slo_signature"
    assert len(house.sessions()) == 1


@pytest.mark.parametrize(
    ("attributes", "destination", "age", "code"),
    [
        ("", "https://elsewhere.example/saml/slo", 0, "slo_destination"),
        ("", None, 0, "slo_destination"),
        ("", SLO, 400, "slo_stale"),
        ("", SLO, -400, "slo_stale"),
        ('NotOnOrAfter="{past}"', SLO, 0, "slo_stale"),
        ('NotOnOrAfter="9999-12-31T24:00:00Z"', SLO, 0, "slo_unreadable"),
    ],
)
def test_a_request_that_is_stale_or_for_somebody_else_ends_nothing(
    house: House, wiki: App, ada: Known, attributes: str, destination: str | None, age: float, code: str
) -> None:
    now = house.clock()
    said = attributes.format(past=instant(now - 1))
    request = wiki.logout_request(ada, now - age, destination=destination, attributes=said)
    assert house.refusal(house.ask(wiki, request)).code == code
    assert len(house.sessions()) == 1


def test_the_same_request_works_once(house: House, wiki: App, ada: Known) -> None:
    query = wiki.by_query(wiki.logout_request(ada, house.clock(), id="_twice"))
    assert house.browser.get(f"/saml/slo?{query}").status_code == 303
    house.sign_in()
    house.open(wiki)
    assert house.refusal(house.browser.get(f"/saml/slo?{query}")).code == "slo_replayed"
    assert len(house.sessions()) == 1


def test_the_same_request_works_once_also_if_the_clock_of_the_app_is_ahead(house: House, wiki: App, ada: Known) -> None:
    query = wiki.by_query(wiki.logout_request(ada, house.clock() + 290, id="_ahead"))
    assert house.browser.get(f"/saml/slo?{query}").status_code == 303
    house.sign_in()
    house.open(wiki)
    house.clock.advance(400)
    assert house.refusal(house.browser.get(f"/saml/slo?{query}")).code == "slo_replayed"


def test_strangers_and_apps_that_are_switched_off_end_nothing(house: House, wiki: App, ada: Known) -> None:
    stranger = App("https://stranger.example/metadata")
    page = house.ask(stranger, stranger.logout_request(ada, house.clock()))
    assert house.refusal(page).code == "unknown_service_provider"
    known = house.parts.repo.get(ServiceProvider, wiki.entity_id)
    assert known is not None
    house.parts.repo.replace_if(replace(known, enabled=False))
    assert house.refusal(house.ask(wiki, wiki.logout_request(ada, house.clock()))).code == "sp_disabled"
    assert len(house.sessions()) == 1


@pytest.mark.parametrize(
    "query",
    ["", "SAMLRequest=AAAA", "SAMLRequest=%FF", "SAMLRequest=a&SAMLResponse=b", "SAMLRequest=" + "A" * 70_000],
)
def test_what_is_no_message_gives_a_page_with_a_trace_code(house: House, query: str) -> None:
    assert house.refusal(house.browser.get(f"/saml/slo?{query}")).code == "slo_unreadable"


def test_other_messages_are_not_taken_for_one(house: House, wiki: App, ada: Known) -> None:
    request = wiki.authn_request(house.clock(), SLO)
    assert house.refusal(house.ask(wiki, request)).code == "slo_unreadable"
    mixed = wiki.by_query(wiki.logout_request(ada, house.clock()), kind="response")
    assert house.refusal(house.browser.get(f"/saml/slo?{mixed}")).code == "slo_unreadable"
    nobody = wiki.logout_request(ada, house.clock(), name_id="<saml:BaseID/>")
    assert house.refusal(house.ask(wiki, nobody)).code == "slo_unreadable"


def test_a_name_that_nobody_can_decrypt_ends_nothing(house: House, wiki: App, ada: Known) -> None:
    other = pair("rsa-2048", 78)
    sealed = encrypt(ada.name_id.encode(), other.private.public_key(), other.certificate).decode()  # type: ignore[arg-type]
    request = wiki.logout_request(ada, house.clock(), name_id=f"<saml:EncryptedID>{sealed}</saml:EncryptedID>")
    assert house.refusal(house.ask(wiki, request)).code == "slo_unreadable"
    assert len(house.sessions()) == 1


def test_of_the_same_request_many_times_at_once_one_is_taken(house: House, wiki: App, ada: Known) -> None:
    query = wiki.by_query(wiki.logout_request(ada, house.clock()))
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda _: house.app.test_client().get(f"/saml/slo?{query}").status_code, range(6)))
    assert sorted(statuses) == [303] + [409] * 5
    assert len(house.parts.repo.find(AuditEvent, name="session.ended")) == 1


def test_no_changed_copy_of_a_signed_request_ends_anything(house: House, wiki: App, ada: Known) -> None:
    """Changed anywhere: it is refused by name, and never by a fault of ours."""
    chance = random.Random(4)
    request = wiki.logout_request(ada, house.clock(), name_id=f"<saml:NameID>{ada.value}</saml:NameID>")
    # Without KeyInfo, which nobody reads: there a change would mean nothing.
    signed = re.sub(b"<ds:KeyInfo>.*</ds:KeyInfo>", b"", wiki.signed(request))
    query = wiki.by_query(request).encode()
    for _ in range(150):
        for whole, send in ((signed, _post), (query, _get), (soap.envelope(signed), _soap)):
            at, size = chance.randrange(len(whole)), chance.choice((0, 1, 3, 40))
            changed = whole[:at] + chance.randbytes(chance.choice((2, 5))) + whole[at + size :]
            if b"".join(changed.split()) != b"".join(whole.split()):  # a blank within base64 is no change
                page = send(house.browser, changed)
                assert page.status_code in (400, 403, 409, 413), changed
    assert len(house.sessions()) == 1


def _post(browser: FlaskClient, document: bytes) -> TestResponse:
    return browser.post("/saml/slo", data=form(document))


def _get(browser: FlaskClient, query: bytes) -> TestResponse:
    return browser.get("/saml/slo", query_string=query.decode("latin-1"))


def _soap(browser: FlaskClient, body: bytes) -> TestResponse:
    return browser.post("/saml/slo/soap", data=body, content_type="text/xml")
