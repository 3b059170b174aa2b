"""Owns the way to an upstream and back in a real Chromium, which holds pages to their Content-Security-Policy."""

from collections.abc import Callable

import pytest

from tests.peers.oidc_provider import OidcProvider
from tests.support.chromium import Windows
from tests.support.sheaf import Sheaf


@pytest.fixture(scope="module")
def home(start_sheaf: Callable[..., Sheaf], oidc_upstream: OidcProvider) -> Sheaf:
    sheaf = start_sheaf(second_factor="administrators")
    client = oidc_upstream.register(sheaf.url("/upstream/corp/callback"))
    given = {"issuer": oidc_upstream.issuer, "client_id": client.client_id, "client_secret": client.client_secret}
    sheaf.add_upstream("oidc", "corp", label="Corporate login", **given)
    return sheaf


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_a_browser_goes_to_the_upstream_and_back_without_a_broken_policy(
    home: Sheaf, oidc_upstream: OidcProvider, windows: Windows, js: bool
) -> None:
    name = f"rosa-{js}".lower()
    oidc_upstream.add_user(name, email=f"{name}@corp.example", email_verified=True, name="Rosa")
    page = windows.open(home.url("/sign-in"), js=js)

    page.get_by_role("button", name="Corporate login").click()
    page.wait_for_url(f"{oidc_upstream.issuer}/**")
    page.get_by_label("User").fill(name)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(home.url("/"))

    page.goto(home.url("/account"))
    windows.screenshot(page, f"upstream-account-{'js' if js else 'nojs'}")
    assert "Corporate login" in page.inner_text("main")
    assert [said for said in windows.complaints if "Content Security Policy" in said] == []


def test_going_back_from_the_upstream_shows_the_choice_and_not_the_page_that_led_away(
    home: Sheaf, oidc_upstream: OidcProvider, windows: Windows
) -> None:
    page = windows.open(home.url("/sign-in"))
    page.get_by_role("button", name="Corporate login").click()
    page.wait_for_url(f"{oidc_upstream.issuer}/**")

    page.go_back()

    page.get_by_role("button", name="Corporate login").wait_for()
    assert "/flow/" in page.url
