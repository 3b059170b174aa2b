"""Owns the promise that each command of the recipes is one that can be typed as it stands there."""

import re
import shlex
from pathlib import Path

import pytest

from idp.admin.upstream_presets import presets
from idp.upstream.parse import parse_settings
from idp.upstream.registry import secret_fields

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "upstream-recipes.md").read_text(encoding="utf-8")
ID = "11111111-2222-3333-4444-555555555555"


def commands() -> list[list[str]]:
    found = []
    for name in ("upstream-recipes.md", "upstreams.md", "upstreams-ldap.md"):
        text = (DOCS / name).read_text(encoding="utf-8").replace("\\\n", " ")
        found += [shlex.split(line) for line in text.splitlines() if line.startswith("idp upstream add ")]
    return found


@pytest.mark.parametrize("words", commands(), ids=lambda words: f"{words[3]} {words[words.index('--id') + 1]}")
def test_the_command_of_a_recipe_is_accepted(words: list[str]) -> None:
    kind = words[3]
    pairs = dict(one.split("=", 1) for at, one in enumerate(words) if words[at - 1] == "--set")
    given = {name: value.replace("TENANT_ID", ID) for name, value in pairs.items() if not value.startswith("@")}
    given |= {name: "a secret" for name in secret_fields(kind) if name in given}

    assert parse_settings(kind, given)


def test_there_is_a_recipe_for_every_preset() -> None:
    headings = " ".join(re.findall(r"^## (.*)$", PAGE, re.MULTILINE)).lower()
    wanted = {
        "google": "google", "azure-ad": "azure ad", "adfs": "ad fs by saml", "adfs-oidc": "ad fs by openid connect",
        "okta": "okta", "github": "github", "active-directory": "active directory", "openldap": "openldap",
        "sheaf": "another sheaf", "openid-connect": "keycloak", "saml": "saml identity provider", "oauth2": "oauth 2.0",
    }  # fmt: skip
    assert {one.name for one in presets()} == set(wanted)
    for name, heading in wanted.items():
        assert heading in headings, name
