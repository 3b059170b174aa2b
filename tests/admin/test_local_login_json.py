"""/admin/api/local-login: reading, turning off on trial and on, exceptions, closing break-glass; and who may not."""

from typing import Any

import pytest

from idp.admin.local_login_api import PATH
from idp.domain.local_login import SWITCH, LocalLoginSwitch
from tests.admin.programs import Program, Programs
from tests.admin.test_json_access import refused
from tests.support.federated import make_ready, turn_off
from tests.web.house import House, Person

EVERY = (("GET", ""), ("PATCH", ""), ("GET", "/locked-out"), ("DELETE", "/break-glass"))
every = pytest.mark.parametrize(("method", "path"), EVERY, ids=[f"{method} {path}" for method, path in EVERY])


@pytest.fixture
def program(programs: Programs, ada: Person) -> Program:
    found = programs.add()
    found.api = PATH
    return found


@every
def test_nobody_comes_in_without_a_token(house: House, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer rubbish"}, {"Authorization": "Basic d2lraTp4"}):
        answer = house.app.test_client().open(f"{PATH}{path}", method=method, json={"state": "on"}, headers=headers)
        refused(house, answer, 401, "invalid_token")


@every
def test_a_cookie_opens_nothing(house: House, ada: Person, method: str, path: str) -> None:
    browser = house.sign_in(ada)
    answer = browser.client.open(f"{PATH}{path}", method=method, json={"state": "on"})
    refused(house, answer, 401, "invalid_token")


@every
def test_an_app_that_may_not_administer_is_refused(house: House, programs: Programs, method: str, path: str) -> None:
    program = programs.add("other")
    programs.change(program, scopes=())
    program.api = PATH
    assert program.ask(method, path, {"state": "on"}).status_code in (401, 403)
    assert house.parts.repo.get(LocalLoginSwitch, SWITCH) is None


def test_it_says_how_things_stand_and_what_is_missing(program: Program, ada: Person) -> None:
    answer = program.ask("GET")
    assert answer.headers["ETag"] == '"0"'
    assert answer.json == {
        "state": "on",
        "changed_at": None,
        "changed_by": None,
        "reverts_at": None,
        "setting": True,
        "exceptions": {"users": [], "roles": []},
        "missing": ["federated_proof", "way_proof"],
        "federated_sign_in_at": None,
        "break_glass": {"shown_at": None, "opens_for": [ada.user.id], "codes_left": 0, "open": []},
        "version": 0,
    }


def test_it_is_turned_off_on_trial_only_once_everything_was_shown(house: House, program: Program, ada: Person) -> None:
    answer = program.ask("PATCH", body={"state": "off"})
    refused(house, answer, 409, "local_login_not_ready")
    assert answer.json["missing"] == ["federated_proof", "way_proof"]
    make_ready(house.parts, ada.user)
    found = program.done("PATCH", body={"state": "off"})
    assert (found["state"], found["changed_by"], found["missing"]) == ("trial", "deployer", [])
    assert found["reverts_at"] is not None
    refused(house, program.ask("PATCH", body={"state": "off"}), 409, "local_login_is_off")
    assert program.done("PATCH", body={"state": "on"})["state"] == "on"


def test_a_trial_cannot_be_confirmed_by_a_program(house: House, program: Program, ada: Person) -> None:
    make_ready(house.parts, ada.user)
    program.done("PATCH", body={"state": "off"})
    for state in ("confirmed", "trial", True, ["off"], {"off": 1}, 1):
        refused(house, program.ask("PATCH", body={"state": state}), 400, "invalid_request")
    assert house.parts.local_login.switch().state == "trial"


def test_what_somebody_else_changed_meanwhile_is_not_changed_over(house: House, program: Program, ada: Person) -> None:
    make_ready(house.parts, ada.user)
    program.done("PATCH", body={"exceptions": {"users": ["ada"], "roles": []}}, headers={"If-Match": '"0"'})
    late = program.ask("PATCH", body={"state": "off"}, headers={"If-Match": '"0"'})
    refused(house, late, 409, "changed_meanwhile")
    refused(house, program.ask("PATCH", body={"state": "off", "version": 0}), 409, "changed_meanwhile")
    assert program.done("PATCH", body={"state": "off"}, headers={"If-Match": '"1"'})["version"] == 2


def test_exceptions_are_replaced_by_name_or_id(house: House, program: Program, ada: Person) -> None:
    bob = house.person("bob")
    found = program.done("PATCH", body={"exceptions": {"users": ["ada", bob.user.id], "roles": ["kiosk"]}})
    assert found["exceptions"] == {"users": [ada.user.id, bob.user.id], "roles": ["kiosk"]}
    refused(house, program.ask("PATCH", body={"exceptions": {"users": ["nobody"], "roles": []}}), 404, "no_such_user")
    assert program.done("GET")["exceptions"]["roles"] == ["kiosk"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"state": "off", "exceptions": {"users": [], "roles": []}},
        {"exceptions": {"users": []}},
        {"exceptions": {"users": [], "roles": [], "more": []}},
        {"exceptions": {"users": "ada", "roles": []}},
        {"exceptions": {"users": [1], "roles": []}},
        {"exceptions": {"users": [""], "roles": []}},
        {"exceptions": []},
        {"exceptions": None},
        {"state": "on", "version": "1"},
        {"state": "on", "version": True},
        {"reverts_at": 0},
    ],
    ids=lambda body: ",".join(body) or "nothing",
)
def test_whatever_has_another_form_is_refused(house: House, program: Program, body: dict[str, Any]) -> None:
    answer = program.ask("PATCH", body=body)
    assert answer.status_code == 400, answer.text
    assert house.parts.repo.get(LocalLoginSwitch, SWITCH) is None


def test_a_body_that_is_too_large_or_no_object_is_refused(house: House, program: Program) -> None:
    assert program.ask("PATCH", body={"state": "x" * 200_000}).status_code == 413
    assert program.ask("PATCH", body=[]).status_code == 400
    assert program.ask("PATCH").status_code == 400
    many = {"exceptions": {"users": [], "roles": [f"role-{n}" for n in range(201)]}}
    refused(house, program.ask("PATCH", body=many), 400, "too_many_exceptions")


def test_who_would_be_locked_out_can_be_asked(house: House, program: Program) -> None:
    bob = house.person("bob")
    found = program.done("GET", "/locked-out")
    assert {one["username"] for one in found["users"]} == {"ada", "bob"}
    assert (found["looked_at"], found["complete"]) == (2, True)
    assert program.done("GET", "/locked-out?limit=1")["complete"] is False
    for limit in ("0", "x", "100001", "-1"):
        refused(house, program.ask("GET", f"/locked-out?limit={limit}"), 400, "invalid_request")
    assert bob.user.id in {one["id"] for one in found["users"]}


def test_break_glass_is_shown_and_closed_but_never_opened_by_a_program(
    house: House, program: Program, ada: Person
) -> None:
    turn_off(house.parts, ada.user)
    house.parts.break_glass.open("directory is down", actor="cli")
    found = program.done("GET")["break_glass"]["open"]
    assert [(one["users"], one["reason"], one["by"]) for one in found] == [([ada.user.id], "directory is down", "cli")]
    for _ in range(2):
        assert program.ask("DELETE", "/break-glass").status_code == 204
    assert program.done("GET")["break_glass"]["open"] == []
    assert program.ask("POST", "/break-glass", {"reason": "please"}).status_code == 405
    assert program.ask("GET", "/codes").status_code == 404
