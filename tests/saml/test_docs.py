"""The page about SAML apps names every setting, every field, every refusal and every address."""

import re
from pathlib import Path

import pytest

from idp.saml import formats
from idp.saml import names as saml_names
from idp.services.check_sp import SETTABLE

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "saml.md").read_text(encoding="utf-8")
DOOR = [*(ROOT / "idp" / "protocols" / "saml").glob("*.py")]


@pytest.mark.parametrize("name", SETTABLE)
def test_the_page_names_every_setting_of_an_app(name: str) -> None:
    assert re.search(rf"^\| `{name}[`.]", PAGE, re.MULTILINE)


def test_the_page_names_every_algorithm() -> None:
    for name in (*formats.SIGNATURES, *formats.CONTENT, *formats.KEY_TRANSPORT, *saml_names.SHORT_FORMATS):
        assert f"`{name}`" in PAGE


def test_the_page_names_every_field_that_an_attribute_is_made_of() -> None:
    for field in (*saml_names.FIELDS, "claim:NAME", "=text"):
        assert f"`{field}`" in PAGE


def test_the_page_explains_every_refusal_of_a_request() -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in DOOR if "slo" not in path.name)
    codes = set(re.findall(r"refuse\(\s*\"(saml_\w+|sp_\w+|unknown_\w+)\"", written))
    assert len(codes) > 8
    assert [code for code in sorted(codes) if f"`{code}`" not in PAGE] == []
