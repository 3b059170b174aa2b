"""Apps that I have allowed: what each may do and since when; taking back ends what it was given, for me and nobody else."""

from typing import Any

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.grant import Consent, Grant
from idp.domain.relying import Client
from idp.services.attempts import consent_id
from tests.oidc.house import App
from tests.oidc.house import House as OidcHouse
from tests.web.house import Browser, House, Person

PATH = "/account/apps"


@pytest.fixture
def ada(house: House) -> Person:
    return house.person("ada")


@pytest.fixture
def browser(house: House, ada: Person) -> Browser:
    return house.sign_in(ada)


def app(house: House, name: str = "Wiki", **fields: Any) -> Client:
    client = Client(f"id-of-{name}", name, house.clock(), redirect_uris=("https://wiki.example/cb",), **fields)
    return house.parts.apps.add_client(client, actor="test", with_secret=True)[0]


def allow(house: House, person: Person, client: Client, *, granted: int = 1, **grant: Any) -> Consent:
    now = house.clock()
    scopes = ("openid", "email")
    consent = Consent(consent_id(person.user.id, client.id), person.user.id, client.id, scopes, now)
    house.parts.repo.insert(consent)
    for n in range(granted):
        give(house, person, client, n, **grant)
    return consent


def give(house: House, person: Person, client: Client, n: int = 0, **more: Any) -> Grant:
    now = house.clock()
    sid = house.parts.sessions.of(person.user.id)[0].sid
    id = f"grant-{person.username}-{client.id}-{n}"
    grant = Grant(id, client.id, now, now + 9999, person.user.id, sid, **{"scopes": ("openid",), **more})
    house.parts.repo.insert(grant)
    return grant


def live(house: House, person: Person) -> list[str]:
    found = house.parts.repo.find(Grant, user_id=person.user.id)
    return sorted(grant.id for grant in found if grant.revoked_at is None)


def test_it_shows_what_each_may_do_since_when_and_when_it_was_used(house: House, ada: Person, browser: Browser) -> None:
    assert "No app has asked" in browser.open(PATH).text
    allow(house, ada, app(house), granted=2)
    allow(house, ada, app(house, "Blog"), granted=0)
    allow(house, ada, app(house, "Mail"), scopes=("openid", "offline_access"))
    text = browser.open(PATH).text
    for words in (
        "Wiki",
        "see your e-mail address",
        "has access by 2 sign-ins",
        "no access at the moment",
        "not used yet",
    ):
        assert words in text
    assert "act for you while you are away" in text
    assert ("When each was last used, and what taking back undoes", PATH) in browser.open("/account").document.links


def test_an_app_that_nobody_was_asked_about_is_shown_as_such(house: House, ada: Person, browser: Browser) -> None:
    give(house, ada, app(house, consent="skip"))
    page = browser.open(PATH)
    assert "Your organisation allows this app" in page.text
    assert "End access" in page.text
    page.submit("/revoke")
    assert live(house, ada) == []
    assert "Wiki" not in browser.open(PATH).text


def test_taking_back_ends_what_the_app_was_given_and_nothing_else(house: House, ada: Person, browser: Browser) -> None:
    wiki, blog = app(house), app(house, "Blog")
    consent, other = allow(house, ada, wiki, granted=3), allow(house, ada, blog)
    page = browser.open(PATH)
    form = next(form for form in page.document.forms if form.values.get("app") == wiki.id)
    page = browser.post(form.action, form.values)
    assert page.path == f"{PATH}?done=1"
    assert "no access any more" in page.text
    assert house.parts.repo.get(Consent, consent.id) is None
    assert house.parts.repo.get(Consent, other.id) is not None
    assert live(house, ada) == [f"grant-ada-{blog.id}-0"]
    [event] = house.parts.repo.find(AuditEvent, name="consent.revoked")
    assert (event.actor, event.subject, event.detail["app"]) == (ada.user.id, ada.user.id, wiki.id)
    assert "You took back what you had allowed an app" in browser.open("/account").text
    again = browser.post(form.action, form.values)
    assert (again.path, again.status) == (PATH, 200)
    assert len(house.parts.repo.find(AuditEvent, name="consent.revoked")) == 1


def test_what_others_have_allowed_is_out_of_reach(house: House, browser: Browser) -> None:
    bob = house.person("bob")
    house.sign_in(bob)
    wiki = app(house)
    consent = allow(house, bob, wiki)
    assert "Wiki" not in browser.open(PATH).text
    browser.post_blindly(f"{PATH}/revoke", app=wiki.id)
    assert house.parts.repo.get(Consent, consent.id) == consent
    assert len(live(house, bob)) == 1


def test_it_takes_a_session_and_a_form_of_ours(house: House, ada: Person, browser: Browser) -> None:
    consent = allow(house, ada, wiki := app(house))
    assert house.browser().open(PATH).path.startswith("/flow/")
    assert house.browser().post_blindly(f"{PATH}/revoke", app=wiki.id).path.startswith("/flow/")
    assert browser.post(f"{PATH}/revoke", {"app": wiki.id}).status == 403
    for fields in ({}, {"app": ""}, {"app": "x" * 400}):
        assert browser.post_blindly(f"{PATH}/revoke", **fields).status == 400
    assert browser.post_blindly(f"{PATH}/revoke", app="nothing").status == 200
    assert house.parts.repo.get(Consent, consent.id) == consent


def test_tokens_and_a_code_on_its_way_are_dead_after_taking_back(house: House, ada: Person, browser: Browser) -> None:
    oidc = OidcHouse(house.app, house.clock)
    shop: App = oidc.client("shop", consent="ask")
    page = browser.open("/authorize?" + "&".join(f"{k}={v}" for k, v in oidc.request_of(shop, scope="openid").items()))
    page = page.submit("/consent", answer="allow")
    code = page.response.headers["Location"].partition("code=")[2].partition("&")[0]
    tokens = oidc.redeem(shop, code).json
    again = browser.client.get("/authorize", query_string=oidc.request_of(shop, scope="openid"))
    waiting = again.headers["Location"].partition("code=")[2].partition("&")[0]
    assert oidc.userinfo(tokens["access_token"]).status_code == 200
    assert "shop" in browser.open(PATH).html
    browser.open(PATH).submit("/revoke")
    assert oidc.userinfo(tokens["access_token"]).status_code == 401
    assert oidc.refresh(shop, tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert oidc.redeem(shop, waiting).json["error"] == "invalid_grant"
    asked = browser.client.get("/authorize", query_string=oidc.request_of(shop, scope="openid"))
    assert asked.headers["Location"].startswith("/flow/")
