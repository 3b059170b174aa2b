"""docs/federation.md leads to pages that are there, and names every need."""

import re
from pathlib import Path
from typing import get_args

from idp.services.upkeep import PEOPLE, Code

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "federation.md").read_text(encoding="utf-8")


def test_every_need_is_explained_and_nothing_else() -> None:
    named = re.findall(r"^\| `(\w+)` \|", TEXT.partition("## What needs attention")[2], re.MULTILINE)
    assert named == ["code", *get_args(Code)]


def test_every_link_leads_to_a_file() -> None:
    for target in re.findall(r"\]\(([\w-]+\.md)", TEXT):
        assert (DOCS / target).is_file(), target


def test_how_many_people_are_looked_at_is_said() -> None:
    assert f"the first {PEOPLE} people" in TEXT
