"""Attacks C89 to C93, on both stores and over every transport: operators, stages, the ACL as data, oracles, names of collections.

Every variant of the language is tested in tests/api/language, random rights and queries in tests/api/documents.
"""

from typing import Any

import pytest

from tests.api.transports.conftest import Served
from tests.behaviours.asking import ALL, entry, fresh_name, ok, secret_and_open, told


@pytest.fixture
def notes() -> str:
    return fresh_name("notes")


# ------------------------------------------------------------------ C89: operators

CODE = {"body": "function() { return true }", "args": [], "lang": "js"}
OPERATORS: dict[str, Any] = {
    "$where": "sleep(5000) || true", "$function": CODE, "$accumulator": CODE, "$expr": {"$eq": [1, 1]},
    "$jsonSchema": {}, "$text": {"$search": "hidden"}, "$comment": "x", "$sampleRate": 1,
}  # fmt: skip
OF_FIELDS: dict[str, Any] = {
    "$where": "true", "$expr": {}, "$near": [0, 0], "$geoWithin": {}, "$mod": [1, 0], "$bitsAllSet": 1, "$function": CODE,
}  # fmt: skip


@pytest.mark.parametrize("verb", ["query", "count", "distinct", "aggregate"])
def test_c89_an_operator_that_runs_code_or_looks_elsewhere_is_refused_by_name(
    nodes: Served, talk: Any, notes: str, verb: str
) -> None:
    ada = nodes.token()
    filters = [(op, {op: operand}) for op, operand in OPERATORS.items()]
    filters += [(op, {"$or": [{"n": 1}, {"$nor": [{op: operand}]}]}) for op, operand in OPERATORS.items()]
    filters += [(op, {"n": {op: operand}}) for op, operand in OF_FIELDS.items()]
    filters += [(op, {"n": {"$not": {op: operand}}}) for op, operand in OF_FIELDS.items()]
    filters += [(op, {"list": {"$elemMatch": {op: operand}}}) for op, operand in OF_FIELDS.items()]
    for op, filter in filters:
        request: dict[str, Any] = {"collection": notes}
        request |= {"pipeline": [{"$match": filter}]} if verb == "aggregate" else {"filter": filter}
        request |= {"field": "n"} if verb == "distinct" else {}
        answer = talk.ask(f"documents.{verb}", request, ada)
        assert (*answer.told, answer.body.get("operator")) == (400, "unknown_operator", op), filter


def test_c89_an_update_takes_no_operator_but_those_of_the_list(nodes: Served, talk: Any, notes: str) -> None:
    ada = nodes.token()
    id = nodes.insert(notes, ada, {"n": 1})
    for op in ("$where", "$bit", "$setField", "$replaceWith", "$pushAll", "$pipeline"):
        answer = talk.ask("documents.update", {"collection": notes, "id": id, "update": {op: {"n": 2}}}, ada)
        assert (*answer.told, answer.body["operator"]) == (400, "unknown_operator", op)
        changes = [{"update": {"id": id, "update": {op: {"n": 2}}}}]
        assert told(talk, "documents.bulk", ada, collection=notes, changes=changes) == (400, "unknown_operator")


# ------------------------------------------------------------------ C90: stages

STAGES: dict[str, Any] = {
    "$lookup": {"from": "users", "as": "x", "localField": "a", "foreignField": "b"},
    "$graphLookup": {"from": "users", "startWith": "$a", "connectFromField": "a", "connectToField": "b", "as": "x"},
    "$unionWith": "users", "$out": "users", "$merge": {"into": "users"}, "$geoNear": {"near": [0, 0], "distanceField": "d"},
    "$search": {}, "$vectorSearch": {}, "$collStats": {}, "$indexStats": {}, "$currentOp": {}, "$listSessions": {},
    "$listLocalSessions": {}, "$planCacheStats": {}, "$documents": [{}], "$changeStream": {}, "$replaceRoot": {"newRoot": "$a"},
    "$addFields": {"x": {"$function": CODE}}, "$set": {"x": 1}, "$redact": "$$KEEP", "$sample": {"size": 1}, "$fill": {},
}  # fmt: skip


