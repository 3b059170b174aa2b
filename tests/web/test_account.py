"""The account page shows and changes only what is one's own, and asks again before what is dangerous."""

import re
from dataclasses import replace

import pytest

from idp.domain.grant import Consent, Grant
from idp.domain.relying import Client
from idp.domain.upstream import FederatedLogin, UpstreamProvider
from idp.services.attempts import consent_id
from tests.web.house import PASSWORD, Browser, House, Person, Seen

NEW_PASSWORD = "four quite other words"


@pytest.fixture
def ada(house: House) -> Person:
    return house.person("ada")


@pytest.fixture
def browser(house: House, ada: Person) -> Browser:
    return house.sign_in(ada)


def _prove_again(house: House, page: Seen, person: Person) -> Seen:
    """The sign-in that a dangerous action leads to."""
    assert page.path.startswith("/flow/")
    fields = {"username": person.username} if "username" in page.form("/password").names else {}
    page = page.submit("/password", password=PASSWORD, **fields)
    return page.submit("/factor", code=house.code(person.secret))


def _app(house: House, person: Person, name: str = "Wiki") -> Consent:
    now = house.clock()
    client, _ = house.parts.apps.add_client(
        Client(f"id-of-{name}", name, now, redirect_uris=("https://wiki.example/cb",)), actor="test", with_secret=True
    )
    consent = Consent(consent_id(person.user.id, client.id), person.user.id, client.id, ("openid", "email"), now)
    house.parts.repo.insert(consent)
    sid = house.parts.sessions.of(person.user.id)[0].sid
    house.parts.repo.insert(Grant(f"grant-{name}", client.id, now, now + 999, person.user.id, sid))
    return consent


def test_whoever_is_signed_out_signs_in_first_and_comes_back(house: House, ada: Person) -> None:
    browser = house.browser()
    page = house.password_step(browser, ada, "/account").submit("/factor", code=house.code(ada.secret))
    assert page.path == "/account"
    assert "How you sign in" in page.text


def test_it_shows_ways_sessions_permissions_and_events(house: House, ada: Person, browser: Browser) -> None:
    _app(house, ada)
    house.sign_in(ada)
    page = browser.open("/account", **{"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"})
    for words in ("Change password", "10 left", "this browser", "Sign out everywhere else", "Wiki", "You signed in"):
        assert words in page.text
    assert "see your e-mail address" in page.text


def test_a_session_is_ended_from_another_browser(house: House, ada: Person, browser: Browser) -> None:
    other = house.sign_in(ada)
    page = browser.open("/account")
    mine = next(form.action for form in page.document.forms if form.buttons[0].text == "Sign out here")
    theirs = next(form.action for form in page.document.forms if form.buttons[0].text == "Sign out there")
    page.submit(theirs)
    assert browser.signed_in
    assert not other.signed_in
    assert "You are signed out" in page.submit(mine).text
    assert not browser.signed_in


def test_all_other_sessions_end_at_once(house: House, ada: Person, browser: Browser) -> None:
    others = [house.sign_in(ada) for _ in range(2)]
    browser.open("/account").submit("/end-others")
    assert [one.signed_in for one in (*others, browser)] == [False, False, True]


def test_sessions_logins_and_permissions_of_others_are_out_of_reach(house: House, browser: Browser) -> None:
    bob = house.person("bob")
    his = house.sign_in(bob)
    consent = _app(house, bob)
    login = FederatedLogin("fed_of_bob", bob.user.id, "corp", "https://corp.example", "7", house.clock())
    house.parts.repo.insert(login)
    sid = house.parts.sessions.of(bob.user.id)[0].sid
    assert browser.post_blindly(f"/account/sessions/{sid}/end").status == 404
    assert browser.post_blindly(f"/account/unlink/{login.id}").status == 404
    browser.post_blindly(f"/account/consents/{consent.id}/revoke")
    assert his.signed_in
    assert house.parts.repo.get(Consent, consent.id) == consent
    assert house.parts.repo.get(FederatedLogin, login.id) == login


def test_taking_a_permission_back_ends_what_the_app_was_given(house: House, ada: Person, browser: Browser) -> None:
    consent = _app(house, ada)
    _app(house, ada, "Other")
    page = browser.open("/account").submit(f"/consents/{consent.id}/revoke")
    assert "Wiki" not in page.document.text.split("What you have allowed")[1]
    granted = {one.id: one.revoked_at for one in house.parts.repo.find(Grant, user_id=ada.user.id)}
    assert granted["grant-Wiki"] is not None
    assert granted["grant-Other"] is None


def test_a_new_password_needs_the_old_one_and_ends_every_other_session(
    house: House, ada: Person, browser: Browser
) -> None:
    other = house.sign_in(ada)
    page = browser.open("/account/password")
    assert page.submit("/account/password", old="wrong", new=NEW_PASSWORD).status == 401
    assert page.submit("/account/password", old=PASSWORD, new="short").status == 400
    assert other.signed_in
    assert page.submit("/account/password", old=PASSWORD, new=NEW_PASSWORD).path == "/account"
    assert browser.signed_in
    assert not other.signed_in
    fresh = house.browser().open("/sign-in")
    assert fresh.submit("/password", username="ada", password=PASSWORD).status == 401
    assert fresh.submit("/password", username="ada", password=NEW_PASSWORD).path.endswith("/factor")


