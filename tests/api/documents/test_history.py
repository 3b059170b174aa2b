"""The history of documents: every write leaves a version; who may read today may read how it was; deltas rebuild exactly."""

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from idp.api.document_store.contract import Document, Past
from idp.api.documents import history
from tests.api.documents.conftest import ADA, BOB, EVE, ROOT, Companion, allow

ADA_ALL = allow("user", "usr_ada", "read", "update", "delete", "share")


def versions(companion: Companion, who: Any, notes: str, id: str, **more: Any) -> list[tuple[int, str, str]]:
    told = companion.run(who, "documents.history", collection=notes, id=id, **more)["versions"]
    return [(v["version"], v["action"], v["by"]) for v in told]


def test_every_write_leaves_a_version_with_its_writer(companion: Companion, notes: str) -> None:
    both = [ADA_ALL, allow("user", "usr_bob", "read", "update")]
    id = companion.run(ADA, "documents.insert", collection=notes, data={"a": 1, "deep": {"x": 1, "y": 2}}, acl=both)[
        "id"
    ]
    at = {"collection": notes, "id": id}
    companion.run(BOB, "documents.update", **at, update={"$set": {"deep.x": 9}, "$unset": {"a": True}})
    companion.run(ADA, "documents.set_acl", **at, acl=both)
    companion.run(ADA, "documents.replace", **at, data={"z": []})
    assert versions(companion, BOB, notes, id) == [
        (4, "replace", "user:usr_ada"),
        (3, "acl", "user:usr_ada"),
        (2, "update", "user:usr_bob"),
        (1, "insert", "user:usr_ada"),
    ]
    told = [companion.run(BOB, "documents.get_version", **at, number=number)["data"] for number in (1, 2, 3, 4)]
    changed = {"deep": {"x": 9, "y": 2}}
    assert told == [{"a": 1, "deep": {"x": 1, "y": 2}}, changed, changed, {"z": []}]
    assert companion.refused(BOB, "documents.get_version", **at, number=5) == (404, "unknown_version")


def test_the_history_comes_in_pages(companion: Companion, notes: str) -> None:
    id = companion.run(ADA, "documents.insert", collection=notes, data={"n": 0})["id"]
    for _ in range(4):
        companion.run(ADA, "documents.update", collection=notes, id=id, update={"$inc": {"n": 1}})
    first = companion.run(ADA, "documents.history", collection=notes, id=id, limit=3)
    assert ([v["version"] for v in first["versions"]], first["before"]) == ([5, 4, 3], 3)
    last = companion.run(ADA, "documents.history", collection=notes, id=id, limit=3, before=3)
    assert ([v["version"] for v in last["versions"]], last["before"]) == ([2, 1], None)


def test_the_right_to_read_of_today_decides_not_that_of_then(companion: Companion, notes: str) -> None:
    readable = [ADA_ALL, allow("user", "usr_bob", "read")]
    id = companion.run(ADA, "documents.insert", collection=notes, data={"n": 1}, acl=readable)["id"]
    at = {"collection": notes, "id": id}
    companion.run(ADA, "documents.set_acl", **at, acl=[ADA_ALL, allow("user", "usr_eve", "read")])
    for operation, more in (("history", {}), ("get_version", {"number": 1}), ("restore", {"number": 1})):
        assert companion.refused(BOB, f"documents.{operation}", **at, **more) == (404, "unknown_document")
    assert companion.run(EVE, "documents.get_version", **at, number=1)["data"] == {"n": 1}
    assert companion.refused(EVE, "documents.restore", **at, number=1) == (403, "not_permitted")


def test_an_old_version_is_restored_as_a_new_one_under_the_acl_of_today(companion: Companion, notes: str) -> None:
    id = companion.run(ADA, "documents.insert", collection=notes, data={"n": 1})["id"]
    at = {"collection": notes, "id": id}
    companion.run(ADA, "documents.replace", **at, data={"n": 2})
    companion.run(ADA, "documents.set_acl", **at, acl=[ADA_ALL])
    assert companion.refused(ADA, "documents.restore", **at, number=1, version=2) == (412, "version_conflict")
    assert companion.run(ADA, "documents.restore", **at, number=1, version=3)["version"] == 4
    assert companion.run(ADA, "documents.get", **at)["data"] == {"n": 1}
    assert len(companion.run(ADA, "documents.get_acl", **at)["acl"]) == 1
    assert versions(companion, ADA, notes, id)[0] == (4, "restore", "user:usr_ada")


