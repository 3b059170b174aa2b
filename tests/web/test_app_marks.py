"""Owns the claims about what an app shows of itself while somebody signs in: logo, privacy policy, terms (OIDC Registration 2).

Which addresses may be registered is left to tests/services/test_check_client.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from idp.base.net import NetPolicy
from idp.base.places import Places
from idp.domain.relying import Client
from idp.services.logos import AGAIN_SECONDS, FRESH_SECONDS, MAX_BYTES, Logos
from tests.support.clock import FakeClock
from tests.support.receiver import Receiver
from tests.web.house import House, Seen

GIF = "GIF89a" + "x" * 20
CALLBACK = "https://app.example/callback"


@pytest.fixture
def server() -> Iterator[Receiver]:
    with Receiver(pages={"/logo": GIF, "/page": "<html>", "/svg": "<svg/>", "/large": GIF + "x" * MAX_BYTES}) as made:
        yield made


def begun(house: House, **fields: Any) -> Seen:
    """The sign-in page of an app."""
    client = Client(
        id="shop",
        name="Shop",
        created_at=house.clock(),
        redirect_uris=(CALLBACK,),
        grant_types=("authorization_code",),
        scopes=("openid",),
        **fields,
    )
    house.parts.apps.add_client(client, actor="test", with_secret=True)
    asked = {"client_id": "shop", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid"}
    challenge = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}
    return house.browser().open("/authorize?" + urlencode({**asked, **challenge}))


def logo_of(page: Seen) -> str:
    return page.html.split('class="app-logo" src="')[1].split('"')[0]


def test_the_sign_in_page_shows_logo_policy_and_terms(house: House, server: Receiver) -> None:
    page = begun(
        house,
        logo_uri=server.url("/logo"),
        policy_uri="https://app.example/privacy?a=1&b=2",
        tos_uri="https://app.example/terms",
    )
    assert {"https://app.example/privacy?a=1&b=2", "https://app.example/terms"} <= {at for _, at in page.document.links}
    assert page.html.count('rel="noopener noreferrer nofollow"') == 2
    image = page.browser.open(logo_of(page))
    assert (image.status, image.response.mimetype, image.response.text) == (200, "image/gif", GIF)
    assert image.response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_question_for_consent_shows_them_too(house: House, server: Receiver) -> None:
    page = begun(house, logo_uri=server.url("/logo"), policy_uri="https://app.example/privacy")
    person = house.person()
    page = page.submit("/password", username=person.username, password="correct horse battery staple")
    page = page.submit("/factor", code=house.code(person.secret))
    assert "/consent" in page.path
    assert "https://app.example/privacy" in {at for _, at in page.document.links}
    assert page.browser.open(logo_of(page)).status == 200


def test_an_app_without_marks_shows_none_and_nothing_is_fetched(house: House) -> None:
    page = begun(house)
    assert "<img" not in page.html
    assert "nofollow" not in page.html
    assert page.browser.open(f"{page.path}/logo").status == 404


def test_a_logo_is_for_the_browser_of_the_sign_in_only(house: House, server: Receiver) -> None:
    page = begun(house, logo_uri=server.url("/logo"))
    assert house.browser().open(logo_of(page)).status == 403
    assert server.received == []


@pytest.mark.parametrize("path", ["/page", "/svg", "/large", "/nothing"])
def test_what_is_no_small_picture_is_not_passed_on(house: House, server: Receiver, path: str) -> None:
    page = begun(house, logo_uri=server.url(path))
    assert page.status == 200
    image = page.browser.open(logo_of(page))
    assert (image.status, image.response.data) == (404, b"")


# ------------------------------------------------------------------ fetching


def test_a_logo_is_fetched_once_an_hour(clock: FakeClock, server: Receiver) -> None:
    logos = Logos(lambda: NetPolicy(allow_private=True), clock, Places(1))
    for seconds, fetched in ((0, 1), (FRESH_SECONDS - 1, 1), (1, 2)):
        clock.advance(seconds)
        assert logos.at(server.url("/logo")) is not None
        assert len(server.received) == fetched


def test_one_that_could_not_be_had_is_asked_for_again_after_a_minute(clock: FakeClock, server: Receiver) -> None:
    logos = Logos(lambda: NetPolicy(allow_private=True), clock, Places(1))
    server.statuses = [500]
    for seconds, found in ((0, False), (AGAIN_SECONDS - 1, False), (1, True)):
        clock.advance(seconds)
        assert (logos.at(server.url("/logo")) is not None) is found


def test_logos_are_fetched_through_the_guard_of_all_outbound_requests(clock: FakeClock, server: Receiver) -> None:
    assert Logos(lambda: NetPolicy(allow_private=False), clock, Places(1)).at(server.url("/logo")) is None
    assert server.received == []
