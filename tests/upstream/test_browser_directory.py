"""Owns signing in with the name and password of a directory (OpenLDAP, over TLS) in a real Chromium, and how the page looks."""

from collections.abc import Callable

import pytest

from tests.peers.slapd import BASE, PASSWORDS, READER, READER_PASSWORD, Slapd, slapd  # noqa: F401  (slapd is a fixture)
from tests.support.chromium import Windows
from tests.support.sheaf import Sheaf
from tests.web.test_browser import Eyes


@pytest.fixture(scope="module")
def home(start_sheaf: Callable[..., Sheaf], slapd: Slapd) -> Sheaf:  # noqa: F811
    sheaf = start_sheaf(second_factor="administrators")
    given = {"url": slapd.plain, "base_dn": BASE, "bind_dn": READER, "bind_password": READER_PASSWORD}
    ca = f"@{slapd.folder / 'ca.pem'}"
    sheaf.add_upstream("ldap", "staff", label="Staff directory", ca_certificates=ca, keep_groups="st*", **given)
    return sheaf


@pytest.mark.parametrize("js", [True, False], ids=["js", "nojs"])
def test_a_person_signs_in_with_the_password_of_the_directory(home: Sheaf, windows: Windows, js: bool) -> None:
    eyes = Eyes(windows, "directory" if js else "directory-nojs", axe=js)
    page = windows.open(home.url("/sign-in"), js=js)

    page.get_by_role("button", name="Staff directory").click()
    eyes.look(page, "1-form", "Sign in with Staff directory")
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password at Staff directory").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("alert").wait_for()
    eyes.look(page, "2-wrong", "Sign in with Staff directory")
    page.get_by_label("Password at Staff directory").fill(PASSWORDS["ada"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(home.url("/"))

    assert home.cli("user", "show", "ada")["groups"] == ["staff"]
    assert [said for said in windows.complaints if "Content Security Policy" in said] == []
    assert eyes.found == []