def test_a_deleted_document_is_known_to_administrators_alone_and_comes_back_by_them(
    companion: Companion, notes: str
) -> None:
    made = companion.run(ADA, "documents.insert", collection=notes, data={"n": 1})
    at = {"collection": notes, "id": made["id"]}
    companion.run(ADA, "documents.update", **at, update={"$inc": {"n": 1}})
    companion.run(ADA, "documents.delete", **at)
    for operation, more in (("history", {}), ("get_version", {"number": 1}), ("restore", {"number": 1})):
        assert companion.refused(ADA, f"documents.{operation}", **at, **more) == (404, "unknown_document")
    assert [v[:2] for v in versions(companion, ROOT, notes, made["id"])] == [
        (3, "delete"),
        (2, "update"),
        (1, "insert"),
    ]
    assert companion.run(ROOT, "documents.get_version", **at, number=2)["data"] == {"n": 2}
    assert companion.refused(ROOT, "documents.restore", **at, number=3) == (404, "unknown_version")
    assert companion.run(ROOT, "documents.restore", **at, number=2)["version"] == 4
    back = companion.run(ADA, "documents.get", **at)
    assert (back["data"], back["created_by"], back["created_at"]) == ({"n": 2}, "user:usr_ada", made["created_at"])
    assert companion.refused(ROOT, "documents.get_version", **at, number=3) == (404, "unknown_version")


def test_a_document_of_many_versions_is_rebuilt_at_each_of_them(companion: Companion, notes: str) -> None:
    id = companion.run(ADA, "documents.insert", collection=notes, data={"n": 0, "text": "x" * 500})["id"]
    for number in range(1, 102):
        companion.run(ADA, "documents.update", collection=notes, id=id, update={"$set": {"n": number}})
    for number in (1, 49, 50, 51, 99, 100, 101, 102):
        told = companion.run(ADA, "documents.get_version", collection=notes, id=id, number=number)
        assert told["data"] == {"n": number - 1, "text": "x" * 500}
    lines = companion.api.store.past(notes, id, 99)
    assert (lines[0].version, len(lines)) == (50, 50)
    assert all("text" not in json.dumps(line.delta) for line in lines[1:])


# --- deltas --------------------------------------------------------------------------------------------------------

names = st.sampled_from(["a", "b", "c"])
leaves = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([1.0, "", "x" * 40]))
values = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(names, inner)), max_leaves=8
)
datas = st.dictionaries(names, values, max_size=3)


def stands(version: int, data: dict[str, Any], seals: frozenset[tuple[str, str]] = frozenset()) -> Document:
    return Document("notes", "d", version, "", "", "", "", None, data, None, seals)


def line_of(old: Document | None, new: Document) -> Past:
    return history.line("update", old, new, at="", by="")


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(datas, min_size=1, max_size=6))
def test_what_is_rebuilt_is_what_was_written_to_the_byte(data_of: list[dict[str, Any]]) -> None:
    documents = [stands(number, data) for number, data in enumerate(copy.deepcopy(data_of), 1)]
    lines = [line_of(old, new) for old, new in zip([None, *documents], documents, strict=False)]
    for number, data in enumerate(data_of, 1):
        rebuilt, _ = history.rebuild(lines[:number])
        assert json.dumps(rebuilt) == json.dumps(data)
    assert [document.data for document in documents] == data_of


def test_a_line_names_the_seals_of_its_own_ciphertext_alone() -> None:
    seals = frozenset({("ssn", "k1"), ("bank.iban", "k1")})
    first = stands(1, {"ssn": "c1", "bank": {"iban": "c2", "name": "n"}, "long": "x" * 200}, seals)
    second = stands(2, first.data | {"ssn": "c3"}, frozenset({("ssn", "k2"), ("bank.iban", "k1")}))
    third = stands(3, second.data | {"bank": {"name": "m"}}, frozenset({("ssn", "k2")}))
    lines = [line_of(None, first), line_of(first, second), line_of(second, third)]
    assert [line.seals for line in lines] == [seals, frozenset({("ssn", "k2")}), frozenset()]
    assert [history.rebuild(lines[:n])[1] for n in (1, 2, 3)] == [first.seals, second.seals, third.seals]


def test_the_place_of_a_value_within_a_line_is_found_to_be_read_and_written() -> None:
    whole: dict[str, Any] = {"whole": {"bank": {"iban": "c"}, "n": 1}}
    below: dict[str, Any] = {"set": [[["bank"], {"iban": "c"}]], "unset": []}
    exact: dict[str, Any] = {"set": [[["bank", "iban"], "c"]], "unset": []}
    for delta in (whole, below, exact):
        found = history.place(delta, "bank.iban")
        assert found
        container, key = found
        assert container[key] == "c"
        container[key] = "d"
        assert '"d"' in json.dumps(delta)
    for delta in (
        {"whole": {"n": 1}},
        {"set": [[["bank"], {"name": 1}]]},
        {"set": [[["bank"], "text"]]},
        {"unset": [["bank"]]},
        {},
    ):
        assert history.place(delta, "bank.iban") is None