def test_c90_a_stage_that_reaches_beyond_the_collection_is_refused_by_name_wherever_it_stands(
    nodes: Served, talk: Any, notes: str
) -> None:
    _, shown = secret_and_open(nodes, notes)
    eve = nodes.token("eve")
    for stage, operand in STAGES.items():
        for pipeline in (
            [{stage: operand}],
            [{"$match": {}}, {stage: operand}],
            [{"$facet": {"a": [{stage: operand}]}}],
            [{"$facet": {"a": [{"$facet": {"b": [{stage: operand}]}}]}}],
        ):
            answer = talk.ask("documents.aggregate", {"collection": notes, "pipeline": pipeline}, eve)
            assert answer.status == 400, (pipeline, answer.body)
            if "$facet" not in str(pipeline[0].get("$facet")):
                assert (answer.body["code"], answer.body["operator"]) == ("unknown_operator", stage)
    found = ok(talk, "documents.aggregate", eve, collection=notes, pipeline=[
        {"$facet": {"all": [{"$match": {}}], "count": [{"$count": "n"}], "words": [{"$sortByCount": "$word"}]}}
    ])["results"]  # fmt: skip
    assert [one["_id"] for one in found[0]["all"]] == [shown]
    assert found[0]["count"] == [{"n": 1}]
    assert found[0]["words"] == [{"_id": "open", "count": 1}]


def test_c90_no_expression_reaches_what_the_server_keeps_beside_a_document(
    nodes: Served, talk: Any, notes: str
) -> None:
    secret_and_open(nodes, notes)
    for value in ("$$ROOT", "$$CURRENT.acl", "$_acl", "$$USER_ROLES", "$$NOW"):
        for stage in (
            {"$project": {"x": value}},
            {"$group": {"_id": value}},
            {"$group": {"_id": None, "x": {"$push": value}}},
            {"$group": {"_id": {"x": value}}},
            {"$sortByCount": value},
            {"$unwind": value},
        ):
            status, code = told(talk, "documents.aggregate", nodes.token("eve"), collection=notes, pipeline=[stage])
            assert (status, code in ("unknown_operator", "reserved_field")) == (400, True), (stage, code)


# ------------------------------------------------------------------ C91: the ACL as data

OPEN = [entry("everyone", "", *ALL)]
UPDATES: tuple[Any, ...] = (
    {"$set": {"_acl": OPEN}}, {"$set": {"_acl.0.rights": ALL}}, {"$rename": {"rules": "_acl"}}, {"$rename": {"_acl": "rules"}},
    {"$unset": {"_acl": ""}}, {"$push": {"_acl": OPEN[0]}}, {"$set": {"_id": "doc_other"}}, {"$inc": {"_version": -1}},
    {"$set": {"_created_by": "user:usr_eve"}}, {"$min": {"_updated_at": ""}}, {"$currentDate": {"_created_at": True}},
    {"$set": {"allow": ["read:everyone:"]}, "$unset": {"_deny": ""}}, {"$setOnInsert": {"_acl": OPEN}}, {"$pull": {"_acl": {}}},
)  # fmt: skip


def test_c91_the_acl_and_the_fields_of_the_server_are_reached_by_no_write_but_their_own(
    nodes: Served, talk: Any, notes: str
) -> None:
    """By somebody who may update, and not share."""
    ada, eve, admin = nodes.token(), nodes.token("eve"), nodes.admin()
    rules = [entry("user", "usr_ada", *ALL), entry("user", "usr_eve", "read", "update")]
    one = {"collection": notes, "id": nodes.insert(notes, ada, {"rules": OPEN, "n": 1}, acl=rules)}
    before = ok(talk, "documents.get", ada, **one)
    for update in UPDATES:
        assert told(talk, "documents.update", eve, **one, update=update)[0] == 400, update
        changes = [{"update": {"id": one["id"], "update": update}}]
        assert told(talk, "documents.bulk", eve, collection=notes, changes=changes)[0] == 400, update
    for data in ({"_acl": OPEN}, {"_id": "doc_other"}, {"_version": 9}, {"_anything": 1}):
        assert told(talk, "documents.replace", eve, **one, data=data) == (400, "reserved_field")
        assert told(talk, "documents.insert", eve, collection=notes, data=data) == (400, "reserved_field")
    pipeline = [{"$replaceWith": {"acl": OPEN}}]
    assert told(talk, "documents.update", eve, **one, update=pipeline) == (400, "invalid_request")
    assert told(talk, "documents.replace", eve, **one, data={}, acl=OPEN) == (400, "invalid_request")
    assert told(talk, "documents.set_acl", eve, **one, acl=OPEN) == (403, "not_permitted")
    assert ok(talk, "documents.get", ada, **one) == before
    assert ok(talk, "documents.get_acl", admin, **one)["acl"] == rules
    assert ok(talk, "documents.replace", eve, **one, data={"acl": OPEN, "allow": ["read:everyone:"]})["version"] == 2
    assert told(talk, "documents.get", nodes.token("mallory"), **one) == (404, "unknown_document"), "data are no rights"
    assert ok(talk, "documents.get_acl", admin, **one)["acl"] == rules


