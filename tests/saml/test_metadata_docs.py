"""docs/saml-metadata.md says what the code does: commands, operations, refusals, settings."""

import re
from pathlib import Path

from idp.admin.federation_json_api import FederationJsonApi
from idp.cli.main import cli
from idp.domain.audit_event import EventName

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "saml-metadata.md").read_text(encoding="utf-8")
SOURCES = ("watch", "query", "federations", "fetch", "load_aggregate")


def test_every_operation_is_in_its_table(services) -> None:
    api = FederationJsonApi(services)
    operations = {(api.path, "GET"), (api.path, "POST")}
    for page, methods in api.about_one.items():
        operations |= {(f"{api.path}/ID{page and '/'}{page}", method) for method in methods}
    assert set(re.findall(r"^\| `(/admin/api[^`]*)` \| `([A-Z]+)` \|", TEXT, re.MULTILINE)) == operations


def test_every_command_is_named() -> None:
    for group in ("federation", "sp"):
        for name in cli.commands[group].commands:  # type: ignore[attr-defined]
            if group == "federation" or name in ("watch", "unwatch", "refresh", "diff", "adopt", "discard"):
                assert re.search(rf"idp {group} [a-z|]*\b{name}\b", TEXT), name


def test_every_refusal_is_listed() -> None:
    found = set()
    for name in SOURCES:
        source = (ROOT / "idp" / "services" / "metadata" / f"{name}.py").read_text(encoding="utf-8")
        found |= set(re.findall(r'Refused\(\s*"([a-z_]+)"', source))
    assert found - {"unknown_peer"} <= set(re.findall(r"`([a-z_]+)`", TEXT))


def test_every_event_exists() -> None:
    from typing import get_args

    assert set(re.findall(r"`((?:sp|metadata_source)\.[a-z_]+)`", TEXT)) <= set(get_args(EventName))
