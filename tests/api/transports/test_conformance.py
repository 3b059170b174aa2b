"""The same request gets the same answer over every transport: one command set, framed in several ways."""

from itertools import count
from typing import Any

import pytest

from idp.api.commands import OPERATIONS
from tests.api.transports.conftest import URL, Served
from tests.support.proofs import Prover

NAMES = (f"notes{n}" for n in count())


@pytest.fixture
def notes() -> str:
    """A collection of this test alone."""
    return next(NAMES)


def test_a_document_lives_its_life(served: Served, talk: Any, notes: str) -> None:
    token = served.token()

    def ask(verb: str, **request: Any) -> Any:
        answer = talk.ask(f"documents.{verb}", {"collection": notes, **request}, token)
        assert answer.status == 200, answer.body
        return answer.body

    id = ask("insert", data={"n": 1, "text": "ä\n€"})["id"]
    assert ask("get", id=id)["data"] == {"n": 1, "text": "ä\n€"}
    assert ask("update", id=id, update={"$inc": {"n": 1}}, version=1)["version"] == 2
    assert [d["data"]["n"] for d in ask("query", filter={"n": 2})["documents"]] == [2]
    assert ask("delete", id=id) == {}
    assert ask("query")["documents"] == []


def test_a_message_is_published_taken_and_acked(served: Served, talk: Any, notes: str) -> None:
    token = served.token()
    assert talk.ask("queues.declare", {"name": notes}, token).status == 200
    assert talk.ask("queues.publish", {"name": notes, "body": [1, None], "priority": 9}, token).status == 200
    message = talk.ask("queues.take", {"name": notes}, token).body["message"]
    assert message["body"] == [1, None]
    assert talk.ask("queues.ack", {"name": notes, "receipt": message["receipt"]}, token).told == (200, "")
    assert talk.ask("queues.ack", {"name": notes, "receipt": message["receipt"]}, token).told == (
        404,
        "unknown_receipt",
    )


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_nothing_is_done_without_a_token_or_with_one_for_somebody_else(served: Served, operation: str) -> None:
    others = served.token(aud="urn:somebody:else")
    for transport in ("rest", "unix", "grpc"):
        talk = served.open(transport)
        assert talk.ask(operation, {}, None).told == (401, "missing_token")
        assert talk.ask(operation, {}, others).told == (401, "wrong_audience")
        assert talk.ask(operation, {}, served.token(scope="openid")).told == (403, "insufficient_scope")
        talk.close()


def test_every_refusal_is_the_same_one(served: Served, talk: Any, notes: str) -> None:
    ada, eve = served.token(), served.token("eve")
    id = served.insert(notes, ada, {})
    one = {"collection": notes, "id": id}
    for operation, request, token, told in (
        ("documents.get", one, None, (401, "missing_token")),
        ("documents.get", one, "x.y.z", (401, "malformed_token")),
        ("documents.get", one, served.token(exp=int(served.clock())), (401, "expired_token")),
        ("documents.get", one, served.token(scope="openid"), (403, "insufficient_scope")),
        ("documents.get", one, eve, (404, "unknown_document")),
        ("documents.get", {"collection": notes, "id": "doc_none"}, eve, (404, "unknown_document")),
        ("documents.get", {"collection": notes}, ada, (400, "invalid_request")),
        ("documents.get", {**one, "more": 1}, ada, (400, "invalid_request")),
        ("documents.get", {"collection": "sys.keys", "id": "cursor"}, served.admin(), (400, "invalid_request")),
        ("documents.query", {"collection": notes, "filter": {"$where": "1"}}, ada, (400, "unknown_operator")),
        ("documents.replace", {**one, "data": {}, "version": 7}, ada, (412, "version_conflict")),
        ("documents.nothing", {}, ada, (404, "unknown_operation")),
        ("documents", {}, ada, (404, "unknown_operation")),
        ("queues.take", {"name": "amq.direct"}, ada, (400, "invalid_request")),
        ("queues.take", {"name": "not-there"}, ada, (404, "unknown_queue")),
    ):
        answer = talk.ask(operation, request, token)
        assert answer.told == told, (operation, answer.body)
        assert answer.body["type"] == f"urn:sheaf:problem:{told[1]}"
        assert len(answer.body["trace"]) == 8


def test_requests_of_one_connection_are_judged_each_by_its_own_token(served: Served, talk: Any, notes: str) -> None:
    ada, eve = served.token(), served.token("eve")
    one = {"collection": notes, "id": served.insert(notes, ada, {})}
    told = [talk.ask("documents.get", one, token).told for token in (ada, eve, None, ada, served.token(aud="x"), ada)]
    assert told == [
        (200, ""),
        (404, "unknown_document"),
        (401, "missing_token"),
        (200, ""),
        (401, "wrong_audience"),
        (200, ""),
    ]


def test_a_revoked_token_is_refused_within_five_seconds(served: Served, talk: Any, notes: str) -> None:
    token = served.token()
    assert talk.ask("documents.query", {"collection": notes}, token).status == 200
    served.issuer.revoked.add(token)
    served.clock.advance(5)
    assert talk.ask("documents.query", {"collection": notes}, token).told == (401, "revoked_token")


def test_an_idempotency_key_gives_one_effect_over_any_transport(served: Served, talk: Any, notes: str) -> None:
    token = served.token()
    request = {"collection": notes, "data": {"n": 1}, "idempotency_key": f"once-{notes}"}
    first = served.ask("documents.insert", request, token)
    assert talk.ask("documents.insert", request, token).body == first
    other = talk.ask("documents.insert", {**request, "data": {}}, token)
    assert other.told == (422, "idempotency_key_reused")


def test_a_bound_token_needs_a_proof_for_each_request(served: Served, talk: Any, notes: str) -> None:
    prover = Prover(served.clock)
    token = served.token(cnf={"jkt": prover.jkt})

    def told(operation: str, proof: str | None) -> tuple[int, str]:
        found: tuple[int, str] = talk.ask(operation, {"collection": notes}, token, proof).told
        return found

    url = f"{URL}/commands/documents.query"
    proof = prover.proof("POST", url, token)
    assert told("documents.query", proof) == (200, "")
    assert told("documents.query", proof) == (401, "invalid_dpop_proof")  # it is good once
    assert told("documents.query", None) == (401, "bound_token")
    assert told("documents.count", prover.proof("POST", url, token)) == (401, "invalid_dpop_proof")
    assert told("documents.query", prover.proof("GET", url, token)) == (401, "invalid_dpop_proof")
    assert told("documents.query", Prover(served.clock).proof("POST", url, token)) == (401, "bound_token")


def test_numbers_and_order_of_members_come_back_as_they_were(served: Served, talk: Any, notes: str) -> None:
    token = served.token()
    data = {"z": 9223372036854775807, "a": 1.0, "m": -0.5, "deep": {"y": [True, None, ""], "b": {}}}
    id = talk.ask("documents.insert", {"collection": notes, "data": data}, token).body["id"]
    found = talk.ask("documents.get", {"collection": notes, "id": id}, token).body["data"]
    assert found == data
    assert list(found) == list(data)
    assert isinstance(found["a"], float)