def test_c91_an_upsert_reaches_nothing_that_the_caller_may_not_read(nodes: Served, talk: Any, notes: str) -> None:
    admin, ada, eve = nodes.token("root", roles=["administrator"]), nodes.token(), nodes.token("eve")
    unique = [{"name": "by_word", "fields": {"word": 1}, "unique": True}]
    members = [{"kind": "everyone", "id": "", "rights": ["insert"]}]
    ok(talk, "collections.declare", admin, name=notes, indexes=unique, acl=members)
    one = {"collection": notes, "id": nodes.insert(notes, ada, {"word": "taken", "n": 1})}
    assert told(talk, "documents.upsert", eve, collection=notes, match={"_id": one["id"]}, data={})[0] in (400, 409)
    for change in ({"data": {"word": "taken", "n": 2}}, {"update": {"$set": {"n": 2}}}):
        refused = talk.ask("documents.upsert", {"collection": notes, "match": {"word": "taken"}, **change}, eve)
        plain = talk.ask("documents.insert", {"collection": notes, "data": {"word": "taken"}}, eve)
        assert refused.told == plain.told == (409, "not_unique")
        assert {**refused.body, "trace": ""} == {**plain.body, "trace": ""}
    assert ok(talk, "documents.get", ada, **one)["data"] == {"word": "taken", "n": 1}


# ------------------------------------------------------------------ C92: oracles

LOOKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("documents.query", {}),
    ("documents.query", {"sort": {"word": 1}}),
    ("documents.query", {"sort": {"n": -1}, "limit": 1}),
    ("documents.count", {}),
    ("documents.count", {"filter": {"word": {"$regex": "^h"}}}),
    ("documents.count", {"filter": {"$nor": [{"word": "open"}]}}),
    ("documents.distinct", {"field": "word"}),
    ("documents.distinct", {"field": "list"}),
    ("documents.distinct", {"field": "_created_by"}),
    ("documents.aggregate", {"pipeline": [{"$group": {"_id": None, "n": {"$sum": "$n"}, "c": {"$count": {}}}}]}),
    ("documents.aggregate", {"pipeline": [{"$unwind": "$list"}, {"$sortByCount": "$list"}]}),
    ("documents.aggregate", {"pipeline": [{"$facet": {"a": [{"$count": "n"}], "b": [{"$sort": {"word": 1}}]}}]}),
)


def test_c92_with_hidden_documents_every_answer_is_as_without_them(nodes: Served, talk: Any, notes: str) -> None:
    ada, eve = nodes.token(), nodes.token("eve")
    for n in range(3):
        nodes.insert(notes, ada, {"n": n, "word": f"open{n}", "list": [n]}, acl=[entry("everyone")])

    def answers() -> list[Any]:
        return [ok(talk, operation, eve, collection=notes, **request) for operation, request in LOOKS]

    without = answers()
    for n in range(40):
        nodes.insert(notes, ada, {"n": n - 20, "word": f"hidden{n}", "list": [n, -n]})
        nodes.insert(notes, nodes.admin(), {"n": 100 + n, "word": "highest"}, acl=None)
    assert answers() == without, "also the cursors"


