"""Attacks C98 to C100, on both stores and over every transport: what is too much, forged cursors, smuggled headers."""

import base64
import json
from typing import Any

import pytest

from tests.api.conftest import issuer  # noqa: F401  (fixture)
from tests.api.test_serving import Served as ServedAlone
from tests.api.test_serving import cut_out, served  # noqa: F401  (fixtures)
from tests.api.transports.conftest import Served
from tests.api.transports.test_watch import ends, watch
from tests.behaviours.asking import entry, fresh_name, ok, told


@pytest.fixture
def notes() -> str:
    return fresh_name("notes")


# ------------------------------------------------------------------ C98: too much


def _nested(depth: int, inner: Any = 1) -> Any:
    for _ in range(depth):
        inner = {"a": inner}
    return inner


def _not_nested(depth: int) -> Any:
    inner: Any = {"$eq": 1}
    for _ in range(depth):
        inner = {"$not": inner}
    return {"n": inner}


def test_c98_what_is_too_much_is_refused_by_name_before_anything_is_searched(
    nodes: Served, talk: Any, notes: str
) -> None:
    ada = nodes.token()
    nodes.insert(notes, ada, {"word": "a" * 5000, "list": list(range(1000))})
    query, find = "documents.query", {"collection": notes}
    for operation, request, answer in (
        ("documents.insert", {"data": {"x": "y" * 1_000_000}}, (413, "document_too_large")),
        ("documents.insert", {"data": _nested(40)}, (400, "document_too_deep")),
        (query, {"filter": {"n": {"$in": list(range(100_000))}}}, (400, "bad_operand")),
        (query, {"filter": {"$or": [{"n": n} for n in range(101)]}}, (400, "query_too_complex")),
        (query, {"filter": _not_nested(30)}, (400, "query_too_complex")),
        (query, {"filter": _nested(60, {"$eq": 1})}, (400, "bad_operand")),
        (query, {"filter": {"word": {"$regex": "(a+)+$"}}}, (400, "bad_pattern")),
        (query, {"filter": {"word": {"$regex": "(a|a)*b"}}}, (400, "bad_pattern")),
        (query, {"filter": {"word": {"$regex": r"(.)\1"}}}, (400, "bad_pattern")),
        (query, {"filter": {"word": {"$regex": "^(?=a)"}}}, (400, "bad_pattern")),
        (query, {"filter": {"word": {"$regex": "a{1,50}" * 25}}}, (400, "bad_pattern")),
        (query, {"filter": {"word": {"$regex": "x" * 201}}}, (400, "bad_operand")),
        (query, {"limit": 100_000}, (400, "invalid_request")),
        (query, {"sort": {"a": 1, "b": 1, "c": 1, "d": 1}}, (400, "query_too_complex")),
        (query, {"filter": {"a." * 200 + "a": 1}}, (400, "bad_field_name")),
        ("documents.count", {"at_most": 10**9}, (400, "invalid_request")),
        ("documents.aggregate", {"pipeline": [{"$match": {}}] * 21}, (400, "query_too_complex")),
        ("documents.insert_many", {"documents": [{"data": {}}] * 501}, (400, "invalid_request")),
        ("documents.distinct", {"field": "list"}, (200, "")),
    ):  # fmt: skip
        assert talk.ask(operation, {**find, **request}, ada).told == answer, (operation, str(request)[:100])
    nodes.insert(notes, ada, {"list": list(range(1000, 1001))})
    assert told(talk, "documents.distinct", ada, **find, field="list") == (400, "too_many_results")


def test_c98_a_thousand_cursors_cost_nothing_and_all_go_on(nodes: Served, talk: Any, notes: str) -> None:
    """There is nothing to hoard: a cursor holds its place by itself."""
    ada = nodes.token()
    for n in range(3):
        nodes.insert(notes, ada, {"n": n})
    cursors = {ok(talk, "documents.query", ada, collection=notes, limit=1)["cursor"] for _ in range(100)}
    assert len(cursors) == 1
    page = ok(talk, "documents.query", ada, collection=notes, limit=1, cursor=cursors.pop())
    assert [one["data"] for one in page["documents"]] == [{"n": 1}]


