"""The administrators' JSON API of upstreams: who may, create, read, change, switch, remove; secrets go in and never come out."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from idp.admin.upstream_json_api import KINDS_PATH, PATH
from idp.domain.audit_event import AuditEvent
from idp.upstream.registry import kinds
from tests.admin.programs import UPSTREAM_API, Program
from tests.admin.upstreams import SECRET, as_tested, stored
from tests.web.house import Browser, House

SETTINGS = {"issuer": "https://login.corp.example", "client_id": "sheaf", "client_secret": SECRET}
CORP = {"id": "corp", "kind": "oidc", "label": "Corporate login", "settings": SETTINGS}
EVERY = [("GET", ""), ("POST", ""), ("GET", "/corp"), ("PATCH", "/corp"), ("DELETE", "/corp")]
every = pytest.mark.parametrize(("method", "path"), EVERY, ids=[f"{method} {path}" for method, path in EVERY])


@pytest.fixture
def api(program: Program) -> Program:
    program.api = UPSTREAM_API
    return program


@pytest.fixture
def corp(api: Program) -> dict[str, Any]:
    return api.done("POST", "", CORP, 201)


def error(api: Program, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str, str]:
    answer = api.ask(method, path, body, **more)
    assert set(answer.json) >= {"error", "error_description", "trace"}
    return answer.status_code, answer.json["error"], answer.json["error_description"]


@every
def test_nobody_comes_in_without_a_token_or_by_a_cookie(
    house: House, browser: Browser, corp: dict[str, Any], method: str, path: str
) -> None:
    before = stored(house)
    for client in (house.app.test_client(), browser.client):
        answer = client.open(f"{PATH}{path}", method=method, json={})
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
    assert house.app.test_client().get(KINDS_PATH).status_code == 401
    assert house.parts.upstreams.all() == [before]


def test_one_is_made_off_and_its_secret_never_comes_back(house: House, api: Program, corp: dict[str, Any]) -> None:
    assert (corp["enabled"], corp["tested"], corp["secrets"]) == (False, None, ["client_secret"])
    assert corp["addresses"]["redirect_uri"] == "http://localhost/upstream/corp/callback"
    assert "client_secret" not in corp["settings"]
    for path in ("", "/corp"):
        assert SECRET not in api.ask("GET", path).text
    assert house.parts.upstreams.opened_settings(stored(house), ("client_secret",))["client_secret"] == SECRET
    assert api.done("GET", "")["upstreams"] == [api.done("GET", "/corp")]


def test_what_is_read_can_be_sent_back_and_changes_nothing(house: House, api: Program, corp: dict[str, Any]) -> None:
    corp.pop("enabled")
    assert api.done("PATCH", "/corp", corp)["settings"] == corp["settings"]
    assert house.parts.upstreams.opened_settings(stored(house), ("client_secret",))["client_secret"] == SECRET


def test_every_common_setting_can_be_changed_and_null_is_its_default(api: Program, corp: dict[str, Any]) -> None:
    change = {
        "label": "Elsewhere",
        "mode": "link_only",
        "order": 3,
        "icon": "key",
        "home_domains": ["corp.example"],
        "may_create": "domains",
        "create_domains": ["corp.example"],
        "trusted_domains": ["*"],
        "always_ask": True,
        "trusted_amr": ["mfa"],
        "trusted_acr": ["urn:example:high"],
        "claim_map": {"department": "dept"},
        "keep_groups": ["wiki-*"],
        "group_names": {"CN=A,OU=B": "a"},
        "group_roles": {"CN=A,OU=B": ["editor", "auditor"]},
        "administrator_groups": ["Domain Admins"],
        "secret_expires_at": "2027-01-31T00:00:00Z",
    }
    changed = api.done("PATCH", "/corp", change)
    assert {name: changed[name] for name in change} == change
    unset = api.done("PATCH", "/corp", dict.fromkeys(change))
    assert {name: unset[name] for name in change} == {**{name: corp[name] for name in change}, "label": "corp"}


def test_settings_of_the_kind_are_merged_and_null_is_their_default(api: Program, corp: dict[str, Any]) -> None:
    changed = api.done("PATCH", "/corp", {"settings": {"scopes": ["openid"], "client_id": "other"}})
    assert (changed["settings"]["scopes"], changed["settings"]["client_id"]) == (["openid"], "other")
    assert changed["settings"]["issuer"] == SETTINGS["issuer"]
    assert "scopes" not in api.done("PATCH", "/corp", {"settings": {"scopes": None}})["settings"]


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"label": 5}, "invalid_setting", "label"),
        ({"order": "5"}, "invalid_setting", "order"),
        ({"order": True}, "invalid_setting", "order"),
        ({"always_ask": 1}, "invalid_setting", "always_ask"),
        ({"trusted_domains": "corp.example"}, "invalid_setting", "trusted_domains"),
        ({"trusted_domains": ["corp.example", "*"]}, "invalid_setting", "trusted_domains"),
        ({"claim_map": "a = b"}, "invalid_setting", "claim_map"),
        ({"claim_map": {"sub": "x"}}, "invalid_setting", "claim_map"),
        ({"group_roles": {"a": ["administrator"]}}, "invalid_setting", "administrator_groups"),
        ({"group_roles": {"a": "editor"}}, "invalid_setting", "group_roles"),
        ({"secret_expires_at": 5}, "invalid_setting", "secret_expires_at"),
        ({"icon": "javascript:alert(1)"}, "invalid_setting", "icon"),
        ({"settings": []}, "invalid_setting", "settings"),
        ({"settings": {"scopes": "openid"}}, "invalid_setting", "scopes"),
        ({"settings": {"assertions": "yes"}}, "invalid_setting", "assertions"),
        ({"settings": {"client_id": ["x"]}}, "invalid_setting", "client_id"),
        ({"settings": {"client_secret": "file:/etc/passwd"}}, "invalid_setting", "client_secret"),
        ({"settings": {"client_secret": "env:HOME"}}, "invalid_setting", "client_secret"),
        ({"settings": {"issuer": "http://169.254.169.254"}}, "invalid_setting", "issuer"),
        ({"settings": {"issuer": None}}, "invalid_setting", "issuer"),
        ({"settings": {"colour": "red"}}, "unknown_field", "colour"),
        ({"colour": "red"}, "unknown_field", "colour"),
        ({"kind": "saml"}, "read_only_field", "kind"),
        ({"id": "other"}, "read_only_field", "id"),
        ({"tested": {"passed_at": "2026-01-01T00:00:00Z", "by": "me"}}, "read_only_field", "tested"),
        ({"created_at": "2026-01-01T00:00:00Z"}, "read_only_field", "created_at"),
        ({"enabled": "yes"}, "invalid_setting", "enabled"),
        ({"enabled": True, "label": "x"}, "invalid_request", "enabled"),
        ([], "invalid_request", "object"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_by_name_and_changes_nothing(
    house: House, api: Program, corp: dict[str, Any], change: Any, code: str, said: str
) -> None:
    before = stored(house)
    status, name, sentence = error(api, "PATCH", "/corp", change)

    assert (status, name) == (400, code)
    assert said in sentence
    assert SECRET not in sentence
    assert stored(house) == before


def test_it_is_switched_on_after_a_test_or_untested_when_that_is_said(
    house: House, api: Program, corp: dict[str, Any]
) -> None:
    assert error(api, "PATCH", "/corp", {"enabled": True})[:2] == (409, "upstream_untested")
    assert api.done("PATCH", "/corp", {"enabled": True, "untested": True})["enabled"] is True
    assert api.done("PATCH", "/corp", {"enabled": False})["enabled"] is False
    as_tested(house)
    told = api.done("PATCH", "/corp", {"enabled": True})
    assert (told["enabled"], told["tested"]["by"]) == (True, "test")
    found = house.parts.repo.find(AuditEvent, name="upstream.enabled")
    assert sorted(one.detail["tested"] for one in found) == ["no", "yes"]


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        ({**CORP, "enabled": True}, 409, "upstream_untested"),
        ({**CORP, "kind": "magic"}, 400, "unknown_upstream_kind"),
        ({**CORP, "kind": "../oidc"}, 400, "unknown_upstream_kind"),
        ({**CORP, "kind": 5}, 400, "invalid_request"),
        ({**CORP, "id": "A B"}, 400, "invalid_upstream"),
        ({"kind": "oidc"}, 400, "invalid_request"),
        ({"id": "corp", "kind": "oidc"}, 400, "invalid_setting"),
        ({**CORP, "version": 3}, 400, "read_only_field"),
    ],
    ids=str,
)
def test_one_that_cannot_be_is_not_made(
    house: House, api: Program, document: dict[str, Any], status: int, code: str
) -> None:
    assert error(api, "POST", "", document)[:2] == (status, code)
    assert house.parts.upstreams.all() == []


def test_an_oversized_body_is_refused(api: Program, corp: dict[str, Any]) -> None:
    assert api.ask("PATCH", "/corp", {"label": "x" * 600_000}).status_code == 413


def test_a_change_of_another_version_is_refused_and_of_two_at_once_one_wins(
    house: House, api: Program, corp: dict[str, Any]
) -> None:
    tag = {"If-Match": f'"{corp["version"]}"'}

    def change(number: int) -> int:
        return api.ask("PATCH", "/corp", {"label": f"Number {number}"}, headers=tag).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(change, range(4))) == [200, 409, 409, 409]
    assert api.ask("DELETE", "/corp", headers=tag).status_code == 409
    assert stored(house)


def test_the_same_one_made_twice_at_once_is_made_once(api: Program) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = [one.status_code for one in pool.map(lambda _: api.ask("POST", "", CORP), range(4))]
    assert sorted(answers) == [201, 409, 409, 409]


def test_one_is_removed_once(house: House, api: Program, corp: dict[str, Any]) -> None:
    assert api.ask("DELETE", "/corp").status_code == 204
    assert error(api, "DELETE", "/corp") == (404, "not_found", "There is no such upstream.")
    assert house.parts.upstreams.all() == []


def test_the_kinds_and_their_settings_are_told(house: House, api: Program) -> None:
    api.api = KINDS_PATH
    told = api.done("GET")

    assert [one["kind"] for one in told["kinds"]] == [*kinds()]
    oidc = next(one for one in told["kinds"] if one["kind"] == "oidc")
    assert oidc["settings"]["client_secret"] | {"about": ""} == {
        "type": ["string"],
        "required": False,
        "secret": True,
        "about": "",
    }
    assert oidc["settings"]["issuer"]["required"] is True
    assert oidc["addresses"]["redirect_uri"] == "http://localhost/upstream/ID/callback"
    assert told["common"]["mode"]["enum"] == ["sign_in", "link_only"]
    assert all(setting["about"] for kind in told["kinds"] for setting in kind["settings"].values())
