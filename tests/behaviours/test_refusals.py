"""Each thing that must be refused, once on a running installation: the answer, and what `idp explain` says of it.

Every variant of these requests is tested in the folders of the parts; here it is proved that the parts were put together.
"""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.saml.peer import Sp
from tests.support.http_browser import Page
from tests.support.oidc_app import API_SCOPES, AUDIENCE, OidcApp, api
from tests.support.sheaf import Person, Sheaf


@pytest.fixture(scope="module")
def house(sheaf_with_api: Sheaf) -> Sheaf:
    return sheaf_with_api


@pytest.fixture(scope="module")
def ada(house: Sheaf) -> Person:
    return house.add_user(totp=True)


@pytest.fixture(scope="module")
def shop(house: Sheaf) -> OidcApp:
    return OidcApp(house, scopes=("openid", *API_SCOPES), audiences=[AUDIENCE])


@pytest.fixture(scope="module")
def tokens(shop: OidcApp, ada: Person) -> dict[str, Any]:
    with shop.browser() as browser:
        return shop.sign_in(browser, ada)


@pytest.fixture(scope="module")
def code(shop: OidcApp, ada: Person, tokens: dict[str, Any]) -> str:
    """A code that was redeemed, and gave tokens of its own. After `tokens`, so that both take their TOTP in turn."""
    with shop.browser() as browser:
        page = shop.ask(browser).submit(username=ada.username, password=ada.password).submit(code=ada.code())
    return page.params["code"]


def explained(house: Sheaf, page: Page, expected: str) -> None:
    """An error page for people, whose trace code leads to the reason."""
    assert page.status >= 400, page.text
    assert page.url.startswith(house.issuer)
    found = re.findall(r"\b[0-9A-HJKMNP-TV-Z]{8}\b", page.text)
    assert found, page.text
    assert house.cli("explain", found[-1])["error"] == expected


def test_a_wrong_redirect_uri_is_refused_on_a_page_and_nobody_is_sent_there(house: Sheaf, shop: OidcApp) -> None:
    with house.browser("http://127.0.0.1:9/") as browser:
        page = shop.ask(browser, redirect_uri="http://127.0.0.1:9/callback/")

    explained(house, page, "redirect_uri_mismatch")


def test_an_authorization_request_without_pkce_is_refused(shop: OidcApp) -> None:
    with shop.browser() as browser:
        answer = shop.ask(browser, code_challenge=None, code_challenge_method=None)

    assert answer.params["error"] == "invalid_request"
    assert "code" not in answer.params


def test_a_code_used_again_is_refused_and_what_it_gave_is_revoked(shop: OidcApp, code: str) -> None:
    first = shop.tokens(shop.redeem(code))
    assert shop.userinfo(first["access_token"]).status_code == 200

    again = shop.redeem(code)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert shop.userinfo(first["access_token"]).status_code == 401
    assert shop.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_refresh_token_used_again_is_refused_and_its_family_is_revoked(shop: OidcApp, ada: Person) -> None:
    with shop.browser() as browser:
        old = shop.sign_in(browser, ada)
    new = shop.tokens(shop.refresh(old["refresh_token"]))
    new = shop.tokens(shop.refresh(new["refresh_token"]))  # until then, asking again is what an honest app may do

    again = shop.refresh(old["refresh_token"])

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert shop.refresh(new["refresh_token"]).json()["error"] == "invalid_grant"
    assert shop.userinfo(new["access_token"]).status_code == 401


def test_a_totp_code_that_was_used_is_refused_in_another_browser(house: Sheaf, shop: OidcApp) -> None:
    grace = house.add_user(totp=True)
    with shop.browser() as one, shop.browser() as two:
        pages = [shop.ask(browser).submit(username=grace.username, password=grace.password) for browser in (one, two)]
        seen = grace.code()
        assert "code" in pages[0].submit(code=seen).params

        replayed = pages[1].submit(code=seen)

        assert replayed.status == 401
        assert "already used" in replayed.text
        assert "login_required" in shop.ask(two, prompt="none").url


@pytest.fixture(scope="module")
def sp(house: Sheaf, tmp_path_factory: pytest.TempPathFactory) -> Sp:
    """A service provider that promises to sign its requests."""
    sp = Sp("https://signing.test/metadata", acs=("https://signing.test/acs",), signs=True)
    metadata: Path = tmp_path_factory.mktemp("sp") / "sp.xml"
    metadata.write_bytes(sp.metadata())
    house.add_sp(metadata)
    return sp


def ask(house: Sheaf, sp: Sp, **how: str) -> str:
    """The address with a signed AuthnRequest."""
    request = sp.authn_request(time.time(), house.url("/saml/sso"), **how)
    return house.url(f"/saml/sso?{sp.query(request)}")


def test_a_signed_authn_request_begins_a_sign_in(house: Sheaf, sp: Sp) -> None:
    with house.browser() as browser:
        assert "/flow/" in browser.open(ask(house, sp)).url


def test_a_foreign_acs_is_refused_and_no_assertion_is_made(house: Sheaf, sp: Sp) -> None:
    foreign = ask(house, sp, attributes='AssertionConsumerServiceURL="https://evil.test/acs"')
    with house.browser() as browser:
        page = browser.open(foreign)

    explained(house, page, "saml_acs_unknown")
    assert "evil.test" not in page.body
    assert "SAMLResponse" not in page.body


def test_a_tampered_authn_request_is_refused(house: Sheaf, sp: Sp) -> None:
    address, other = ask(house, sp), ask(house, sp)
    swapped = address.replace(_parameter(address, "SAMLRequest"), _parameter(other, "SAMLRequest"))
    with house.browser() as browser:
        page = browser.open(swapped)

    explained(house, page, "saml_signature")


def _parameter(address: str, name: str) -> str:
    found = re.search(rf"\b{name}=([^&]+)", address)
    assert found
    return found[1]


def test_a_document_without_rights_on_it_does_not_exist_for_the_caller(
    house: Sheaf, shop: OidcApp, tokens: dict[str, Any]
) -> None:
    made = api(house, tokens["access_token"], "POST", "/documents/notes", {"data": {"secret": 1}}).json()
    eve = house.add_user(totp=True)
    with shop.browser() as browser:
        hers = shop.sign_in(browser, eve)["access_token"]

    answers = [
        api(house, hers, "GET", f"/documents/notes/{made['id']}"),
        api(house, hers, "PATCH", f"/documents/notes/{made['id']}", {"update": {"$set": {"secret": 2}}}),
        api(house, hers, "DELETE", f"/documents/notes/{made['id']}"),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "unknown_document")] * 3
    assert api(house, hers, "POST", "/documents/notes/query", {}).json()["documents"] == []
    mine = api(house, tokens["access_token"], "GET", f"/documents/notes/{made['id']}").json()
    assert mine["data"] == {"secret": 1}


def test_a_message_to_an_unknown_queue_is_refused_and_makes_none(house: Sheaf, tokens: dict[str, Any]) -> None:
    token = tokens["access_token"]

    sent = api(house, token, "POST", "/queues/nobody-made-this/messages", {"body": 1})

    assert (sent.status_code, sent.json()["code"]) == (404, "unknown_queue")
    assert sent.headers["Content-Type"] == "application/problem+json"
    assert api(house, token, "POST", "/queues/nobody-made-this/take", {}).status_code == 404
