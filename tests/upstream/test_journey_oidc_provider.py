"""Owns whole journeys with a certified OpenID Provider (npm oidc-provider) as the upstream of a running installation.

What a lying provider must not achieve is tested against doubles, in the other files here.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.peers.oidc_provider import OidcProvider
from tests.support.http_browser import Page, PlainBrowser
from tests.support.sheaf import App, Sheaf
from tests.support.totp import Authenticator

CALLBACK = "http://127.0.0.1:1/callback"  # nobody listens; the browser stops there


def connect(sheaf: Sheaf, upstream: OidcProvider, id: str, **settings: str) -> None:
    """Register at the upstream and add it here under `id`."""
    method = settings.get("token_endpoint_auth_method", "client_secret_basic")
    client = upstream.register(sheaf.url(f"/upstream/{id}/callback"), token_endpoint_auth_method=method)
    given = {"issuer": upstream.issuer, "client_id": client.client_id, "client_secret": client.client_secret}
    sheaf.add_upstream("oidc", id, **{"label": id.title(), **given, **settings})


@pytest.fixture(scope="module")
def home(start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    """An installation of our own, where nobody must have a second factor unless they want one."""
    return start_sheaf(second_factor="administrators")


@pytest.fixture(scope="module")
def corp(home: Sheaf, oidc_upstream: OidcProvider) -> OidcProvider:
    connect(home, oidc_upstream, "corp")
    return oidc_upstream


@pytest.fixture
def browser(home: Sheaf) -> Iterator[PlainBrowser]:
    with home.browser(CALLBACK) as browser:
        yield browser


@pytest.fixture(scope="module")
def shop(home: Sheaf) -> App:
    return home.add_client(CALLBACK, public=True, consent="skip")


def sign_in_by(home: Sheaf, upstream: OidcProvider, browser: PlainBrowser, sub: str, label: str = "Corp") -> Page:
    return upstream.sign_in(browser.open(home.url("/sign-in")).submit(label), sub)


def authorize(home: Sheaf, app: App, browser: PlainBrowser, **params: str) -> Page:
    """An app sends the browser to us."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **params,
    }
    return browser.open(home.url(f"/authorize?{urlencode(asked)}"))


def logins(home: Sheaf, username: str) -> list[dict[str, Any]]:
    return list(home.cli("user", "show", username)["logins"])


def test_claims_that_only_userinfo_has_reach_the_new_user(
    home: Sheaf, corp: OidcProvider, browser: PlainBrowser
) -> None:
    corp.add_user(
        "mary", email="mary@corp.example", email_verified=True, name="Mary Shelley", preferred_username="mary"
    )

    page = sign_in_by(home, corp, browser, "mary")

    assert page.url == home.url("/")
    made = home.cli("user", "show", "mary")
    # The upstream says that it verified the address, and nobody said that it may say so.
    assert (made["email"], made["email_verified"], made["name"]) == ("mary@corp.example", False, "Mary Shelley")


@pytest.mark.parametrize("method", ["client_secret_post", "none"])
def test_the_other_ways_of_client_authentication_work_too(
    home: Sheaf, oidc_upstream: OidcProvider, browser: PlainBrowser, method: str
) -> None:
    name = method.replace("_", "-")
    connect(home, oidc_upstream, name, token_endpoint_auth_method=method)
    oidc_upstream.add_user(f"user-of-{name}")

    assert sign_in_by(home, oidc_upstream, browser, f"user-of-{name}", name.title()).url == home.url("/")


def test_a_person_links_and_unlinks_a_login_on_the_account_page(
    home: Sheaf, corp: OidcProvider, browser: PlainBrowser
) -> None:
    person = home.add_user()
    corp.add_user(f"corp-{person.username}")
    home.sign_in(browser, person)

    back = corp.sign_in(browser.open(home.url("/account")).submit(at="/account/link/corp"), f"corp-{person.username}")
    assert back.url == home.url("/account")
    with home.browser() as elsewhere:
        sign_in_by(home, corp, elsewhere, f"corp-{person.username}")
        assert person.email in elsewhere.open(home.url("/account")).text

    browser.open(home.url("/account")).submit(at="/account/unlink/")
    with home.browser() as elsewhere:
        sign_in_by(home, corp, elsewhere, f"corp-{person.username}")
        assert person.email not in elsewhere.open(home.url("/account")).text


def test_the_owner_of_an_email_is_asked_for_password_and_code_before_a_login_is_joined(
    home: Sheaf, corp: OidcProvider, browser: PlainBrowser
) -> None:
    person = home.add_user(totp=True)
    corp.add_user(f"corp-{person.username}", email=person.email, email_verified=True)

    asked = sign_in_by(home, corp, browser, f"corp-{person.username}")
    assert person.email not in asked.text  # only its first letter and its domain
    page = asked.submit(password=person.password).submit(code=person.code())

    assert page.url == home.url("/")
    assert home.cli("user", "show", person.username)["id"] == person.id
    with home.browser() as elsewhere:
        # From now on the login is theirs, and their second factor is asked.
        again = sign_in_by(home, corp, elsewhere, f"corp-{person.username}")
        assert again.submit(code=person.code()).url == home.url("/")


