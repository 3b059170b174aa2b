"""docs/people.md and docs/mail.md say what the code does: pages, operations, refusals, commands, times."""

import re
from pathlib import Path

from idp.admin.invitation_json_api import InvitationJsonApi
from idp.admin.user_json_api import UserJsonApi
from idp.cli.main import cli
from idp.services.mails import DELAYS, KEPT_SECONDS, MOST_WAITING
from idp.services.user_list import MOST_READ
from tests.web.house import House

ROOT = Path(__file__).parents[2]
PEOPLE = (ROOT / "docs" / "people.md").read_text(encoding="utf-8")
MAIL = (ROOT / "docs" / "mail.md").read_text(encoding="utf-8")


def test_every_page_and_operation_is_in_its_table(house: House) -> None:
    rules = {rule.rule for rule in house.app.url_map.iter_rules() if rule.endpoint.startswith("people")}
    assert rules
    for rule in rules:
        assert f"| `{rule.replace('<user_id>', 'ID')}` |" in PEOPLE, rule
    operations = set()
    for api in (UserJsonApi(house.parts), InvitationJsonApi(house.parts)):
        operations |= {(api.path, method) for method in ("GET", "POST")}
        for page, methods in api.about_one.items():
            operations |= {(f"{api.path}/ID{page and '/'}{page}", method) for method in methods}
    documented = set(re.findall(r"^\| `(/admin/api[^`]*)` \| `([A-Z]+)` \|", PEOPLE, re.MULTILINE))
    assert documented == operations


def test_every_refusal_of_these_doors_is_listed() -> None:
    listed = set(re.findall(r"`([a-z_]+)`", PEOPLE.partition("| refusal |")[2].partition("\n\n")[0]))
    found = set()
    for name in ("user_json", "user_json_api", "user_changes", "invitation_json_api"):
        found |= set(re.findall(r'Refused\(\s*"([a-z_]+)"', (ROOT / "idp" / "admin" / f"{name}.py").read_text()))
    for name in ("change_links", "undo_changes", "invitations"):
        found |= set(re.findall(r'Refused\(\s*"([a-z_]+)"', (ROOT / "idp" / "services" / f"{name}.py").read_text()))
    of_pages = {"undo_link_dead", "invitation_dead", "unknown_invitation"}
    assert found - listed - of_pages == set()


def test_commands_exist_and_numbers_are_those_of_the_code() -> None:
    commands = cli.commands["user"].commands  # type: ignore[attr-defined]
    for name in re.findall(r"idp user ([a-z-]+)", PEOPLE):
        assert name in commands, name
    assert f"{MOST_READ:,}" in PEOPLE
    assert f"{MOST_WAITING:,}" in MAIL
    assert list(DELAYS) == [60.0, 300.0, 1800.0, 7200.0, 21_600.0, 43_200.0]
    assert KEPT_SECONDS == 3 * 86_400.0
