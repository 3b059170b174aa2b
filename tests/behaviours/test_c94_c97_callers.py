"""Attacks C94 to C97, on both stores and over every transport: watching, queues, whose token counts, narrowed tokens.

Streams are tested further in tests/api/transports, queues in tests/api/brokers.
"""

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from idp.api.commands import OPERATIONS
from idp.api.watch import watching
from tests.api.examples import EXAMPLES
from tests.api.transports.conftest import FRAMED, Served
from tests.api.transports.test_watch import ends, watch
from tests.behaviours.asking import entry, fresh_name, ok, secret_and_open, told


@pytest.fixture
def notes() -> str:
    return fresh_name("notes")


@pytest.fixture
def jobs() -> str:
    return fresh_name("jobs")


@pytest.fixture(params=FRAMED)
def framed(request: pytest.FixtureRequest, nodes: Served) -> Iterator[Any]:
    talk = nodes.open(request.param)
    yield talk
    talk.close()


# ------------------------------------------------------------------ C94: watching


def test_c94_nobody_watches_what_is_no_collection_of_clients(nodes: Served, framed: Any) -> None:
    for collection in ("sys.keys", "sys.audit", "sys.queues", "files.notes", "sheaf.history", "", "$cmd", "*"):
        id = framed.send("documents.watch", {"collection": collection}, token=nodes.admin())
        assert ends(framed, id) == (400, "invalid_request")


def test_c94_a_watcher_is_told_by_the_rights_of_the_moment_and_never_of_what_has_no_acl(
    nodes: Served, framed: Any, notes: str
) -> None:
    ada, eve, admin = nodes.token(), nodes.token("eve"), nodes.token("root", roles=["administrator"])
    role = fresh_name("role")
    ok(nodes.rest, "roles.set", admin, name=role, members=[{"kind": "user", "id": "usr_eve"}])
    id, _ = watch(framed, notes, eve)
    changes = framed.changes(id)
    rules = [entry("role", role)]
    nodes.insert(notes, ada, {"n": 1}, acl=rules)
    assert next(changes)["document"]["data"] == {"n": 1}
    ok(nodes.rest, "roles.set", admin, name=role, members=[])
    nodes.insert(notes, ada, {"n": 2}, acl=rules)
    nodes.insert(notes, admin, {"n": 3}, acl=None)
    nodes.insert(notes, ada, {"n": 4}, acl=[*rules, entry("everyone"), entry("user", "usr_eve", effect="deny")])
    nodes.insert(notes, ada, {"n": 5}, acl=[entry("everyone")])
    assert next(changes)["document"]["data"] == {"n": 5}