def test_c92_nothing_looks_at_the_acl_or_explains_itself(nodes: Served, talk: Any, notes: str) -> None:
    secret_and_open(nodes, notes)
    eve = nodes.token("eve")
    for request in ({"filter": {"_acl": {"$exists": True}}}, {"filter": {"_acl.kind": "user"}}, {"sort": {"_acl": 1}}):
        assert told(talk, "documents.query", eve, collection=notes, **request) == (400, "reserved_field")
    assert told(talk, "documents.query", eve, collection=notes, fields=["_acl"]) == (400, "reserved_field")
    assert told(talk, "documents.distinct", eve, collection=notes, field="_acl.id") == (400, "reserved_field")
    stage = {"$match": {"_expires_at": {"$exists": True}}}
    assert told(talk, "documents.aggregate", eve, collection=notes, pipeline=[stage]) == (400, "reserved_field")
    assert told(talk, "documents.query", eve, collection=notes, explain=True) == (400, "invalid_request")
    assert told(talk, "documents.explain", eve, collection=notes) == (404, "unknown_operation")


def test_c92_what_one_may_not_read_is_refused_in_the_words_of_what_is_not_there(
    nodes: Served, talk: Any, notes: str
) -> None:
    hidden, _ = secret_and_open(nodes, notes)
    eve = nodes.token("eve")
    for operation, more in (
        ("get", {}), ("replace", {"data": {}, "version": 7}), ("update", {"update": {"$inc": {"word": 1}}}),
        ("delete", {"version": 9}), ("get_acl", {}), ("set_acl", {"acl": []}), ("history", {}), ("get_version", {"number": 1}),
        ("restore", {"number": 1}), ("bulk", {}),
    ):  # fmt: skip

        def answer(id: str, operation: str = operation, more: dict[str, Any] = more) -> dict[str, Any]:
            request = {"changes": [{"delete": {"id": id}}]} if operation == "bulk" else {"id": id, **more}
            body = talk.ask(f"documents.{operation}", {"collection": notes, **request}, eve).body
            return {**body, "trace": ""}

        assert answer(hidden) == answer("doc_nothing"), operation
        assert answer(hidden)["code"] == "unknown_document"


# ------------------------------------------------------------------ C93: names of collections

NAMES = (
    "system.users", "../x", "Users", "$cmd", "a\0b", "fs.chunks", "a" * 65, "ünïcode", "", " notes", "notes ", "sys.keys", "sys.roles",
    "sys.audit", "files.notes", "sheaf.history", "docs.notes", "9notes", "_notes", "notes.other", "notes/other", "notes\n", "NOTES",
    "a:b", "*", "%2e%2e", "notes\u200b", "ｎｏｔｅｓ",
)  # fmt: skip
IN_COLLECTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("documents.insert", {"data": {}}), ("documents.insert_many", {"documents": [{"data": {}}]}), ("documents.get", {"id": "x"}),
    ("documents.query", {}), ("documents.count", {}), ("documents.distinct", {"field": "a"}),
    ("documents.aggregate", {"pipeline": []}), ("documents.upsert", {"match": {"a": 1}, "data": {}}),
    ("documents.bulk", {"changes": [{"delete": {"id": "x"}}]}), ("documents.history", {"id": "x"}),
    ("documents.get_version", {"id": "x", "number": 1}), ("documents.restore", {"id": "x", "number": 1}),
    ("documents.set_acl", {"id": "x", "acl": []}), ("files.query", {}), ("files.download", {"id": "x"}),
    ("files.upload", {"name": "x", "content": ""}),
)  # fmt: skip


def test_c93_no_name_reaches_another_collection_than_those_of_clients(nodes: Served, talk: Any) -> None:
    """Not even for an administrator: nothing of the server's own is a collection for anybody."""
    admin = nodes.token("root", roles=["administrator"])
    for name in NAMES:
        for operation, more in IN_COLLECTIONS:
            assert told(talk, operation, admin, collection=name, **more) == (400, "invalid_request"), (name, operation)
        for operation in ("collections.declare", "collections.get", "collections.drop"):
            assert told(talk, operation, admin, name=name) == (400, "invalid_request"), (name, operation)
