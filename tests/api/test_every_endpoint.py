"""What holds for every endpoint: no token, a wrong one, a wrong body, an oversized one, the same request twice at once."""

import threading
from typing import Any

import pytest

from idp.api.commands import OPERATIONS
from idp.api.transports.rest import BODY_OPTIONAL, ROUTES, Route
from tests.api.conftest import Companion, refusal

GOOD: dict[str, Any] = {
    "documents.insert": {"data": {}},
    "documents.query": {"filter": {}},
    "documents.replace": {"data": {}},
    "documents.update": {"update": {"$set": {"a": 1}}},
    "documents.set_acl": {"acl": []},
    "queues.declare": {"max_deliveries": 3},
    "queues.publish": {"body": 1},
    "queues.take": {"lease_seconds": 30},
    "queues.ack": {},
    "queues.reject": {"requeue": True},
}
WRONG_TYPE: dict[str, list[Any]] = {
    "documents.insert": [{"data": []}, {"data": "x"}, {"data": None}, {"data": {}, "acl": {}}, {"data": {}, "acl": [1]}],
    "documents.query": [{"filter": []}, {"limit": "5"}, {"limit": 0}, {"limit": 1001}, {"sort": {"a": "1"}}, {"sort": {"a": 2}},
                        {"fields": "a"}, {"fields": [1]}, {"cursor": 1}],
    "documents.replace": [{"data": 1}, {"data": {}, "version": "1"}, {"data": {}, "version": 0}],
    "documents.update": [{"update": []}, {"update": None}, {"update": {"$set": {"a": 1}}, "version": 1.0}],
    "documents.set_acl": [
        {"acl": "x"},
        {"acl": [{}]},
        {"acl": [{"kind": "user", "id": "a", "rights": []}]},
        {"acl": [{"kind": "user", "id": "a", "rights": ["admin"]}]},
        {"acl": [{"kind": "user", "rights": ["read"]}]},
        {"acl": [{"kind": "everyone", "id": "a", "rights": ["read"]}]},
        {"acl": [{"kind": "group", "id": "a", "rights": ["read"]}]},
        {"acl": [{"kind": "user", "id": "a", "rights": ["read"], "effect": "maybe"}]},
        {"acl": [{"kind": "user", "id": "a", "rights": ["read"]}] * 65},
        {"acl": [], "version": True},
    ],
    "queues.declare": [{"max_deliveries": "5"}, {"max_deliveries": 0}, {"acl": [{"kind": "user", "id": "a", "rights": ["read"]}]}],
    "queues.publish": [{"body": 1, "priority": "9"}, {"body": 1, "priority": 10}],
    "queues.take": [{"lease_seconds": "1"}, {"dead": 1}],
    "queues.ack": [{"receipt": "x"}],
    "queues.reject": [{"requeue": "yes"}, {"requeue": True, "reason": 1}, {"requeue": False, "reason": ""}],
}  # fmt: skip
MISSING = {
    "documents.insert",
    "documents.replace",
    "documents.update",
    "documents.set_acl",
    "queues.publish",
    "queues.reject",
}
every = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
with_body = pytest.mark.parametrize("route", [r for r in ROUTES if r.has_body], ids=lambda route: route.operation)


def path_of(route: Route) -> str:
    return (
        route.path.replace("<collection>", "notes")
        .replace("<id>", "doc_x")
        .replace("<name>", "q")
        .replace("<receipt>", "r")
    )


def test_every_operation_has_a_route_and_the_other_way_round() -> None:
    assert sorted(route.operation for route in ROUTES) == sorted(OPERATIONS)


@every
def test_without_a_token_nothing_is_done(companion: Companion, route: Route) -> None:
    answer = companion.call(route.method, path_of(route), None, GOOD.get(route.operation))
    assert refusal(answer) == (401, "missing_token")


