"""Owns the claims about a sign-out that an app begins (SAML Profiles 4.4.3): which sessions end, and the answer.

What is not believed is in test_slo_hostile, leading the browser to other apps in test_slo_run, the back channel in test_slo_soap.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from idp.domain.audit_event import AuditEvent
from idp.domain.saml import SamlMessage
from idp.saml import names
from idp.saml.bindings import to_query
from idp.saml.encryption import encrypt
from tests.saml.leaving import ISSUER, SLO, SUCCESS, App, House, Known, leaving_house  # noqa: F401  (a fixture)


@pytest.fixture
def wiki(house: House) -> App:
    return house.add("Wiki", ("redirect", "https://wiki.example/slo", "https://wiki.example/slo-answer"))


@pytest.fixture
def ada(house: House, wiki: App) -> Known:
    house.sign_in()
    return house.open(wiki)


def test_an_app_signs_the_person_out_and_gets_a_signed_answer(house: House, wiki: App, ada: Known) -> None:
    request = wiki.logout_request(ada, house.clock(), id="_asked")
    answer = house.read(house.ask(wiki, request, "state"))
    assert house.sessions() == []
    assert (answer.kind, answer.url, answer.relay_state) == (
        "LogoutResponse",
        "https://wiki.example/slo-answer",
        "state",
    )
    assert answer.statuses == [SUCCESS]
    assert answer.root.get("InResponseTo") == "_asked"
    assert answer.root.get("Destination") == answer.url
    assert answer.text("./saml:Issuer") == f"{ISSUER}/saml/metadata"
    (event,) = house.parts.repo.find(AuditEvent, name="saml.logout_requested")
    assert (event.actor, event.subject) == (f"sp:{wiki.entity_id}", house.user_id)
    assert house.browser.get_cookie("sheaf_session") is None


def test_a_form_of_the_app_comes_without_our_cookies_and_signs_out_all_the_same(house: House) -> None:
    shop = house.add("Shop", ("post", "https://shop.example/slo"))
    house.sign_in()
    ada = house.open(shop)
    fields = shop.by_form(shop.logout_request(ada, house.clock()), "state")
    cookies = {name: house.browser.get_cookie(name) for name in ("sheaf_session", "sheaf_browser")}
    for name in cookies:
        house.browser.delete_cookie(name)
    page = house.browser.post("/saml/slo", data=fields)
    assert page.status_code == 303
    assert house.sessions() == []
    for name, cookie in cookies.items():
        if cookie is not None:
            house.browser.set_cookie(name, cookie.value)
    page = house.follow(page)
    answer = house.read_form(page)
    assert (answer.url, answer.relay_state, answer.statuses) == ("https://shop.example/slo", "state", [SUCCESS])
    assert house.browser.get_cookie("sheaf_session") is None  # it opened nothing any more


def test_only_the_session_that_is_named_ends(house: House, wiki: App, ada: Known) -> None:
    elsewhere = house.app.test_client()
    house.sign_in(elsewhere)
    there = house.open(wiki, elsewhere)
    assert there.index != ada.index
    house.ask(wiki, wiki.logout_request(there, house.clock()))
    assert len(house.sessions()) == 1
    assert house.browser.get_cookie("sheaf_session") is not None
    house.ask(wiki, wiki.logout_request(ada, house.clock()))
    assert house.sessions() == []


def test_without_an_index_the_session_of_this_browser_ends_and_from_elsewhere_every_one(
    house: House, wiki: App, ada: Known
) -> None:
    elsewhere = house.app.test_client()
    house.sign_in(elsewhere)
    house.open(wiki, elsewhere)
    house.ask(wiki, wiki.logout_request(ada, house.clock(), indexes=()))
    assert len(house.sessions()) == 1
    house.sign_in()
    house.open(wiki)
    assert len(house.sessions()) == 2
    house.browser.delete_cookie("sheaf_session")
    house.ask(wiki, wiki.logout_request(ada, house.clock(), indexes=()))
    assert house.sessions() == []


@pytest.mark.parametrize(
    "name_id",
    [
        "<saml:NameID>{value}</saml:NameID>",
        f'<saml:NameID Format="{names.UNSPECIFIED}">{{value}}</saml:NameID>',
        f'<saml:NameID Format="{names.PERSISTENT}">{{value}}</saml:NameID>',
        f'<saml:NameID Format="{names.PERSISTENT}" NameQualifier="{ISSUER}/saml/metadata">\n {{value}} </saml:NameID>',
    ],
)
def test_an_app_may_leave_out_of_the_name_what_it_does_not_keep(
    house: House, wiki: App, ada: Known, name_id: str
) -> None:
    request = wiki.logout_request(ada, house.clock(), name_id=name_id.format(value=ada.value))
    assert house.read(house.ask(wiki, request)).statuses == [SUCCESS]
    assert house.sessions() == []


@pytest.mark.parametrize(
    ("name_id", "indexes"),
    [
        ("<saml:NameID>somebody</saml:NameID>", None),
        (f'<saml:NameID Format="{names.TRANSIENT}">{{value}}</saml:NameID>', None),
        (
            f'<saml:NameID Format="{names.PERSISTENT}" SPNameQualifier="https://other.example">{{value}}</saml:NameID>',
            None,
        ),
        (None, ("_not-its-own",)),
    ],
)
def test_who_is_not_known_by_that_name_and_index_stays_signed_in(
    house: House, wiki: App, ada: Known, name_id: str | None, indexes: tuple[str, ...] | None
) -> None:
    said = name_id.format(value=ada.value) if name_id else None
    request = wiki.logout_request(ada, house.clock(), name_id=said, indexes=indexes)
    answer = house.read(house.ask(wiki, request))
    assert answer.statuses == [names.REQUESTER, names.UNKNOWN_PRINCIPAL]
    assert len(house.sessions()) == 1


def test_a_session_that_is_over_already_is_signed_out(house: House, wiki: App, ada: Known) -> None:
    house.parts.sessions.end(house.sessions()[0], actor="test")
    assert house.read(house.ask(wiki, wiki.logout_request(ada, house.clock()))).statuses == [SUCCESS]


def test_looking_is_not_doing(house: House, wiki: App, ada: Known) -> None:
    query = wiki.by_query(wiki.logout_request(ada, house.clock()))
    assert house.browser.head(f"/saml/slo?{query}").status_code == 200
    assert len(house.sessions()) == 1


def test_an_app_that_wants_no_answer_gets_none(house: House, wiki: App, ada: Known) -> None:
    """SAML V2.0 Asynchronous Single Logout Profile Extension."""
    wants = '<samlp:Extensions><x:Asynchronous xmlns:x="urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo"/></samlp:Extensions>'
    page = house.ask(wiki, wiki.logout_request(ada, house.clock(), extensions=wants))
    assert page.status_code == 200
    assert "You are signed out" in page.text or "not signed in" in page.text
    assert house.sessions() == []


def test_an_app_without_an_address_for_answers_leaves_the_person_on_a_page_of_ours(house: House) -> None:
    mute = house.add("Mute")
    house.sign_in()
    ada = house.open(mute)
    page = house.ask(mute, mute.logout_request(ada, house.clock()))
    assert page.status_code == 200
    assert house.sessions() == []


def test_a_name_that_is_encrypted_for_us_is_understood(house: House, wiki: App, ada: Known) -> None:
    _, certificate = house.parts.keys.saml_decrypting()[0]
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    sealed = encrypt(ada.name_id.encode(), key, certificate).decode()
    request = wiki.logout_request(ada, house.clock(), name_id=f"<saml:EncryptedID>{sealed}</saml:EncryptedID>")
    assert house.read(house.ask(wiki, request)).statuses == [SUCCESS]
    assert house.sessions() == []


def test_two_requests_at_once_for_one_session_are_both_answered(house: House, wiki: App, ada: Known) -> None:
    """Who presses the button in the app twice."""
    queries = [wiki.by_query(wiki.logout_request(ada, house.clock())) for _ in range(4)]
    browsers = [house.app.test_client() for _ in queries]
    with ThreadPoolExecutor(4) as pool:
        asked = zip(browsers, queries, strict=True)
        pages = list(pool.map(lambda both: house.follow(both[0].get(f"/saml/slo?{both[1]}"), both[0]), asked))
    assert [house.read(page).statuses for page in pages] == [[SUCCESS]] * 4
    assert house.sessions() == []


def test_the_person_sees_on_the_account_page_which_apps_hang_on_a_session(house: House, wiki: App, ada: Known) -> None:
    assert "Wiki" in house.browser.get("/account").text


def test_messages_are_kept_for_the_inspector_refused_ones_with_their_trace_code(
    house: House, wiki: App, ada: Known
) -> None:
    house.ask(wiki, wiki.logout_request(ada, house.clock()))
    trace = house.refusal(house.browser.get(f"/saml/slo?{to_query(wiki.logout_request(ada, house.clock()))}"))
    house.parts.saml_messages.flush()
    kept = house.parts.repo.find(SamlMessage, peer=f"sp:{wiki.entity_id}")
    seen = {(one.direction, one.kind, one.binding, one.ok) for one in kept}
    assert {("in", "LogoutRequest", "redirect", True), ("out", "LogoutResponse", "redirect", True)} <= seen
    (refused,) = [one for one in kept if one.trace]
    assert refused.trace == trace.id
    assert [check.code for check in refused.checks if not check.ok] == ["signature"]
