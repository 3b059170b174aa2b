"""`idp sp …` and `idp federation …`: settings, watched metadata, federations, and what `idp doctor` says of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from idp.saml.signatures import sign_element
from tests.cli.conftest import Shell
from tests.saml.federation import SIGNER, aggregate, member, members
from tests.saml.peer import Sp, instant
from tests.saml.publishing import Publisher

ID = "https://sp.example/metadata"


@pytest.fixture
def publisher() -> Any:
    with Publisher() as publisher:
        yield publisher


@pytest.fixture
def signer(tmp_path: Path) -> Path:
    file = tmp_path / "signer.pem"
    file.write_text(SIGNER.certificate)
    return file


def saying(acs: str = "https://sp.example/acs", extra: str = "") -> bytes:
    return Sp(acs=(acs,), extra=f'ID="_m" {extra}').metadata()


def test_metadata_that_are_watched_are_looked_at_compared_and_adopted(shell: Shell, publisher: Publisher) -> None:
    url = publisher.put(saying())
    added = shell.json("sp", "add", url, "--watch", "--set", "name=Wiki")
    assert (added["watched"]["url"], added["watched"]["adopt"]) == (url, "ask")
    publisher.put(saying("https://sp.example/new"))
    seen = shell.json("sp", "refresh", ID)
    assert seen["pending"] is True
    change = {"part": "acs", "gone": ["https://sp.example/acs (post, index 0)"]}
    assert shell.json("sp", "diff", ID)["changes"] == [
        {**change, "new": ["https://sp.example/new (post, index 0)"], "grave": True}
    ]
    said = shell("sp", "diff", ID).stdout
    assert "- acs: https://sp.example/acs" in said
    assert "+ acs: https://sp.example/new" in said
    assert "changed" in shell.refused("sp", "adopt", ID, "--digest", "another")[1].lower()
    assert shell.json("sp", "adopt", ID)["pending"] is False
    assert "https://sp.example/new" in shell.json("sp", "show", ID)["metadata"]
    assert "https://sp.example/new (post, index 0)" in shell("sp", "show", ID).stdout
    assert shell.json("sp", "list") == [{"entity_id": ID, "name": "Wiki"}]
    for words in ("adopt", "diff", "discard"):
        assert "wait here" in shell.refused("sp", words, ID)[1]
    assert shell.json("sp", "unwatch", ID)["watched"] is False
    assert "not watched" in shell.refused("sp", "refresh", ID)[1]


def test_what_is_discarded_waits_no_longer(shell: Shell, publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "sp.xml").write_bytes(saying())
    shell.json("sp", "add", "sp.xml")
    url = publisher.put(saying("https://sp.example/new"))
    assert shell.json("sp", "watch", ID, url)["pending"] is True
    shell.json("sp", "discard", ID)
    assert shell.json("sp", "refresh", ID)["pending"] is False


def test_the_first_copy_must_be_signed_as_well_when_a_certificate_is_named(
    shell: Shell, publisher: Publisher, signer: Path
) -> None:
    url = publisher.put(saying())
    assert "not signed" in shell.refused("sp", "add", url, "--certificate", signer)[1]
    publisher.put(sign_element(etree.fromstring(saying()), SIGNER.private, SIGNER.certificate))
    assert shell.json("sp", "add", url, "--watch", "--certificate", signer, "--adopt", "auto")["watched"]["signed"]
    assert "need a URL" in shell.refused("sp", "add", "sp.xml", "--watch")[1]


def test_settings_are_changed_and_checked_and_the_app_is_switched_off(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "sp.xml").write_bytes(saying())
    shell.json("sp", "add", "sp.xml", "--set", "attributes.mail=email")
    changed = shell.json("sp", "set", ID, "name_id_format=persistent", "--set", "attributes.groups=groups")
    assert changed["attributes"] == {"mail": "email", "groups": "groups"}
    assert shell.json("sp", "disable", ID)["enabled"] is False
    assert shell.json("sp", "enable", ID)["enabled"] is True
    assert "encrypt" in shell.refused("sp", "set", ID, "encrypt=always")[1]
    assert "no such setting" in shell.refused("sp", "set", ID, "color=red")[1]
    assert "at least one" in shell.refused("sp", "set", ID)[1]
    assert "no service provider" in shell.refused("sp", "set", "https://nobody.example", "name=x")[1]


def test_a_preview_says_what_an_app_would_be_told(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "sp.xml").write_bytes(saying())
    shell.json("sp", "add", "sp.xml", "--set", "attributes.uid=username")
    shell.json("user", "add", "ada", "--email", "ada@example.org", "--name", "Ada", "--claim", "phone_number=+49123")
    told = shell.json("sp", "preview", ID, "ada")
    assert [(one["name"], one["values"]) for one in told["attributes"]] == [("uid", ["ada"])]
    assert "uid: ada" in shell("sp", "preview", ID, "ada").stdout
    changed = (
        "attributes.phone=claim:phone_number",
        "attributes.groups=groups",
        "attributes.who=name",
        "attribute_filters.who=x-*",
    )
    shell.json("sp", "set", ID, *changed, "name_id_format=email", "name_id_field=claim:phone_number")
    said = shell("sp", "preview", ID, "ada").stdout
    assert "who: - (Held back by a filter: Ada)" in said
    assert "groups: - (This person has none.)" in said
    assert "phone: - (Nobody has proved that it is theirs, so it is kept back.)" in said
    assert "NameID: - (Nobody has proved that it is theirs, so it is kept back.)" in said
    assert {one["why"] for one in shell.json("sp", "preview", ID, "ada")["attributes"]} >= {"no_value", "unverified"}
    assert "no user" in shell.refused("sp", "preview", ID, "nobody")[1]


def test_a_federation_is_added_shown_changed_and_removed(shell: Shell, publisher: Publisher, signer: Path) -> None:
    url = publisher.put(aggregate(members(3)), "/all")
    words = ("federation", "add", "campus", url, "--certificate", signer, "--set", "attributes.mail=email")
    added = shell.json(*words)
    assert (added["entities"], added["attributes"]) == (3, {"mail": "email"})
    assert shell.json("federation", "list")[0]["id"] == "campus"
    assert len(shell.json("federation", "show", "campus")["members"]) == 3
    found = member(1).entity_id
    assert shell.json("federation", "find", found)["federation"] == "campus"
    assert shell.json("sp", "show", found)["source_id"] == "campus"
    own = shell.json("sp", "set", found, "second_factor_required=true")
    assert (own["source_id"], own["attributes"]) == ("campus", {}), (
        "what the federation fills in is no setting of its own"
    )
    changed = shell.json(
        "federation", "set", "campus", "--disable", "--set", "attributes.mail=", "--set", "attributes.cn=name"
    )
    assert (changed["enabled"], changed["attributes"]) == (False, {"cn": "name"})
    assert "No federation" in shell.refused("federation", "find", found)[1]
    shell.json("federation", "set", "campus", "--enable")
    assert shell.json("federation", "refresh", "campus")["entities"] == 3
    assert shell.json("federation", "remove", "campus")["removed"] is True
    assert "no federation" in shell.refused("federation", "show", "campus")[1]


def test_a_federation_that_is_not_signed_by_its_certificate_is_refused(
    shell: Shell, publisher: Publisher, signer: Path
) -> None:
    url = publisher.put(aggregate(members(1), signer=None), "/all")
    said = shell.refused("federation", "add", "campus", url, "--certificate", signer)[1]
    assert "not signed" in said
    assert "campus is added" in said
    assert shell.json("federation", "list")[0]["problem"] == "it is not signed"
    assert "name the certificate" in shell.refused("federation", "add", "other", url)[1]


def test_the_doctor_tells_what_ends_what_failed_and_what_waits(shell: Shell, publisher: Publisher) -> None:
    import time

    ends = f'validUntil="{instant(time.time() + 5 * 86_400)}"'
    url = publisher.put(saying(extra=ends))
    shell.json("sp", "add", url, "--watch", "--set", "name=Wiki")
    publisher.put(saying("https://sp.example/new", extra=ends))
    shell.json("sp", "refresh", ID)
    publisher.broken = True
    shell.refused("sp", "refresh", ID)
    checks = json.loads(shell("doctor", "--json").stdout)["checks"]
    told = [(one["check"], one["state"], one["detail"]) for one in checks]
    [cure] = [one["cure"] for one in checks if one["check"] == "SAML app Wiki"]
    assert cure == f"Ask its administrator for new metadata: idp sp refresh {ID}"
    assert any(check == "SAML app Wiki" and "now: its metadata ends" in detail for check, _, detail in told)
    watched = [detail for check, _, detail in told if check == f"metadata of sp:{ID}"]
    assert "answers 500" in watched[0]
    assert "a changed copy waits" in watched[1]
    assert ("SAML apps", "ok", "1 registered") in told


def test_saml_keys_of_every_algorithm_are_rotated_by_name(shell: Shell) -> None:
    shell.json("keys", "rotate", "--use", "saml", "--alg", "ES256")
    rotated = shell.json("keys", "rotate", "--use", "saml_encryption")
    assert [(one["use"], one["alg"]) for one in rotated] == [("saml_encryption", "RS256")]
    assert "saml_encryption" in shell.refused("keys", "rotate", "--use", "saml_encryption", "--alg", "ES256")[1]
    assert "was in our metadata for 0 min only" in shell("keys", "rotate", "--use", "saml").stderr
    assert "in our metadata" not in shell("keys", "rotate", "--use", "saml_encryption").stderr
    uses = {(one["use"], one["alg"]) for one in shell.json("keys", "list")}
    assert {("saml", "ES256"), ("saml_encryption", "RS256")} <= uses
