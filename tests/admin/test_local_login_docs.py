"""docs/local-login.md says what the code does: pages, operations, commands, limits, events."""

import re
from pathlib import Path
from typing import get_args

from idp.admin.local_login_api import MOST_LOOKED_AT, LocalLoginApi
from idp.cli.local_login import break_glass, local_login
from idp.domain.audit_event import EventName
from idp.domain.local_login import WAY_GOOD_SECONDS
from idp.services.break_glass import LEAST_SECONDS, LONGEST_SECONDS
from tests.web.house import House

TEXT = (Path(__file__).parents[2] / "docs" / "local-login.md").read_text(encoding="utf-8")


def test_every_page_operation_and_command_is_in_its_table(house: House) -> None:
    rules = {
        rule.rule for rule in house.app.url_map.iter_rules() if rule.endpoint.startswith(("local_login.", "break_g"))
    }
    assert {rule for rule in rules if f"`{rule}`" not in TEXT and not rule.startswith("/admin/local-login/")} == set()
    for endpoint in LocalLoginApi(house.parts).endpoints(lambda run: run):
        for method in endpoint.methods:
            assert f"`{method} {endpoint.path}`" in TEXT
    for name in (
        *(f"local-login {one}" for one in local_login.commands),
        *(f"break-glass {one}" for one in break_glass.commands),
    ):
        assert re.search(rf"`idp {name}\b", TEXT), name


def test_events_and_limits_are_those_of_the_code() -> None:
    for name in get_args(EventName):
        if name.startswith(("local_login.", "break_glass.")):
            assert f"`{name}`" in TEXT
    assert f"1 to {MOST_LOOKED_AT}" in TEXT
    assert (LEAST_SECONDS, LONGEST_SECONDS, WAY_GOOD_SECONDS) == (60, 86_400, 30 * 86_400)
    assert "a minute to a day" in TEXT
    assert "30 days" in TEXT
