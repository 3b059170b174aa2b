"""No form is accepted that our own page in this very browser did not make (CSRF)."""

import re

import pytest
from flask import Flask

from tests.web.house import PASSWORD, House

PAGES = ("flow", "upstream", "factor_pages", "consent_pages", "setup_pages", "account_pages", "account_factor", "home")


def _posts(app: Flask) -> list[str]:
    rules = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    return [re.sub(r"<[^>]+>", "x" * 43, rule.rule) for rule in rules if rule.endpoint.split(".")[0] in PAGES]


def test_every_page_that_takes_a_form_refuses_one_without_a_csrf_token(house: House) -> None:
    posts = _posts(house.app)
    assert len(posts) > 15
    for path in posts:
        refused = house.app.test_client().post(path, data={"code": "000000"})
        assert (path, refused.status_code) == (path, 403)
        assert "out of date" in refused.text


def test_every_page_that_takes_a_form_refuses_the_csrf_token_of_another_browser(house: House) -> None:
    foreign = house.browser().open("/sign-in").form("/password").values["csrf"]
    mine = house.browser()
    mine.open("/sign-in")
    for path in _posts(house.app):
        assert (path, mine.post(path, {"csrf": foreign}).status) == (path, 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_from_another_site_is_refused_even_with_a_good_token(house: House, headers: dict[str, str]) -> None:
    person = house.person()
    browser = house.browser()
    form = browser.open("/sign-in").form("/password")
    refused = browser.post(form.action, {**form.values, "username": person.username, "password": PASSWORD}, **headers)
    assert refused.status == 403
    assert "another site" in refused.text
    assert not browser.signed_in


def test_a_browser_that_says_same_origin_is_believed_behind_a_proxy_that_is_not_set_up_yet(house: House) -> None:
    person = house.person(totp=False)
    browser = house.browser()
    form = browser.open("/sign-in").form("/password")
    seen = browser.post(
        form.action,
        {**form.values, "username": person.username, "password": PASSWORD},
        **{"Origin": "https://id.example.org", "Sec-Fetch-Site": "same-origin"},
    )
    assert seen.status == 200


def test_signing_out_needs_a_form_of_ours_and_a_link_only_asks(house: House) -> None:
    browser = house.sign_in(house.person())
    page = browser.open("/sign-out")
    assert "Sign out?" in page.text
    assert browser.signed_in
    assert "You are signed out" in page.submit("/sign-out").text
    assert not browser.signed_in
