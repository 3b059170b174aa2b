"""docs/saml-recipes.md does what it says: its commands of ours are run, and people are shown what each app would get.

The configuration in it of mellon, Shibboleth and SimpleSAMLphp is what tests/peers starts them with.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.peers import recipes
from tests.peers.registering import run_all
from tests.saml.peer import Sp, pair
from tests.support.sheaf import Person, Sheaf

pytestmark = pytest.mark.slow
APP = "https://app.example.org"
ROLE = "https://aws.amazon.com/SAML/Attributes/Role"
READER = "arn:aws:iam::123456789012:role/Reader,arn:aws:iam::123456789012:saml-provider/Sheaf"
# Title -> entityID and ACS of the product, as its own metadata has them.
PRODUCTS = {
    "Apache with mod_auth_mellon": (f"{APP}/mellon/metadata", f"{APP}/mellon/postResponse"),
    "Shibboleth SP": (f"{APP}/shibboleth", f"{APP}/Shibboleth.sso/SAML2/POST"),
    "SimpleSAMLphp": (f"{APP}/sp", f"{APP}/simplesaml/module.php/saml/sp/saml2-acs.php/default-sp"),
    "Grafana": (f"{APP}/saml/metadata", f"{APP}/saml/acs"),
    "GitLab": (APP, f"{APP}/users/auth/saml/callback"),
    "AWS": ("urn:amazon:webservices", "https://signin.aws.amazon.com/saml"),
    "Nextcloud": (f"{APP}/apps/user_saml/saml/metadata?idp=1", f"{APP}/apps/user_saml/saml/acs"),
}


@pytest.fixture(scope="module")
def cook(start_sheaf: Callable[..., Sheaf]) -> Sheaf:
    """An installation where every command of every recipe was run, in order."""
    sheaf = start_sheaf(second_factor="administrators")
    run_all(sheaf, [line(sheaf.folder, title, words) for title in PRODUCTS for words in recipes.commands(title)])
    return sheaf


def line(folder: Path, title: str, words: list[str]) -> list[str]:
    """The command with a file of metadata in place of the address of a product that does not run here."""
    if words[:2] != ["sp", "add"]:
        return words
    entity_id, acs = PRODUCTS[title]
    file = folder / f"{title.split()[0]}.xml"
    file.write_bytes(Sp(entity_id=entity_id.replace("&", "&amp;"), acs=(acs,), encryption=pair()).metadata())
    return ["sp", "add", str(file), *words[3:]]


@pytest.fixture(scope="module")
def ada(cook: Sheaf) -> Person:
    return cook.add_user("ada", email="ada@example.org", full_name="Ada Lovelace")


def would_get(cook: Sheaf, title: str) -> dict[str, Any]:
    told = cook.cli("sp", "preview", PRODUCTS[title][0], "ada")
    return {one["name"]: one["values"] for one in told["attributes"]}


def test_every_recipe_registers_its_app(cook: Sheaf) -> None:
    assert {title for title in recipes.titles() if recipes.commands(title)} == set(PRODUCTS)
    assert {one["entity_id"] for one in cook.cli("sp", "list")} == {entity for entity, _ in PRODUCTS.values()}


def test_the_apps_get_the_attributes_that_their_side_of_the_recipe_names(cook: Sheaf, ada: Person) -> None:
    told = would_get(cook, "Grafana")

    assert (told["login"], told["name"], told["email"]) == (["ada"], ["Ada Lovelace"], ["ada@example.org"])
    asked = [
        text.partition(" = ")[2] for text in recipes.blocks("Grafana", "ini")[0].splitlines() if "_attribute_" in text
    ]
    assert sorted(told) == sorted(asked)
    for field in ("username", "name", "email"):
        assert f'["{field}"]' in recipes.blocks("GitLab", "ruby")[0]
        assert would_get(cook, "GitLab")[field]


def test_a_sign_in_to_aws_begins_here_and_brings_the_role_of_a_group(cook: Sheaf, ada: Person) -> None:
    link = next(word for word in recipes.section("AWS").split("`") if "/saml/start?" in word)
    browser = cook.browser(PRODUCTS["AWS"][1])
    page = cook.sign_in(browser, ada, at=link.replace("https://id.example.org", cook.issuer))
    page = page.submit() if not page.posted else page

    assert page.url == PRODUCTS["AWS"][1], f"{page.url} ({page.status}) {page.text[:300]}"
    assert "SAMLResponse" in page.posted
    assert would_get(cook, "AWS")[ROLE] == []  # she is in none of the groups


def test_a_role_at_aws_may_be_the_same_for_everybody(cook: Sheaf, ada: Person) -> None:
    cook.cli("sp", "set", PRODUCTS["AWS"][0], f"attributes.{ROLE}=={READER}", f"attribute_values.{ROLE}=")

    assert would_get(cook, "AWS")[ROLE] == [READER]
