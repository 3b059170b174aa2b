"""Random documents, ACLs, nested roles and queries: what comes back equals a model of twenty lines, on every path and both stores;
and an answer is the same whether what the caller may not read is stored or not."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from idp.api.caller import Caller
from tests.api.documents.conftest import ROOT, Companion, caller

Principal = tuple[str, str]
Roles = dict[str, list[Principal]]
Stored = list[dict[str, Any]]

ROLES = ["r0", "r1", "r2", "r3"]
APP = replace(caller("app", client="usr_app"), subject="usr_app")
CALLERS = [caller("u0"), caller("u1", "r0"), caller("u2", "r3"), APP, ROOT]
PRINCIPALS: list[Principal] = [("user", f"usr_u{n}") for n in range(3)] + [("client", "usr_app"), ("everyone", "")]
PRINCIPALS += [("role", role) for role in ROLES]
# Each condition with what it means.
CONDITIONS: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ({}, lambda data: True),
    ({"n": {"$gte": 2}}, lambda data: data["n"] >= 2),
    ({"n": {"$in": [0, 3]}}, lambda data: data["n"] in (0, 3)),
    ({"tag": "x"}, lambda data: data.get("tag") == "x"),
    ({"tag": {"$ne": "x"}}, lambda data: data.get("tag") != "x"),
    ({"tag": None}, lambda data: data.get("tag") is None),
    ({"$or": [{"n": 1}, {"tag": "y"}]}, lambda data: data["n"] == 1 or data.get("tag") == "y"),
]

principals = st.sampled_from(PRINCIPALS)
entries = st.builds(
    lambda who, rights, effect: {"kind": who[0], "id": who[1], "rights": sorted(rights), "effect": effect},
    principals,
    st.sets(st.sampled_from(["read", "update", "share"]), min_size=1),
    st.sampled_from(["allow", "allow", "allow", "deny"]),
)
documents = st.fixed_dictionaries(
    {
        "acl": st.one_of(st.none(), st.lists(entries, max_size=4)),
        "data": st.fixed_dictionaries({"n": st.integers(0, 3)}, optional={"tag": st.sampled_from(["x", "y", None])}),
    }
)
members = st.lists(principals.filter(lambda who: who[0] != "everyone"), max_size=3, unique=True)
tables = st.fixed_dictionaries({role: members for role in ROLES})


# --- the model -----------------------------------------------------------------------------------------------------


def principals_of(who: Caller, table: Roles) -> set[Principal]:
    mine = {who.principal, ("everyone", ""), *(("role", role) for role in who.roles)}
    while more := {("role", role) for role, inside in table.items() if mine & set(inside)} - mine:
        mine |= more
    return mine


def may(who: Caller, right: str, rules: list[dict[str, Any]] | None, table: Roles) -> bool:
    mine = principals_of(who, table)
    meant = [entry for entry in rules or [] if right in entry["rights"] and (entry["kind"], entry["id"]) in mine]
    return "administrator" in who.roles or (bool(meant) and all(entry["effect"] == "allow" for entry in meant))


# --- every path that reads -----------------------------------------------------------------------------------------


def read_everything(companion: Companion, who: Caller, notes: str, condition: dict[str, Any]) -> dict[str, Any]:
    """All that a caller learns of a collection without knowing an id."""
    asked: dict[str, Any] = {"collection": notes, "filter": condition}
    pages, cursor = [], None
    while not pages or cursor:
        page = companion.run(who, "documents.query", **asked, limit=2, cursor=cursor)
        pages.append(page["documents"])
        cursor = page["cursor"]
    pipeline = [{"$match": condition}, {"$group": {"_id": "$tag", "sum": {"$sum": "$n"}}}, {"$sort": {"_id": 1}}]
    return {
        "pages": [len(page) for page in pages],
        "found": {document["id"]: document["data"] for page in pages for document in page},
        "sorted": [d["data"]["n"] for d in companion.run(who, "documents.query", **asked, sort={"n": -1})["documents"]],
        "count": companion.run(who, "documents.count", **asked),
        "values": companion.run(who, "documents.distinct", **asked, field="n")["values"],
        "sums": companion.run(who, "documents.aggregate", collection=notes, pipeline=pipeline)["results"],
    }


def fill(companion: Companion, stored: Stored) -> tuple[str, list[str]]:
    """A new collection with these documents, and their ids."""
    notes = f"model{next(NUMBER)}"
    if not stored:
        return notes, []
    told = companion.run(ROOT, "documents.insert_many", collection=notes, documents=stored)
    return notes, [stamp["id"] for stamp in told["documents"]]


def define(companion: Companion, table: Roles) -> None:
    for role, inside in table.items():
        companion.run(ROOT, "roles.set", name=role, members=[{"kind": kind, "id": id} for kind, id in inside])


NUMBER = count()


def answers_equal_the_model(companion: Companion, stored: Stored, table: Roles, number: int) -> None:
    condition, holds = CONDITIONS[number]
    notes, ids = fill(companion, stored)
    for who in CALLERS:
        seen = {id for id, document in zip(ids, stored, strict=True) if may(who, "read", document["acl"], table)}
        expected = {id: d["data"] for id, d in zip(ids, stored, strict=True) if id in seen and holds(d["data"])}
        told = read_everything(companion, who, notes, condition)
        assert told["found"] == expected
        assert told["sorted"] == sorted((data["n"] for data in expected.values()), reverse=True)
        assert told["count"] == {"count": len(expected), "more": False}
        assert told["values"] == sorted({data["n"] for data in expected.values()})
        assert sum(row["sum"] for row in told["sums"]) == sum(data["n"] for data in expected.values())
        for id, document in zip(ids, stored, strict=True):
            one_by_one(companion, who, {"collection": notes, "id": id}, document, table)


def one_by_one(companion: Companion, who: Caller, at: dict[str, str], document: dict[str, Any], table: Roles) -> None:
    """Every operation with an id: unknown, not permitted, or done; a wrong version is told to those who may write alone."""
    operations: list[tuple[str, str, dict[str, Any]]] = [
        ("get", "read", {}),
        ("history", "read", {}),
        ("get_version", "read", {"number": 1}),
        ("get_acl", "share", {}),
        ("update", "update", {"update": {"$set": {"n": 9}}, "version": 9}),
        ("restore", "update", {"number": 1, "version": 9}),
        ("delete", "delete", {"version": 9}),
        ("set_acl", "share", {"acl": [], "version": 9}),
    ]
    for operation, right, more in operations:
        told = companion.outcome(who, f"documents.{operation}", **at, **more)
        if not may(who, "read", document["acl"], table):
            assert told == "unknown_document"
        elif not may(who, right, document["acl"], table):
            assert told == "not_permitted"
        elif "version" in more:
            assert told == "version_conflict"
        else:
            assert isinstance(told, dict)
            assert told.get("data", document["data"]) == document["data"]


def what_is_hidden_leaves_no_trace(companion: Companion, stored: Stored, table: Roles, number: int) -> None:
    condition, _ = CONDITIONS[number]
    notes, _ = fill(companion, stored)
    for who in CALLERS:
        without, _ = fill(companion, [document for document in stored if may(who, "read", document["acl"], table)])
        told, alone = (read_everything(companion, who, name, condition) for name in (notes, without))
        for seen in (told, alone):  # ids made in one commit come in no order of their own
            seen["found"] = sorted(str(data) for data in seen["found"].values())
        assert told == alone


# MongoDB waits for its journal at each write.
EXAMPLES = {"sqlite": 60, "mongo": 6, "real mongo": 20}


@pytest.mark.parametrize("check", [answers_equal_the_model, what_is_hidden_leaves_no_trace], ids=["answers", "traces"])
def test_a_caller_sees_what_it_may_read_and_nothing_else(
    companion: Companion, request: pytest.FixtureRequest, check: Callable[[Companion, Stored, Roles, int], None]
) -> None:
    engine = request.node.callspec.params["open_companion"]

    @settings(
        max_examples=EXAMPLES[engine],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.lists(documents, max_size=8), tables, st.integers(0, len(CONDITIONS) - 1))
    def run(stored: Stored, table: Roles, number: int) -> None:
        define(companion, table)
        check(companion, stored, table, number)

    run()
