"""The administrators' pages: who sees them, the list, changing and removing an app; nothing happens by a stale or foreign form."""

from dataclasses import replace

import pytest

from idp.admin.fields import SECTIONS
from idp.domain.audit_event import AuditEvent
from idp.domain.relying import Client
from tests.web.house import Browser, House, Person
from tests.web.test_pages import _Inline

LIST = "/admin/clients"
READ = (LIST, f"{LIST}/wiki", f"{LIST}/wiki/preview", f"{LIST}/wiki/test")
FORMS = (
    f"{LIST}/new",
    f"{LIST}/wiki/secret",
    f"{LIST}/wiki/remove",
    *(f"{LIST}/wiki/edit/{section.name}" for section in SECTIONS),
)
POSTS = (*FORMS, f"{LIST}/wiki/secret/retire", f"{LIST}/wiki/test")


@pytest.mark.parametrize("path", [*READ, *FORMS, "/admin", "/account/apps"])
def test_whoever_is_not_signed_in_signs_in_first_and_comes_back(
    house: House, ada: Person, wiki: Client, path: str
) -> None:
    browser = house.browser()
    page = house.password_step(browser, ada, path).submit("/factor", code=house.code(ada.secret))
    assert (page.path, page.status) == (LIST if path == "/admin" else path, 200)


@pytest.mark.parametrize("path", [*READ, *FORMS])
def test_nobody_else_sees_them(house: House, wiki: Client, path: str) -> None:
    page = house.sign_in(house.person("bob")).open(path)
    assert page.status == 403
    assert "for administrators" in page.text
    assert "wiki" not in page.text


@pytest.mark.parametrize("path", POSTS)
def test_nobody_else_can_send_their_forms(house: House, wiki: Client, path: str) -> None:
    page = house.sign_in(house.person("bob")).post_blindly(path, name="Wiki", version="0", overlap="0")
    assert page.status == 403
    assert "for administrators" in page.text
    assert house.parts.apps.clients() == [wiki]


@pytest.mark.parametrize("path", POSTS)
def test_a_form_without_its_token_does_nothing(house: House, browser: Browser, wiki: Client, path: str) -> None:
    fields = {"name": "Wiki", "version": "0", "overlap": "0", "kind": "web", "client_id": "x"}
    assert browser.post(path, fields).status == 403
    assert browser.post(path, {**fields, "csrf": "0" * 40}).status == 403
    good = browser.open(f"{LIST}/wiki/remove").form("/remove").values["csrf"]
    assert browser.post(path, {**fields, "csrf": good}, Origin="https://evil.example").status == 403
    assert house.parts.apps.clients() == [wiki]


@pytest.mark.parametrize("path", FORMS)
def test_whoever_signed_in_long_ago_proves_again_before_a_change(
    house: House, ada: Person, browser: Browser, wiki: Client, path: str
) -> None:
    assert browser.open(path).path == path
    house.clock.advance(601)
    assert browser.open(LIST).path == LIST
    assert browser.post_blindly(path, name="Wiki", version="0", overlap="0").path.startswith("/flow/")
    assert browser.open(path).path.startswith("/flow/")
    assert house.parts.apps.clients() == [wiki]


def test_no_page_has_inline_script_or_style(browser: Browser, wiki: Client) -> None:
    for path in (*READ, *FORMS, f"{LIST}/wiki/preview?user=ada", f"{LIST}?q=none"):
        page = browser.open(path)
        inline = _Inline()
        inline.feed(page.html)
        assert (path, page.status, inline.found) == (path, 200, [])
        assert page.response.headers["Cache-Control"] == "no-store"
        assert len(page.response.data) < 20_000


def test_every_page_speaks_german(browser: Browser, wiki: Client) -> None:
    for path in (*READ, *FORMS):
        page = browser.open(path, **{"Accept-Language": "de"})
        assert '<html lang="de">' in page.html
        assert "admin." not in page.text
        assert "field." not in page.text


def test_the_home_page_leads_there(browser: Browser, house: House) -> None:
    assert ("Apps", LIST) in browser.open("/").document.links
    assert ("Register an app", f"{LIST}/new") in browser.open("/").document.links
    assert LIST not in house.sign_in(house.person("bob")).open("/").html


# ---------------------------------------------------------------- the list


def _app(house: House, id: str, name: str, **fields: object) -> Client:
    uris = {"redirect_uris": (f"https://{id}.example/cb",)}
    client = Client(id, name, house.clock(), **{**uris, **fields})  # type: ignore[arg-type]
    return house.parts.apps.add_client(client, actor="test", with_secret=True)[0]


