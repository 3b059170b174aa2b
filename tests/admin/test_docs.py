"""docs/admin.md says what the code does: pages, operations, refusals, limits."""

import re
from pathlib import Path

from idp.admin.fields import SECTIONS
from idp.admin.json_api import MAX_BODY, MOST, PATH, USUAL, JsonApi
from idp.base.claims import ADMIN_AUDIENCE, ADMIN_SCOPE
from idp.domain.relying import Client
from idp.services.manage_apps import LONGEST_OVERLAP
from tests.web.house import House

TEXT = (Path(__file__).parents[2] / "docs" / "admin.md").read_text(encoding="utf-8")


def test_every_page_and_operation_is_in_its_table(house: House) -> None:
    rules = {rule.rule for rule in house.app.url_map.iter_rules() if rule.endpoint.startswith("admin")}
    inner = {"/admin", "/admin/clients/<name>/secret/retire", "/admin/clients/<name>/test/done"}
    for rule in rules - inner:
        assert f"| `{rule.replace('<name>', 'NAME').replace('<section>', 'SECTION')}` |" in TEXT, rule
    api = JsonApi(house.parts)
    operations = {(PATH, method) for method in ("GET", "POST")}
    for page, methods in api._about_one.items():
        operations |= {(f"{PATH}/NAME{page and '/'}{page}", method) for method in methods}
    documented = set(re.findall(r"^\| `(/admin/api[^`]*)` \| `([A-Z]+)` \|", TEXT, re.MULTILINE))
    assert documented == operations


def test_sections_limits_and_names_are_those_of_the_code(house: House, wiki: Client) -> None:
    for section in SECTIONS:
        assert f"`{section.name}`" in TEXT
    for words in (f"1 to {MOST}, usually {USUAL}", f"0 to {LONGEST_OVERLAP}", ADMIN_AUDIENCE, f"`{ADMIN_SCOPE}`"):
        assert words in TEXT
    assert f"{MAX_BODY // 1024} KiB" in TEXT


def test_every_refusal_of_the_api_is_listed() -> None:
    listed = set(re.findall(r"`([a-z_]+)`", TEXT.split("| refusal |")[1].split("Each answer")[0]))
    found = set()
    for name in ("json_api", "client_json", "access", "changes", "previews"):
        source = (Path(__file__).parents[2] / "idp" / "admin" / f"{name}.py").read_text()
        found |= set(re.findall(r'Refused\(\s*"([a-z_]+)"', source))
    assert found - listed == set()