@every
def test_a_token_that_is_not_for_this_request_is_refused_by_name(companion: Companion, route: Route) -> None:
    for changes, expected in (
        ({"aud": "urn:somebody:else"}, (401, "wrong_audience")),
        ({"exp": int(companion.clock())}, (401, "expired_token")),
        ({"scope": "openid"}, (403, "insufficient_scope")),
    ):
        token = companion.issuer.mint(**changes)
        assert refusal(companion.call(route.method, path_of(route), token, GOOD.get(route.operation))) == expected


@every
def test_somebody_else_gets_nowhere(companion: Companion, route: Route) -> None:
    ada, eve = companion.as_user("ada"), companion.as_user("eve")
    id = companion.insert(ada, {"a": 1})
    companion.call("PUT", "/queues/q", ada)
    path = path_of(route).replace("doc_x", id)
    answer = companion.call(route.method, path, eve, GOOD.get(route.operation))
    if route.operation == "documents.query":
        assert answer.json == {"documents": [], "cursor": None}
    elif route.operation == "documents.insert":
        assert answer.status_code == 201  # a document of her own
    else:
        assert refusal(answer)[1] in ("unknown_document", "unknown_queue", "name_taken")
    assert companion.call("GET", f"/documents/notes/{id}", ada).json["data"] == {"a": 1}


@with_body
def test_a_missing_member_is_named(companion: Companion, route: Route) -> None:
    answer = companion.call(route.method, path_of(route), companion.as_admin(), {})
    if route.operation in MISSING:
        assert refusal(answer) == (400, "invalid_request")
        assert answer.json["errors"][0]["problem"] == "Field required"
    else:
        assert answer.status_code < 500


@with_body
def test_a_wrong_type_is_named(companion: Companion, route: Route) -> None:
    for body in WRONG_TYPE[route.operation]:
        answer = companion.call(route.method, path_of(route), companion.as_admin(), body)
        assert refusal(answer) == (400, "invalid_request"), body


@with_body
def test_an_unknown_member_is_refused(companion: Companion, route: Route) -> None:
    body = {**GOOD[route.operation], "is_admin": True}
    answer = companion.call(route.method, path_of(route), companion.as_admin(), body)
    assert refusal(answer) == (400, "invalid_request")
    assert answer.json["errors"] == [{"field": "is_admin", "problem": "Extra inputs are not permitted"}]


@with_body
def test_a_member_of_the_path_cannot_be_given_again(companion: Companion, route: Route) -> None:
    name = "collection" if "<collection>" in route.path else "name"
    answer = companion.call(
        route.method, path_of(route), companion.as_admin(), {**GOOD[route.operation], name: "other"}
    )
    assert refusal(answer) == (400, "invalid_request")


BAD_JSON = [
    b"{",
    b"[]",
    b"1",
    b"null",
    b"\xff\xfe",
    b'{"data": NaN}',
    b'{"data": {"a": Infinity}}',
    b'{"data": {"a": 1e999}}',
    b'{"data": {"a": 9223372036854775808}}',
    b'{"data": {"a": ' + b"9" * 5000 + b"}}",
    b'{"data": {}, "data": {}}',
    b'{"data": {"a": {"b": 1, "b": 2}}}',
    b'{"data": {"a": "\\ud800"}}',
    b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"data": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
]


@with_body
def test_what_is_not_plain_json_is_refused_and_never_a_fault(companion: Companion, route: Route) -> None:
    token = companion.as_admin()
    for body in BAD_JSON:
        answer = companion.call(route.method, path_of(route), token, data=body, content_type="application/json")
        assert refusal(answer) == (400, "malformed_json"), body[:60]


@with_body
def test_a_body_without_the_json_type_is_refused(companion: Companion, route: Route) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        answer = companion.call(
            route.method, path_of(route), companion.as_admin(), data=b"{}", content_type=content_type
        )
        assert refusal(answer) == (415, "unsupported_media_type")


@with_body
def test_an_empty_body_is_no_body(companion: Companion, route: Route) -> None:
    answer = companion.call(route.method, path_of(route), companion.as_admin())
    if route.operation not in BODY_OPTIONAL:
        assert refusal(answer) == (415, "unsupported_media_type")
    else:
        assert answer.status_code < 500