def test_an_empty_list_says_so_and_what_to_do(browser: Browser) -> None:
    page = browser.open(LIST)
    assert "No app yet" in page.text
    assert ("Register an app", f"{LIST}/new") in page.document.links


def test_the_list_is_sorted_searched_and_paged(house: House, browser: Browser) -> None:
    for n in range(60):
        _app(house, f"app-{n}", f"App {n:02}")
    _app(house, "zebra", "a zebra")
    first = browser.open(LIST)
    names = [text for text, href in first.document.links if href.startswith(f"{LIST}/") and "new" not in href]
    assert names == ["a zebra", *(f"App {n:02}" for n in range(49))]
    assert "61 apps" in first.text
    onward = next(href for text, href in first.document.links if text == "Next apps")
    second = browser.open(onward)
    assert "App 49" in second.text
    assert "App 48" not in second.text
    assert "Next apps" not in second.text
    found = browser.open(f"{LIST}?q=ZEBRA.example+a")
    assert "a zebra" in found.text
    assert "One app" in found.text
    assert 'value="ZEBRA.example a"' in found.html
    nothing = browser.open(f"{LIST}?q=<b>nothing</b>")
    assert "No app fits “<b>nothing</b>”" in nothing.text
    assert browser.open(f"{LIST}?after=%21").status == 400


def test_what_is_weak_strong_or_registered_itself_is_marked(house: House, browser: Browser) -> None:
    _app(house, "old", "Old", profile="legacy", pkce_required=False)
    made = _app(house, "itself", "Itself")
    house.parts.repo.replace_if(replace(made, registration_token_digest="0" * 64))
    house.clock.advance(31)
    text = browser.open(LIST).text
    assert "Old weak" in text
    assert "Itself registered itself" in text
    page = browser.open(f"{LIST}/old")
    assert "PKCE is optional" in page.text


def test_an_app_that_is_not_there_is_a_page_that_says_so(browser: Browser, wiki: Client) -> None:
    for path in ("/nobody", "/~", "/~d2lraQ", "/wiki/edit/nothing", "/nobody/test/done"):
        page = browser.open(f"{LIST}{path}")
        assert page.status == 404
        assert "There is no such" in page.text


# ---------------------------------------------------------------- one app


def test_what_is_not_as_by_default_is_shown_and_markup_in_names_is_text(house: House, browser: Browser) -> None:
    _app(house, "odd", "<img src=x>", consent="skip", claims=(), access_token_seconds=60)
    page = browser.open(f"{LIST}/odd")
    assert "<img src=x>" in page.text
    assert "<img" not in page.html
    for words in ("Consent skip", "Claims nothing", "Life of access tokens 60", "https://odd.example/cb"):
        assert words in page.text


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_a_form_that_is_sent_as_it_is_changes_nothing(
    house: House, browser: Browser, wiki: Client, section: object
) -> None:
    page = browser.open(f"{LIST}/wiki/edit/{section.name}").submit("/edit/")  # type: ignore[attr-defined]
    assert page.path == f"{LIST}/wiki?saved=1"
    after = house.parts.apps.client("wiki")
    assert after is not None
    assert replace(after, version=0) == wiki


def test_a_change_is_saved_and_audited(house: House, ada: Person, browser: Browser, wiki: Client) -> None:
    page = browser.open(f"{LIST}/wiki/edit/sign-in").submit(
        "/edit/",
        **{
            "name": "Our wiki",
            "redirect_uris": "https://wiki.example/cb\r\n\r\n  https://wiki.example/cb2 \r\n",
            "scopes": "openid  email",
            "grant_types.refresh_token": "yes",
            "consent": "skip",
            "default_max_age": "300",
        },
    )
    assert "Saved" in page.text
    after = house.parts.apps.client("wiki")
    assert after is not None
    assert (after.name, after.scopes, after.consent, after.default_max_age) == (
        "Our wiki",
        ("openid", "email"),
        "skip",
        300,
    )
    assert after.redirect_uris == ("https://wiki.example/cb", "https://wiki.example/cb2")
    assert after.grant_types == ("authorization_code", "refresh_token")
    [event] = house.parts.repo.find(AuditEvent, name="client.changed")
    assert (event.actor, event.subject) == (ada.user.id, "wiki")


def test_limits_are_all_some_or_none(house: House, browser: Browser, wiki: Client) -> None:
    for typed, stored in (("*", None), ("", ()), ("email\nname", ("email", "name"))):
        browser.open(f"{LIST}/wiki/edit/claims").submit("/edit/", claims=typed)
        after = house.parts.apps.client("wiki")
        assert after is not None
        assert after.claims == stored
        assert browser.open(f"{LIST}/wiki/edit/claims").form("/edit/").values["claims"].strip() == typed


