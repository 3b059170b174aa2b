"""Owns what people see of one another's trouble: an upstream that stalls ends in a named page, and holds up nobody else.

On a running installation with as few threads as it has by default; what one request makes of trouble is in test_misbehaving.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from tests.support.http_browser import Page, PlainBrowser
from tests.support.running import until
from tests.support.sheaf import Sheaf
from tests.upstream.openid_double import CLIENT_ID, CLIENT_SECRET, OpenIdDouble, Trouble

STALL = Trouble(wait=30)
DISCOVERY = "/.well-known/openid-configuration"
PEOPLE = 40  # more than there are threads that may wait


@pytest.fixture(scope="module")
def home(start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    return start_sheaf(second_factor="administrators", env={"IDP_NET__TIMEOUT_SECONDS": "8"})


def _upstream(home: Sheaf, id: str) -> Iterator[OpenIdDouble]:
    double = OpenIdDouble()
    home.add_upstream(
        "oidc", id, label=f"The {id} way", issuer=double.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
    )
    yield double
    double.close()
    home.cli("upstream", "remove", id)


@pytest.fixture
def stalling(home: Sheaf) -> Iterator[OpenIdDouble]:
    yield from _upstream(home, "stalling")


@pytest.fixture
def healthy(home: Sheaf) -> Iterator[OpenIdDouble]:
    yield from _upstream(home, "healthy")


def _away(home: Sheaf, double: OpenIdDouble, label: str) -> tuple[PlainBrowser, str]:
    """A browser that is at the upstream now, and where."""
    browser = home.browser(double.issuer)
    return browser, browser.open(home.url("/sign-in")).submit(label).url


def _back(home: Sheaf, browser: PlainBrowser, double: OpenIdDouble, url: str, id: str, sub: str) -> Page:
    return browser.open(home.url(f"/upstream/{id}/callback?{urlencode(double.authorize(url, sub))}"))


def _others_sign_in(home: Sheaf, healthy: OpenIdDouble, name: str) -> None:
    """By password, and by another upstream."""
    ada = home.add_user(name)
    with home.browser() as browser:
        home.sign_in(browser, ada)
        assert ada.username in browser.open(home.url("/account")).text
    browser, url = _away(home, healthy, "The healthy way")
    assert _back(home, browser, healthy, url, "healthy", name).status == 200
    assert browser.open(home.url("/account")).path == "/account"


def _all_refused(pages: list[Page]) -> None:
    for page in pages:
        assert page.status in (502, 503, 504), page.text
        assert "choose another" in page.text.lower()
        assert "trace" in page.body


def test_while_people_wait_for_an_upstream_that_stalls_the_others_sign_in(
    home: Sheaf, stalling: OpenIdDouble, healthy: OpenIdDouble
) -> None:
    away = [_away(home, stalling, "The stalling way") for _ in range(PEOPLE)]
    stalling.trouble["/token"] = STALL
    with ThreadPoolExecutor(PEOPLE) as pool:
        waiting: list[Future[Page]] = [
            pool.submit(_back, home, browser, stalling, url, "stalling", f"person-{number}")
            for number, (browser, url) in enumerate(away)
        ]
        until(lambda: stalling.times_asked("/token") >= 8, "people wait for the upstream", seconds=10)

        _others_sign_in(home, healthy, "token-ada")

        assert any(not one.done() for one in waiting), "they were answered while the others still waited"
        pages = [one.result() for one in waiting]
    _all_refused(pages)

    stalling.trouble.clear()
    browser, url = _away(home, stalling, "The stalling way")
    assert _back(home, browser, stalling, url, "stalling", "after-it").status == 200, "it heals without a restart"
    assert browser.open(home.url("/account")).path == "/account"


def test_while_people_wait_for_the_metadata_of_an_upstream_the_others_sign_in(
    home: Sheaf, stalling: OpenIdDouble, healthy: OpenIdDouble
) -> None:
    stalling.trouble[DISCOVERY] = STALL
    chosen = [home.browser(stalling.issuer).open(home.url("/sign-in")) for _ in range(PEOPLE)]
    with ThreadPoolExecutor(PEOPLE) as pool:
        waiting = [pool.submit(page.submit, "The stalling way") for page in chosen]
        until(lambda: stalling.times_asked(DISCOVERY) >= 1, "people wait for the upstream", seconds=10)

        _others_sign_in(home, healthy, "metadata-ada")

        assert any(not one.done() for one in waiting), "they were answered while the others still waited"
        _all_refused([one.result() for one in waiting])

    assert stalling.times_asked(DISCOVERY) <= 2, "many who wait ask once"
    stalling.trouble.clear()

    def heals() -> bool:
        return home.browser(stalling.issuer).open(home.url("/sign-in")).submit("The stalling way").status == 0

    until(heals, "it heals without a restart", seconds=15)
