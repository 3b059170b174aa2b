"""The behaviours of documents, history and queues, on both stores and both brokers and over every transport.

Random rights and queries against a model of twenty lines are in tests/api/documents, the brokers by themselves in tests/api/brokers.
"""

import json
from typing import Any

import pytest

from tests.api.transports.conftest import Served
from tests.behaviours.asking import ALL, entry, fresh_name, ok, told
from tests.support.running import until

ROOT = {"roles": ["administrator"]}


@pytest.fixture
def notes() -> str:
    return fresh_name("notes")


def _seen(talk: Any, token: str, notes: str) -> tuple[Any, ...]:
    """What somebody finds out of a collection, on every path."""
    every = {"collection": notes}
    found = ok(talk, "documents.query", token, **every)["documents"]
    number = ok(talk, "documents.count", token, **every)["count"]
    values = ok(talk, "documents.distinct", token, **every, field="n")["values"]
    groups = ok(talk, "documents.aggregate", token, **every, pipeline=[{"$sortByCount": "$n"}])["results"]
    files = ok(talk, "files.query", token, **every)["files"]
    return [d["data"] for d in found], number, values, [g["_id"] for g in groups], [f["name"] for f in files]


NOTHING: tuple[Any, ...] = ([], 0, [], [], [])


def test_what_has_no_acl_is_there_for_administrators_alone_on_every_path(nodes: Served, talk: Any, notes: str) -> None:
    root, eve = nodes.token("root", **ROOT), nodes.token("eve")
    one = {"collection": notes, "id": nodes.insert(notes, root, {"n": 1}, acl=None)}
    file = ok(talk, "files.upload", root, collection=notes, name="f", content="aGk=")
    ok(talk, "files.set_acl", root, collection=notes, id=file["id"], acl=None)
    assert _seen(talk, root, notes) == ([{"n": 1}], 1, [1], [1], ["f"])
    assert _seen(talk, eve, notes) == NOTHING
    for operation in ("get", "history", "get_acl"):
        assert told(talk, f"documents.{operation}", eve, **one) == (404, "unknown_document")
    for operation in ("get", "download", "delete"):
        assert told(talk, f"files.{operation}", eve, collection=notes, id=file["id"]) == (404, "unknown_document")


def test_a_deny_entry_takes_a_right_on_every_path_whoever_else_gives_it(nodes: Served, talk: Any, notes: str) -> None:
    ada, eve = nodes.token(), nodes.token("eve", roles=["staff"])
    rules = [entry("user", "usr_ada", *ALL), entry("everyone"), entry("role", "staff", "read", "update")]
    one = {"collection": notes, "id": nodes.insert(notes, ada, {"n": 1}, acl=rules)}
    assert _seen(talk, eve, notes)[0] == [{"n": 1}]
    ok(talk, "documents.set_acl", ada, **one, acl=[*rules, entry("role", "staff", "update", effect="deny")])
    assert told(talk, "documents.update", eve, **one, update={"$set": {"n": 2}}) == (403, "not_permitted")
    ok(talk, "documents.set_acl", ada, **one, acl=[entry("user", "usr_eve", effect="deny"), *rules])
    assert _seen(talk, eve, notes) == NOTHING
    assert told(talk, "documents.update", eve, **one, update={"$set": {"n": 2}}) == (404, "unknown_document")


def test_roles_nest_cycles_end_and_a_change_acts_with_the_next_request_on_every_node(
    nodes: Served, talk: Any, notes: str
) -> None:
    root, ada, eve = nodes.token("root", **ROOT), nodes.token(), nodes.token("eve")
    chain = [fresh_name("role") for _ in range(12)]
    for inner, outer in zip(chain, [*chain[1:], chain[0]], strict=True):  # a ring
        ok(nodes.rest, "roles.set", root, name=outer, members=[{"kind": "role", "id": inner}])
    nodes.insert(notes, ada, {"n": 1}, acl=[entry("role", chain[-1])])
    assert _seen(talk, eve, notes) == NOTHING
    members = [{"kind": "role", "id": chain[-1]}, {"kind": "user", "id": "usr_eve"}]
    for asking in (nodes.rest, talk):
        ok(asking, "roles.set", root, name=chain[0], members=members)
        for reading in (nodes.rest, talk):
            assert _seen(reading, eve, notes)[0] == [{"n": 1}]
        ok(asking, "roles.set", root, name=chain[0], members=members[:1])
        for reading in (nodes.rest, talk):
            assert _seen(reading, eve, notes) == NOTHING


