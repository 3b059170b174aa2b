"""Owns the promises of the administrators' pages about upstreams: connected by few fields, secrets never shown, off until tested."""

import re

import pytest

from idp.admin.upstream_fields import by_section
from idp.admin.upstream_presets import presets
from idp.domain.upstream import FederatedLogin
from tests.admin.upstreams import GIVEN, LIST, SECRET, as_tested, connect, events, stored

# ---------------------------------------------------------------- connecting one


def test_an_issuer_a_client_id_and_a_secret_are_enough_and_it_is_off_until_tested(house, browser) -> None:
    page = connect(browser)

    assert "is added" in page.text
    assert "http://localhost/upstream/corp/callback" in page.html
    made = stored(house)
    assert (made.kind, made.enabled, made.settings["issuer"]) == ("oidc", False, GIVEN["issuer"])
    assert SECRET not in page.html
    assert SECRET not in str(dict(made.settings))
    assert [one.actor for one in events(house, "upstream.added")] == [house.parts.users.by_login("ada").id]


@pytest.mark.parametrize("preset", [one.name for one in presets()])
def test_each_way_asks_for_few_things_and_shows_what_is_to_be_registered(browser, preset) -> None:
    page = browser.open(f"{LIST}/new/{preset}")

    assert page.status == 200
    assert f"up_preset.{preset.replace('-', '_')}" not in page.text
    directory = preset in ("active-directory", "openldap")
    assert ("/upstream/" in page.text) is not directory


def test_google_needs_a_client_id_and_a_secret_and_vouches_for_its_own_domains_only(house, browser) -> None:
    connect(browser, "google", client_id="x.apps.example", client_secret=SECRET)

    made = stored(house, "google")
    assert (made.label, made.kind, made.trusted_domains) == ("Google", "google", ("gmail.com", "googlemail.com"))


def test_the_proposed_id_is_one_that_is_free(house, browser) -> None:
    for _ in range(2):
        connect(browser, "google", client_id="x", client_secret=SECRET)

    assert {one.id for one in house.parts.upstreams.all()} == {"google", "google-2"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": ""}, "issuer"),
        ({"issuer": "http://elsewhere.example"}, "https://"),
        ({"client_secret": ""}, "client_secret is missing"),
        ({"client_secret": "file:/etc/passwd"}, "command line"),
        ({"client_secret": "env:HOME"}, "command line"),
        ({"id": "Not An Id"}, "lower-case"),
        ({"trusted_domains": "not_a_domain"}, "trusted_domains"),
        ({"secret_expires_at": "soon"}, "secret_expires_at"),
        ({"client_id": "x" * 5000}, "too long"),
    ],
)
def test_what_cannot_be_is_refused_on_the_form_and_the_secret_is_not_shown_again(house, browser, changes, said) -> None:
    page = connect(browser, **{**GIVEN, "id": "corp", **changes})

    assert page.status == 400
    assert said in page.text
    assert SECRET not in page.html
    assert house.parts.upstreams.all() == []


def test_the_same_form_sent_twice_adds_one(house, browser) -> None:
    connect(browser)
    page = connect(browser)

    assert page.status == 409
    assert len(house.parts.upstreams.all()) == 1


def test_the_form_says_itself_as_a_command_and_as_an_api_call_without_the_secret(browser) -> None:
    page = browser.open(f"{LIST}/new/openid-connect")
    form = page.form("/new/openid-connect")
    told = browser.post(form.action, {**form.values, **GIVEN, "id": "corp", "act": "words"})

    assert "idp upstream add oidc --id corp" in told.text
    assert "client_secret=file:client_secret.txt" in told.text
    assert '"kind": "oidc"' in told.text
    assert SECRET not in told.html


# ---------------------------------------------------------------- on and off


def test_switching_on_is_offered_after_a_test_with_these_very_settings(house, browser) -> None:
    connect(browser)
    assert "untested" in browser.open(f"{LIST}/corp").html
    version = str(stored(house).version)
    refused = browser.post_blindly(f"{LIST}/corp/switch", enabled="yes", version=version)
    assert (refused.status, stored(house).enabled) == (409, False)

    as_tested(house)
    page = browser.open(f"{LIST}/corp")
    assert "untested" not in page.html
    page.submit("/switch", enabled="yes")
    assert stored(house).enabled
    assert [one.detail for one in events(house, "upstream.enabled")] == [{"tested": "yes"}]


