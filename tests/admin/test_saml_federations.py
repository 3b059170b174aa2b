"""The page about federations, and their service providers on the other pages: settings of their own, and nothing else."""

from collections.abc import Iterator

import pytest

from idp.admin.names import sp_api_path_of, sp_path_of
from tests.admin.programs import SP_API, Program
from tests.saml.federation import SIGNER, aggregate, member, members
from tests.saml.publishing import Publisher
from tests.web.house import Browser, House

PAGE = "/admin/saml/federations"
ONE = member(1).entity_id


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as publisher:
        publisher.put(aggregate(members(3)), "/all")
        yield publisher


@pytest.fixture
def federation(house: House, publisher: Publisher) -> str:
    url = publisher.url("/all")
    house.parts.federations.add("home", "aggregate", url, certificates=[SIGNER.certificate], actor="test")
    house.parts.federations.refresh("home", actor="test")
    return "home"


def test_a_house_without_one_says_how_to_add_one(browser: Browser) -> None:
    assert "idp federation add" in browser.open(PAGE).text


def test_a_federation_is_shown_and_loaded_again(browser: Browser, publisher: Publisher, federation: str) -> None:
    page = browser.open(PAGE)
    assert "Service providers 3" in page.text
    publisher.put(aggregate(members(5)), "/all")
    page = page.submit("/refresh")
    assert "The federation is loaded" in page.text
    assert "Service providers 5" in page.text
    publisher.broken = True
    page = page.submit("/refresh")
    assert page.status >= 400
    assert "Service providers 5" in page.text


def test_only_administrators_load_one(house: House, browser: Browser, federation: str) -> None:
    path = f"{PAGE}/home/refresh"
    assert house.sign_in(house.person("bob")).post_blindly(path).status == 403
    assert browser.post(path, {}).status == 403
    assert browser.post_blindly(f"{PAGE}/other/refresh").status == 404
    assert browser.client.get(path).status_code == 405


def test_whether_an_entity_is_known_is_told(browser: Browser, federation: str) -> None:
    page = browser.open(f"{PAGE}?entity={ONE}")
    assert "Yes: " in page.text
    assert sp_path_of(ONE) in page.html
    assert "None of them knows it" in browser.open(f"{PAGE}?entity=https://nobody.example/").text


def test_one_of_a_federation_gets_settings_of_its_own(house: House, browser: Browser, federation: str) -> None:
    page = browser.open(sp_path_of(ONE))
    assert "https://sp-1.example/acs" in page.text
    assert "home" in page.text
    assert house.parts.apps.service_providers() == []
    page = browser.open(sp_path_of(ONE, "edit/attributes")).submit("/edit/", attributes="mail = email")
    assert page.status == 200
    [own] = house.parts.apps.service_providers()
    assert (own.id, own.source_id, own.metadata, own.attributes) == (ONE, "home", "", {"mail": "email"})
    assert "https://sp-1.example/acs" in browser.open(sp_path_of(ONE)).text
    page = browser.open(sp_path_of(ONE, "edit/attributes")).submit("/edit/", attributes="mail = username")
    assert house.parts.apps.service_providers()[0].attributes == {"mail": "username"}
    for path in ("metadata", "preview?user=ada", "test", "remove"):
        assert browser.open(sp_path_of(ONE, path)).status == 200
    assert browser.open(sp_path_of(ONE, "metadata/xml")).status == 404


def test_the_api_knows_them_too(house: House, program: Program, federation: str) -> None:
    program.api = ""
    path = sp_api_path_of(ONE)
    shown = program.done("GET", path)
    assert (shown["source_id"], shown["entity_id"]) == ("home", ONE)
    assert program.done("PATCH", path, {"encrypt": "never", "name": "Mine"})["name"] == "Mine"
    assert [one["source_id"] for one in program.done("GET", SP_API)["service_providers"]] == ["home"]
    assert program.ask("DELETE", path).status_code == 204
    assert program.ask("DELETE", path).status_code == 404
    assert program.done("GET", path)["name"] != "Mine"
