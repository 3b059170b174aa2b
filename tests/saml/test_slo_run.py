"""Owns the claims about leading a browser from app to app after a sign-out, and about the answer when not all were reached.

Apps that do not come back, and answers that are not to be believed, are in test_slo_run_trouble; how the pages look in
test_slo_browser.
"""

import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import g

from idp.http import leaving
from idp.saml import names
from idp.saml.formats import SIGNATURES
from tests.saml.leaving import PARTIAL, SUCCESS, App, House, leaving_house  # noqa: F401  (a fixture)
from tests.saml.peer import NS, Xmlsec, name_id_policy
from tests.support.html import parse


@pytest.fixture
def wiki(house: House) -> App:
    return house.add("Wiki", ("redirect", "https://wiki.example/slo?tenant=1"))


@pytest.fixture
def shop(house: House) -> App:
    return house.add("Shop", ("post", "https://shop.example/slo"), ("redirect", "https://shop.example/slo-r"))


@pytest.fixture
def mail(house: House) -> App:
    return house.add("Mail", ("post", "https://mail.example/slo"))


def test_signing_out_here_leads_the_browser_to_every_app_and_ends_on_a_page_that_says_so(
    house: House, wiki: App, mail: App
) -> None:
    house.sign_in()
    at_wiki, at_mail = house.open(wiki), house.open(mail)
    page = house.follow(house.sign_out())
    assert house.sessions() == []
    asked = house.read(page)
    assert (asked.kind, asked.url) == ("LogoutRequest", "https://wiki.example/slo?tenant=1")
    assert asked.text("./saml:NameID") == at_wiki.value
    assert asked.text("./samlp:SessionIndex") == at_wiki.index
    assert asked.root.get("Destination") == "https://wiki.example/slo?tenant=1"
    assert asked.root.get("NotOnOrAfter")
    assert "Wiki being told" in parse(page.text).text
    assert "Mail waiting" in parse(page.text).text
    page = house.come_back(wiki, page)
    asked = house.read_form(page)
    assert (asked.kind, asked.url, asked.text("./saml:NameID")) == (
        "LogoutRequest",
        "https://mail.example/slo",
        at_mail.value,
    )
    assert "form-action 'self' https://mail.example https:;" in page.headers["Content-Security-Policy"]
    answer = mail.by_form(mail.logout_response(asked.id, house.clock()), kind="SAMLResponse")
    page = house.follow(house.browser.post("/saml/slo", data=answer))
    words = parse(page.text).text
    assert "You are signed out" in words
    assert "Wiki signed out" in words
    assert "Mail signed out" in words


def test_redirect_is_chosen_over_post_as_it_needs_no_script(house: House, shop: App) -> None:
    house.sign_in()
    house.open(shop)
    page = house.follow(house.sign_out())
    assert page.headers["Refresh"].startswith("0;url=https://shop.example/slo-r?SAMLRequest=")


def test_an_app_that_begins_it_is_answered_after_the_others(house: House, wiki: App, shop: App) -> None:
    house.sign_in()
    ada = house.open(wiki)
    house.open(shop)
    page = house.ask(wiki, wiki.logout_request(ada, house.clock(), id="_mine"), "state")
    assert house.read(page).url == "https://shop.example/slo-r"
    answer = house.read(house.come_back(shop, page))
    assert (answer.kind, answer.url, answer.relay_state, answer.statuses) == (
        "LogoutResponse",
        "https://wiki.example/slo?tenant=1",
        "state",
        [SUCCESS],
    )
    assert answer.root.get("InResponseTo") == "_mine"


@pytest.mark.parametrize(
    ("status", "second", "outcome"),
    [
        (names.RESPONDER, "", [SUCCESS, PARTIAL]),
        (names.REQUESTER, names.REQUEST_DENIED, [SUCCESS, PARTIAL]),
        (names.REQUESTER, names.UNKNOWN_PRINCIPAL, [SUCCESS]),
        (SUCCESS, PARTIAL, [SUCCESS]),
    ],
)
def test_an_app_that_could_not_sign_the_person_out_makes_the_logout_partial(
    house: House, wiki: App, shop: App, status: str, second: str, outcome: list[str]
) -> None:
    house.sign_in()
    ada = house.open(wiki)
    house.open(shop)
    page = house.ask(wiki, wiki.logout_request(ada, house.clock()))
    page = house.come_back(shop, page, status=status, second=second)
    if len(outcome) == 2:
        assert "Shop not reached" in parse(page.text).text
        assert page.headers["Refresh"].startswith("6;url=/saml/logout/")
        page = house.browser.get(page.headers["Refresh"].partition("url=")[2])
    assert house.read(page).statuses == outcome


