"""Every check that a kind without SAML can write has words in both languages, and no words are left over. Read from the source."""

import ast
from pathlib import Path

import pytest

from idp.resources import catalogue

UPSTREAM = Path(__file__).parents[2] / "idp" / "upstream"


def _codes() -> set[str]:
    found: set[str] = set()
    for file in sorted(UPSTREAM.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "checking":
                found |= {one.value for one in node.args[1:2] if isinstance(one, ast.Constant)}
            if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "CHECKS":
                assert isinstance(node.value, ast.Tuple)
                found |= {row.elts[0].value for row in node.value.elts}  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_check_has_words_and_no_words_are_left_over(language: str) -> None:
    words = {
        key.partition(".")[2]: text for key, text in catalogue(language).items() if key.startswith("upstream_check.")
    }

    assert {"state", "signature", "nonce", "person"} <= _codes()
    assert set(words) == _codes()
    assert all(len(text) > 5 for text in words.values())
