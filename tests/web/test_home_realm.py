"""Owns the promises of the address that is asked first: it leads home by its domain, and tells nobody who has an account."""

from urllib.parse import parse_qs, urlsplit

import pytest

from idp.domain.home_realm import homes_of
from idp.domain.upstream import UpstreamProvider
from idp.upstream.parse import new_provider
from tests.upstream.openid_double import CLIENT_ID, OpenIdDouble
from tests.web.house import House


@pytest.fixture
def openid(clock):
    double = OpenIdDouble(clock)
    yield double
    double.close()


@pytest.fixture
def add(house: House, openid: OpenIdDouble):
    def make(id: str, **pairs: str) -> UpstreamProvider:
        given = {"issuer": openid.issuer, "client_id": CLIENT_ID, "client_secret": "x", "label": id.title(), **pairs}
        provider = new_provider("oidc", id, given, house.clock())
        return house.parts.upstreams.add(provider, secrets=("client_secret",), actor="test")

    return make


@pytest.fixture
def corp(add) -> UpstreamProvider:
    return add("corp", home_domains="corp.example bücher.example")


def test_without_home_domains_nothing_is_asked_first(house: House, add) -> None:
    add("corp")
    page = house.browser().open(house.attempt())

    assert [form.action.rpartition("/")[2] for form in page.document.forms][:2] == ["password", "corp"]


def test_an_address_of_a_home_domain_goes_there_with_what_was_typed(house: House, corp) -> None:
    page = house.browser().open(house.attempt())
    assert "Continue with Corp" not in page.text
    assert 'name="password"' not in page.html

    away = page.submit("/where", username="Ada@CORP.example")
    asked = parse_qs(urlsplit(away.response.headers["Refresh"].removeprefix("0;url=")).query)
    assert asked["login_hint"] == ["Ada@CORP.example"]


@pytest.mark.parametrize("typed", ["ada@bücher.example", "ada@xn--bcher-kva.example"])
def test_a_domain_with_foreign_letters_is_one_domain(house: House, corp, typed: str) -> None:
    away = house.browser().open(house.attempt()).submit("/where", username=typed)

    assert "Refresh" in away.response.headers


@pytest.mark.parametrize(
    "typed",
    ["ada@elsewhere.example", "ada", "ada@sub.corp.example", "ada@corp.example@evil.example", "@corp.example", "x@y@z"],
)
def test_any_other_name_gets_all_ways_whether_or_not_somebody_has_it(house: House, corp, typed: str) -> None:
    house.person("ada")
    page = house.browser().open(house.attempt()).submit("/where", username=typed)

    assert page.status == 200
    assert page.form("/password").values["username"] == typed
    assert "Continue with Corp" in page.text


def test_whether_an_account_exists_shows_in_nothing(house: House, corp) -> None:
    house.person("ada")

    def told(typed: str) -> str:
        page = house.browser().open(house.attempt()).submit("/where", username=typed)
        return page.text.replace(typed, "NAME")

    assert told("ada@example.org") == told("bob@example.org")


def test_two_homes_of_one_domain_are_both_offered_and_nothing_else(house: House, corp, add) -> None:
    add("branch", home_domains="corp.example")
    add("other")
    page = house.browser().open(house.attempt()).submit("/where", username="ada@corp.example")

    assert "Continue with Corp" in page.text
    assert "Continue with Branch" in page.text
    assert "Continue with Other" not in page.text


def test_one_that_is_off_or_for_joining_only_is_nobodys_home(house: House, add) -> None:
    add("off", home_domains="corp.example", enabled="false")
    add("join", home_domains="corp.example", mode="link_only")

    assert house.browser().open(house.attempt()).form("/password")


@pytest.mark.parametrize(("typed", "status"), [("", 400), ("x" * 400, 400)])
def test_nothing_and_too_much_is_refused_on_the_form(house: House, corp, typed: str, status: int) -> None:
    page = house.browser().open(house.attempt()).submit("/where", username=typed)

    assert page.status == status
    assert page.form("/password")


def test_the_form_wants_its_token_and_its_browser(house: House, corp) -> None:
    start = house.attempt()
    browser = house.browser()
    form = browser.open(start).form("/where")

    assert browser.post(form.action, {"username": "ada@corp.example"}).status == 403
    stranger = house.browser()
    token = stranger.open("/sign-in").form("/where").values["csrf"]
    assert stranger.post(form.action, {"csrf": token, "username": "ada@corp.example"}).status == 403


def test_buttons_stand_in_their_order_with_their_sign_and_the_last_used_first(house: House, add) -> None:
    for id, order in (("zeta", "1"), ("alpha", "2"), ("beta", "2")):
        add(id, order=order, icon="github")
    page = house.browser().open(house.attempt())

    labels = [button for button in ("Zeta", "Alpha", "Beta")]
    assert sorted(labels, key=page.text.index) == labels
    assert page.html.count("<svg") >= 4


def test_homes_are_found_by_the_domain_alone() -> None:
    home = UpstreamProvider("corp", "oidc", "Corp", 0.0, home_domains=("corp.example",))

    assert homes_of("ada@corp.example", [home]) == [home]
    assert homes_of("ada@CORP.EXAMPLE", [home]) == [home]
    for typed in ("corp.example", "ada@corp.example.", "ada@notcorp.example", "ada@corp.example\n", ""):
        assert homes_of(typed, [home]) in ([], [home] if typed.endswith("\n") else [])
