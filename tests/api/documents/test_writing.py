"""Changes of documents: many at once, upserts by a unique index, once for each idempotency key."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from idp.base.errors import Refused
from tests.api.documents.conftest import ADA, BOB, EVE, ROOT, Companion, allow, caller

MAKER = caller("maker", "makers")
EMAIL = [{"name": "by_email", "fields": {"email": 1}, "unique": True}]


def data_of(companion: Companion, notes: str, **more: Any) -> list[dict[str, Any]]:
    return [d["data"] for d in companion.run(ROOT, "documents.query", collection=notes, **more)["documents"]]


def people(companion: Companion, notes: str) -> None:
    """A collection in which everybody may insert, with one e-mail address for each document."""
    entries = [allow("everyone", "", "insert")]
    companion.run(MAKER, "collections.declare", name=notes, acl=entries, indexes=EMAIL)


def test_many_documents_are_inserted_or_none(companion: Companion, notes: str) -> None:
    told = companion.run(
        ADA, "documents.insert_many", collection=notes, documents=[{"data": {"n": n}} for n in range(5)]
    )
    assert [d["version"] for d in told["documents"]] == [1] * 5
    ids = [d["id"] for d in told["documents"]]
    assert ids == sorted(set(ids))
    broken = [{"data": {"n": 5}}, {"data": {"_n": 6}}]
    with pytest.raises(Refused) as refused:
        companion.run(ADA, "documents.insert_many", collection=notes, documents=broken)
    assert (refused.value.code, refused.value.detail["index"]) == ("reserved_field", 1)
    assert data_of(companion, notes) == [{"n": n} for n in range(5)]


def test_a_bulk_does_all_of_it_or_nothing(companion: Companion, notes: str) -> None:
    one, two, three = (companion.run(ADA, "documents.insert", collection=notes, data={"n": n})["id"] for n in (1, 2, 3))
    good: list[dict[str, Any]] = [
        {"insert": {"data": {"n": 4}}},
        {"update": {"id": one, "update": {"$inc": {"n": 10}}, "version": 1}},
        {"replace": {"id": two, "data": {"m": 2}}},
        {"delete": {"id": three}},
    ]
    for bad, code in (
        ({"update": {"id": one, "update": {"$inc": {"m": 1}}}}, "invalid_request"),  # twice the same document
        ({"delete": {"id": "doc_absent"}}, "unknown_document"),
        ({"insert": {"data": {}, "acl": None}}, "not_permitted"),
    ):
        assert companion.refused(ADA, "documents.bulk", collection=notes, changes=[*good, bad])[1] == code
    assert companion.refused(BOB, "documents.bulk", collection=notes, changes=good) == (404, "unknown_document")
    assert sorted(d["n"] for d in data_of(companion, notes)) == [1, 2, 3]

    told = companion.run(ADA, "documents.bulk", collection=notes, changes=good)["results"]
    assert [r and r["version"] for r in told] == [1, 2, 2, None]
    assert sorted(map(str, data_of(companion, notes))) == ["{'m': 2}", "{'n': 11}", "{'n': 4}"]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"insert": None},
        {"insert": {"data": {}}, "delete": {"id": "x"}},
        {"drop": {"id": "x"}},
        {"insert": {"data": 1}},
    ],
    ids=["none", "null", "two", "unknown", "no object"],
)
def test_a_change_of_a_bulk_is_exactly_one_thing(companion: Companion, notes: str, change: dict[str, Any]) -> None:
    assert companion.refused(ADA, "documents.bulk", collection=notes, changes=[change]) == (400, "invalid_request")


def test_a_bulk_of_large_documents_is_refused_loudly(
    companion: Companion, notes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.api.documents.writing.MAX_BULK_BYTES", 100)
    documents = [{"data": {"text": "x" * 60}}, {"data": {"text": "y" * 60}}]
    assert companion.refused(ADA, "documents.insert_many", collection=notes, documents=documents) == (
        413,
        "bulk_too_large",
    )
    assert data_of(companion, notes) == []


def test_an_upsert_changes_the_document_with_these_values_or_makes_it(companion: Companion, notes: str) -> None:
    people(companion, notes)
    match = {"email": "a@example.org"}
    visits = {"$inc": {"visits": 1}, "$setOnInsert": {"first": True}}
    made = companion.run(ADA, "documents.upsert", collection=notes, match=match, update=visits)
    again = companion.run(ADA, "documents.upsert", collection=notes, match=match, update=visits)
    assert (made["created"], made["version"], again["created"], again["version"]) == (True, 1, False, 2)
    assert made["id"] == again["id"]
    assert data_of(companion, notes) == [{"email": "a@example.org", "visits": 2, "first": True}]
    companion.run(ADA, "documents.upsert", collection=notes, match=match, data={**match, "name": "Ada"})
    assert data_of(companion, notes) == [{"email": "a@example.org", "name": "Ada"}]


def test_an_upsert_that_meets_a_document_of_somebody_else_tells_no_more_than_an_insert(
    companion: Companion, notes: str
) -> None:
    people(companion, notes)
    data = {"email": "a@example.org"}
    companion.run(ADA, "documents.insert", collection=notes, data=data)
    told = []
    for operation, more in (("upsert", {"match": data, "data": data}), ("insert", {"data": data})):
        with pytest.raises(Refused) as refused:
            companion.run(EVE, f"documents.{operation}", collection=notes, **more)
        told.append((refused.value.status, refused.value.code, refused.value.message, refused.value.detail))
    assert told[0] == told[1]
    assert told[0][:2] == (409, "not_unique")
    assert len(data_of(companion, notes)) == 1


def test_an_upsert_needs_the_fields_of_one_unique_index_and_keeps_to_them(companion: Companion, notes: str) -> None:
    assert companion.refused(ADA, "documents.upsert", collection=notes, match={"email": "x"}, data={}) == (
        409,
        "no_unique_index",
    )
    people(companion, notes)
    for match in ({"name": "x"}, {"email": "x", "name": "y"}, {"_id": "x"}):
        assert (
            companion.refused(ADA, "documents.upsert", collection=notes, match=match, data={})[1] == "no_unique_index"
        )
    assert companion.refused(ADA, "documents.upsert", collection=notes, match={"email": "x"}, data={}) == (
        400,
        "bad_operand",
    )
    for more in ({}, {"data": {}, "update": {"$set": {"a": 1}}}):
        assert companion.refused(ADA, "documents.upsert", collection=notes, match={"email": "x"}, **more)[0] == 400


def together(nodes: list[Companion], operation: str, **asked: Any) -> list[dict[str, Any]]:
    """The answers to the same request sent to all nodes at once."""
    told: list[dict[str, Any]] = []
    barrier = threading.Barrier(len(nodes))

    def work(node: Companion) -> None:
        barrier.wait(10)
        told.append(node.run(ADA, operation, **asked))

    threads = [threading.Thread(target=work, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(told) == len(nodes)
    return told


def test_of_many_upserts_at_once_one_makes_the_document_and_all_are_counted(
    open_companion: Callable[[], Companion], notes: str
) -> None:
    here, there = open_companion(), open_companion()
    people(here, notes)
    asked = {"collection": notes, "match": {"email": "x"}, "update": {"$inc": {"n": 1}}}
    told = together([here, there, here, there], "documents.upsert", **asked)
    assert sorted(answer["created"] for answer in told) == [False, False, False, True]
    assert data_of(here, notes) == [{"email": "x", "n": 4}]


def test_with_an_idempotency_key_a_request_has_its_effect_once(companion: Companion, notes: str) -> None:
    asked = {"collection": notes, "data": {"n": 1}, "idempotency_key": "order-1"}
    first = companion.run(ADA, "documents.insert", **asked)
    assert companion.run(ADA, "documents.insert", **asked) == first
    id = first["id"]
    increment = {"collection": notes, "id": id, "update": {"$inc": {"n": 1}}, "idempotency_key": "count-1"}
    assert companion.run(ADA, "documents.update", **increment) == companion.run(ADA, "documents.update", **increment)
    assert data_of(companion, notes) == [{"n": 2}]
    gone = {"collection": notes, "id": id, "idempotency_key": "gone-1"}
    assert companion.run(ADA, "documents.delete", **gone) == companion.run(ADA, "documents.delete", **gone) == {}


def test_a_key_counts_for_its_caller_and_its_request_alone_and_for_a_day(companion: Companion, notes: str) -> None:
    asked: dict[str, Any] = {"collection": notes, "data": {"n": 1}, "idempotency_key": "k"}
    companion.run(ADA, "documents.insert", **asked)
    assert companion.refused(ADA, "documents.insert", **{**asked, "data": {"n": 2}}) == (422, "idempotency_key_reused")
    assert companion.refused(ADA, "documents.insert", **asked, acl=[]) == (422, "idempotency_key_reused")
    companion.run(BOB, "documents.insert", **asked)
    companion.run(caller("ada", client="app_other"), "documents.insert", **asked)
    assert len(data_of(companion, notes)) == 3
    companion.clock.advance(86_401)
    companion.run(ADA, "documents.insert", **{**asked, "data": {"n": 2}})
    assert len(data_of(companion, notes)) == 4


def test_a_refused_request_uses_up_no_key(companion: Companion, notes: str) -> None:
    asked: dict[str, Any] = {"collection": notes, "id": "doc_absent", "data": {}, "idempotency_key": "refused"}
    assert companion.refused(ADA, "documents.replace", **asked) == (404, "unknown_document")
    companion.run(ADA, "documents.insert", collection=notes, data={}, idempotency_key="refused")


def test_the_same_key_at_once_has_one_effect_on_all_nodes(open_companion: Callable[[], Companion], notes: str) -> None:
    here, there = open_companion(), open_companion()
    told = together([here, there, here, there], "documents.insert", collection=notes, data={}, idempotency_key=notes)
    assert len({answer["id"] for answer in told}) == len(data_of(here, notes)) == 1