# ------------------------------------------------------------------ C99: forged cursors


def test_c99_a_cursor_is_good_for_its_caller_and_query_and_unchanged(nodes: Served, talk: Any, notes: str) -> None:
    ada, eve = nodes.token(), nodes.token("eve")
    for n in range(4):
        nodes.insert(notes, ada, {"n": n}, acl=[entry("everyone"), entry("user", "usr_ada")])
    asked = {"collection": notes, "limit": 1, "sort": {"n": 1}}
    good = ok(talk, "documents.query", ada, **asked)["cursor"]
    raw = bytearray(base64.urlsafe_b64decode(good + "=" * (-len(good) % 4)))
    forged = []
    for at in range(len(raw)):
        raw[at] ^= 1
        forged.append(base64.urlsafe_b64encode(raw).decode().rstrip("="))
        raw[at] ^= 1
    body = json.dumps(["x", '"; drop table documents; --', {"$gt": ""}]).encode()
    forged += [
        base64.urlsafe_b64encode(bytes(16) + body).decode().rstrip("="),
        good + "=",
        good[:-4],
        good * 5,
        "ä",
        "'",
        "{}",
        "null",
    ]
    for cursor in forged:
        assert told(talk, "documents.query", ada, **asked, cursor=cursor) == (400, "bad_cursor"), cursor
    for more in ({"filter": {"n": 1}}, {"sort": {"n": -1}}, {"collection": fresh_name("other")}):
        assert told(talk, "documents.query", ada, **{**asked, **more}, cursor=good) == (400, "bad_cursor")
    assert told(talk, "documents.query", eve, **asked, cursor=good) == (400, "bad_cursor")
    assert ok(talk, "documents.query", ada, **asked, cursor=good)["documents"][0]["data"] == {"n": 1}


@pytest.mark.parametrize("transport", ["websocket"])
def test_c99_a_position_of_a_watch_is_good_for_its_caller_and_filter_and_unchanged(
    nodes: Served, transport: str, notes: str
) -> None:
    talk, ada, eve = nodes.open(transport), nodes.token(), nodes.token("eve")
    _, good = watch(talk, notes, ada)
    for token, more in (
        (ada, {"after": good[:-2] + ("AA" if good[-2:] != "AA" else "BB")}),
        (ada, {"after": "AAAA"}),
        (ada, {"after": good, "filter": {"n": 1}}),
        (eve, {"after": good}),
    ):
        id = talk.send("documents.watch", {"collection": notes, **more}, token=token)
        assert ends(talk, id) == (400, "bad_cursor")
    watch(talk, notes, ada, after=good)


# ------------------------------------------------------------------ C100: smuggled headers


def test_c100_a_header_that_only_looks_like_another_one_counts_for_nothing(served: ServedAlone) -> None:  # noqa: F811
    good, bad = served.issuer.mint(), served.issuer.mint(sub="usr_eve")
    head = b"POST /documents/notes/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"

    def sent(*lines: str) -> tuple[int, str]:
        status, body = served.send(head + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n{}")
        return status, json.loads(body).get("code", "") if body else ""

    assert sent(f"Authorization: Bearer {good}") == (200, "")
    assert sent(f"X-Forwarded-Authorization: Bearer {good}") == (401, "missing_token")
    assert sent(f"X-Authorization: Bearer {good}", "X-Forwarded-User: root", "X-Auth-Request-User: root") == (
        401,
        "missing_token",
    )
    assert sent("X_Forwarded_User: root", "Remote-User: root", "Cookie: session=x; ;;=") == (401, "missing_token")
    assert sent(f"Authorization: Bearer {good}", "Cookie: session=\x01") == (400, ""), "the server's own word"
    for two in ((good, bad), (bad, good), (good, good)):
        assert sent(*(f"Authorization: Bearer {token}" for token in two)) == (400, "several_tokens")
    assert sent(f"Authorization: Bearer {good}, Bearer {bad}") == (400, "several_tokens")
    assert sent(f"authorization: bearer {good}", "Cookie: a=b; \xff=; $x") == (200, "")
    assert sent(f"Authorization: Bearer  {good} x") == (401, "malformed_token")
