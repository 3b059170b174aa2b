"""The administrators' JSON API of federations: who may, add, list, change, refresh, remove; strict about all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from idp.admin.federation_json_api import PATH
from idp.domain.audit_event import AuditEvent
from tests.admin.programs import Program, Programs
from tests.saml.federation import SIGNER, aggregate, member, members
from tests.saml.peer import pair
from tests.saml.publishing import Publisher
from tests.web.house import House, Person

HOME = "/home"
EVERY = [
    *(("GET", ""), ("POST", ""), ("GET", HOME), ("PATCH", HOME), ("DELETE", HOME)),
    *(("POST", f"{HOME}/refresh"), ("GET", f"{HOME}/members")),
]
every = pytest.mark.parametrize(("method", "path"), EVERY, ids=[f"{m} {p}" for m, p in EVERY])


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as publisher:
        publisher.put(aggregate(members(3)), "/all")
        yield publisher


@pytest.fixture
def api(program: Program) -> Program:
    program.api = PATH
    return program


@pytest.fixture
def wanted(publisher: Publisher) -> dict[str, Any]:
    return {"id": "home", "url": publisher.url("/all"), "certificates": [SIGNER.certificate]}


@pytest.fixture
def home(api: Program, wanted: dict[str, Any]) -> dict[str, Any]:
    return api.done("POST", "", wanted, 201)


def error(api: Program, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str]:
    answer = api.ask(method, path, body, **more)
    assert set(answer.json) >= {"error", "error_description", "trace"}
    return answer.status_code, answer.json["error"]


# ---------------------------------------------------------------- who may


@every
def test_nobody_comes_in_without_a_token(house: House, home: Any, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer rubbish"}):
        answer = house.app.test_client().open(f"{PATH}{path}", method=method, json={}, headers=headers)
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
    assert [one.id for one in house.parts.federations.all()] == ["home"]


@every
def test_a_session_cookie_opens_nothing_here(house: House, ada: Person, home: Any, method: str, path: str) -> None:
    answer = house.sign_in(ada).client.open(f"{PATH}{path}", method=method, json={})
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


@every
def test_a_program_that_may_not_administer_opens_nothing(
    house: House, programs: Programs, home: Any, method: str, path: str
) -> None:
    other = programs.add("reader", scopes=("documents:read",), audiences=("api",))
    other.api = PATH
    assert other.ask(method, path, {}).status_code in (401, 403)
    assert [one.id for one in house.parts.federations.all()] == ["home"]


# ---------------------------------------------------------------- what it does


def test_a_federation_is_added_loaded_found_and_removed(api: Program, house: House, home: dict[str, Any]) -> None:
    assert (home["id"], home["entities"], home["enabled"], home["problem"]) == ("home", 0, True, None)
    loaded = api.done("POST", f"{HOME}/refresh", {})
    assert loaded["entities"] == 3
    found = api.done("GET", f"{HOME}/members?limit=2")
    assert (len(found["members"]), found["total"]) == (2, 3)
    assert [one["id"] for one in api.done("GET", f"?entity_id={member(1).entity_id}")["federations"]] == ["home"]
    assert api.done("GET", "?entity_id=https://nobody.example")["federations"] == []
    assert [one["id"] for one in api.done("GET")["federations"]] == ["home"]
    assert api.ask("DELETE", HOME).status_code == 204
    assert api.done("GET")["federations"] == []
    assert [one.name for one in house.parts.repo.find(AuditEvent, name="metadata_source.removed")]


def test_only_what_is_named_changes_and_only_the_version_that_was_looked_at(api: Program, home: dict[str, Any]) -> None:
    changed = api.done("PATCH", HOME, {"attributes": {"mail": "email"}, "enabled": False, "version": home["version"]})
    assert (changed["attributes"], changed["enabled"], changed["url"]) == ({"mail": "email"}, False, home["url"])
    assert error(api, "PATCH", HOME, {"enabled": True, "version": home["version"]}) == (409, "changed_meanwhile")
    assert error(api, "DELETE", HOME, headers={"If-Match": '"0"'}) == (409, "changed_meanwhile")
    assert api.done("PATCH", HOME, {"enabled": True}, headers={"If-Match": f'"{changed["version"]}"'})["enabled"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"url": None}, "invalid_federation"),
        ({"url": 7}, "invalid_federation"),
        ({"url": "ftp://x.example"}, "metadata_url"),
        ({"url": "https://x.example/" + "x" * 5000}, "metadata_url"),
        ({"certificates": []}, "invalid_federation"),
        ({"certificates": "pem"}, "invalid_federation"),
        ({"certificates": ["junk"]}, "invalid_federation"),
        ({"certificates": [pair("rsa-1024").certificate]}, "invalid_federation"),
        ({"attributes": {"mail": 1}}, "invalid_federation"),
        ({"attributes": {"mail": "password_hash"}}, "invalid_sp_setting"),
        ({"every_seconds": "300"}, "invalid_federation"),
        ({"every_seconds": 1}, "invalid_federation"),
        ({"enabled": "yes"}, "invalid_federation"),
        ({"kind": "ldap"}, "invalid_federation"),
        ({"kind": 1}, "invalid_federation"),
        ({"id": None}, "invalid_federation"),
        ({"id": "../x"}, "invalid_federation"),
        ({"batch": "x"}, "unknown_field"),
        ({"entities": 5}, "unknown_field"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_changes_nothing(
    api: Program, house: House, wanted: dict[str, Any], change: dict[str, Any], code: str
) -> None:
    assert error(api, "POST", "", {**wanted, **change}) == (400, code)
    assert house.parts.federations.all() == []
    made = api.done("POST", "", wanted, 201)
    if not change.keys() & {"id", "kind"}:
        assert error(api, "PATCH", HOME, change) == (400, code)
        assert api.done("GET", HOME) == made


def test_bodies_and_addresses_that_cannot_be_are_refused(api: Program, home: Any) -> None:
    assert error(api, "POST", "", "x")[0] == 400
    assert error(api, "POST", "", {"id": "two"})[1] == "invalid_federation"
    assert error(api, "POST", "", {"id": "x" * 200_000})[0] == 413
    assert error(api, "GET", "/nobody")[0] == 404
    assert error(api, "GET", f"{HOME}/nothing")[0] == 404
    assert error(api, "PUT", HOME, {})[0] == 405
    assert error(api, "GET", f"{HOME}/members?limit=0")[1] == "invalid_request"
    assert error(api, "GET", f"{HOME}/members?limit=x")[1] == "invalid_request"
    assert error(api, "GET", "?color=red")[1] == "invalid_request"


def test_what_cannot_be_loaded_says_why(api: Program, publisher: Publisher, home: Any) -> None:
    publisher.put(aggregate(members(1), signer=None), "/all")
    assert error(api, "POST", f"{HOME}/refresh", {}) == (400, "metadata_unusable")
    publisher.broken = True
    assert error(api, "POST", f"{HOME}/refresh", {}) == (502, "metadata_unreachable")
    assert "500" in api.done("GET", HOME)["problem"]


def test_the_same_federation_added_twice_at_once_is_there_once(api: Program, house: House, wanted: Any) -> None:
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(lambda _: api.ask("POST", "", wanted).status_code, range(4)))
    assert statuses == [201, 409, 409, 409]
    assert len(house.parts.federations.all()) == 1
