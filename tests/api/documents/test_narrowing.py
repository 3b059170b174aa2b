"""A token that was narrowed reaches the named collections with the named rights, on every path and for administrators too."""

from typing import Any

import pytest

from idp.api import narrowing
from idp.api.caller import Caller
from idp.api.commands import OPERATIONS
from tests.api.documents.conftest import ROOT, Companion, caller

CHANGES = [{"insert": {"data": {}}}, {"delete": {"id": "x"}}, {"update": {"id": "y", "update": {}}}]
NEEDS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "documents.insert": ({"data": {}}, {"insert"}),
    "documents.insert_many": ({"documents": [{"data": {}}]}, {"insert"}),
    "documents.bulk": ({"changes": CHANGES}, {"insert", "update", "delete"}),
    "documents.upsert": ({"match": {"a": 1}, "data": {}}, {"insert", "update"}),
    "documents.get": ({"id": "x"}, {"read"}),
    "documents.query": ({}, {"read"}),
    "documents.count": ({}, {"read"}),
    "documents.distinct": ({"field": "a"}, {"read"}),
    "documents.aggregate": ({"pipeline": [{"$count": "n"}]}, {"read"}),
    "documents.history": ({"id": "x"}, {"read"}),
    "documents.get_version": ({"id": "x", "number": 1}, {"read"}),
    "documents.replace": ({"id": "x", "data": {}}, {"update"}),
    "documents.update": ({"id": "x", "update": {"$set": {"a": 1}}}, {"update"}),
    "documents.restore": ({"id": "x", "number": 1}, {"update"}),
    "documents.delete": ({"id": "x"}, {"delete"}),
    "documents.get_acl": ({"id": "x"}, {"share"}),
    "documents.set_acl": ({"id": "x", "acl": []}, {"share"}),
    "collections.declare": ({}, {"manage"}),
    "collections.get": ({}, {"manage"}),
    "collections.drop": ({}, {"manage"}),
}  # fmt: skip
UNNARROWED: dict[str, dict[str, Any]] = {
    "collections.list": {},
    "roles.list": {},
    "roles.get": {"name": "r"},
    "roles.delete": {"name": "r"},
    "roles.set": {"name": "r", "members": []},
}


def narrowed(collection: str, *rights: str) -> Caller:
    detail = {"type": "sheaf_documents", "collections": [collection], "rights": list(rights)}
    return caller("root", "administrator", narrowing=narrowing.read([detail]))


def asked(operation: str, notes: str) -> dict[str, Any]:
    return {"name" if operation.startswith("collections") else "collection": notes, **NEEDS[operation][0]}


@pytest.mark.parametrize("operation", NEEDS)
def test_each_operation_asks_for_each_right_that_it_uses(companion: Companion, notes: str, operation: str) -> None:
    needed = NEEDS[operation][1]
    for right in needed:
        almost = narrowed(notes, *(narrowing.COLLECTION_RIGHTS - {right}))
        assert companion.refused(almost, operation, **asked(operation, notes)) == (403, "narrowed_token")
    elsewhere = narrowed("elsewhere", *narrowing.COLLECTION_RIGHTS)
    assert companion.refused(elsewhere, operation, **asked(operation, notes)) == (403, "narrowed_token")
    # There is no such document; but the narrowing has let it pass.
    assert companion.outcome(narrowed(notes, *needed), operation, **asked(operation, notes)) != "narrowed_token"


@pytest.mark.parametrize("operation", UNNARROWED)
def test_what_no_narrowing_speaks_of_is_refused_to_every_narrowed_token(
    companion: Companion, notes: str, operation: str
) -> None:
    who = narrowed(notes, *narrowing.COLLECTION_RIGHTS)
    assert companion.refused(who, operation, **UNNARROWED[operation]) == (403, "narrowed_token")


def test_every_operation_on_documents_is_in_one_of_the_tables() -> None:
    ours = {name for name in OPERATIONS if name.partition(".")[0] in ("documents", "collections", "roles")}
    assert ours - {"documents.watch"} == {*NEEDS, *UNNARROWED}


def test_a_narrowed_token_sees_what_is_sealed_only_if_it_says_so(companion: Companion, notes: str) -> None:
    companion.run(ROOT, "collections.declare", name=notes, sealed="all")
    id = companion.run(ROOT, "documents.insert", collection=notes, data={"a": 1})["id"]
    hidden = companion.run(narrowed(notes, "read"), "documents.get", collection=notes, id=id)
    open_ = companion.run(narrowed(notes, "read", "unseal"), "documents.get", collection=notes, id=id)
    assert (hidden["data"], open_["data"]) == ({"a": {"$sealed": True}}, {"a": 1})
