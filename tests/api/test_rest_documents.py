"""Documents over REST: every operation, rights, versions, pages."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import Companion, refusal

DENY_READ = {"kind": "user", "id": "usr_bob", "rights": ["read"], "effect": "deny"}


def allow(kind: str, id: str, *rights: str) -> dict[str, Any]:
    return {"kind": kind, "id": id, "rights": list(rights)}


ADA_ALL = allow("user", "usr_ada", "read", "update", "delete", "share")


def test_a_document_lives_from_insert_to_delete(companion: Companion) -> None:
    token = companion.as_user()
    inserted = companion.call("POST", "/documents/notes", token, {"data": {"title": "First", "n": 1}})
    assert inserted.status_code == 201
    assert inserted.headers["ETag"] == '"1"'
    path = inserted.headers["Location"]
    assert path == f"/documents/notes/{inserted.json['id']}"
    assert inserted.json["created_by"] == "user:usr_ada"
    assert inserted.json["created_at"] == "2027-01-15T08:00:00.000000Z"

    companion.clock.advance(1)
    updated = companion.call("PATCH", path, token, {"update": {"$inc": {"n": 1}, "$set": {"tags": ["a"]}}})
    assert (updated.status_code, updated.headers["ETag"], updated.json["version"]) == (200, '"2"', 2)
    assert "data" not in updated.json
    got = companion.call("GET", path, token)
    assert got.json["data"] == {"title": "First", "n": 2, "tags": ["a"]}
    assert got.json["updated_at"] > got.json["created_at"]
    assert "acl" not in got.json

    replaced = companion.call("PUT", path, token, {"data": {"title": "Second"}})
    assert replaced.json["version"] == 3
    assert companion.call("GET", path, token).json["data"] == {"title": "Second"}
    assert companion.call("DELETE", path, token).status_code == 204
    assert refusal(companion.call("GET", path, token)) == (404, "unknown_document")
    assert refusal(companion.call("DELETE", path, token)) == (404, "unknown_document")


def test_a_document_belongs_to_who_made_it_and_to_administrators(companion: Companion) -> None:
    id = companion.insert(companion.as_user("ada"), {"secret": 1})
    path = f"/documents/notes/{id}"
    for stranger in (companion.as_user("bob"), companion.as_app(), companion.as_app("usr_ada")):
        for method, body in (
            ("GET", None),
            ("DELETE", None),
            ("PUT", {"data": {}}),
            ("PATCH", {"update": {"$set": {"a": 1}}}),
        ):
            assert refusal(companion.call(method, path, stranger, body)) == (404, "unknown_document")
        assert refusal(companion.call("GET", path + "/acl", stranger)) == (404, "unknown_document")
        assert refusal(companion.call("PUT", path + "/acl", stranger, {"acl": []})) == (404, "unknown_document")
        assert companion.find(stranger, {"secret": 1}) == []
    assert companion.call("GET", path, companion.as_admin()).status_code == 200
    assert len(companion.find(companion.as_admin())) == 1


def test_what_may_not_be_read_answers_like_what_does_not_exist(companion: Companion) -> None:
    id = companion.insert(companion.as_user("ada"), {})
    bob = companion.as_user("bob")
    hidden = companion.call("GET", f"/documents/notes/{id}", bob).json
    absent = companion.call("GET", "/documents/notes/doc_absent", bob).json
    hidden.pop("trace"), absent.pop("trace")
    assert hidden == absent


def test_a_document_without_acl_is_for_administrators_and_only_they_can_make_one(companion: Companion) -> None:
    root, ada = companion.as_admin(), companion.as_user()
    assert refusal(companion.call("POST", "/documents/notes", ada, {"data": {}, "acl": None})) == (403, "not_permitted")
    id = companion.insert(root, {"x": 1}, acl=None)
    assert refusal(companion.call("GET", f"/documents/notes/{id}", ada)) == (404, "unknown_document")
    assert companion.find(ada) == []
    assert companion.call("GET", f"/documents/notes/{id}/acl", root).json["acl"] is None
    mine = companion.insert(ada, {})
    assert refusal(companion.call("PUT", f"/documents/notes/{mine}/acl", ada, {"acl": None})) == (403, "not_permitted")


def test_each_right_is_its_own(companion: Companion) -> None:
    ada, bob = companion.as_user("ada"), companion.as_user("bob", roles=["staff"])
    id = companion.insert(ada, {"n": 1}, acl=[ADA_ALL, allow("role", "staff", "read")])
    path = f"/documents/notes/{id}"
    assert companion.call("GET", path, bob).status_code == 200
    assert refusal(companion.call("PATCH", path, bob, {"update": {"$inc": {"n": 1}}})) == (403, "not_permitted")
    assert refusal(companion.call("PUT", path, bob, {"data": {}})) == (403, "not_permitted")
    assert refusal(companion.call("DELETE", path, bob)) == (403, "not_permitted")
    assert refusal(companion.call("GET", path + "/acl", bob)) == (403, "not_permitted")
    assert refusal(companion.call("PUT", path + "/acl", bob, {"acl": [ADA_ALL]})) == (403, "not_permitted")

    shared = companion.call("PUT", path + "/acl", ada, {"acl": [ADA_ALL, allow("user", "usr_bob", "read", "update")]})
    assert shared.json["version"] == 2
    assert companion.call("PATCH", path, bob, {"update": {"$inc": {"n": 1}}}).status_code == 200
    assert refusal(companion.call("DELETE", path, bob)) == (403, "not_permitted")


def test_a_deny_entry_takes_effect_on_the_next_request_everywhere(companion: Companion) -> None:
    ada, bob = companion.as_user("ada"), companion.as_user("bob", roles=["staff"])
    id = companion.insert(ada, {"n": 1}, acl=[ADA_ALL, allow("everyone", "", "read")])
    assert len(companion.find(bob)) == 1
    companion.call(
        "PUT", f"/documents/notes/{id}/acl", ada, {"acl": [ADA_ALL, allow("everyone", "", "read"), DENY_READ]}
    )
    assert companion.find(bob) == []
    assert refusal(companion.call("GET", f"/documents/notes/{id}", bob)) == (404, "unknown_document")
    assert len(companion.find(companion.as_user("eve"))) == 1


def test_an_app_that_calls_for_itself_is_a_client_and_its_user_is_not(companion: Companion) -> None:
    app, user = companion.as_app("app_notes"), companion.as_user("ada", client_id="app_notes")
    id = companion.insert(app, {})
    assert companion.call("GET", f"/documents/notes/{id}", app).json["created_by"] == "client:app_notes"
    assert refusal(companion.call("GET", f"/documents/notes/{id}", user)) == (404, "unknown_document")


def test_the_acl_and_system_fields_cannot_be_reached_by_data_or_updates(companion: Companion) -> None:
    ada = companion.as_user()
    id = companion.insert(ada, {"a": 1})
    path = f"/documents/notes/{id}"
    for name in ("_acl", "_id", "_version", "_created_by"):
        assert refusal(companion.call("POST", "/documents/notes", ada, {"data": {name: 1}})) == (400, "reserved_field")
        assert refusal(companion.call("PUT", path, ada, {"data": {name: 1}})) == (400, "reserved_field")
        assert refusal(companion.call("PATCH", path, ada, {"update": {"$set": {name: 1}}})) == (400, "reserved_field")
    assert refusal(companion.call("PATCH", path, ada, {"update": {"$rename": {"a": "_acl"}}})) == (
        400,
        "reserved_field",
    )
    assert refusal(companion.call("POST", "/documents/notes/query", ada, {"filter": {"_acl": None}})) == (
        400,
        "reserved_field",
    )
    assert refusal(companion.call("POST", "/documents/notes/query", ada, {"sort": {"_acl": 1}})) == (
        400,
        "reserved_field",
    )
    assert companion.call("GET", path, ada).json["data"] == {"a": 1}


def test_a_write_at_an_old_version_is_refused_with_the_present_one(companion: Companion) -> None:
    ada = companion.as_user()
    path = f"/documents/notes/{companion.insert(ada, {'n': 1})}"
    at_one = {"If-Match": '"1"'}
    assert companion.call("PATCH", path, ada, {"update": {"$inc": {"n": 1}}}, headers=at_one).status_code == 200
    for method, body in (("PATCH", {"update": {"$inc": {"n": 1}}}), ("PUT", {"data": {}}), ("DELETE", None)):
        answer = companion.call(method, path, ada, body, headers=at_one)
        assert refusal(answer) == (412, "version_conflict")
        assert answer.json["version"] == 2
    assert refusal(companion.call("PUT", path + "/acl", ada, {"acl": [], "version": 1})) == (412, "version_conflict")
    assert refusal(companion.call("PUT", path, ada, {"data": {}, "version": 3}, headers=at_one)) == (
        400,
        "invalid_request",
    )
    assert companion.call("PUT", path, ada, {"data": {}, "version": 2}).status_code == 200
    for strange in ("1", 'W/"3"', '"x"', '"3", "4"', '""', "", " ", '"' + "9" * 30 + '"'):
        assert refusal(companion.call("DELETE", path, ada, headers={"If-Match": strange})) == (400, "bad_if_match")
    assert companion.call("DELETE", path, ada, headers={"If-Match": "*"}).status_code == 204


def test_increments_at_once_are_all_counted(start: Callable[..., Companion]) -> None:
    companion = start()
    ada = companion.as_user()
    path = f"/documents/notes/{companion.insert(ada, {'n': 0})}"
    statuses: list[int] = []

    def work() -> None:
        for _ in range(10):
            client = companion.client.application.test_client()
            headers = {"Authorization": f"Bearer {ada}"}
            statuses.append(client.patch(path, json={"update": {"$inc": {"n": 1}}}, headers=headers).status_code)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [200] * 40
    assert companion.call("GET", path, ada).json["data"] == {"n": 40}
    assert companion.call("GET", path, ada).json["version"] == 41


def test_of_two_deletes_at_once_one_finds_nothing(companion: Companion) -> None:
    ada = companion.as_user()
    path = f"/documents/notes/{companion.insert(ada, {})}"
    statuses: list[int] = []

    def work() -> None:
        client = companion.client.application.test_client()
        statuses.append(client.delete(path, headers={"Authorization": f"Bearer {ada}"}).status_code)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [204, 404]


def test_a_query_filters_sorts_and_shows_the_named_fields(companion: Companion) -> None:
    ada = companion.as_user()
    for number in range(6):
        companion.insert(ada, {"n": number, "even": number % 2 == 0, "deep": {"x": number, "y": 0}})
    found = companion.find(ada, {"even": True, "n": {"$gt": 0}}, sort={"n": -1}, fields=["n", "deep.x"])
    assert [document["data"] for document in found] == [{"n": 4, "deep": {"x": 4}}, {"n": 2, "deep": {"x": 2}}]
    assert [document["data"]["n"] for document in companion.find(ada)] == list(range(6))


@pytest.mark.parametrize("sort", [{}, {"group": 1}, {"group": -1, "n": 1}])
def test_pages_give_every_document_once(companion: Companion, sort: dict[str, int]) -> None:
    ada = companion.as_user()
    for number in range(23):
        companion.insert(ada, {"n": number, "group": number % 3})
    body: dict[str, Any] = {"sort": sort, "limit": 5}
    pages, seen = 0, []
    while True:
        page = companion.call("POST", "/documents/notes/query", ada, body).json
        seen += [document["data"]["n"] for document in page["documents"]]
        pages += 1
        if page["cursor"] is None:
            break
        body["cursor"] = page["cursor"]
    assert pages == 5
    assert sorted(seen) == list(range(23))


@pytest.mark.parametrize("sort", [{}, {"n": -1}])
def test_a_page_of_large_documents_ends_early_and_the_next_one_goes_on(
    companion: Companion, monkeypatch: pytest.MonkeyPatch, sort: dict[str, int]
) -> None:
    for module in ("contract", "sqlite_search"):
        monkeypatch.setattr(f"idp.api.document_store.{module}.PAGE_BYTES", 10_000)
    ada = companion.as_user()
    for number in range(7):
        companion.insert(ada, {"n": number, "text": "x" * 4_000})
    body: dict[str, Any] = {"sort": sort}
    sizes, seen = [], []
    while len(sizes) < 9:
        page = companion.call("POST", "/documents/notes/query", ada, body).json
        sizes.append(len(page["documents"]))
        seen += [document["data"]["n"] for document in page["documents"]]
        body["cursor"] = page["cursor"]
        if page["cursor"] is None:
            break
    assert sizes == [3, 3, 1]
    assert seen == sorted(range(7), reverse=bool(sort))


def test_a_cursor_works_only_unchanged_for_its_caller_and_its_query(companion: Companion) -> None:
    ada = companion.as_user()
    for number in range(3):
        companion.insert(ada, {"n": number})

    def ask(token: str, cursor: str, **more: Any) -> Any:
        return companion.call("POST", "/documents/notes/query", token, {"limit": 1, "cursor": cursor, **more})

    cursor = companion.call("POST", "/documents/notes/query", ada, {"limit": 1}).json["cursor"]
    assert ask(ada, cursor).status_code == 200
    assert refusal(ask(companion.as_user("bob"), cursor)) == (400, "bad_cursor")
    assert refusal(ask(ada, cursor, filter={"n": 1})) == (400, "bad_cursor")
    assert refusal(ask(ada, cursor, sort={"n": 1})) == (400, "bad_cursor")
    for forged in (cursor[:-2] + "AA", "A" + cursor[1:], "x", "é", "", "=" * 5, "AAAA" * 50):
        answer = ask(ada, forged)
        assert answer.status_code == 200 if forged == "" else refusal(answer) == (400, "bad_cursor")


def test_cursors_outlive_a_restart(start: Callable[..., Companion]) -> None:
    first = start()
    ada = first.as_user()
    for number in range(2):
        first.insert(ada, {"n": number})
    cursor = first.call("POST", "/documents/notes/query", ada, {"limit": 1}).json["cursor"]
    second = start()
    page = second.call("POST", "/documents/notes/query", ada, {"limit": 1, "cursor": cursor}).json
    assert [document["data"]["n"] for document in page["documents"]] == [1]


def test_a_deep_position_is_refused_loudly_instead_of_leaving_documents_out(
    companion: Companion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.api.documents.reading.MAX_SKIP", 2)
    ada = companion.as_user()
    for number in range(5):
        companion.insert(ada, {"n": number})
    body = {"sort": {"n": 1}, "limit": 3}
    assert refusal(companion.call("POST", "/documents/notes/query", ada, body)) == (400, "page_too_far")


@pytest.mark.parametrize(
    "name", ["system.users", "sys.queues", "..%2Fx", "$cmd", "a%00b", "A", "ü", "a" * 65, "1a", "_x", "a b"]
)
def test_a_collection_name_outside_the_list_is_refused(companion: Companion, name: str) -> None:
    answer = companion.call("POST", f"/documents/{name}", companion.as_admin(), {"data": {}})
    assert refusal(answer)[1] in ("invalid_request", "not_found", "method_not_allowed")


def test_scopes_are_told_apart(companion: Companion) -> None:
    ada = companion.as_user()
    path = f"/documents/notes/{companion.insert(ada, {})}"
    reader, writer = companion.as_user(scope="documents.read"), companion.as_user(scope="documents.write")
    nobody = companion.as_user(scope=None)
    root = companion.as_user("root", roles=["administrator"], scope="queues.publish")
    assert companion.call("GET", path, reader).status_code == 200
    assert refusal(companion.call("DELETE", path, reader)) == (403, "insufficient_scope")
    assert refusal(companion.call("GET", path, writer)) == (403, "insufficient_scope")
    assert companion.call("PATCH", path, writer, {"update": {"$set": {"a": 1}}}).status_code == 200
    for token in (nobody, root):
        assert refusal(companion.call("GET", path, token)) == (403, "insufficient_scope")


def test_a_document_can_grow_to_its_limit_and_not_beyond(companion: Companion) -> None:
    ada = companion.as_user()
    path = f"/documents/notes/{companion.insert(ada, {'a': 'x' * 900_000})}"
    answer = companion.call("PATCH", path, ada, {"update": {"$set": {"b": "y" * 200_000}}})
    assert refusal(answer) == (413, "document_too_large")
    assert answer.json["limit"] == 1_000_000


def test_versions_collections_and_roles_have_their_own_addresses(companion: Companion) -> None:
    root, ada = companion.as_admin(), companion.as_user()
    index = {"name": "by_key", "fields": {"key": 1}, "unique": True}
    rules = [allow("everyone", "", "insert")]
    declared = companion.call("PUT", "/collections/notes", root, {"acl": rules, "indexes": [index]})
    assert (declared.status_code, declared.json["indexes"]) == (200, [index])
    assert companion.call("GET", "/collections", root).json["collections"] == [declared.json]
    upsert = {"match": {"key": "k"}, "update": {"$inc": {"n": 1}}}
    first, second = (companion.call("POST", "/documents/notes/upsert", ada, upsert) for _ in range(2))
    assert [(a.json["created"], a.headers["ETag"]) for a in (first, second)] == [(True, '"1"'), (False, '"2"')]

    path = f"/documents/notes/{first.json['id']}"
    assert companion.call("GET", path + "/versions/1", ada).json["data"] == {"key": "k", "n": 1}
    for number in ("0", "-1", "x", "1.0", "9" * 30, "٣"):
        assert refusal(companion.call("GET", f"{path}/versions/{number}", ada)) == (400, "invalid_request")
    assert refusal(companion.call("GET", path + "/versions/3", ada)) == (404, "unknown_version")
    at_one = {"If-Match": '"1"'}
    assert refusal(companion.call("POST", path + "/versions/1/restore", ada, headers=at_one)) == (
        412,
        "version_conflict",
    )
    restored = companion.call("POST", path + "/versions/1/restore", ada, headers={"If-Match": second.headers["ETag"]})
    assert (restored.status_code, restored.headers["ETag"]) == (200, '"3"')
    assert [v["action"] for v in companion.call("POST", path + "/history", ada).json["versions"]] == [
        "restore",
        "update",
        "insert",
    ]

    crew = companion.call("PUT", "/roles/crew", root, {"members": [{"kind": "user", "id": "usr_bob"}]})
    assert companion.call("GET", "/roles", root).json["roles"] == [crew.json]
    companion.call("PUT", path + "/acl", ada, {"acl": [ADA_ALL, allow("role", "crew", "read")]})
    assert companion.find(companion.as_user("bob")) != []
    assert companion.call("DELETE", "/roles/crew", root).status_code == 204
    assert companion.find(companion.as_user("bob")) == []
    assert companion.call("DELETE", "/collections/notes", root).status_code == 204
    assert refusal(companion.call("GET", path, ada)) == (404, "unknown_document")


def test_many_changes_are_one_request_and_one_refusal_names_the_change(companion: Companion) -> None:
    ada = companion.as_user()
    id = companion.insert(ada, {"n": 1})
    changes = [{"insert": {"data": {"n": 2}}}, {"update": {"id": id, "update": {"$inc": {"n": 5}}, "version": 2}}]
    answer = companion.call("POST", "/documents/notes/bulk", ada, {"changes": changes})
    assert refusal(answer) == (412, "version_conflict")
    assert (answer.json["index"], answer.json["version"]) == (1, 1)
    assert [document["data"] for document in companion.find(ada)] == [{"n": 1}]
    many = companion.call("POST", "/documents/notes/many", ada, {"documents": [{"data": {}}] * 3})
    assert (many.status_code, len(many.json["documents"])) == (201, 3)
    assert companion.call("POST", "/documents/notes/count", ada).json == {"count": 4, "more": False}
    assert companion.call("POST", "/documents/notes/count", ada, {"at_most": 3}).json == {"count": 3, "more": True}


def test_too_many_values_or_results_are_refused_loudly(companion: Companion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("idp.api.documents.reading.MAX_RESULTS", 2)
    ada = companion.as_user()
    for number in range(3):
        companion.insert(ada, {"n": number})
    distinct = {"field": "n"}
    assert refusal(companion.call("POST", "/documents/notes/distinct", ada, distinct)) == (400, "too_many_results")
    pipeline: dict[str, Any] = {"pipeline": [{"$match": {}}]}
    assert refusal(companion.call("POST", "/documents/notes/aggregate", ada, pipeline)) == (400, "too_many_results")
    distinct["filter"] = {"n": {"$gt": 0}}  # type: ignore[assignment]
    assert companion.call("POST", "/documents/notes/distinct", ada, distinct).json == {"values": [1, 2]}
    pipeline["pipeline"].append({"$limit": 2})
    assert len(companion.call("POST", "/documents/notes/aggregate", ada, pipeline).json["results"]) == 2


@pytest.mark.parametrize(
    "stage", ["$lookup", "$graphLookup", "$unionWith", "$out", "$merge", "$geoNear", "$collStats", "$currentOp"]
)
def test_a_stage_that_reaches_beyond_the_collection_is_refused_by_name(companion: Companion, stage: str) -> None:
    inside = {"$facet": {"a": [{stage: {"from": "users"}}]}}
    for pipeline in ([{stage: {"from": "users"}}], [{"$match": {}}, {stage: "users"}], [inside]):
        answer = companion.call("POST", "/documents/notes/aggregate", companion.as_admin(), {"pipeline": pipeline})
        assert refusal(answer) == (400, "unknown_operator")
        assert answer.json["operator"] == stage