@with_body
def test_an_oversized_body_is_refused_loudly(companion: Companion, route: Route) -> None:
    body = b'{"data": "' + b"x" * 1_100_000 + b'"}'
    answer = companion.call(
        route.method, path_of(route), companion.as_admin(), data=body, content_type="application/json"
    )
    assert refusal(answer) == (413, "body_too_large")
    assert answer.json["limit"] == 1_048_576
    body = b'{"data": "' + b"x" * (1_048_577 - 12) + b'"}'
    answer = companion.call(
        route.method, path_of(route), companion.as_admin(), data=body, content_type="application/json"
    )
    assert refusal(answer) == (413, "body_too_large")


@every
def test_query_parameters_and_unexpected_bodies_are_refused(companion: Companion, route: Route) -> None:
    answer = companion.call(route.method, path_of(route) + "?limit=5", companion.as_admin(), GOOD.get(route.operation))
    assert refusal(answer) == (400, "unknown_parameter")
    if not route.has_body:
        answer = companion.call(route.method, path_of(route), companion.as_admin(), {"a": 1})
        assert refusal(answer) == (400, "unexpected_body")


@every
def test_the_same_request_twice_at_once_gives_two_clear_answers(companion: Companion, route: Route) -> None:
    token = companion.as_admin()
    companion.call("PUT", "/queues/q", token)
    id = companion.insert(token, {"a": 1})
    statuses: list[int] = []
    barrier = threading.Barrier(2)

    def work() -> None:
        client = companion.client.application.test_client()
        barrier.wait(10)
        path = path_of(route).replace("doc_x", id)
        more = {"json": GOOD[route.operation]} if route.operation in GOOD else {}
        statuses.append(
            client.open(path, method=route.method, headers={"Authorization": f"Bearer {token}"}, **more).status_code
        )

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    expected = [[route.status] * 2, [204, 404], [404, 404]]
    assert sorted(statuses) in expected


def test_other_paths_and_methods_are_problems_too(companion: Companion) -> None:
    assert refusal(companion.client.get("/nothing")) == (404, "not_found")
    assert refusal(companion.client.get("/documents//x")) == (404, "not_found")
    answer = companion.client.post("/healthz")
    assert refusal(answer) == (405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]
    for method in ("OPTIONS", "TRACE"):
        assert companion.client.open("/documents/notes", method=method).status_code == 405


def test_a_fault_of_ours_is_a_problem_without_its_cause(
    companion: Companion, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = companion.client.application.extensions["sheaf"].store

    def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret cause")

    monkeypatch.setattr(store, "get", broken)
    answer = companion.call("GET", "/documents/notes/doc_x", companion.as_admin())
    assert refusal(answer) == (500, "internal_error")
    assert "secret cause" not in answer.text
    assert answer.json["trace"] in caplog.text
    assert "secret cause" in caplog.text


def test_no_answer_is_cached_or_sniffed(companion: Companion) -> None:
    for answer in (companion.client.get("/"), companion.call("GET", "/documents/notes/x", companion.as_user())):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_front_page_says_what_this_is(companion: Companion) -> None:
    about = companion.client.get("/").json
    assert about["issuer"] == companion.issuer.url
    assert about["audience"] == "urn:sheaf:api"
    assert {"name": "documents.get", "method": "GET", "path": "/documents/{collection}/{id}"}.items() <= about[
        "operations"
    ][2].items()


def test_alive_and_ready_need_no_token(companion: Companion, monkeypatch: pytest.MonkeyPatch) -> None:
    assert companion.client.get("/healthz").json == {"status": "ok"}
    assert companion.client.get("/readyz").json == {"status": "ok"}


def test_not_ready_says_which_part(start: Any) -> None:
    companion = start(broker="amqp://guest:guest@127.0.0.1:9/")
    assert companion.client.get("/healthz").status_code == 200
    answer = companion.client.get("/readyz")
    assert refusal(answer) == (503, "broker_unavailable")
    assert answer.headers["Retry-After"]
