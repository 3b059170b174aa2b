"""Changes of service providers through the administrators' JSON API: of the version that was meant, once, and nothing besides;
and metadata that are fetched."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.relying import ServiceProvider
from tests.admin.programs import SP_API, Program
from tests.admin.service_providers import PEER, register, stored
from tests.admin.test_saml_json import METADATA, WIKI, XML, error
from tests.saml.peer import Sp, pair
from tests.saml.publishing import Publisher
from tests.web.house import House


@pytest.fixture
def api(program: Program) -> Program:
    program.api = SP_API
    return program


@pytest.fixture
def wiki(house: House) -> ServiceProvider:
    return register(house, name="Wiki")


# ---------------------------------------------------------------- change and remove


def test_patch_changes_what_is_named_and_put_everything(house: House, api: Program, wiki: ServiceProvider) -> None:
    before = api.done("GET", WIKI)
    changed = api.ask("PATCH", WIKI, {"enabled": False, "attribute_filters": {}})
    assert changed.json == {**before, "enabled": False, "version": 1}
    assert changed.headers["ETag"] == '"1"'
    put = api.done("PUT", WIKI, {"name": "Wiki", "attributes": {"mail": "email"}})
    assert (put["enabled"], put["attributes"]) == (True, {"mail": "email"})
    assert stored(house).metadata == METADATA
    said = {event.detail["fields"] for event in house.parts.repo.find(AuditEvent, name="sp.changed")}
    assert said == {"enabled", "enabled attributes"}


def test_what_was_read_can_be_sent_back(api: Program, wiki: ServiceProvider) -> None:
    read = api.done("GET", WIKI)
    assert api.done("PUT", WIKI, {**read, "name": "New"})["name"] == "New"
    read = api.done("GET", WIKI)
    for name in ("entity_id", "metadata_summary", "created_at", "source_id"):
        assert error(api, "PUT", WIKI, {**read, name: "other"})[:2] == (400, "read_only_field")


def test_a_change_meant_for_an_older_version_is_refused(house: House, api: Program, wiki: ServiceProvider) -> None:
    api.done("PATCH", WIKI, {"name": "One"}, headers={"If-Match": '"0"'})
    old: dict[str, Any] = {"headers": {"If-Match": '"0"'}}
    assert error(api, "PATCH", WIKI, {"name": "Two"}, **old)[:2] == (409, "changed_meanwhile")
    assert error(api, "DELETE", WIKI, **old)[:2] == (409, "changed_meanwhile")
    fresh = api.ask("PUT", f"{WIKI}/metadata", data=METADATA, content_type=XML, **old)
    assert (fresh.status_code, fresh.json["error"]) == (409, "changed_meanwhile")
    assert error(api, "PATCH", WIKI, {"name": "Two", "version": 0})[:2] == (409, "changed_meanwhile")
    assert api.done("PATCH", WIKI, {"name": "Two", "version": 1})["version"] == 2
    for tag in ("0", 'W/"0"', '"x"', ""):
        assert api.ask("PATCH", WIKI, {"name": "x"}, headers={"If-Match": tag}).status_code == 400


def test_of_many_changes_of_one_version_at_once_one_is_made(house: House, api: Program, wiki: ServiceProvider) -> None:
    def change(n: int) -> int:
        return api.ask("PATCH", WIKI, {"name": f"Name {n}"}, headers={"If-Match": '"0"'}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(change, range(6))) == [200] + [409] * 5
    assert stored(house).version == 1


def test_fresh_metadata_keep_the_settings(house: House, api: Program, wiki: ServiceProvider) -> None:
    moved = replace(PEER, acs=("https://sp.example/new-acs",)).metadata()
    answer = api.ask("PUT", f"{WIKI}/metadata", data=moved, content_type=XML)
    assert answer.json["metadata_summary"]["acs"] == ["https://sp.example/new-acs (post, index 0)"]
    assert (answer.json["name"], answer.json["version"]) == ("Wiki", 1)
    assert api.ask("GET", f"{WIKI}/metadata").data == moved
    other = Sp("https://other.example/metadata").metadata()
    said = api.ask("PUT", f"{WIKI}/metadata", data=other, content_type=XML)
    assert (said.status_code, said.json["error"]) == (400, "other_entity")
    assert error(api, "PUT", f"{WIKI}/metadata", {"metadata": METADATA})[:2] == (400, "invalid_request")


def test_an_app_is_removed_once(house: House, api: Program, wiki: ServiceProvider) -> None:
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(lambda _: api.ask("DELETE", WIKI), range(4)))
    assert statuses == [204, 404, 404, 404]
    assert house.parts.apps.service_providers() == []


# ---------------------------------------------------------------- metadata that are fetched


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as publisher:
        publisher.put(PEER.metadata())
        yield publisher


def test_an_app_is_created_by_the_address_of_its_metadata_and_watched(api: Program, publisher: Publisher) -> None:
    made = api.done("POST", body={"metadata_url": publisher.url(), "adopt": "auto", "name": "Wiki"}, status=201)
    assert (made["entity_id"], made["name"]) == (PEER.entity_id, "Wiki")
    watch = api.done("GET", f"{WIKI}/watch")
    assert (watch["metadata_url"], watch["adopt"], watch["pending"]) == (publisher.url(), "auto", False)
    assert api.done("PUT", f"{WIKI}/watch", {"metadata_url": publisher.url(), "every_seconds": 600})["adopt"] == "ask"
    assert api.done("POST", f"{WIKI}/refresh")["problem"] is None
    assert api.ask("DELETE", f"{WIKI}/watch").status_code == 204
    assert error(api, "POST", f"{WIKI}/refresh")[:2] == (404, "unknown_watch")


def test_metadata_that_nobody_pinned_has_signed_add_nothing(house: House, api: Program, publisher: Publisher) -> None:
    body = {"metadata_url": publisher.url(), "certificates": [pair("rsa-2048", 8).certificate]}
    assert error(api, "POST", "", body)[0] == 400
    publisher.broken = True
    assert error(api, "POST", "", {"metadata_url": publisher.url()})[:2] == (502, "metadata_unreachable")
    assert house.parts.apps.service_providers() == []


def test_a_copy_that_waits_is_taken_over_as_it_was_looked_at(house: House, api: Program, publisher: Publisher) -> None:
    api.done("POST", body={"metadata_url": publisher.url()}, status=201)
    publisher.put(replace(PEER, acs=("https://sp.example/new-acs",)).metadata())
    assert api.done("POST", f"{WIKI}/refresh")["pending"] is True
    found = api.done("GET", f"{WIKI}/pending")
    [change] = [one for one in found["changes"] if one["part"] == "acs"]
    assert change["grave"] is True
    assert change["new"] == ["https://sp.example/new-acs (post, index 0)"]
    assert error(api, "POST", f"{WIKI}/pending", {"digest": "0" * 64})[:2] == (409, "changed_meanwhile")
    assert error(api, "POST", f"{WIKI}/pending", {"digest": 5})[:2] == (400, "invalid_request")
    assert "new-acs" not in stored(house).metadata
    done = api.done("POST", f"{WIKI}/pending", {"digest": found["digest"]})
    assert done["metadata_summary"]["acs"] == ["https://sp.example/new-acs (post, index 0)"]
    assert error(api, "POST", f"{WIKI}/pending", {})[:2] == (404, "nothing_pending")
    publisher.put(PEER.metadata())
    api.done("POST", f"{WIKI}/refresh")
    assert api.ask("DELETE", f"{WIKI}/pending").status_code == 204
    assert api.done("POST", f"{WIKI}/refresh")["pending"] is False


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"metadata_url": 5}, "invalid_request"),
        ({"metadata_url": "https://a.example/", "every_seconds": "5"}, "invalid_request"),
        ({"metadata_url": "https://a.example/", "every_seconds": 5}, "metadata_watch"),
        ({"metadata_url": "http://a.example/"}, "metadata_url"),
        ({"metadata_url": "https://a.example/", "more": 5}, "unknown_field"),
    ],
    ids=str,
)
def test_a_watch_that_is_asked_for_wrongly_is_refused(
    house: House, api: Program, wiki: ServiceProvider, body: dict[str, Any], code: str
) -> None:
    assert error(api, "PUT", f"{WIKI}/watch", body)[:2] == (400, code)
    assert house.parts.metadata_watch.all() == []
