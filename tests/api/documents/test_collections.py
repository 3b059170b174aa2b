"""Collections: who may declare them and insert into them; ACLs of new documents, unique indexes, expiry, sealed fields."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.api.documents.conftest import ADA, BOB, EVE, ROOT, Companion, allow, caller

MAKER = caller("maker", "makers")


def declare(companion: Companion, notes: str, who: Any = MAKER, **more: Any) -> dict[str, Any]:
    return companion.run(who, "collections.declare", name=notes, **more)


def insert(companion: Companion, notes: str, data: dict[str, Any], who: Any = ROOT, **more: Any) -> str:
    return str(companion.run(who, "documents.insert", collection=notes, data=data, **more)["id"])


def test_collections_are_declared_by_makers_and_administrators_alone(companion: Companion, notes: str) -> None:
    assert companion.refused(ADA, "collections.declare", name=notes) == (403, "not_permitted")
    told = declare(companion, notes)
    assert told["acl"] == [{"kind": "user", "id": "usr_maker", "rights": ["insert", "manage"], "effect": "allow"}]
    assert (told["indexes"], told["expire"], told["sealed"]) == ([], None, [])
    assert companion.run(MAKER, "collections.get", name=notes) == told
    other = caller("other", "makers")
    assert companion.refused(other, "collections.declare", name=notes) == (409, "name_taken")
    assert companion.refused(other, "collections.get", name=notes) == (404, "unknown_collection")
    assert companion.refused(other, "collections.drop", name=notes) == (404, "unknown_collection")
    assert companion.refused(MAKER, "collections.declare", name=notes, acl=None) == (403, "not_permitted")
    assert declare(companion, notes, ROOT, acl=None)["acl"] is None
    assert companion.refused(MAKER, "collections.get", name=notes) == (404, "unknown_collection")


def test_a_maker_cannot_get_hold_of_what_others_have_stored(companion: Companion, notes: str) -> None:
    id = insert(companion, notes, {"n": 1}, ADA)
    assert companion.refused(MAKER, "collections.declare", name=notes) == (409, "name_taken")
    assert companion.refused(MAKER, "collections.drop", name=notes) == (404, "unknown_collection")
    declare(companion, notes, ROOT)
    assert companion.run(ADA, "documents.get", collection=notes, id=id)["data"] == {"n": 1}


def test_what_may_not_be_managed_answers_like_what_does_not_exist(companion: Companion, notes: str) -> None:
    declare(companion, notes)
    for operation in ("get", "drop"):
        hidden = companion.refused(EVE, f"collections.{operation}", name=notes)
        absent = companion.refused(EVE, f"collections.{operation}", name="never_declared")
        assert hidden == absent == (404, "unknown_collection")


def test_one_sees_the_collections_that_one_may_manage(companion: Companion, notes: str) -> None:
    declare(companion, notes)
    names = [c["name"] for c in companion.run(MAKER, "collections.list")["collections"]]
    assert notes in names
    assert companion.run(ADA, "collections.list") == {"collections": []}
    assert set(names) <= {c["name"] for c in companion.run(ROOT, "collections.list")["collections"]}


def test_into_a_declared_collection_insert_those_who_may(companion: Companion, notes: str) -> None:
    declare(companion, notes, acl=[allow("user", "usr_ada", "insert"), allow("user", "usr_maker", "manage")])
    insert(companion, notes, {}, ADA)
    for operation, more in (
        ("insert", {"data": {}}),
        ("insert_many", {"documents": [{"data": {}}]}),
        ("bulk", {"changes": [{"insert": {"data": {}}}]}),
    ):
        assert companion.refused(BOB, f"documents.{operation}", collection=notes, **more) == (403, "not_permitted")
    assert companion.run(ROOT, "documents.count", collection=notes)["count"] == 1


def test_a_new_document_gets_the_acl_that_its_collection_declares(companion: Companion, notes: str) -> None:
    """A letter box: whoever puts something in cannot read it, the postmen can."""
    everyone = [allow("everyone", "", "insert")]
    declare(companion, notes, acl=everyone, owner_rights=[], default_acl=[allow("role", "postmen", "read", "delete")])
    id = insert(companion, notes, {"letter": 1}, ADA)
    assert companion.refused(ADA, "documents.get", collection=notes, id=id) == (404, "unknown_document")
    assert companion.run(caller("pat", "postmen"), "documents.get", collection=notes, id=id)["data"] == {"letter": 1}
    mine = insert(companion, notes, {"letter": 2}, ADA, acl=[allow("user", "usr_ada", "read")])
    assert companion.refused(caller("pat", "postmen"), "documents.get", collection=notes, id=mine)[0] == 404


def test_a_unique_index_holds_for_documents_that_the_writer_cannot_read(companion: Companion, notes: str) -> None:
    unique = [{"name": "by_key", "fields": {"a.key": 1, "n": 1}, "unique": True}]
    declare(companion, notes, acl=[allow("everyone", "", "insert")], indexes=unique)
    id = insert(companion, notes, {"a": {"key": "k"}, "n": 1}, ADA)
    assert companion.refused(BOB, "documents.insert", collection=notes, data={"a": {"key": "k"}, "n": 1}) == (
        409,
        "not_unique",
    )
    other = insert(companion, notes, {"a": {"key": "k"}, "n": 2}, BOB)
    (
        insert(companion, notes, {"n": 1}, BOB),
        insert(companion, notes, {"n": 1}, BOB),
    )  # without one of the fields: not in it
    taken = {"$set": {"n": 1}}
    assert companion.refused(BOB, "documents.update", collection=notes, id=other, update=taken) == (409, "not_unique")
    companion.run(ADA, "documents.delete", collection=notes, id=id)
    companion.run(BOB, "documents.update", collection=notes, id=other, update=taken)


def test_an_index_that_stored_documents_break_is_not_declared(companion: Companion, notes: str) -> None:
    declare(companion, notes)
    for _ in range(2):
        insert(companion, notes, {"key": 1})
    unique = [{"name": "by_key", "fields": {"key": 1}, "unique": True}]
    assert companion.refused(MAKER, "collections.declare", name=notes, indexes=unique) == (409, "not_unique")
    assert companion.run(MAKER, "collections.get", name=notes)["indexes"] == []
    insert(companion, notes, {"key": 1})
    plain = [{"name": "by_key", "fields": {"key": -1}, "unique": False}]
    assert declare(companion, notes, indexes=plain)["indexes"] == plain
    assert declare(companion, notes)["indexes"] == []


def test_a_document_ends_at_the_time_that_its_collection_declares(companion: Companion, notes: str) -> None:
    declare(companion, notes, expire={"field": "until.at", "seconds": 60})
    now = companion.clock()
    text = datetime.fromtimestamp(now, timezone(timedelta(hours=1))).isoformat()
    ids = [insert(companion, notes, {"until": {"at": at}}) for at in (now, text, None)] + [insert(companion, notes, {})]
    assert companion.run(ROOT, "documents.count", collection=notes)["count"] == 4
    companion.clock.advance(61)
    assert companion.run(ROOT, "documents.count", collection=notes)["count"] == 2
    assert companion.refused(ROOT, "documents.get", collection=notes, id=ids[0]) == (404, "unknown_document")
    for bad in ("tomorrow", "2027-01-15T09:00:00", True, [], 1e300, "2027"):
        data = {"until": {"at": bad}}
        assert companion.refused(ROOT, "documents.insert", collection=notes, data=data) == (400, "bad_time")
    # Whatever writes the field, it counts.
    companion.run(
        ROOT, "documents.update", collection=notes, id=ids[2], update={"$set": {"until.at": companion.clock() - 60}}
    )
    assert companion.refused(ROOT, "documents.get", collection=notes, id=ids[2]) == (404, "unknown_document")


def test_sealed_fields_are_shown_to_those_who_may_and_asked_by_nobody(companion: Companion, notes: str) -> None:
    rules = [allow("everyone", "", "insert")]
    declare(
        companion, notes, acl=rules, sealed=["ssn", "bank.iban"], default_acl=[allow("everyone", "", "read", "update")]
    )
    data = {"name": "Ada", "ssn": "123", "bank": {"iban": "CH", "name": "B"}}
    id = insert(companion, notes, data, ADA)
    at = {"collection": notes, "id": id}
    hidden = {"name": "Ada", "ssn": {"$sealed": True}, "bank": {"iban": {"$sealed": True}, "name": "B"}}
    assert companion.run(ADA, "documents.get", **at)["data"] == data
    assert companion.run(BOB, "documents.get", **at)["data"] == hidden
    assert [d["data"] for d in companion.run(BOB, "documents.query", collection=notes)["documents"]] == [hidden]
    assert companion.run(BOB, "documents.get_version", **at, number=1)["data"] == hidden
    companion.run(BOB, "documents.replace", **at, data={**hidden, "name": "Ada L."})
    companion.run(BOB, "documents.update", **at, update={"$set": {"bank.name": "C"}})
    assert companion.run(ADA, "documents.get", **at)["data"] == {
        "name": "Ada L.",
        "ssn": "123",
        "bank": {"iban": "CH", "name": "C"},
    }
    companion.run(ADA, "documents.restore", **at, number=1)
    assert companion.run(ADA, "documents.get", **at)["data"] == data
    assert companion.run(BOB, "documents.get", **at)["data"] == hidden

    asked: list[tuple[str, dict[str, Any]]] = [
        ("query", {"filter": {"ssn": "123"}}),
        ("query", {"filter": {"$nor": [{"bank": {"$exists": True}}]}}),
        ("query", {"sort": {"bank.iban": 1}}),
        ("count", {"filter": {"ssn": {"$gt": ""}}}),
        ("distinct", {"field": "ssn"}),
        ("aggregate", {"pipeline": [{"$group": {"_id": "$ssn"}}]}),
        ("aggregate", {"pipeline": [{"$match": {"bank.iban": "CH"}}]}),
    ]
    for who in (ADA, ROOT):
        for operation, more in asked:
            assert companion.refused(who, f"documents.{operation}", collection=notes, **more) == (
                400,
                "sealed_field",
            ), more
    whole = companion.run(ADA, "documents.aggregate", collection=notes, pipeline=[{"$match": {"name": "Ada"}}])[
        "results"
    ]
    assert "ssn" not in whole[0]
    assert whole[0]["bank"] == {"name": "B"}


def test_what_is_sealed_is_declared_before_the_first_document(companion: Companion, notes: str) -> None:
    declare(companion, notes)
    insert(companion, notes, {"ssn": "1"})
    assert companion.refused(MAKER, "collections.declare", name=notes, sealed=["ssn"]) == (409, "collection_in_use")
    assert companion.refused(MAKER, "collections.declare", name=notes, sealed="all") == (409, "collection_in_use")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"sealed": ["a", "a.b"]}, "bad_field_name"),
        ({"sealed": ["_id"]}, "reserved_field"),
        ({"sealed": ["a..b"]}, "bad_field_name"),
        ({"sealed": ["a"], "indexes": [{"name": "i", "fields": {"a.b": 1}}]}, "sealed_field"),
        ({"sealed": "all", "expire": {"field": "at"}}, "sealed_field"),
        ({"expire": {"field": "_created_at"}}, "reserved_field"),
        ({"indexes": [{"name": "i", "fields": {"$x": 1}}]}, "bad_field_name"),
        ({"indexes": [{"name": "i", "fields": {"a": 1}}, {"name": "i", "fields": {"b": 1}}]}, "invalid_request"),
        ({"indexes": [{"name": "I", "fields": {"a": 1}}]}, "invalid_request"),
        ({"acl": [allow("everyone", "", "read")]}, "invalid_request"),
        ({"default_acl": [allow("everyone", "", "insert")]}, "invalid_request"),
    ],
    ids=[
        "within",
        "system",
        "name",
        "index",
        "time",
        "system time",
        "operator",
        "twice",
        "index name",
        "right",
        "default right",
    ],
)
def test_a_declaration_that_cannot_be_kept_is_refused(
    companion: Companion, notes: str, wrong: dict[str, Any], code: str
) -> None:
    assert companion.refused(ROOT, "collections.declare", name=notes, **wrong) == (400, code)
    assert companion.refused(ROOT, "collections.get", name=notes) == (404, "unknown_collection")


def test_a_dropped_collection_leaves_nothing(companion: Companion, notes: str) -> None:
    declare(companion, notes, indexes=[{"name": "by_key", "fields": {"key": 1}, "unique": True}])
    id = insert(companion, notes, {"key": 1})
    assert companion.run(MAKER, "collections.drop", name=notes) == {}
    for operation in ("get", "history"):
        assert companion.refused(ROOT, f"documents.{operation}", collection=notes, id=id) == (404, "unknown_document")
    insert(companion, notes, {"key": 1}, ADA), insert(companion, notes, {"key": 1}, ADA)
    assert companion.refused(ADA, "collections.drop", name=notes) == (404, "unknown_collection")
    assert companion.run(ROOT, "collections.drop", name=notes) == {}
    assert companion.run(ROOT, "documents.count", collection=notes)["count"] == 0


def test_a_declaration_holds_on_every_node_at_once(open_companion: Callable[[], Companion], notes: str) -> None:
    here, there = open_companion(), open_companion()
    insert(there, notes, {}, ADA)
    declare(here, notes, ROOT, acl=[allow("user", "usr_maker", "insert", "manage")])
    assert there.refused(ADA, "documents.insert", collection=notes, data={}) == (403, "not_permitted")