def test_c94_a_sign_of_life_comes_when_it_is_due_whatever_hidden_things_happen(
    nodes: Served, framed: Any, notes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would else be late as often as somebody writes what the watcher may not see."""
    monkeypatch.setattr(watching, "ALIVE_SECONDS", 0.5)
    ada, stop = nodes.token(), threading.Event()
    id, _ = watch(framed, notes, nodes.token("eve"))

    def write() -> None:
        while not stop.wait(0.05):
            nodes.insert(notes, ada, {"n": 1})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert framed.read(id)["event"]["action"] == "alive"
    finally:
        stop.set()
        writer.join(20)


def test_c94_a_watch_of_a_narrowed_token_is_narrowed(nodes: Served, framed: Any, notes: str) -> None:
    narrowed = [{"type": "sheaf_documents", "collections": ["others"], "rights": ["read"]}]
    id = framed.send("documents.watch", {"collection": notes}, token=nodes.token(authorization_details=narrowed))
    assert ends(framed, id) == (403, "narrowed_token")


def test_c94_consuming_needs_the_right_of_the_moment_also_when_a_role_gives_it(
    nodes: Served, framed: Any, jobs: str
) -> None:
    ada, eve, admin = nodes.token(), nodes.token("eve"), nodes.token("root", roles=["administrator"])
    role = fresh_name("workers")
    ok(nodes.rest, "roles.set", admin, name=role, members=[{"kind": "user", "id": "usr_eve"}])
    rules = [entry("user", "usr_ada", "publish", "consume", "manage"), entry("role", role, "consume")]
    ok(nodes.rest, "queues.declare", ada, name=jobs, acl=rules)
    id = framed.send("queues.consume", {"name": jobs}, token=eve)
    ok(nodes.rest, "queues.publish", ada, name=jobs, body=1)
    assert framed.read(id)["event"]["body"] == 1
    ok(nodes.rest, "roles.set", admin, name=role, members=[])
    ok(nodes.rest, "queues.publish", ada, name=jobs, body=2)
    assert ends(framed, id) == (404, "unknown_queue")
    assert ok(nodes.rest, "queues.take", ada, name=jobs)["message"]["body"] == 2, "it was not given to her"


# ------------------------------------------------------------------ C95: queues

NAMES = (
    "amq.direct", "amq.rabbitmq.reply-to", "", "#", "*.x", "../", "a" * 256, "q~x", "Jobs", "jobs\0", "jobs jobs", ".jobs", "a..b",
    "sys/queues", "jöbs", "jobs\n", "%23", "$sys", "reply:usr_ada",
)  # fmt: skip


def test_c95_no_name_reaches_another_queue_than_those_of_clients(nodes: Served, talk: Any) -> None:
    admin = nodes.admin()
    for name in NAMES:
        for operation, more in (
            ("queues.declare", {}), ("queues.publish", {"body": 1}), ("queues.take", {}), ("queues.get", {}), ("queues.purge", {}),
            ("queues.inspect", {}), ("queues.delete", {}), ("queues.ack", {"receipt": "x"}), ("exchanges.declare", {}),
            ("exchanges.publish", {"topic": "a", "body": 1}), ("work_items.add", {"payload": {}}), ("work_items.take", {}),
        ):  # fmt: skip
            assert told(talk, operation, admin, name=name, **more) == (400, "invalid_request"), (name, operation)
        assert told(talk, "exchanges.bind", admin, name="x", queue=name, pattern="#") == (400, "invalid_request")


def test_c95_a_queue_of_somebody_else_is_as_if_it_were_not_there(nodes: Served, talk: Any, jobs: str) -> None:
    ada, eve = nodes.token(), nodes.token("eve")
    ok(talk, "queues.declare", ada, name=jobs)
    ok(talk, "queues.publish", ada, name=jobs, body="secret")
    receipt = ok(talk, "queues.take", ada, name=jobs)["message"]["receipt"]
    for operation, more in (
        ("publish", {"body": 1}), ("take", {}), ("take", {"dead": True}), ("get", {}), ("inspect", {}), ("purge", {}), ("redrive", {}),
        ("ack", {"receipt": receipt}), ("renew", {"receipt": receipt}), ("delete", {}), ("reply", {"receipt": receipt, "body": 1}),
        ("reject", {"receipt": receipt, "requeue": True}), ("fetch_reply", {"id": "msg_x"}),
    ):  # fmt: skip
        answers = [talk.ask(f"queues.{operation}", {"name": name, **more}, eve) for name in (jobs, fresh_name("none"))]
        assert answers[0].told == (404, "unknown_queue"), operation
        assert {**answers[0].body, "trace": ""} == {**answers[1].body, "trace": ""}
    assert told(talk, "queues.declare", eve, name=jobs) == (409, "name_taken")
    assert ok(talk, "queues.ack", ada, name=jobs, receipt=receipt) == {}


def test_c95_a_priority_is_a_whole_number_from_0_to_9(nodes: Served, talk: Any, jobs: str) -> None:
    ada = nodes.token()
    ok(talk, "queues.declare", ada, name=jobs)
    for priority in (-1, 10, 256, "9", 1.5, True, 2**63 - 1):
        with suppress(TypeError):  # what is typed cannot even be written over gRPC
            assert told(talk, "queues.publish", ada, name=jobs, body=1, priority=priority) == (400, "invalid_request")
    assert ok(talk, "queues.take", ada, name=jobs) == {"message": None}


def test_c95_a_message_takes_no_headers_and_a_reply_reaches_only_who_asked(nodes: Served, talk: Any, jobs: str) -> None:
    ada, bob, eve = nodes.token(), nodes.token("bob"), nodes.token("eve")
    everybody = [entry("everyone", "", "publish", "consume")]
    ok(talk, "queues.declare", ada, name=jobs, acl=everybody)
    for more in (
        {"headers": {"x": "y" * 10_000}},
        {"reply_to": "usr_eve"},
        {"exchange": ""},
        {"id": "msg_1"},
        {"more": {}},
    ):
        assert told(talk, "queues.publish", ada, name=jobs, body=1, **more) == (400, "invalid_request")
    id = ok(talk, "queues.publish", ada, name=jobs, body="?", reply_seconds=60)["id"]
    taken = ok(talk, "queues.take", bob, name=jobs)["message"]
    assert "reply_to" not in taken
    receipt = taken["receipt"]
    assert told(talk, "queues.reply", eve, name=jobs, receipt=receipt, body="forged") == (404, "unknown_receipt")
    assert told(talk, "queues.ack", eve, name=jobs, receipt=receipt) == (404, "unknown_receipt")
    assert ok(talk, "queues.reply", bob, name=jobs, receipt=receipt, body="!") == {}
    assert told(talk, "queues.fetch_reply", eve, name=jobs, id=id) == (404, "unknown_reply")
    reply = ok(talk, "queues.fetch_reply", ada, name=jobs, id=id)["reply"]
    assert (reply["body"], reply["sent_by"]["subject"]) == ("!", "usr_bob")


# ------------------------------------------------------------------ C96, C97: whose token counts


def test_c96_each_request_of_a_connection_is_judged_by_its_own_token(nodes: Served, talk: Any, notes: str) -> None:
    hidden, _ = secret_and_open(nodes, notes)
    ada = nodes.token()
    for token, answer in (
        (ada, (200, "")), (None, (401, "missing_token")), (ada, (200, "")),
        (nodes.token(exp=int(nodes.clock())), (401, "expired_token")), (nodes.token(aud="urn:other"), (401, "wrong_audience")),
        (nodes.token(header={"typ": "JWT"}), (401, "wrong_token_type")), (nodes.token("eve"), (404, "unknown_document")),
        (nodes.token(iss="https://evil.example"), (401, "wrong_issuer")), (ada[:-6] + "AAAAAA", (401, "invalid_signature")),
    ):  # fmt: skip
        assert talk.ask("documents.get", {"collection": notes, "id": hidden}, token).told == answer
    nodes.issuer.revoked.add(ada)
    nodes.clock.advance(5)
    assert told(talk, "documents.get", ada, collection=notes, id=hidden) == (401, "revoked_token")


DETAILS = [{"type": "sheaf_documents", "collections": ["mine"], "rights": ["read"]},
           {"type": "sheaf_queues", "queues": ["mine"], "rights": ["publish"], "max_priority": 3}]  # fmt: skip
ALLOWED = {"documents.get", "documents.query", "documents.count", "documents.distinct", "documents.aggregate"}
ALLOWED |= {"documents.history", "documents.get_version", "files.get", "files.query", "files.download"}
ALLOWED |= {"queues.publish", "queues.list", "queues.get", "queues.fetch_reply"}
ALLOWED |= {"exchanges.get", "exchanges.publish", "work_items.get", "work_items.add"}


def _members(operation: str) -> set[str]:
    return set(OPERATIONS[operation].request.model_fields)


def test_c97_a_narrowed_token_does_nothing_that_it_does_not_say_for_administrators_too(
    nodes: Served, talk: Any
) -> None:
    """Every operation once, on something that is named in the token, and on something that is not."""
    narrow = nodes.token("root", roles=["administrator"], authorization_details=DETAILS)
    for operation, example in EXAMPLES.items():
        for name in ("mine", "other"):
            given: dict[str, Any] = {"id": "x", "receipt": "r", "number": 1, "collection": name, "name": name}
            request = {**(example.good or {}), **{m: given[m] for m in given.keys() & _members(operation)}}
            found = told(talk, operation, narrow, **request)
            if operation not in ALLOWED or (name == "other" and operation != "queues.list"):
                assert found == (403, "narrowed_token"), (operation, name)
            else:
                assert found != (403, "narrowed_token"), (operation, name)
