"""Owns reading docs/saml-recipes.md: its blocks are what the peers here are configured with, with the places of a test in them."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

RECIPES = Path(__file__).parents[2] / "docs" / "saml-recipes.md"


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", RECIPES.read_text(), re.DOTALL | re.MULTILINE)
    assert found, f"no section {title!r} in {RECIPES.name}"
    return found[1]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", section(title), re.DOTALL | re.MULTILINE)


def block(title: str, language: str, places: Mapping[str, str], number: int = 0) -> str:
    """One of its blocks; every text that `places` names must be there, and is replaced."""
    text = blocks(title, language)[number]
    for example, real in places.items():
        assert example in text, f"{title}: {example!r} is not in the recipe any more"
        text = text.replace(example, real)
    return text


def commands(title: str) -> list[list[str]]:
    """The `idp …` commands of a section, as words without `idp`."""
    return [
        shlex.split(line)[1:] for text in blocks(title, "sh") for line in text.splitlines() if line.startswith("idp ")
    ]


def titles() -> list[str]:
    return re.findall(r"^## (.+)$", RECIPES.read_text(), re.MULTILINE)
