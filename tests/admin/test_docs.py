"""docs/admin.md says what the code does: pages, operations, refusals, limits."""

import re
from pathlib import Path

from idp.admin import sp_fields
from idp.admin.fields import SECTIONS
from idp.admin.json_api import JsonApi
from idp.admin.json_requests import MAX_BODY, MOST, USUAL
from idp.admin.sp_changes import MAX_METADATA
from idp.admin.sp_json_api import MAX_BODY as SP_BODY
from idp.admin.sp_json_api import SpJsonApi
from idp.admin.upstream_json_api import KINDS_PATH, UpstreamJsonApi
from idp.base.claims import ADMIN_AUDIENCE, ADMIN_SCOPE
from idp.domain.relying import Client
from idp.services.manage_apps import LONGEST_OVERLAP
from tests.web.house import House

_SOURCES = (
    *("json_api", "client_json", "access", "changes", "previews", "json_requests", "json_resource"),
    *("sp_json_api", "sp_json", "sp_changes", "sp_previews", "upstream_json", "upstream_json_api"),
)
TEXT = (Path(__file__).parents[2] / "docs" / "admin.md").read_text(encoding="utf-8")


def test_every_page_and_operation_is_in_its_table(house: House) -> None:
    rules = {rule.rule for rule in house.app.url_map.iter_rules() if rule.endpoint.startswith("admin")}
    inner = {"/admin", "/admin/clients/<name>/secret/retire", "/admin/clients/<name>/test/done"}
    saml = ("switch", "metadata/look", "metadata/unwatch", "metadata/pending", "test/done")
    inner |= {f"/admin/saml/<name>/{one}" for one in saml} | {"/admin/saml/federations/<name>/refresh"}
    assert inner <= rules
    for rule in rules - inner:
        assert f"| `{rule.replace('<name>', 'NAME').replace('<section>', 'SECTION')}` |" in TEXT, rule
    operations = {(KINDS_PATH, "GET")}
    for api in (JsonApi(house.parts), SpJsonApi(house.parts), UpstreamJsonApi(house.parts)):
        operations |= {(api.path, method) for method in ("GET", "POST")}
        for page, methods in api.about_one.items():
            operations |= {(f"{api.path}/NAME{page and '/'}{page}", method) for method in methods}
    documented = set(re.findall(r"^\| `(/admin/api[^`]*)` \| `([A-Z]+)` \|", TEXT, re.MULTILINE))
    assert documented == operations


def test_sections_limits_and_names_are_those_of_the_code(house: House, wiki: Client) -> None:
    for section in (*SECTIONS, *sp_fields.SECTIONS):
        assert f"`{section.name}`" in TEXT
    for words in (f"1 to {MOST}, usually {USUAL}", f"0 to {LONGEST_OVERLAP}", ADMIN_AUDIENCE, f"`{ADMIN_SCOPE}`"):
        assert words in TEXT
    assert f"{MAX_BODY // 1024} KiB" in TEXT
    assert f"{MAX_METADATA} bytes at most here, requests {SP_BODY // 1024} KiB" in TEXT


def test_every_refusal_of_the_api_is_listed() -> None:
    tables = [part.split("\n\n")[0] for part in TEXT.split("| refusal |")[1:]]
    listed = set(re.findall(r"`([a-z_]+)`", "".join(tables)))
    found = set()
    for name in _SOURCES:
        source = (Path(__file__).parents[2] / "idp" / "admin" / f"{name}.py").read_text()
        found |= set(re.findall(r'Refused\(\s*"([a-z_]+)"', source))
    assert found - listed == set()