def test_an_app_that_cannot_be_told_makes_the_logout_partial(house: House, wiki: App) -> None:
    mute, off = house.add("Mute"), house.add("Off", ("redirect", "https://off.example/slo"), logout=False)
    house.sign_in()
    ada = house.open(wiki)
    house.open(mute)
    house.open(off)
    page = house.ask(wiki, wiki.logout_request(ada, house.clock()))
    words = parse(page.text).text
    assert "Mute cannot be told" in words
    assert "Off cannot be told" in words
    page = house.browser.get(next(url for text, url in parse(page.text).links if "Wiki" in text))
    assert house.read(page).statuses == [SUCCESS, PARTIAL]


def test_of_many_names_of_one_app_the_newest_is_said(house: House, wiki: App) -> None:
    house.sign_in()
    known = []
    for _ in range(3):
        known.append(house.open(wiki, body=name_id_policy(names.TRANSIENT)))
    page = house.follow(house.sign_out())
    assert house.read(page).text("./saml:NameID") == known[-1].value


def test_the_oidc_app_that_asked_gets_the_person_back_after_the_saml_apps(house: House, wiki: App) -> None:
    """The way of /end_session is the same from here on."""
    session = house.sign_in()
    house.open(wiki)
    cookies = [f"sheaf_session={house.browser.get_cookie('sheaf_session').value}"]  # type: ignore[union-attr]
    with house.app.test_request_context("/end_session", headers={"Cookie": "; ".join(cookies)}):
        where = leaving.sign_out(target="https://app.example/bye")
        fresh = g.sheaf_new_browser
    assert where is not None
    house.browser.set_cookie("sheaf_browser", fresh)
    page = house.browser.get(where)
    answer = wiki.by_query(wiki.logout_response(house.read(page).id, house.clock()), kind="response")
    page = house.browser.get(house.browser.get(f"/saml/slo?{answer}").location)
    assert page.location == "https://app.example/bye"
    assert session.sid not in page.location


def test_an_app_that_posts_its_request_is_answered_after_the_others_in_the_same_browser_only(
    house: House, wiki: App, mail: App
) -> None:
    house.sign_in()
    ada = house.open(mail)
    house.open(wiki)
    begun = house.app.test_client()  # a browser that sends no cookies with the form
    where = begun.post("/saml/slo", data=mail.by_form(mail.logout_request(ada, house.clock()))).location
    page = house.browser.get(where)
    assert house.read(page).url == "https://wiki.example/slo?tenant=1"
    assert begun.get(where).location == "/sign-out"
    answer = house.read(house.come_back(wiki, page))
    assert (answer.url, answer.statuses) == ("https://mail.example/slo", [SUCCESS])


def test_xmlsec_verifies_what_we_sign(house: House, mail: App, xmlsec: Xmlsec) -> None:
    house.sign_in()
    ada = house.open(mail)
    (certificate, *_) = house.parts.keys.saml_published()
    page = house.follow(house.sign_out())
    request = base64.b64decode(parse(page.text).forms[0].values["SAMLRequest"])
    assert xmlsec.verifies(request, certificate, "LogoutRequest", NS["samlp"])
    house.sign_in()
    again = house.open(mail)
    assert again.value == ada.value
    fields = mail.by_form(mail.logout_request(again, house.clock()))
    page = house.follow(house.browser.post("/saml/slo", data=fields))
    answer = base64.b64decode(parse(page.text).forms[0].values["SAMLResponse"])
    assert xmlsec.verifies(answer, certificate, "LogoutResponse", NS["samlp"])
    assert not xmlsec.verifies(answer.replace(b"Success", b"Succes5"), certificate, "LogoutResponse", NS["samlp"])


@pytest.mark.parametrize("algorithm", ["rsa-sha512", "ecdsa-sha256"])
def test_messages_are_signed_as_it_is_set_for_the_app(house: House, algorithm: str) -> None:
    shop = house.add("Shop", ("redirect", "https://shop.example/slo"), signature_algorithm=algorithm)
    house.sign_in()
    house.open(shop)
    page = house.follow(house.sign_out())
    url = page.headers["Refresh"].partition("url=")[2]
    assert parse_qs(urlsplit(url).query)["SigAlg"] == [SIGNATURES[algorithm]]
    assert house.read_url(url).kind == "LogoutRequest"