def test_every_write_leaves_a_version_that_the_right_of_today_opens(nodes: Served, talk: Any, notes: str) -> None:
    root, ada, eve = nodes.token("root", **ROOT), nodes.token(), nodes.token("eve")
    both = [entry("user", "usr_ada", *ALL), entry("user", "usr_eve", "read", "update")]
    one = {"collection": notes, "id": nodes.insert(notes, ada, {"n": 1, "secret": "then"}, acl=both[:1])}
    ok(talk, "documents.update", ada, **one, update={"$unset": {"secret": ""}, "$set": {"n": 2}})
    assert told(talk, "documents.history", eve, **one) == (404, "unknown_document")
    ok(talk, "documents.set_acl", ada, **one, acl=both)
    ok(talk, "documents.replace", eve, **one, data={"n": 4})
    lines = ok(talk, "documents.history", eve, **one)["versions"]
    assert [(v["version"], v["action"], v["by"]) for v in lines] == [
        (4, "replace", "user:usr_eve"), (3, "acl", "user:usr_ada"), (2, "update", "user:usr_ada"), (1, "insert", "user:usr_ada"),
    ]  # fmt: skip
    assert ok(talk, "documents.get_version", ada, **one, number=1)["data"] == {"n": 1, "secret": "then"}
    ok(talk, "documents.set_acl", ada, **one, acl=both[:1])
    for number in (1, 4):
        assert told(talk, "documents.get_version", eve, **one, number=number) == (404, "unknown_document")
        assert told(talk, "documents.restore", eve, **one, number=number) == (404, "unknown_document")
    ok(talk, "documents.delete", ada, **one)
    assert told(talk, "documents.get_version", ada, **one, number=1) == (404, "unknown_document")
    assert ok(talk, "documents.get_version", root, **one, number=1)["data"]["n"] == 1
    assert ok(talk, "documents.restore", root, **one, number=4)["version"] == 7
    assert ok(talk, "documents.get", ada, **one)["data"] == {"n": 4}


SECRET = "4716-2210-5188-5662"


def test_a_sealed_field_is_ciphertext_in_the_store_whichever_way_it_was_written(
    nodes: Served, talk: Any, notes: str
) -> None:
    root, ada = nodes.token("root", **ROOT), nodes.token()
    ok(
        nodes.rest,
        "collections.declare",
        root,
        name=notes,
        sealed=["card", "deep.card"],
        acl=[entry("everyone", "", "insert")],
    )
    api = nodes.apis[0]
    first = nodes.insert(notes, ada, {"card": SECRET, "deep": {"card": SECRET}})
    second = nodes.insert(notes, ada, {"n": 1})
    ok(
        talk,
        "documents.update",
        ada,
        collection=notes,
        id=second,
        update={"$set": {"card": SECRET, "deep": {"card": SECRET}}},
    )
    ok(talk, "documents.replace", ada, collection=notes, id=second, data={"card": SECRET, "n": 3})
    third, changes = nodes.insert(notes, ada, {"n": 2}), [{"insert": {"data": {"card": SECRET}}}]
    changes.append({"update": {"id": third, "update": {"$set": {"deep.card": SECRET}}}})
    ids = [first, second, third, ok(talk, "documents.bulk", ada, collection=notes, changes=changes)["results"][0]["id"]]
    for id in ids:
        stored = api.store.get(notes, id, nodes.clock())
        assert stored
        kept = [stored.data, *(past.delta for past in api.store.history(notes, id, None, 100))]
        assert SECRET not in json.dumps(kept)
        assert stored.seals
        assert SECRET in json.dumps(ok(talk, "documents.get", ada, collection=notes, id=id)["data"])
    assert told(talk, "documents.query", ada, collection=notes, filter={"card": SECRET}) == (400, "sealed_field")
    report = ok(talk, "keys.report", root)["keys"]
    assert sum(key["sealed"] for key in report if not key["current"]) == 0


