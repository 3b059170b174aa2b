"""Changes and new secrets through the administrators' JSON API: of the version that was meant, once, and nothing besides."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from idp.domain.relying import Client
from tests.admin.programs import Program
from tests.admin.test_json_api import CALLBACK, SHOP, error, works
from tests.web.house import House

# ---------------------------------------------------------------- change


def test_patch_changes_what_is_named_and_nothing_else(house: House, program: Program, wiki: Client) -> None:
    before = program.done("GET", "/wiki")
    answer = program.ask("PATCH", "/wiki", {"consent": "skip", "claims": ["email"], "groups": []})
    assert answer.json == {**before, "consent": "skip", "claims": ["email"], "groups": [], "version": 1}
    assert answer.headers["ETag"] == '"1"'
    assert program.done("PATCH", "/wiki", {"claims": None})["claims"] is None
    assert program.done("GET", "/wiki")["has_secret"] is True


def test_put_replaces_everything_and_a_field_that_is_left_out_gets_its_default(program: Program, wiki: Client) -> None:
    program.done("PATCH", "/wiki", {"consent": "skip", "logo_uri": "https://wiki.example/l.png"})
    put = program.done("PUT", "/wiki", {"name": "Wiki", "redirect_uris": [CALLBACK]})
    assert (put["consent"], put["logo_uri"], put["redirect_uris"]) == ("ask", None, [CALLBACK])
    assert put["has_secret"] is True


def test_what_was_read_can_be_sent_back(program: Program, wiki: Client) -> None:
    read = program.done("GET", "/wiki")
    assert program.done("PUT", "/wiki", {**read, "name": "New"})["name"] == "New"
    read = program.done("GET", "/wiki")
    for name, value in (("client_id", "other"), ("has_secret", False), ("created_at", None), ("client_id", 5)):
        assert error(program, "PUT", "/wiki", {**read, name: value})[:2] == (400, "read_only_field")


def test_a_change_meant_for_an_older_version_is_refused(house: House, program: Program, wiki: Client) -> None:
    program.done("PATCH", "/wiki", {"name": "One"}, headers={"If-Match": '"0"'})
    for more in ({"headers": {"If-Match": '"0"'}}, {"headers": {"If-Match": '"7"'}}):
        assert error(program, "PATCH", "/wiki", {"name": "Two"}, **more)[:2] == (409, "changed_meanwhile")
        assert error(program, "PUT", "/wiki", SHOP, **more)[:2] == (409, "changed_meanwhile")
        assert error(program, "POST", "/wiki/secret", {}, **more)[:2] == (409, "changed_meanwhile")
        assert error(program, "DELETE", "/wiki", **more)[:2] == (409, "changed_meanwhile")
    assert error(program, "PATCH", "/wiki", {"name": "Two", "version": 0})[:2] == (409, "changed_meanwhile")
    assert program.done("PATCH", "/wiki", {"name": "Two", "version": 1})["version"] == 2
    assert program.done("PATCH", "/wiki", {"name": "Three"}, headers={"If-Match": "*"})["name"] == "Three"


@pytest.mark.parametrize("tag", ["0", 'W/"0"', '"x"', '"0", "1"', '"' + "9" * 40 + '"', '"-1"', ""])
def test_a_version_that_is_none_is_refused(program: Program, wiki: Client, tag: str) -> None:
    assert program.ask("PATCH", "/wiki", {"name": "x"}, headers={"If-Match": tag}).status_code == 400


@pytest.mark.parametrize("version", ["0", 0.0, True, -1, [0]])
def test_a_version_of_another_type_is_refused(program: Program, wiki: Client, version: Any) -> None:
    assert program.ask("PATCH", "/wiki", {"name": "x", "version": version}).status_code == 400


def test_of_many_changes_of_one_version_at_once_one_is_made(house: House, program: Program, wiki: Client) -> None:
    def change(n: int) -> int:
        return program.ask("PATCH", "/wiki", {"name": f"Name {n}"}, headers={"If-Match": '"0"'}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(change, range(8)))
    assert statuses == [200] + [409] * 7
    changed = house.parts.apps.client("wiki")
    assert changed is not None
    assert changed.version == 1


def test_a_method_that_needs_a_secret_which_is_not_there_needs_a_word(house: House, program: Program) -> None:
    native = {"name": "Phone", "redirect_uris": [CALLBACK], "auth_method": "none", "client_id": "phone"}
    program.done("POST", body=native, status=201)
    change = {"auth_method": "client_secret_basic"}
    assert error(program, "PATCH", "/phone", change)[1:] == (
        "invalid_client_metadata",
        "auth_method: client_secret_basic needs a new secret; ask for one with this change (new_secret).",
    )
    changed = program.done("PATCH", "/phone", {**change, "new_secret": True})
    assert works(house, "phone", changed["client_secret"])
    assert error(program, "PATCH", "/phone", {"new_secret": "yes"})[1] == "invalid_client_metadata"


def test_a_change_that_the_rules_forbid_is_refused(house: House, program: Program, wiki: Client) -> None:
    assert error(program, "PATCH", "/wiki", {"profile": "fapi2"})[2].startswith("auth_method: profile fapi2")
    assert error(program, "PATCH", "/wiki", {"auth_method": "none", "pkce_required": False})[0] == 400
    assert house.parts.apps.client("wiki") == wiki


# ---------------------------------------------------------------- secrets


def test_a_secret_is_rotated_with_a_time_in_which_both_work(house: House, program: Program) -> None:
    first = program.done("POST", body={**SHOP, "client_id": "shop"}, status=201)["client_secret"]
    rotated = program.done("POST", "/shop/secret", {"overlap_seconds": 3600})
    second = rotated["client_secret"]
    assert rotated["old_secret_until"] == "2027-01-15T09:00:00Z"
    assert [works(house, "shop", one) for one in (first, second)] == [True, True]
    house.clock.advance(3600)
    assert [works(house, "shop", one) for one in (first, second)] == [False, True]
    program.token = program.fresh_token()
    third = program.done("POST", "/shop/secret", {"overlap_seconds": 0})["client_secret"]
    assert [works(house, "shop", one) for one in (second, third)] == [False, True]
    fourth = program.done("POST", "/shop/secret", {})["client_secret"]
    assert program.done("DELETE", "/shop/secret")["old_secret_until"] is None
    assert [works(house, "shop", one) for one in (third, fourth)] == [False, True]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"overlap_seconds": "3600"}, "bad_overlap"),
        ({"overlap_seconds": 1.5}, "bad_overlap"),
        ({"overlap_seconds": True}, "bad_overlap"),
        ({"overlap_seconds": -1}, "bad_overlap"),
        ({"overlap_seconds": 10**12}, "bad_overlap"),
        ({"overlap_seconds": None}, "bad_overlap"),
        ({"overlap": 5}, "unknown_field"),
    ],
    ids=str,
)
def test_a_rotation_that_is_asked_for_wrongly_changes_nothing(
    house: House, program: Program, wiki: Client, body: dict[str, Any], code: str
) -> None:
    assert error(program, "POST", "/wiki/secret", body)[:2] == (400, code)
    assert house.parts.apps.client("wiki") == wiki


def test_a_rotation_that_is_sent_twice_at_once_is_done_once(house: House, program: Program, wiki: Client) -> None:
    def rotate(_: int) -> Any:
        return program.ask("POST", "/wiki/secret", {"version": 0})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(rotate, range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    done = next(answer.json for answer in answers if answer.status_code == 200)
    assert works(house, "wiki", done["client_secret"])


def test_an_app_without_a_secret_has_none_to_rotate(program: Program) -> None:
    body = {"name": "Phone", "redirect_uris": [CALLBACK], "auth_method": "none", "client_id": "phone"}
    program.done("POST", body=body, status=201)
    assert error(program, "POST", "/phone/secret", {})[1] == "no_secret"
