"""Owns the promises of the test of a directory: name and password are asked here, told to the directory, and kept nowhere."""

import pytest

from idp.domain.upstream import UpstreamTest
from idp.domain.upstream_trial import UpstreamTrial
from tests.admin.upstreams import LIST, add, counts
from tests.upstream.directory_double import DirectoryDouble
from tests.web.house import House


@pytest.fixture
def house(house_with) -> House:
    return house_with(net={"private_addresses": "allow", "timeout_seconds": 1})


@pytest.fixture
def directory(house):
    double = DirectoryDouble()
    double.add("maria", "their password", entryUUID="f4a1c8d2-0000-4000-8000-000000000001", mail="maria@corp.example")
    add(house, "ldap", url=double.url, base_dn="dc=corp,dc=example", starttls=False)
    yield double
    double.close()


def test_a_directory_is_tested_with_name_and_password_and_neither_is_kept(house, browser, directory) -> None:
    before = counts(house)
    page = browser.open(f"{LIST}/corp/test").submit("/corp/test")
    told = page.submit("/trial/", username="maria", password="their password")

    assert "The test passed." in told.text
    assert "maria@corp.example" in told.text
    assert counts(house) == before
    assert "their password" not in told.html
    assert "their password" not in repr(house.parts.repo.find(UpstreamTrial))


def test_a_wrong_password_fails_the_test_and_counts_like_any_other(house, browser, directory) -> None:
    for _ in range(5):
        page = browser.open(f"{LIST}/corp/test").submit("/corp/test")
        told = page.submit("/trial/", username="maria", password="wrong")
        assert "The test failed." in told.text
    page = browser.open(f"{LIST}/corp/test").submit("/corp/test")
    asked = len(directory.asked)

    refused = page.submit("/trial/", username="maria", password="their password")
    assert refused.status == 429
    assert len(directory.asked) == asked
    assert house.parts.repo.find(UpstreamTest) == []


@pytest.mark.parametrize("fields", [{"username": "", "password": "x"}, {"username": "maria", "password": "x" * 2000}])
def test_a_form_with_too_little_or_too_much_asks_nobody(browser, directory, fields) -> None:
    page = browser.open(f"{LIST}/corp/test").submit("/corp/test")

    assert page.submit("/trial/", **fields).status == 400
    assert directory.asked == []
