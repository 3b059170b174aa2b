"""Owns the kind `sheaf`: two installations of our own, one of which signs people in at the other, and out, both ways."""

from collections.abc import Callable

import pytest

from tests.support.http_browser import PlainBrowser
from tests.support.sheaf import Sheaf

PARTNER = "partner"


@pytest.fixture(scope="module")
def there(start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    """Where people have their accounts. Its name is another one, as browsers keep cookies by name."""
    return start_sheaf(host="localhost", second_factor="administrators")


@pytest.fixture(scope="module")
def here(start_sheaf: Callable[..., Sheaf], there: Sheaf) -> Sheaf:
    home = start_sheaf(second_factor="everyone")
    at = home.url(f"/upstream/{PARTNER}")
    client = there.add_client(
        f"{at}/callback",
        post_logout_redirect_uris=[f"{at}/signed-out"],
        scopes=["openid", "profile", "email", "groups", "roles"],
        consent="skip",
        settings={"backchannel_logout_uri": f"{at}/backchannel-logout"},
    )
    home.add_upstream(
        "sheaf",
        PARTNER,
        label="Partner",
        issuer=there.issuer,
        client_id=client.client_id,
        client_secret=client.client_secret or "",
        trusted_amr="otp",
        keep_groups="staff",
        group_roles="role:editor -> author",
    )
    return home


def signed_in(browser: PlainBrowser, sheaf: Sheaf) -> bool:
    return browser.open(sheaf.url("/account")).path == "/account"


def test_a_person_of_one_sheaf_signs_in_at_another_and_out_both_ways(here: Sheaf, there: Sheaf) -> None:
    ada = there.add_user("ada", email="ada@partner.example", totp=True)
    there.cli("user", "edit", "ada", "--group", "staff", "--group", "secret", "--role", "editor", "--role", "other")
    with here.browser() as browser:
        page = browser.open(here.url("/sign-in")).submit("Partner")
        page = page.submit(username=ada.username, password=ada.password)
        page = page.submit(code=ada.code())

        # Its second factor is trusted, so none is asked for here.
        assert page.url == here.url("/")
        mine = here.cli("user", "show", "ada")
        assert (mine["groups"], mine["roles"]) == (["staff"], ["author"])
        assert [login["issuer"] for login in mine["logins"]] == [there.issuer]

        # From here to there: signing out here ends the session over there as well.
        page = browser.open(here.url("/account")).submit("Sign out")
        assert page.url.startswith(here.url("/"))
        assert not signed_in(browser, here)
        assert not signed_in(browser, there)


def test_who_signs_out_there_is_signed_out_here_as_well(here: Sheaf, there: Sheaf) -> None:
    bob = there.add_user("bob", email="bob@partner.example", totp=True)
    with here.browser() as browser:
        page = browser.open(here.url("/sign-in")).submit("Partner")
        page.submit(username=bob.username, password=bob.password).submit(code=bob.code())
        assert signed_in(browser, here)

        browser.open(there.url("/account")).submit("Sign out")

        here.soon(lambda: not signed_in(browser, here), "the logout token ends the session here", seconds=10.0)


def test_what_is_no_longer_said_over_there_is_taken_away_here(here: Sheaf, there: Sheaf) -> None:
    eve = there.add_user("eve", email="eve@partner.example", totp=True, admin=True)
    there.cli("user", "edit", "eve", "--group", "staff", "--role", "editor")
    for groups, expected in (("staff", (["staff"], ["author"])), ("none", ([], []))):
        if groups == "none":
            there.cli("user", "edit", "eve", "--group", "other", "--role", "other")
        with here.browser() as browser:
            page = browser.open(here.url("/sign-in")).submit("Partner")
            page.submit(username=eve.username, password=eve.password).submit(code=eve.code())
        mine = here.cli("user", "show", "eve")
        # Who administers over there does not so here.
        assert (mine["groups"], mine["roles"]) == expected
