"""Previews and test sign-ins: what an app would get, by its rules, and the app is told nothing."""

from typing import Any

import pytest

from idp.domain.grant import AuthorizationCode, Consent, Grant
from idp.domain.relying import Client
from tests.web.house import PASSWORD, Browser, House, Person, Seen

LIST = "/admin/clients"


def app(house: House, id: str = "shop", **fields: Any) -> Client:
    chosen = {"redirect_uris": ("https://shop.example/cb",), "consent": "skip", **fields}
    return house.parts.apps.add_client(Client(id, id.title(), house.clock(), **chosen), actor="t", with_secret=True)[0]


def begin(browser: Browser, id: str = "shop", **fields: str) -> Seen:
    return browser.open(f"{LIST}/{id}/test").submit("/test", **fields)


def nothing_issued(house: House, person: Person) -> bool:
    """No code, no grant, and the session is not one that the app has."""
    kinds = [house.parts.repo.find(kind) for kind in (AuthorizationCode, Grant)]
    return kinds == [[], []] and all(not one.apps for one in house.parts.sessions.of(person.user.id))


# ---------------------------------------------------------------- preview


def test_a_preview_shows_what_the_app_would_get(browser: Browser, wiki: Client) -> None:
    page = browser.open(f"{LIST}/wiki/preview").submit("/preview", user="ada")
    assert page.status in (200, 405)  # the form is sent with GET
    page = browser.open(f"{LIST}/wiki/preview?user=ada&scopes=openid+email")
    assert '"email": "ada@example.org"' in page.text
    assert '"preferred_username"' not in page.text
    assert "idp client preview wiki ada" in page.text
    assert browser.open(f"{LIST}/wiki/preview?user=ada@example.org").status == 200
    without = browser.open(f"{LIST}/wiki/preview?user=ada&scopes=email")
    assert "without the scope openid there is none" in without.text


def test_a_preview_of_nobody_or_of_too_much_says_so(browser: Browser, wiki: Client) -> None:
    page = browser.open(f"{LIST}/wiki/preview?user=nobody")
    assert page.status == 404
    assert "no user of this name" in page.text
    page = browser.open(f"{LIST}/wiki/preview?user=ada&scopes=documents.read")
    assert page.status == 400
    assert "may not ask" in page.text
    assert browser.open(f"{LIST}/wiki/preview?user={'x' * 5000}").status == 404


# ---------------------------------------------------------------- test sign-in


def test_with_a_session_nothing_is_asked_and_nothing_is_issued(house: House, ada: Person, browser: Browser) -> None:
    app(house)
    page = begin(browser, scopes="openid email")
    assert page.path.startswith(f"{LIST}/shop/test/done?attempt=")
    for words in (
        "The app asks for openid email",
        "must use PKCE",
        "signed in already",
        "registered with consent=skip",
        "A code would go to https://shop.example/cb",
        '"email": "ada@example.org"',
        '"acr": "https://refeds.org/profile/mfa"',
        f'"sub": "{ada.user.id}"',
        '"aud": "shop"',
    ):
        assert words in page.text, words
    assert nothing_issued(house, ada)


def test_from_the_beginning_every_step_is_asked(house: House, ada: Person, browser: Browser) -> None:
    app(house, consent="ask")
    page = begin(browser, anew="yes")
    assert page.path.startswith("/flow/")
    assert "to continue to Shop" in page.text
    page = page.submit("/password", username="ada", password=PASSWORD)
    page = page.submit("/factor", code=house.code(ada.secret))
    assert "Allow Shop?" in page.text
    page = page.submit("/consent", answer="allow")
    for words in ("You signed in with your password", "The second step was proved", "and allowed it"):
        assert words in page.text
    assert nothing_issued(house, ada)
    assert len(house.parts.repo.find(Consent)) == 1
    assert "you had allowed this before" in begin(browser).text


def test_turning_back_shows_what_the_app_would_have_got(house: House, ada: Person, browser: Browser) -> None:
    app(house, consent="ask")
    page = begin(browser).submit("/consent", answer="deny")
    assert "error access_denied" in page.text
    assert "What the app would have got" not in page.text
    assert nothing_issued(house, ada)


def test_the_rules_of_the_app_count(house: House, browser: Browser) -> None:
    app(house, require_pushed_authorization_requests=True, dpop_bound_access_tokens=True, default_max_age=0)
    page = begin(browser)
    assert page.path.startswith("/flow/")  # a sign-in that is older than nothing
    page = page.submit("/password", username="ada", password=PASSWORD)
    assert page.path.endswith("/factor")


def test_an_app_that_demands_a_second_step_gets_one(house_with: Any) -> None:
    house: House = house_with(second_factor="administrators")
    ada = house.person("ada", admin=True)
    browser = house.sign_in(ada)
    app(house, second_factor_required=True)
    assert "The app demands it" in begin(browser).text


def test_an_app_on_a_device_is_asked_about_each_time(house: House, browser: Browser) -> None:
    app(house, "phone", auth_method="none", redirect_uris=("org.example.phone:/cb",), consent="ask")
    for _ in range(2):
        assert "and allowed it" in begin(browser, "phone").submit("/consent", answer="allow").text


def test_what_cannot_be_tested_says_so(house: House, browser: Browser) -> None:
    app(house, "machine", redirect_uris=(), grant_types=("client_credentials",), scopes=())
    assert "not for people" in browser.open(f"{LIST}/machine/test").text
    app(house)
    page = begin(browser, scopes="openid roles")
    assert page.status == 400
    assert "may not ask" in page.text


def test_the_result_is_for_the_administrator_in_that_browser_and_once(
    house: House, ada: Person, browser: Browser
) -> None:
    app(house)
    app(house, "other")
    page = begin(browser)
    assert browser.open(page.path).status == 410
    handle = _unseen(house, browser)
    assert house.sign_in(house.person("bob")).open(f"{LIST}/shop/test/done?attempt={handle}").status == 403
    eve = house.sign_in(house.person("eve", admin=True))
    assert eve.open(f"{LIST}/shop/test/done?attempt={handle}").status == 403
    assert browser.client.head(f"{LIST}/shop/test/done?attempt={handle}").status_code == 200
    assert browser.open(f"{LIST}/shop/test/done?attempt={handle}").status == 200
    assert browser.open(f"{LIST}/other/test/done?attempt={_unseen(house, browser)}").status == 409
    assert browser.open(f"{LIST}/shop/test/done").status == 410


def _unseen(house: House, browser: Browser) -> str:
    """The handle of a test that is finished and was not looked at."""
    form = browser.open(f"{LIST}/shop/test").form("/test")
    answer = browser.client.post(form.action, data=form.values)
    answer = browser.client.get(answer.headers["Location"])
    return answer.headers["Location"].partition("attempt=")[2]


@pytest.mark.parametrize("door", ["/authorize/resume", "/sign-in/done", "/device/resume"])
def test_no_other_door_takes_a_test_for_a_sign_in(house: House, ada: Person, browser: Browser, door: str) -> None:
    app(house)
    page = browser.open(f"{door}?attempt={_unseen(house, browser)}")
    assert page.status in (200, 403, 409, 410)
    assert "code=" not in page.response.headers.get("Location", "")
    assert nothing_issued(house, ada)


def test_a_sign_in_for_an_app_is_no_test(house: House, browser: Browser) -> None:
    app(house)
    start = house.attempt()
    done = browser.client.get(start).headers["Location"]
    handle = done.partition("attempt=")[2]
    assert browser.open(f"{LIST}/shop/test/done?attempt={handle}").status == 409
