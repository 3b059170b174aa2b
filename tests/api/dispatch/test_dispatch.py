"""Two nodes that share a machine, with requests over the queue between them: same answers, same refusals, effects once."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.api.dispatch import dispatch as module
from idp.api.gate import Api
from idp.base.errors import Refused
from tests.api.conftest import Companion, refusal
from tests.api.issuer import CLIENT
from tests.support.running import until

Start = Callable[..., Companion]


def api_of(companion: Companion) -> Api:
    api: Api = companion.client.application.extensions["sheaf"]
    return api


@pytest.fixture
def node(start: Start) -> Start:
    """Start another node of the same installation."""
    asking = {"introspection_client_id": CLIENT[0], "introspection_client_secret": CLIENT[1]}
    return lambda **api: start(dispatch="queue", **asking, **api)


@pytest.fixture
def elsewhere(node: Start, monkeypatch: pytest.MonkeyPatch) -> tuple[Companion, Companion]:
    """(asks, executes): the first node has no thread for what comes over the queue."""
    asks = node()
    monkeypatch.setattr(api_of(asks).dispatch._courier, "_threads", 0)  # type: ignore[union-attr]
    return asks, node()


def test_what_one_node_is_asked_another_one_does(elsewhere: tuple[Companion, Companion]) -> None:
    asks, executes = elsewhere
    ada = asks.as_user()
    id = asks.insert(ada, {"n": 2**63 - 1, "f": 1.0, "none": None, "list": [{"ä": "\u2028"}]})
    answer = executes.call("GET", f"/documents/notes/{id}", ada)
    assert answer.json["data"] == {"n": 2**63 - 1, "f": 1.0, "none": None, "list": [{"ä": "\u2028"}]}
    assert asks.call("GET", f"/documents/notes/{id}", ada).headers["ETag"] == '"1"'


def test_refusals_are_those_of_a_node_that_does_it_itself(elsewhere: tuple[Companion, Companion], start: Start) -> None:
    asks, _ = elsewhere
    direct, ada = start(), asks.as_user()
    id = asks.insert(ada, {"n": 1})
    cases: list[tuple[str, str, Any]] = [
        ("GET", "/documents/notes/none", None),
        ("POST", "/documents/notes/query", {"filter": {"$where": "1"}}),
        ("POST", "/documents/notes", {"daten": {}}),
        ("PUT", f"/documents/notes/{id}", {"data": {}, "version": 7}),
        ("GET", "/roles", None),
        ("POST", "/queues/none/messages", {"body": 1}),
    ]
    for method, path, body in cases:
        told, wanted = (one.call(method, path, ada, body) for one in (asks, direct))
        assert {**told.json, "trace": ""} == {**wanted.json, "trace": ""}, path
        assert refusal(told) == refusal(wanted)


def test_the_token_is_judged_anew_where_it_is_executed(elsewhere: tuple[Companion, Companion]) -> None:
    asks, executes = elsewhere
    ada = asks.as_user()
    asks.insert(ada, {})  # both have judged it now and would believe it for four seconds
    judge = api_of(executes).judge
    judge._verified.clear()
    asks.issuer.revoked.add(ada)
    assert refusal(asks.call("POST", "/documents/notes/query", ada, {})) == (401, "revoked_token")
    api_of(executes).audit.flush()
    denials = asks.call("POST", "/audit/query", asks.as_admin(), {}).json["denials"]
    assert [(d["code"], d["target"]) for d in denials] == [("revoked_token", "notes")]


def test_denials_are_noted_where_they_are_found(elsewhere: tuple[Companion, Companion]) -> None:
    asks, executes = elsewhere
    told = asks.call("GET", "/documents/notes/secret", asks.as_user()).json
    api_of(executes).audit.flush()
    denials = asks.call("POST", "/audit/query", asks.as_admin(), {}).json["denials"]
    assert [(d["code"], d["trace"], d["target"]) for d in denials] == [
        ("unknown_document", told["trace"], "notes/secret")
    ]


def test_on_the_way_nothing_is_plain(elsewhere: tuple[Companion, Companion], tmp_path: Path) -> None:
    asks, _ = elsewhere
    ada = asks.as_user()
    asks.insert(ada, {"word": "rhubarb"})
    raw = b"".join(path.read_bytes() for path in (tmp_path / "data" / "api").glob("dispatch.db*"))
    assert raw
    assert b"rhubarb" not in raw
    assert ada.encode() not in raw
    assert ada.partition(".")[2].encode() not in raw


def test_what_somebody_else_puts_there_is_not_executed(elsewhere: tuple[Companion, Companion]) -> None:
    """Who can write to the broker can still not act for anybody."""
    asks, _ = elsewhere
    dispatch = api_of(asks).dispatch
    assert dispatch
    tree = {"operation": "roles.list", "members": {}, "token": asks.as_admin(), "deadline": 1e12}
    other = dispatch._keyring.seal_text(json.dumps(tree), ("dispatch", "request", "req_other"))
    for forged in (json.dumps(tree), other, "", "k1.AAAA"):
        told = dispatch._execute("req_forged", forged)
        assert told
        with pytest.raises(Refused) as refused:
            dispatch._read(module.Message, "req_forged", told)
        assert refused.value.code == "keyring_unavailable"


def test_a_request_that_comes_twice_has_its_effect_once(elsewhere: tuple[Companion, Companion]) -> None:
    asks, executes = elsewhere
    ada, courier = asks.as_user(), api_of(asks).dispatch._courier  # type: ignore[union-attr]
    send, again = courier.send, []

    def twice(id: str, rank: int, body: str) -> None:
        send(id, rank, body)
        again.append((id, body))

    courier.send = twice  # type: ignore[method-assign]
    asks.call("PUT", "/queues/jobs", ada, {})
    asks.insert(ada, {"n": 1})
    asks.call("POST", "/queues/jobs/messages", ada, {"body": 1})
    for id, body in again:
        assert api_of(executes).dispatch._execute(id, body)  # type: ignore[union-attr]
    assert len(asks.find(ada)) == 1
    taken = [asks.call("POST", "/queues/jobs/take", ada, {}).json["message"] for _ in range(2)]
    assert [message and message["body"] for message in taken] == [1, None]


def test_a_request_whose_time_is_over_is_not_executed(node: Start) -> None:
    companion = node()
    dispatch = api_of(companion).dispatch
    assert dispatch
    sent = {
        "operation": "documents.insert",
        "members": {"collection": "notes", "data": {}},
        "token": companion.as_user(),
    }
    body = dispatch._keyring.seal_text(
        json.dumps({**sent, "deadline": companion.clock()}), ("dispatch", "request", "r")
    )
    assert dispatch._execute("r", body) is None
    assert companion.find(companion.as_user()) == []


def test_without_an_answer_a_request_ends_with_503(node: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    companion = node()
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(api_of(companion).dispatch._courier, "send", lambda *given: None)  # type: ignore[union-attr]
    answer = companion.call("POST", "/documents/notes/query", companion.as_user(), {})
    assert refusal(answer) == (503, "no_answer")
    assert answer.headers["Retry-After"]


def test_a_fault_where_it_is_executed_is_told_with_its_trace_code_alone(
    elsewhere: tuple[Companion, Companion], monkeypatch: pytest.MonkeyPatch
) -> None:
    asks, executes = elsewhere
    handlers = {**api_of(executes).handlers, "documents.query": lambda caller, asked: 1 // 0}
    broken = replace(api_of(executes), handlers=handlers)
    api_of(executes).dispatch._run = broken._execute_for  # type: ignore[union-attr]
    answer = asks.call("POST", "/documents/notes/query", asks.as_user(), {})
    assert refusal(answer) == (500, "internal_error")
    assert "ZeroDivision" not in answer.text


@pytest.mark.parametrize("mode", ["direct", "queue"])
def test_high_is_for_those_who_may(start: Start, mode: str) -> None:
    companion = start(dispatch=mode, high_priority=["role:operators", "client:app_worker"])

    def ask(token: str, priority: str) -> TestResponse:
        return companion.call("POST", "/documents/notes/query", token, {}, headers={"Sheaf-Priority": priority})

    for token in (companion.as_user(roles=["operators"]), companion.as_app(), companion.as_admin()):
        assert ask(token, "high").status_code == 200
    for token in (companion.as_user(), companion.as_app("app_other"), companion.as_user("app_worker")):
        assert refusal(ask(token, "high")) == (403, "priority_too_high")
        assert ask(token, "normal").status_code == ask(token, "low").status_code == 200
    assert refusal(ask(companion.as_admin(), "u=0")) == (400, "bad_priority")


def test_who_floods_a_node_is_refused_while_others_are_answered(
    start: Start,
) -> None:
    companion = start(dispatch="queue")
    api, door, ada = api_of(companion), threading.Event(), companion.as_user()
    slow = replace(api, handlers={**api.handlers, "documents.count": lambda caller, asked: door.wait(20) and 1 // 0})
    api.dispatch._run = slow._execute_for  # type: ignore[union-attr]
    found: list[int] = []

    def flood() -> None:
        client = companion.client.application.test_client()
        headers = {"Authorization": f"Bearer {ada}"}
        found.append(client.post("/documents/notes/count", json={}, headers=headers).status_code)

    threads = [threading.Thread(target=flood) for _ in range(20)]
    for thread in threads:
        thread.start()
    other = companion.call("POST", "/documents/notes/query", companion.as_user("bob"), {})
    assert other.status_code == 200
    until(lambda: found == [429] * 10, "two are under way, eight wait, the others are refused")
    door.set()
    for thread in threads:
        thread.join()
    assert found == [429] * 10 + [500] * 10


def test_direct_nodes_have_no_part_in_it(start: Start, tmp_path: Path) -> None:
    companion = start()
    assert api_of(companion).dispatch is None
    assert not (tmp_path / "data" / "api" / "dispatch.db").exists()