def test_guessing_the_old_password_is_throttled(house: House, browser: Browser) -> None:
    page = browser.open("/account/password")
    answers = [page.submit("/account/password", old=f"guess {n}", new=NEW_PASSWORD).status for n in range(6)]
    assert answers == [401] * 5 + [429]


@pytest.mark.parametrize("path", ["/account/password", "/account/authenticator", "/account/recovery-codes"])
def test_dangerous_pages_ask_for_everything_again_after_a_while(
    house: House, ada: Person, browser: Browser, path: str
) -> None:
    assert browser.open(path).path == path
    house.clock.advance(601)
    assert browser.post_blindly(path, code="1", old=PASSWORD, new=NEW_PASSWORD).path.startswith("/flow/")
    assert _prove_again(house, browser.open(path), ada).path == path


def test_only_the_same_person_can_prove_again(house: House, ada: Person, browser: Browser) -> None:
    bob = house.person("bob")
    house.clock.advance(601)
    page = browser.open("/account/recovery-codes")
    form = page.form("/password")
    page = browser.post(form.action, {**form.values, "username": bob.username, "password": "something else"})
    assert page.status == 401
    page = browser.post(form.action, {**form.values, "username": bob.username, "password": PASSWORD})
    assert house.parts.sessions.of(bob.user.id) == []


def test_new_recovery_codes_are_shown_once_and_the_old_ones_die(house: House, ada: Person, browser: Browser) -> None:
    shown = browser.open("/account/recovery-codes").submit("/account/recovery-codes")
    assert shown.html.count("<li><code>") == 10
    assert shown.response.headers["Cache-Control"] == "no-store"
    page = house.password_step(house.browser(), ada)
    fields = {**page.form("/factor").values, "code": ada.recovery_codes[0], "way": "recovery"}
    assert page.browser.post(page.form("/factor").action, fields).status == 401


def test_a_new_phone_takes_the_place_of_the_old_one(house: House, ada: Person, browser: Browser) -> None:
    page = browser.open("/account/authenticator")
    secret = page.html.split('data-text="')[1].split('"')[0]
    assert secret != ada.secret
    assert page.submit("/account/authenticator", code="000 000").status == 401
    assert page.submit("/account/authenticator", code=house.code(secret)).html.count("<li><code>") == 10
    assert browser.signed_in
    factor = house.password_step(house.browser(), ada)
    assert factor.submit("/factor", code=house.code(ada.secret)).status == 401
    assert factor.submit("/factor", code=house.code(secret)).browser.signed_in


def test_a_session_without_the_second_step_cannot_replace_one_that_was_set_up_meanwhile(house: House) -> None:
    person = house.person("eve", totp=False)
    browser = house.browser()
    page = house.password_step(browser, person)
    page.submit("/enrol", code=house.code(page.html.split('data-text="')[1].split('"')[0]))
    browser.open(page.path.removesuffix("/enrol"))
    session = house.parts.sessions.of(person.user.id)[0]
    house.parts.repo.replace_if(replace(session, factor_at=None, amr=("pwd",)))
    assert browser.open("/account/authenticator").path.startswith("/flow/")


def test_a_linked_login_has_the_sign_of_its_upstream_and_nobody_hears_of_a_password_they_do_not_have(
    house: House, ada: Person, browser: Browser
) -> None:
    now = house.clock()
    house.parts.repo.insert(UpstreamProvider("git", "github", "GitHub", now))
    house.parts.repo.insert(FederatedLogin("fed_1", ada.user.id, "git", "https://github.com", "7", now))
    sign = house.parts.upstreams.get("git").sign
    drawing = house.browser().open("/sign-in").html
    drawn = re.search(r"<button[^>]*>(<svg.*?</svg>)Continue with GitHub", drawing, re.DOTALL)
    assert sign == "github"
    assert drawn is not None
    assert drawn[1] in browser.open("/account").html

    house.parts.factors.remove(ada.user.id)
    assert "Your password alone" in browser.open("/account").text
    house.parts.repo.replace_if(replace(house.parts.users.get(ada.user.id), password_hash=None))
    assert "Your password alone" not in browser.open("/account").text
    assert "A linked login alone" in browser.open("/account").text


def test_logins_can_be_linked_and_unlinked_from_here(house: House, ada: Person, browser: Browser) -> None:
    now = house.clock()
    for name in ("corp", "other"):
        house.parts.repo.insert(UpstreamProvider(name, "oidc", name.title(), now))
    house.parts.repo.insert(
        FederatedLogin("fed_1", ada.user.id, "corp", "https://corp.example", "7", now, "a@corp.example")
    )
    page = browser.open("/account")
    assert "a@corp.example" in page.text
    assert [form.action for form in page.document.forms if "/link/" in form.action] == ["/account/link/other"]
    assert "Corp" not in page.submit("/account/unlink/fed_1").text.split("Changes of your")[0].replace("Link Corp", "")
    assert house.parts.links.of(ada.user.id) == []
