"""Whole sign-ins into apps that others wrote: npm openid-client and Authlib's client, each test on both.

The libraries check signatures, nonce, issuer and audience themselves and fail when one is wrong. What the pages look like
is left to the tests with Chromium.
"""

from collections.abc import Callable

import pytest

from tests.peers.relying_parties import RelyingParty
from tests.support.http_browser import Page, PlainBrowser
from tests.support.sheaf import Person, Sheaf

Start = Callable[..., RelyingParty]


@pytest.fixture
def ada(sheaf: Sheaf) -> Person:
    return sheaf.add_user(full_name="Ada Lovelace", totp=True)


def sign_in(page: Page, person: Person) -> Page:
    page = page.submit(username=person.username, password=person.password)
    return page.submit(code=person.code())


def test_a_person_signs_in_with_password_and_totp_and_the_app_gets_checked_tokens(
    sheaf: Sheaf, relying_party: Start, ada: Person
) -> None:
    app = relying_party(sheaf, consent="skip")

    with PlainBrowser() as browser:
        result = app.result(sign_in(app.login(browser), ada))

    assert result["claims"]["sub"] == result["userinfo"]["sub"] == ada.id
    assert result["claims"]["aud"] in (app.client.client_id, [app.client.client_id])
    assert {"pwd", "otp"} <= set(result["claims"]["amr"])
    assert result["userinfo"]["email"] == ada.email
    assert result["userinfo"]["name"] == "Ada Lovelace"


def test_an_app_asks_for_consent_once_and_is_told_when_it_is_denied(
    sheaf: Sheaf, relying_party: Start, ada: Person
) -> None:
    app = relying_party(sheaf, consent="ask")

    with PlainBrowser() as browser:
        denied = sign_in(app.login(browser), ada).submit("deny")
        allowed = app.login(browser).submit("allow")  # still signed in with us, and asked again
        again = app.login(browser)

    assert "access_denied" in denied.body
    assert app.result(allowed)["claims"]["sub"] == ada.id
    assert app.result(again)["claims"]["sub"] == ada.id


def test_a_second_app_signs_in_without_asking_anything(sheaf: Sheaf, relying_party: Start, ada: Person) -> None:
    first, second = relying_party(sheaf, consent="skip"), relying_party(sheaf, consent="skip")

    with PlainBrowser() as browser:
        one = first.result(sign_in(first.login(browser), ada))
        two = second.result(second.login(browser))

    assert one["claims"]["sub"] == two["claims"]["sub"]
    assert one["claims"]["auth_time"] == two["claims"]["auth_time"]


def test_an_app_without_a_secret_signs_in_with_pkce_alone(sheaf: Sheaf, relying_party: Start, ada: Person) -> None:
    app = relying_party(sheaf, public=True, consent="skip")

    with PlainBrowser() as browser:
        result = app.result(sign_in(app.login(browser), ada))

    assert app.client.client_secret is None
    assert result["claims"]["sub"] == ada.id


def test_a_refresh_token_gives_new_tokens_until_it_is_revoked(sheaf: Sheaf, relying_party: Start, ada: Person) -> None:
    scopes = ["openid", "profile", "email", "offline_access"]
    grants = ["authorization_code", "refresh_token"]
    app = relying_party(sheaf, scope=" ".join(scopes), scopes=scopes, grants=grants, consent="skip")

    with PlainBrowser() as browser:
        before = app.result(sign_in(app.login(browser), ada))["tokens"]
    after = app.result(app.ask("/refresh"))["tokens"]
    renewed_works = app.ask("/userinfo")
    active = app.result(app.ask("/introspect"))["introspection"]
    app.result(app.ask("/revoke"))

    assert after["refresh_token"] != before["refresh_token"]
    assert after["access_token"] != before["access_token"]
    assert renewed_works.status == 200
    assert active["active"] is True
    assert app.result(app.ask("/introspect"))["introspection"] == {"active": False}
    assert app.ask("/refresh").json()["error"] == "invalid_grant"


def test_an_app_gets_a_token_for_itself(sheaf: Sheaf, relying_party: Start) -> None:
    audience = "urn:sheaf:test:reports"
    app = relying_party(sheaf, grants=["client_credentials"], audiences=[audience])

    tokens = app.result(app.ask("/client-credentials"))["tokens"]

    assert tokens["token_type"].lower() == "bearer"
    assert tokens["expires_in"] <= 600
    assert "refresh_token" not in tokens


def test_signing_out_at_the_app_signs_out_here_and_comes_back(sheaf: Sheaf, relying_party: Start, ada: Person) -> None:
    app = relying_party(sheaf, consent="skip")

    with PlainBrowser() as browser:
        app.result(sign_in(app.login(browser), ada))
        page = browser.open(f"{app.url}/logout")
        if not page.url.startswith(app.url):
            page = page.submit()
        asked_again = app.login(browser)

    assert page.json() == {"bye": {"state": "bye"}}
    assert "/flow/" in asked_again.url


def test_an_app_that_wants_no_pages_is_told_to_show_some(sheaf: Sheaf, relying_party: Start) -> None:
    app = relying_party(sheaf, consent="skip")

    with PlainBrowser() as browser:
        refused = app.login(browser, prompt="none")

    assert refused.json()["error"] == "login_required"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_an_app_shows_its_secret_in_either_way(sheaf: Sheaf, relying_party: Start, ada: Person, method: str) -> None:
    app = relying_party(sheaf, auth_method=method, consent="skip")

    with PlainBrowser() as browser:
        result = app.result(sign_in(app.login(browser), ada))

    assert result["claims"]["sub"] == ada.id
