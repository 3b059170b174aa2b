"""Home, the way to our own pages and back, and the two addresses that say whether we are alive."""

import pytest

from idp.domain.relying import Client
from idp.domain.upstream import UpstreamProvider
from idp.http.own_pages import RETURNS, own_path
from idp.web.attention import Installed, points
from idp.web.device import device
from tests.web.house import House


def test_home_says_how_to_begin_when_nobody_administers(house: House) -> None:
    page = house.browser().open("/")
    assert page.status == 200
    assert "idp setup-link" in page.text


def test_home_offers_the_sign_in_and_greets_afterwards(house: House) -> None:
    person = house.person(admin=True)
    browser = house.browser()
    assert ("Sign in", "/sign-in") in browser.open("/").document.links
    house.sign_in(person, browser)
    page = browser.open("/")
    assert "Hello, Ada" in page.text
    assert "No app yet" in page.text
    assert "idp client add" in page.text


def test_home_shows_nothing_of_the_installation_to_others(house: House) -> None:
    page = house.sign_in(house.person()).open("/")
    assert "Hello, Ada" in page.text
    for words in ("Needs attention", "This installation", "SQLite", "idp client add"):
        assert words not in page.text


def test_home_is_empty_of_worries_when_all_is_well(house: House) -> None:
    house.person("bob", admin=True)
    browser = house.sign_in(house.person(admin=True))
    house.parts.apps.add_client(
        Client("wiki", "Wiki", house.clock(), redirect_uris=("https://wiki.example/cb",)),
        actor="test",
        with_secret=True,
    )
    house.parts.repo.insert(UpstreamProvider("corp", "oidc", "Corp", house.clock()))
    assert "Nothing needs your attention" in browser.open("/").text


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "/account/../x",
        " //evil.example", "/%2f/evil.example", "/authorize?client_id=x", "", "account",
    ],
)  # fmt: skip
def test_a_sign_in_never_leads_away_from_our_own_pages(house: House, target: str) -> None:
    person, browser = house.person(), house.browser()
    page = browser.client.get("/sign-in", query_string={"next": target})
    start = page.headers["Location"]
    end = house.password_step(browser, person, start).submit("/factor", code=house.code(person.secret))
    assert end.path == "/"
    assert browser.client.get("/sign-in", query_string={"next": target}).headers["Location"] == "/"


def test_every_return_path_is_a_page_of_ours(house: House) -> None:
    browser = house.sign_in(house.person(admin=True))
    for path in RETURNS:
        assert own_path(path) == path
        assert browser.open(path).status == 200


def test_alive_and_ready(house: House) -> None:
    for path in ("/healthz", "/readyz"):
        answer = house.browser().open(path)
        assert (answer.status, answer.response.json) == (200, {"status": "ok"})
        assert "Set-Cookie" not in answer.response.headers


def test_the_result_of_a_sign_in_is_collected_once(house: House) -> None:
    person, browser = house.person(), house.browser()
    page = house.password_step(browser, person, "/sign-in")
    handle = page.path.split("/")[2]
    page.submit("/factor", code=house.code(person.secret))
    assert browser.open(f"/sign-in/done?attempt={handle}").status == 410
    assert browser.open("/sign-in/done").status == 410


WELL = Installed("https://id.example.org", users=5, administrators=2, apps=1, upstreams=1)


@pytest.mark.parametrize(
    ("codes", "installed", "names"),
    [
        (10, WELL, []),
        (None, None, []),
        (3, None, ["few_codes"]),
        (0, WELL, ["no_codes"]),
        (10, Installed("http://10.0.0.1", 1, 1, 0, 0), ["not_encrypted", "no_app", "no_upstream", "one_admin"]),
        (0, Installed("http://10.0.0.1", 1, 2, 1, 1), ["no_codes", "not_encrypted"]),
        (2, Installed("http://127.0.0.1:8000", 1000, 1, 0, 1), ["few_codes", "no_app"]),
    ],
)
def test_what_needs_attention_most_urgent_first(
    codes: int | None, installed: Installed | None, names: list[str]
) -> None:
    assert [point.name for point in points(codes, installed)] == names


def test_what_is_missing_has_a_page_where_it_is_added() -> None:
    links = {point.name: point.link for point in points(10, Installed("http://127.0.0.1:8000", 1, 1, 0, 0))}
    assert {name: link[0] for name, link in links.items() if link} == {
        "no_app": "/admin/clients/new",
        "no_upstream": "/admin/upstreams/new",
        "one_admin": "/admin/users",
    }


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", ("Edge", "Windows")),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1", ("Safari", "iPhone")),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", ("Chrome", "Android")),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", ("Firefox", "Linux")),
        ("curl/8.0", ("", "")),
        ("", ("", "")),
    ],
)  # fmt: skip
def test_a_device_is_named_as_its_owner_would(header: str, named: tuple[str, str]) -> None:
    assert device(header) == named
