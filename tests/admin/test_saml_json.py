"""The administrators' JSON API of service providers: who may, list, create, read, change, remove, preview; strict about all."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from idp.admin.names import name_of
from idp.admin.sp_json import OURS
from idp.admin.sp_json_api import MAX_BODY, PATH
from idp.domain.audit_event import AuditEvent
from idp.domain.relying import ServiceProvider
from idp.services.check_sp import SETTABLE
from tests.admin.programs import SP_API, Program, Programs
from tests.admin.service_providers import NAME, PEER, register, stored
from tests.saml.peer import Sp
from tests.web.house import House, Person

WIKI = f"/{NAME}"
XML = "application/samlmetadata+xml"
METADATA = PEER.metadata().decode()
EVERY = [
    *(("GET", ""), ("POST", ""), ("GET", WIKI), ("PUT", WIKI), ("PATCH", WIKI), ("DELETE", WIKI)),
    *(("GET", f"{WIKI}/metadata"), ("PUT", f"{WIKI}/metadata"), ("GET", f"{WIKI}/preview?user=ada")),
    *(("GET", f"{WIKI}/watch"), ("PUT", f"{WIKI}/watch"), ("DELETE", f"{WIKI}/watch"), ("POST", f"{WIKI}/refresh")),
    *(("GET", f"{WIKI}/pending"), ("POST", f"{WIKI}/pending"), ("DELETE", f"{WIKI}/pending")),
]
every = pytest.mark.parametrize(("method", "path"), EVERY, ids=[f"{m} {p.replace(NAME, 'NAME')}" for m, p in EVERY])


@pytest.fixture
def api(program: Program) -> Program:
    program.api = SP_API
    return program


@pytest.fixture
def wiki(house: House) -> ServiceProvider:
    return register(house, name="Wiki")


def error(api: Program, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str, str]:
    answer = api.ask(method, path, body, **more)
    assert set(answer.json) >= {"error", "error_description", "trace"}
    return answer.status_code, answer.json["error"], answer.json["error_description"]


# ---------------------------------------------------------------- who may


@every
def test_nobody_comes_in_without_a_token(house: House, wiki: ServiceProvider, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer rubbish"}, {"Authorization": "Basic d2lraTp4"}):
        answer = house.app.test_client().open(f"{PATH}{path}", method=method, json={}, headers=headers)
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
    assert house.parts.apps.service_providers() == [wiki]


@every
def test_a_session_cookie_opens_nothing_here(
    house: House, ada: Person, wiki: ServiceProvider, method: str, path: str
) -> None:
    answer = house.sign_in(ada).client.open(f"{PATH}{path}", method=method, json={})
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
    assert house.parts.apps.service_providers() == [wiki]


@every
def test_a_program_that_may_not_administer_opens_nothing(
    house: House, programs: Programs, wiki: ServiceProvider, method: str, path: str
) -> None:
    without = programs.add("without", scopes=("documents.read",))
    without.api = SP_API
    assert error(without, method, path, {})[:2] == (403, "insufficient_scope")
    once = programs.add("once")
    once.api = SP_API
    programs.change(once, registration_token_digest="0" * 64)
    assert error(once, method, path, {})[:2] == (403, "not_administrator")
    assert house.parts.apps.service_providers() == [wiki]


# ---------------------------------------------------------------- list and create


def test_the_list_is_searched_and_paged(house: House, api: Program) -> None:
    for n in range(5):
        register(house, Sp(f"https://sp-{n}.example/metadata"), name=f"App {n}")
    first = api.done("GET", "?q=app&limit=2")
    assert [one["name"] for one in first["service_providers"]] == ["App 0", "App 1"]
    assert first["total"] == 5
    second = api.done("GET", f"?q=app&limit=3&after={first['next']}")
    assert [one["name"] for one in second["service_providers"]] == ["App 2", "App 3", "App 4"]
    assert "next" not in second
    assert api.done("GET", "?q=SP-3.example")["service_providers"] == [
        {"entity_id": "https://sp-3.example/metadata", "name": "App 3", "enabled": True, "source_id": ""}
    ]
    for query in ("?limit=0", "?limit=201", "?q=a&q=b", "?page=2", "?after=%21", "?q=%ff"):
        assert api.ask("GET", query).status_code == 400


def test_an_app_is_created_from_its_metadata(house: House, api: Program) -> None:
    answer = api.ask("POST", body={"metadata": METADATA, "name": "Wiki", "attributes": {"mail": "email"}})
    made = answer.json
    assert answer.status_code == 201
    assert set(made) == {*SETTABLE, *OURS}
    assert (made["entity_id"], made["name"], made["attributes"]) == (PEER.entity_id, "Wiki", {"mail": "email"})
    assert made["metadata_summary"]["acs"][0].startswith("https://sp.example/acs")
    assert answer.headers["Location"] == f"http://localhost{PATH}/{NAME}"
    assert answer.headers["ETag"] == '"0"'
    [event] = house.parts.repo.find(AuditEvent, name="sp.added")
    assert (event.actor, event.subject) == ("deployer", PEER.entity_id)


def test_metadata_may_come_as_they_are(api: Program) -> None:
    for kind in (XML, "text/xml; charset=utf-8"):
        answer = api.ask("POST", data=PEER.metadata(), content_type=kind)
        assert answer.status_code == 201, answer.text
        api.ask("DELETE", WIKI)


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ({}, "invalid_request", "metadata"),
        ({"metadata": METADATA, "metadata_url": "https://sp.example/"}, "invalid_request", "metadata"),
        ({"metadata": 5}, "invalid_request", "metadata"),
        ({"metadata_url": ["x"]}, "invalid_request", "metadata_url"),
        ({"metadata": ""}, "invalid_sp_metadata", "metadata"),
        ({"metadata": "<html/>"}, "invalid_sp_metadata", "metadata"),
        ({"metadata": METADATA.replace("https://sp.example/acs", "javascript:alert(1)//")}, "invalid_sp_metadata", ""),
        ({"metadata": METADATA, "nothing": 5}, "unknown_field", "nothing"),
        ({"metadata": METADATA, "version": 5}, "read_only_field", "version"),
        ({"metadata": METADATA, "source_id": "x"}, "read_only_field", "source_id"),
        ({"metadata": METADATA, "entity_id": PEER.entity_id}, "read_only_field", "entity_id"),
        ({"metadata": METADATA, "name": 5}, "invalid_sp_setting", "name:"),
        ({"metadata": METADATA, "enabled": "yes"}, "invalid_sp_setting", "enabled:"),
        ({"metadata": METADATA, "enabled": 1}, "invalid_sp_setting", "enabled:"),
        ({"metadata": METADATA, "assertion_seconds": True}, "invalid_sp_setting", "assertion_seconds:"),
        ({"metadata": METADATA, "assertion_seconds": 10**30}, "invalid_sp_setting", "assertion_seconds:"),
        ({"metadata": METADATA, "attributes": ["mail"]}, "invalid_sp_setting", "attributes:"),
        ({"metadata": METADATA, "attributes": {"mail": 5}}, "invalid_sp_setting", "attributes:"),
        ({"metadata": METADATA, "attributes": {"mail": "password"}}, "invalid_sp_setting", "attributes:"),
        ({"metadata": METADATA, "attribute_filters": {"mail": "x"}}, "invalid_sp_setting", "attribute_filters:"),
        ({"metadata": METADATA, "attribute_values": {"mail": {"a": 1}}}, "invalid_sp_setting", "attribute_values:"),
        ({"metadata": METADATA, "encrypt": "sometimes"}, "invalid_sp_setting", "encrypt:"),
        ({"metadata": METADATA, "signature_algorithm": "rsa-sha1"}, "invalid_sp_setting", "signature_algorithm:"),
        ({"metadata_url": "ftp://sp.example/"}, "metadata_url", ""),
        ({"metadata_url": "https://sp.example/", "adopt": "never"}, "invalid_sp_setting", "adopt:"),
        ({"metadata_url": "https://sp.example/", "certificates": "x"}, "invalid_sp_setting", "certificates:"),
        ({"metadata_url": "https://sp.example/", "certificates": ["x"]}, "metadata_watch", "certificate"),
    ],
    ids=lambda value: str(value)[-70:],
)
def test_what_is_wrong_is_refused_by_its_name(
    house: House, api: Program, body: dict[str, Any], code: str, named: str
) -> None:
    status, found, said = error(api, "POST", "", body)
    assert (status, found) == (400, code)
    assert named in said
    assert house.parts.apps.service_providers() == []


@pytest.mark.parametrize(
    "more",
    [
        {"data": b"{}", "content_type": "text/plain"},
        {"data": b"[]", "content_type": "application/json"},
        {"data": b'{"name": "a", "name": "b"}', "content_type": "application/json"},
        {"data": b'{"name": "\\ud800"}', "content_type": "application/json"},
        {"data": b'{"attributes": ' + b'{"a": ' * 5_000, "content_type": "application/json"},
        {"data": b"", "content_type": "application/json"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("PUT", WIKI), ("PATCH", WIKI), ("PUT", f"{WIKI}/watch")])
def test_a_body_that_is_no_json_object_is_refused(
    house: House, api: Program, wiki: ServiceProvider, method: str, path: str, more: dict[str, Any]
) -> None:
    assert error(api, method, path, **more)[:2] == (400, "invalid_request")
    assert stored(house) == wiki


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("PUT", f"{WIKI}/metadata"), ("PATCH", WIKI)])
def test_what_is_too_large_is_refused(
    house: House, api: Program, wiki: ServiceProvider, method: str, path: str
) -> None:
    big = "x" * (MAX_BODY + 1)
    assert error(api, method, path, {"metadata": big})[0] == 413
    assert error(api, method, path, data=big, content_type=XML)[0] in (400, 413)
    assert error(api, "POST", "", {"metadata": "x" * 420_000})[:2] == (413, "metadata_too_large")
    assert stored(house) == wiki


def test_the_same_app_created_twice_at_once_is_there_once(house: House, api: Program) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api.ask("POST", body={"metadata": METADATA}), range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    assert {answer.json["error"] for answer in answers if answer.status_code == 409} == {"sp_taken"}
    assert len(house.parts.repo.find(AuditEvent, name="sp.added")) == 1


# ---------------------------------------------------------------- preview, addresses


def test_a_preview_tells_what_the_app_would_be_told(api: Program, wiki: ServiceProvider, ada: Person) -> None:
    found = api.done("GET", f"{WIKI}/preview?user=ada")
    assert found["name_id"] == {
        "format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        "value": None,
        "why_none": None,
    }
    sent = {one["friendly_name"]: (one["values"], one["why"]) for one in found["attributes"]}
    assert sent == {"uid": (["ada"], None), "mail": ([], "unverified"), "displayName": (["Ada"], None)}
    assert error(api, "GET", f"{WIKI}/preview?user=nobody")[:2] == (404, "unknown_user")
    assert error(api, "GET", f"{WIKI}/preview")[:2] == (400, "invalid_request")
    assert error(api, "GET", f"{WIKI}/preview?user=ada&user=bob")[:2] == (400, "invalid_request")


@pytest.mark.parametrize(
    "entity_id", ["urn:example:sp", "new", "federations", "~x", "https://a.example/?x=1#" + "y" * 900]
)
def test_every_entity_id_has_an_address(house: House, api: Program, entity_id: str) -> None:
    register(house, Sp(entity_id))
    assert api.done("GET", f"/{name_of(entity_id)}")["entity_id"] == entity_id


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("GET", "/nobody", 404), ("PATCH", "/nobody", 404), ("DELETE", "/nobody", 404), ("GET", f"{WIKI}/", 200)),
        *(("GET", f"{WIKI}/other", 404), ("GET", "/~", 404), ("GET", "/" + "x" * 3000, 404), ("GET", "/%00", 404)),
        *(("POST", WIKI, 405), ("GET", f"{WIKI}/refresh", 405), ("DELETE", f"{WIKI}/metadata", 405), ("PUT", "", 405)),
        *(("GET", f"{WIKI}?x=1", 400), ("GET", f"{WIKI}/watch", 404), ("GET", f"{WIKI}/pending", 404)),
        *(("POST", f"{WIKI}/refresh", 404), ("POST", f"{WIKI}/pending", 404), ("DELETE", f"{WIKI}/watch", 404)),
    ],
)
def test_addresses_and_methods_that_there_are_not(
    api: Program, wiki: ServiceProvider, method: str, path: str, status: int
) -> None:
    answer = api.ask(method, path, {} if method in ("PATCH", "PUT", "POST") and "refresh" not in path else None)
    assert answer.status_code == status, answer.text
