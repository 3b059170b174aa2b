"""The table of behaviours in docs/testing.md names tests that exist, and every test of this folder stands in it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_ID = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def _named() -> list[tuple[str, str]]:
    return _ID.findall((ROOT / "docs" / "testing.md").read_text())


def _tests_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_test_in_the_table_of_behaviours_exists() -> None:
    named = _named()
    assert len(named) > 60
    known = {path: _tests_of(ROOT / path) if (ROOT / path).is_file() else set() for path in {path for path, _ in named}}
    assert [f"{path}::{name}" for path, name in named if name not in known[path]] == []


def test_every_test_of_this_folder_is_in_the_table_of_behaviours() -> None:
    here = Path(__file__)
    files = [file for file in sorted(here.parent.glob("test_*.py")) if file != here]
    found = {(str(file.relative_to(ROOT)), name) for file in files for name in _tests_of(file)}
    assert sorted(found - set(_named())) == []