def test_a_change_of_what_decides_makes_a_test_worthless_and_one_of_the_button_does_not(house, browser) -> None:
    connect(browser)
    as_tested(house)
    browser.open(f"{LIST}/corp/edit/button").submit("/edit/button", label="Corporate login", order="3")
    assert house.parts.upstream_tests.passed(stored(house)) is not None

    browser.open(f"{LIST}/corp/edit/people").submit("/edit/people", trusted_domains="corp.example")
    assert house.parts.upstream_tests.passed(stored(house)) is None


def test_it_can_be_switched_on_untested_and_that_is_audited(house, browser) -> None:
    connect(browser)
    browser.open(f"{LIST}/corp").submit("/switch", enabled="yes")

    assert stored(house).enabled
    assert [one.detail for one in events(house, "upstream.enabled")] == [{"tested": "no"}]
    browser.open(f"{LIST}/corp").submit("/switch", enabled="no")
    assert not stored(house).enabled
    assert len(events(house, "upstream.disabled")) == 1


# ---------------------------------------------------------------- removing it


def test_removing_wants_its_id_and_tells_how_many_logins_go(house, browser) -> None:
    connect(browser)
    ada = house.parts.users.by_login("ada")
    for number in range(3):
        login = FederatedLogin(f"fed_{number}", ada.id, "corp", "https://a.example", str(number), house.clock())
        house.parts.repo.insert(login)
    page = browser.open(f"{LIST}/corp/remove")
    assert "3 logins are linked" in page.text

    assert page.submit("/remove", name="corpo").status == 400
    assert stored(house)
    assert "is removed" in page.submit("/remove", name="corp").text
    assert house.parts.upstreams.get("corp") is None
    assert house.parts.repo.find(FederatedLogin, provider_id="corp") == []


# ---------------------------------------------------------------- who may

PATHS = ("", "/new", "/new/google", "/corp", "/corp/edit/button", "/corp/remove", "/corp/test", "/corp/metadata")


@pytest.mark.parametrize("path", PATHS)
def test_these_pages_are_for_administrators(house, browser, path) -> None:
    connect(browser)
    bob = house.sign_in(house.person("bob"))

    assert bob.open(f"{LIST}{path}").status == 403
    stranger = house.browser().client.get(f"{LIST}{path}")
    assert re.match(r"/flow/", stranger.headers["Location"])


@pytest.mark.parametrize("path", ["/new/google", "/corp/edit/button", "/corp/switch", "/corp/remove", "/corp/test"])
def test_a_form_without_its_token_does_nothing(house, browser, path) -> None:
    connect(browser)
    before = stored(house)

    assert browser.post(f"{LIST}{path}", {"name": "corp", "enabled": "yes", "version": "0"}).status == 403
    assert stored(house) == before


def test_changes_want_a_recent_sign_in(house, browser) -> None:
    connect(browser)
    house.clock.advance(3600)

    for path in ("/new", "/corp/edit/button", "/corp/remove"):
        assert browser.client.get(f"{LIST}{path}").headers["Location"].startswith("/flow/")


@pytest.mark.parametrize("name", ["nope", "%00", "a" * 200, "..%2f"])
def test_an_unknown_upstream_is_named_so(browser, name) -> None:
    assert browser.open(f"{LIST}/{name}").status == 404


@pytest.mark.parametrize("language", ["en", "de"])
def test_no_page_shows_the_name_of_a_sentence_instead_of_the_sentence(browser, language) -> None:
    connect(browser)
    pages = [
        *("", "/new", "/corp", "/corp/test", "/corp/remove"),
        *(f"/corp/edit/{one}" for one in by_section("oidc")),
        *(f"/new/{one.name}" for one in presets()),
    ]
    for path in pages:
        page = browser.open(f"{LIST}{path}", **{"Accept-Language": language})
        assert re.findall(r"\b(?:admin_upstreams?(?:_test)?|up_(?:field|section|preset))\.\w+", page.html) == [], path