def test_an_app_that_wants_a_fresh_sign_in_makes_the_upstream_ask_again(
    home: Sheaf, corp: OidcProvider, browser: PlainBrowser, shop: App
) -> None:
    corp.add_user("fresh")
    first = corp.sign_in(authorize(home, shop, browser).submit("Corp"), "fresh")
    assert first.params["code"]

    # The upstream still has its session: left alone it would send the browser straight back.
    at_upstream = authorize(home, shop, browser, prompt="login").submit("Corp")
    assert corp.sign_in(at_upstream, "fresh").params["code"]


def test_cancelling_at_the_upstream_leads_back_to_the_choice(
    home: Sheaf, corp: OidcProvider, browser: PlainBrowser
) -> None:
    refused = browser.open(home.url("/sign-in")).submit("Corp").submit("Cancel")

    assert refused.status == 403
    assert refused.follow("/flow/").status == 200
    trace = _trace(refused)
    assert home.cli("explain", trace)["error"] == "upstream_denied"


def test_a_wrong_client_secret_is_explained_to_the_administrator_only(
    home: Sheaf, oidc_upstream: OidcProvider, browser: PlainBrowser
) -> None:
    connect(home, oidc_upstream, "wrong", client_secret="not the secret")
    oidc_upstream.add_user("somebody")

    refused = sign_in_by(home, oidc_upstream, browser, "somebody", "Wrong")

    explained = home.cli("explain", _trace(refused))
    assert explained["error"] == "upstream_misconfigured"
    assert "invalid_client" in explained["reason"]
    assert "invalid_client" not in refused.text
    assert "not the secret" not in home.log


def test_an_upstream_that_went_down_has_a_page_within_five_seconds_and_heals(
    home: Sheaf, browser: PlainBrowser, tmp_path: Path
) -> None:
    upstream = OidcProvider(tmp_path)
    try:
        upstream.start()
        connect(home, upstream, "shaky")
    finally:
        upstream.stop()
    started = time.monotonic()

    refused = browser.open(home.url("/sign-in")).submit("Shaky")

    assert time.monotonic() - started < 5
    assert refused.status == 502
    assert home.cli("explain", _trace(refused))["error"] == "upstream_unreachable"
    assert browser.open(home.url("/sign-in")).submit("Shaky").status == 502
    assert "password" in {name for form in refused.follow("/flow/").document.forms for name in form.names}


def test_a_disabled_upstream_is_gone_within_a_second_also_for_those_under_way(
    home: Sheaf, oidc_upstream: OidcProvider, browser: PlainBrowser
) -> None:
    connect(home, oidc_upstream, "leaving")
    oidc_upstream.add_user("late")
    at_upstream = browser.open(home.url("/sign-in")).submit("Leaving")

    home.cli("upstream", "disable", "leaving")
    home.soon(lambda: "Leaving" not in browser.open(home.url("/sign-in")).text, "the button is gone", seconds=2)

    assert oidc_upstream.sign_in(at_upstream, "late").status == 404


def test_a_first_federated_sign_in_enrols_a_second_factor_where_everyone_needs_one(
    sheaf: Sheaf, oidc_upstream: OidcProvider
) -> None:
    connect(sheaf, oidc_upstream, "everyone")
    oidc_upstream.add_user("newcomer", email="newcomer@corp.example", email_verified=True)

    with sheaf.browser() as browser:
        page = sign_in_by(sheaf, oidc_upstream, browser, "newcomer", "Everyone")
        assert page.url.endswith("/enrol")
        assert browser.open(sheaf.url("/account")).path != "/account"
        uri = next(href for _, href in page.document.links if href.startswith("otpauth://"))
        page.submit(code=Authenticator(parse_qs(urlsplit(uri).query)["secret"][0]).code()).follow("/flow/")
        assert browser.open(sheaf.url("/account")).path == "/account"


def _trace(page: Page) -> str:
    return page.body.split('id="trace" data-text="')[1].split('"')[0]


def test_another_sheaf_is_an_upstream_that_can_be_made_to_ask_again(
    start_sheaf: Callable[..., Sheaf], home: Sheaf, browser: PlainBrowser, shop: App
) -> None:
    partner = start_sheaf(second_factor="administrators", host="localhost")
    client = partner.add_client(home.url("/upstream/partner/callback"), consent="skip")
    home.add_upstream(
        "oidc",
        "partner",
        label="Partner",
        issuer=partner.issuer,
        client_id=client.client_id,
        client_secret=client.client_secret or "",
    )
    person = partner.add_user()

    first = authorize(home, shop, browser).submit("Partner").submit(username=person.username, password=person.password)
    assert first.params["code"]
    assert home.cli("user", "show", person.username)["email"] == person.email

    asked = authorize(home, shop, browser, prompt="login").submit("Partner")
    assert asked.url.startswith(partner.issuer)
    assert asked.submit(username=person.username, password=person.password).params["code"]