def test_what_is_wrong_stays_on_the_form_with_the_name_of_the_field(
    house: House, browser: Browser, wiki: Client
) -> None:
    page = browser.open(f"{LIST}/wiki/edit/sign-in").submit("/edit/", redirect_uris="javascript:alert(1)", name="Typed")
    assert page.status == 400
    assert "redirect_uris: 'javascript:alert(1)'" in page.text
    assert 'href="#f-redirect_uris"' in page.html
    values = page.form("/edit/").values
    assert (values["name"], values["redirect_uris"].strip()) == ("Typed", "javascript:alert(1)")
    assert page.html.count('aria-invalid="true"') == 1
    for field, value in (("default_max_age", "soon"), ("profile", "magic"), ("default_max_age", "9" * 11)):
        page = browser.open(f"{LIST}/wiki/edit/sign-in").submit("/edit/", **{field: value})
        assert page.status == 400
        assert f"{field}:" in page.text
    assert house.parts.apps.client("wiki") == wiki


def test_a_form_that_lacks_a_field_or_has_one_twice_is_refused(house: House, browser: Browser, wiki: Client) -> None:
    form = browser.open(f"{LIST}/wiki/edit/logout").form("/edit/")
    less = {name: value for name, value in form.values.items() if name != "backchannel_logout_uri"}
    assert browser.post(form.action, less).status == 400
    twice = {**form.values, "backchannel_logout_uri": ["https://a.example/", "https://b.example/"]}
    assert browser.post(form.action, twice).status == 400  # type: ignore[arg-type]
    assert browser.post(form.action, {**form.values, "backchannel_logout_uri": "x" * 3000}).status == 400
    assert browser.post(form.action, {**form.values, "version": "x"}).status == 409
    assert browser.post(form.action, {**form.values, "backchannel_logout_uri": "x" * 600_000}).status == 413
    assert house.parts.apps.client("wiki") == wiki


def test_a_form_of_an_older_version_changes_nothing(house: House, browser: Browser, wiki: Client) -> None:
    stale = browser.open(f"{LIST}/wiki/edit/sign-in")
    browser.open(f"{LIST}/wiki/edit/sign-in").submit("/edit/", name="First")
    page = stale.submit("/edit/", name="Second")
    assert page.status == 409
    assert "Somebody else changed it" in page.text
    assert page.submit("/edit/", name="Second").status == 409
    after = house.parts.apps.client("wiki")
    assert after is not None
    assert after.name == "First"


def test_a_form_shows_itself_as_command_and_as_api_call_without_saving(
    house: House, browser: Browser, wiki: Client
) -> None:
    page = browser.open(f"{LIST}/wiki/edit/sign-in").submit("/edit/", act="words", name="It's new", consent="skip")
    assert page.status == 200
    assert "idp client set wiki" in page.text
    assert "consent=skip" in page.text
    assert '"consent": "skip"' in page.text
    assert page.form("/edit/").values["name"] == "It's new"
    broken = browser.open(f"{LIST}/wiki/edit/sign-in").submit("/edit/", act="words", default_max_age="soon")
    assert broken.status == 400
    keys = browser.open(f"{LIST}/wiki/edit/authentication").submit("/edit/", act="words", jwks='{"keys": [')
    assert keys.status == 200
    assert house.parts.apps.client("wiki") == wiki


def test_an_app_that_gets_a_secret_by_a_change_shows_it_once(house: House, browser: Browser) -> None:
    _app(house, "phone", "Phone", auth_method="none")
    page = browser.open(f"{LIST}/phone/edit/authentication").submit("/edit/", auth_method="client_secret_basic")
    assert page.status == 400
    assert "needs a new secret" in page.text
    page = page.submit("/edit/", new_secret="yes")
    assert page.status == 200
    assert "shown only now" in page.text
    assert page.response.headers["Cache-Control"] == "no-store"


# ---------------------------------------------------------------- remove


def test_an_app_is_removed_by_typing_its_name(house: House, ada: Person, browser: Browser, wiki: Client) -> None:
    page = browser.open(f"{LIST}/wiki/remove").submit("/remove", name="wiki")
    assert page.status == 400
    assert "not its name" in page.text
    assert house.parts.apps.client("wiki") == wiki
    page = page.submit("/remove", name="Wiki")
    assert page.path == f"{LIST}?removed=1"
    assert "The app is removed" in page.text
    assert house.parts.apps.client("wiki") is None
    [event] = house.parts.repo.find(AuditEvent, name="client.removed")
    assert event.actor == ada.user.id
    assert browser.post_blindly(f"{LIST}/wiki/remove", name="Wiki").status == 404