def test_what_is_older_than_the_seal_is_hidden_in_the_history_as_well(nodes: Served, talk: Any, notes: str) -> None:
    """A collection must be empty when its sealed fields are declared; the history of what was deleted is still there."""
    root, ada, eve = nodes.token("root", **ROOT), nodes.token(), nodes.token("eve")
    rules = [entry("user", "usr_ada", *ALL, "unseal"), entry("user", "usr_eve", "read")]
    data = {"card": SECRET, "deep": {"card": SECRET}, "list": [{"card": SECRET}], "n": 1}
    one = {"collection": notes, "id": nodes.insert(notes, ada, data, acl=rules)}
    ok(talk, "documents.delete", ada, **one)
    ok(talk, "collections.declare", root, name=notes, sealed=["card", "deep.card", "none"])
    ok(talk, "documents.restore", root, **one, number=1)
    sealed = {**data, "card": {"$sealed": True}, "deep": {"card": {"$sealed": True}}}
    for number in (1, 3):
        assert ok(talk, "documents.get_version", eve, **one, number=number)["data"] == sealed
        assert ok(talk, "documents.get_version", ada, **one, number=number)["data"] == data


def test_what_fails_again_and_again_rests_in_between_and_ends_with_its_reason(nodes: Served, talk: Any) -> None:
    ada, jobs = nodes.token(), fresh_name("jobs")
    ok(talk, "queues.declare", ada, name=jobs, max_deliveries=3, retry_seconds=10)
    ok(talk, "queues.publish", ada, name=jobs, body="poison")
    for attempt in range(3):
        message = ok(talk, "queues.take", ada, name=jobs)["message"]
        assert message["deliveries"] == attempt + 1
        ok(
            talk,
            "queues.reject",
            ada,
            name=jobs,
            receipt=message["receipt"],
            requeue=True,
            reason="broken",
            delay_seconds=0,
        )
    assert ok(talk, "queues.take", ada, name=jobs) == {"message": None}
    (dead,) = ok(talk, "queues.inspect", ada, name=jobs, dead=True)["messages"]
    assert (dead["body"], dead["deliveries"]) == ("poison", 3)
    assert dead["dead_letter"]["reason"]


def test_a_request_that_comes_again_has_no_second_effect_on_any_node(nodes: Served, talk: Any, notes: str) -> None:
    ada, key = nodes.token(), fresh_name("key")
    ok(talk, "queues.declare", ada, name=notes)
    for operation, request in (
        ("documents.insert", {"collection": notes, "data": {"n": 1}}),
        ("documents.bulk", {"collection": notes, "changes": [{"insert": {"data": {"n": 2}}}]}),
        ("queues.publish", {"name": notes, "body": 1}),
    ):
        answers = [
            ok(one, operation, ada, **request, idempotency_key=f"{key}-{operation}") for one in (talk, nodes.rest, talk)
        ]
        assert answers[0] == answers[1] == answers[2]
    assert ok(talk, "documents.count", ada, collection=notes)["count"] == 2
    assert ok(talk, "queues.take", ada, name=notes)["message"]["body"] == 1
    assert ok(talk, "queues.take", ada, name=notes) == {"message": None}


def test_an_urgent_message_overtakes_a_hundred_that_wait(nodes: Served, talk: Any) -> None:
    ada, jobs = nodes.token(), fresh_name("jobs")
    ok(talk, "queues.declare", ada, name=jobs)
    for n in range(100):
        ok(nodes.rest, "queues.publish", ada, name=jobs, body=n, priority=1)
    ok(talk, "queues.publish", ada, name=jobs, body="urgent", priority=9)
    assert ok(talk, "queues.take", ada, name=jobs)["message"]["body"] == "urgent"


def test_denials_are_on_record_for_administrators_and_nobody_writes_the_record(
    nodes: Served, talk: Any, notes: str
) -> None:
    name = fresh_name("eve")  # of one caller only so many different denials of a minute are told apart
    eve, root = nodes.token(name), nodes.token("root", **ROOT)
    hidden = nodes.insert(notes, nodes.token(), {"n": 1})
    assert told(talk, "documents.get", eve, collection=notes, id=hidden) == (404, "unknown_document")
    assert told(talk, "audit.query", eve) == (403, "not_permitted")
    found: list[Any] = []

    def is_written() -> bool:
        found[:] = ok(talk, "audit.query", root, target=f"{notes}/{hidden}")["denials"]
        return bool(found)

    until(is_written, "the denial is on record")
    (line,) = found
    assert (line["caller"], line["operation"], line["code"]) == (
        f"user:usr_{name}",
        "documents.get",
        "unknown_document",
    )
    for operation in ("documents.delete", "documents.update", "documents.insert"):
        assert told(talk, operation, root, collection="sys.audit", id="x", data={}, update={}) == (
            400,
            "invalid_request",
        )
