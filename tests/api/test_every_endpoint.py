"""What holds for every endpoint: no token, a wrong one, a wrong body, an oversized one, the same request twice at once."""

import itertools
import threading
from typing import Any

import pytest

from idp.api.commands import OPERATIONS
from idp.api.transports.routes import BODY_OPTIONAL, ROUTES, STREAMED, Route
from tests.api.conftest import Companion, refusal
from tests.api.examples import EXAMPLES, SETUPS

every = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
with_body = pytest.mark.parametrize("route", [r for r in ROUTES if r.has_body], ids=lambda route: route.operation)


numbers = itertools.count()


@pytest.fixture(scope="module")
def companion(shared_companion: Companion) -> Companion:
    """Each test makes its own things in it."""
    return shared_companion


def path_of(route: Route, id: str = "doc_x", name: str = "q") -> str:
    path = route.path.replace("<collection>", "notes").replace("<name>", name).replace("<number>", "1")
    return path.replace("<id>", id).replace("<receipt>", "r")


def made(companion: Companion, token: str, route: Route) -> str:
    """The path to something that the caller has made before."""
    id, name = companion.insert(token, {"a": 1}), f"n{next(numbers)}"
    for method, path, body in SETUPS.get(route.operation.partition(".")[0], ()):
        assert companion.call(method, path.format(name=name), token, body).status_code < 300
    return path_of(route, id, name)


def test_every_operation_has_a_route_and_the_other_way_round() -> None:
    assert sorted(route.operation for route in ROUTES + STREAMED) == sorted(OPERATIONS)


def test_every_operation_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(route.operation for route in ROUTES)


@every
def test_without_a_token_nothing_is_done(companion: Companion, route: Route) -> None:
    answer = companion.call(route.method, path_of(route), None, EXAMPLES[route.operation].good)
    assert refusal(answer) == (401, "missing_token")


@every
def test_a_token_that_is_not_for_this_request_is_refused_by_name(companion: Companion, route: Route) -> None:
    for changes, expected in (
        ({"aud": "urn:somebody:else"}, (401, "wrong_audience")),
        ({"exp": int(companion.clock())}, (401, "expired_token")),
        ({"scope": "openid"}, (403, "insufficient_scope")),
    ):
        token = companion.issuer.mint(**changes)
        assert refusal(companion.call(route.method, path_of(route), token, EXAMPLES[route.operation].good)) == expected


@every
def test_somebody_else_gets_nowhere(companion: Companion, route: Route) -> None:
    ada, eve, example = companion.as_user("ada"), companion.as_user("eve"), EXAMPLES[route.operation]
    path = made(companion, ada, route)
    answer = companion.call(route.method, path, eve, example.good)
    if isinstance(example.stranger, int):  # things of her own, or none
        assert answer.status_code == example.stranger
        assert "doc_" not in path or path.split("/")[3] not in answer.text
    else:
        assert refusal(answer)[1] == example.stranger
    assert {document["data"]["a"] for document in companion.find(ada)} == {1}


@with_body
def test_a_missing_member_is_named(companion: Companion, route: Route) -> None:
    answer = companion.call(route.method, path_of(route), companion.as_admin(), {})
    if EXAMPLES[route.operation].needs:
        assert refusal(answer) == (400, "invalid_request")
        assert answer.json["errors"][0]["problem"] == "Field required"
    else:
        assert answer.status_code < 500


@with_body
def test_a_wrong_type_is_named(companion: Companion, route: Route) -> None:
    for body in EXAMPLES[route.operation].wrong:
        answer = companion.call(route.method, path_of(route), companion.as_admin(), body)
        assert refusal(answer) == (400, "invalid_request"), body


@with_body
def test_an_unknown_member_is_refused(companion: Companion, route: Route) -> None:
    body = {**(EXAMPLES[route.operation].good or {}), "is_admin": True}
    answer = companion.call(route.method, path_of(route), companion.as_admin(), body)
    assert refusal(answer) == (400, "invalid_request")
    assert answer.json["errors"] == [{"field": "is_admin", "problem": "Extra inputs are not permitted"}]


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.has_body and "<" in r.path], ids=lambda route: route.operation
)
def test_a_member_of_the_path_cannot_be_given_again(companion: Companion, route: Route) -> None:
    name = "collection" if "<collection>" in route.path else "name"
    answer = companion.call(
        route.method, path_of(route), companion.as_admin(), {**(EXAMPLES[route.operation].good or {}), name: "other"}
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
    answer = companion.call(
        route.method, path_of(route) + "?limit=5", companion.as_admin(), EXAMPLES[route.operation].good
    )
    assert refusal(answer) == (400, "unknown_parameter")
    if not route.has_body:
        answer = companion.call(route.method, path_of(route), companion.as_admin(), {"a": 1})
        assert refusal(answer) == (400, "unexpected_body")


@every
def test_the_same_request_twice_at_once_gives_two_clear_answers(companion: Companion, route: Route) -> None:
    token = companion.as_admin()
    path, good = made(companion, token, route), EXAMPLES[route.operation].good
    statuses: list[int] = []
    barrier = threading.Barrier(2)

    def work() -> None:
        client = companion.client.application.test_client()
        barrier.wait(10)
        more = {} if good is None else {"json": good}
        statuses.append(
            client.open(path, method=route.method, headers={"Authorization": f"Bearer {token}"}, **more).status_code
        )

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(statuses) == 2
    assert set(statuses) <= {route.status, 404, 409}


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
    found = next(operation for operation in about["operations"] if operation["name"] == "documents.get")
    assert (found["method"], found["path"]) == ("GET", "/documents/{collection}/{id}")


def test_alive_and_ready_need_no_token(companion: Companion, monkeypatch: pytest.MonkeyPatch) -> None:
    assert companion.client.get("/healthz").json == {"status": "ok"}
    assert companion.client.get("/readyz").json == {"status": "ok"}


def test_not_ready_says_which_part(start: Any) -> None:
    companion = start(broker="amqp://guest:guest@127.0.0.1:9/")
    assert companion.client.get("/healthz").status_code == 200
    answer = companion.client.get("/readyz")
    assert refusal(answer) == (503, "broker_unavailable")
    assert answer.headers["Retry-After"]
