"""One contract for document stores, on SQLite and on MongoDB; and that both answer queries alike."""

import random
import secrets
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from idp.api import acl, query
from idp.api.brokers.embedded import EmbeddedBroker
from idp.api.document_store.contract import Document, DocumentStore, Duplicate, Find, view
from idp.api.document_store.sqlite import SqliteDocumentStore
from idp.api.sqlite_file import SqliteFile
from idp.base.errors import Refused
from tests.api.test_acl import random_acl, random_who
from tests.support.mongo import real_server

MONGO = [pytest.param(name, marks=pytest.mark.slow) for name in ("mongo", *(["real mongo"] if real_server() else []))]
AT = "2026-11-21T00:00:00.000000Z"
EVERYTHING = query.parse_filter({})
BY_ID = query.parse_sort({})


@pytest.fixture(params=["sqlite", *MONGO])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DocumentStore]:
    if request.param == "sqlite":
        store: DocumentStore = SqliteDocumentStore(tmp_path / "api" / "documents.db")
    else:
        store = open_mongo(request.param, request)
    yield store
    store.close()


def open_mongo(which: str, request: pytest.FixtureRequest) -> DocumentStore:
    """On the stand-in, or on the real server that the environment names; in a database of its own."""
    from idp.api.document_store.mongo import MongoDocumentStore

    uri = request.getfixturevalue("mongo_uri") if which == "mongo" else real_server()
    return MongoDocumentStore(f"{uri}/api_{secrets.token_hex(4)}")


def document(id: str, data: dict[str, Any] | None = None, rules: acl.Acl | None = None, **changes: Any) -> Document:
    return replace(Document("notes", id, 1, AT, "user:a", AT, "user:a", rules, data or {}), **changes)


def find(store: DocumentStore, filter: dict[str, Any], sort: dict[str, int] | None = None, **more: Any) -> list[str]:
    asked = {"visible": None, "limit": 1000, **more}
    found = store.find("notes", Find(query.parse_filter(filter), query.parse_sort(sort or {}), **asked))
    return [d.id for d in found.documents]


def test_a_document_comes_back_as_it_was_stored(store: DocumentStore) -> None:
    data = {"z": 1, "a": [1.5, None, True, {"ü": "☃\0"}], "big": 2**63 - 1, "e": {}, "l": []}
    stored = document("d1", data, (acl.Entry("user", "x:y", ("read",), "deny"),))
    store.insert(stored)
    assert store.get("notes", "d1") == stored
    assert list(store.get("notes", "d1").data) == list(data)  # type: ignore[union-attr]
    assert store.get("notes", "other") is None
    assert store.get("other", "d1") is None


def test_an_id_is_unique_in_its_collection(store: DocumentStore) -> None:
    store.insert(document("d1"))
    with pytest.raises(Duplicate):
        store.insert(document("d1"))
    store.insert(document("d1", collection="other"))


def test_a_write_at_an_old_version_does_not_happen(store: DocumentStore) -> None:
    store.insert(document("d1", {"n": 1}))
    assert store.replace_if(document("d1", {"n": 2}, version=2))
    assert not store.replace_if(document("d1", {"n": 3}, version=2))
    assert not store.replace_if(document("gone", {"n": 3}, version=2))
    assert store.get("notes", "d1") == document("d1", {"n": 2}, version=2)
    assert not store.delete_if("notes", "d1", 1)
    assert store.delete_if("notes", "d1", 2)
    assert not store.delete_if("notes", "d1", 2)
    assert store.get("notes", "d1") is None


def test_of_many_writers_at_one_version_exactly_one_wins(store: DocumentStore) -> None:
    store.insert(document("d1"))
    won: list[int] = []
    barrier = threading.Barrier(6)

    def write(number: int) -> None:
        barrier.wait(10)
        if store.replace_if(document("d1", {"by": number}, version=2)):
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(won) == 1
    assert store.get("notes", "d1").data == {"by": won[0]}  # type: ignore[union-attr]


def test_a_changed_or_deleted_acl_leaves_no_rights_behind(store: DocumentStore) -> None:
    store.insert(document("d1", rules=(acl.Entry("user", "a", ("read",)),)))
    assert find(store, {}, visible=frozenset({"read:user:a"})) == ["d1"]
    store.replace_if(document("d1", rules=(acl.Entry("user", "b", ("read",)),), version=2))
    assert find(store, {}, visible=frozenset({"read:user:a"})) == []
    assert find(store, {}, visible=frozenset({"read:user:b"})) == ["d1"]
    store.delete_if("notes", "d1", 2)
    store.insert(document("d1"))
    assert find(store, {}, visible=frozenset({"read:user:b"})) == []
    assert find(store, {}, visible=frozenset()) == []


def test_a_store_shows_exactly_what_the_rule_allows(store: DocumentStore) -> None:
    dice = random.Random(11)
    rules = {f"d{number:03}": random_acl(dice) for number in range(60)}
    for id, acl_of in rules.items():
        store.insert(document(id, rules=acl_of))
    for _ in range(40):
        caller, right = random_who(dice), dice.choice(acl.DOCUMENT_RIGHTS)
        expected = [id for id, acl_of in rules.items() if acl.may(caller, right, acl_of)]
        assert find(store, {}, visible=acl.wanted_keys(caller, right)) == expected


def test_pages_by_id_and_by_position(store: DocumentStore) -> None:
    for number in range(10):
        store.insert(document(f"d{number}", {"n": number % 3}))
    assert find(store, {}, limit=4) == ["d0", "d1", "d2", "d3"]
    assert find(store, {}, limit=4, after="d3") == ["d4", "d5", "d6", "d7"]
    assert find(store, {}, {"n": -1}, limit=4) == ["d2", "d5", "d8", "d1"]
    assert find(store, {}, {"n": -1}, limit=4, skip=4) == ["d4", "d7", "d0", "d3"]
    assert find(store, {}, {"_id": -1}, limit=2) == ["d9", "d8"]


def test_system_fields_can_be_queried_and_sorted(store: DocumentStore) -> None:
    store.insert(document("d1", version=3, created_at="2026-01-01T00:00:00.000000Z", updated_by="user:b"))
    store.insert(document("d2", {"version": 3, "created_at": "x"}))
    assert find(store, {"_version": {"$gt": 1}}) == ["d1"]
    assert find(store, {"_created_at": {"$lt": AT}, "_updated_by": "user:b"}) == ["d1"]
    assert find(store, {"_id": {"$in": ["d2", "d9"]}}) == ["d2"]
    assert find(store, {}, {"_created_at": 1}) == ["d1", "d2"]


def test_field_names_of_every_script_and_hostile_values_are_only_data(store: DocumentStore) -> None:
    data = {"straße": "ü", "x-y": 1, "q": "'; DROP TABLE document; --", "first name": 1, "select": {"from": "$where"}}
    store.insert(document("d1", data))
    assert find(store, {"straße": "ü", "x-y": 1, "q": data["q"], "select.from": "$where"}) == ["d1"]
    assert store.get("notes", "d1").data == data  # type: ignore[union-attr]


def test_a_store_says_that_it_is_ready(store: DocumentStore) -> None:
    store.ready()


SCALARS: list[Any] = [None, True, False, 0, 1, 1.0, -2, 2.5, 2**40, "", "a", "b", "B", "ä", "1"]


def random_value(dice: random.Random, depth: int = 0) -> Any:
    kind = dice.random()
    if kind < 0.15 and depth < 2:
        return [random_value(dice, depth + 1) for _ in range(dice.randint(0, 3))]
    if kind < 0.35 and depth < 2:
        return random_data(dice, depth + 1)
    return dice.choice(SCALARS)


def random_data(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    return {name: random_value(dice, depth) for name in dice.sample("abc", dice.randint(0, 3))}


def random_filter(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    if depth < 2 and dice.random() < 0.3:
        return {dice.choice(query.COMBINATIONS): [random_filter(dice, depth + 1) for _ in range(dice.randint(1, 3))]}
    return {dice.choice(["a", "b", "a.b", "b.a", "c.a.b", "c"]): random_test(dice) for _ in range(dice.randint(1, 2))}


def random_test(dice: random.Random) -> Any:
    op = dice.choice([*query.COMPARISONS, "plain"])
    ordered = [value for value in SCALARS if isinstance(value, (int, float, str)) and not isinstance(value, bool)]
    return {
        "plain": lambda: dice.choice(SCALARS),
        "$in": lambda: {op: dice.sample(SCALARS, 3)},
        "$nin": lambda: {op: dice.sample(SCALARS, 3)},
        "$exists": lambda: {op: dice.random() < 0.5},
        "$not": lambda: {op: {"$gte": dice.choice(ordered), "$ne": dice.choice(SCALARS)}},
        "$eq": lambda: {op: dice.choice(SCALARS)},
        "$ne": lambda: {op: dice.choice(SCALARS)},
    }.get(op, lambda: {op: dice.choice(ordered)})()


@pytest.mark.parametrize("which", MONGO)
def test_both_engines_answer_random_queries_alike(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """MongoDB evaluates its own filters here, SQLite ours: a difference is a fault in the compiler or the matcher."""
    dice = random.Random(2026)
    sqlite, mongo = SqliteDocumentStore(tmp_path / "d.db"), open_mongo(which, request)
    documents = {f"d{number:03}": random_data(dice) for number in range(120)}
    for id, data in documents.items():
        sqlite.insert(document(id, data))
        mongo.insert(document(id, data))
    for _ in range(400):
        filter = random_filter(dice)
        ours, theirs = find(sqlite, filter), find(mongo, filter)
        differing = {id: documents[id] for id in set(ours) ^ set(theirs)}
        assert ours == theirs, (filter, differing)
    scalar = {id: data for id, data in documents.items() if not any(isinstance(v, (list, dict)) for v in data.values())}
    among = {"_id": {"$in": list(scalar)}}
    for sort in ({"a": 1}, {"a": -1}, {"b": -1, "a": 1}, {"c.a": 1, "_id": -1}):
        assert find(sqlite, among, sort) == find(mongo, among, sort), sort
    sqlite.close()
    mongo.close()


def test_the_file_of_the_embedded_store_is_private(tmp_path: Path) -> None:
    store = SqliteDocumentStore(tmp_path / "api" / "documents.db")
    store.insert(document("d1"))
    for file in (tmp_path / "api").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE((tmp_path / "api").stat().st_mode) == 0o700
    store.close()


def test_a_query_that_takes_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("idp.api.document_store.sqlite.QUERY_SECONDS", -1.0)
    store = SqliteDocumentStore(tmp_path / "d.db")
    store.insert(document("d1"))
    with pytest.raises(Refused, match="query_too_slow"):
        find(store, {"a": 1})
    store.close()


def test_a_query_that_takes_too_long_with_one_single_document_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.api.document_store.sqlite.QUERY_SECONDS", 0.3)
    store = SqliteDocumentStore(tmp_path / "d.db")
    store.insert(document("d1", {"a": [1] * 200_000}))
    began = time.monotonic()
    with pytest.raises(Refused, match="query_too_slow"):
        find(store, {"$nor": [{"a": {"$in": list(range(number, number + 1000))}} for number in range(2, 92)]})
    assert time.monotonic() - began < 3
    store.close()


def test_after_a_commit_that_failed_the_same_thread_can_write_again(tmp_path: Path) -> None:
    file = SqliteFile(
        tmp_path / "d.db", "CREATE TABLE t (id PRIMARY KEY, of REFERENCES t DEFERRABLE INITIALLY DEFERRED)", "store"
    )
    with file.reading():
        pass
    file._connection().execute("PRAGMA foreign_keys = ON")  # a COMMIT with a deferred violation fails, and stays open
    with pytest.raises(Refused, match="store_unavailable"), file.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1, 7)")
    with file.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (2, NULL)")
    with file.reading() as connection:
        assert connection.execute("SELECT id FROM t").fetchall() == [(2,)]
    file.close()


def test_a_store_that_is_locked_for_too_long_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("idp.api.sqlite_file.BUSY_SECONDS", 0.1)
    store = SqliteDocumentStore(tmp_path / "d.db")
    other = sqlite3.connect(tmp_path / "d.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Refused) as refused:
        store.insert(document("d1"))
    assert (refused.value.code, refused.value.status) == ("store_unavailable", 503)
    other.execute("ROLLBACK")
    store.insert(document("d1"))
    other.close()
    store.close()


WRITER = """
import sys
from pathlib import Path
from idp.api.brokers.contract import Envelope
from idp.api.brokers.embedded import EmbeddedBroker
from idp.api.document_store.contract import Document
from idp.api.document_store.sqlite import SqliteDocumentStore
folder = Path(sys.argv[1])
store, broker = SqliteDocumentStore(folder / "d.db"), EmbeddedBroker(folder / "q.db", lambda: 0.0)
for number in range(1_000_000):
    store.insert(Document("notes", f"d{number}", 1, "", "", "", "", None, {"n": number}))
    broker.publish("jobs", Envelope(f"d{number}", number, 4, "a", "b", "c"))
    print(number, flush=True)
"""


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    acknowledged = -1
    while acknowledged < 1500:
        acknowledged = int(process.stdout.readline())
    process.kill()
    acknowledged = max(
        [acknowledged, *(int(line) for line in process.stdout.read().splitlines(keepends=True) if "\n" in line)]
    )
    process.stdout.close()
    process.wait(10)
    store, broker = SqliteDocumentStore(tmp_path / "d.db"), EmbeddedBroker(tmp_path / "q.db", lambda: 1.0)
    assert all(store.get("notes", f"d{number}") for number in range(acknowledged + 1))
    assert broker.count("jobs").ready >= acknowledged + 1
    store.close()
    broker.close()


@pytest.mark.slow
def test_a_mongodb_that_does_not_answer_is_a_refusal_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    from idp.api.document_store import mongo

    monkeypatch.setattr(mongo, "CALL_SECONDS", 0.5)
    store = mongo.MongoDocumentStore("mongodb://ada:hunter2@127.0.0.1:9/x")
    with pytest.raises(Refused) as refused:
        store.get("notes", "d1")
    assert (refused.value.code, refused.value.status) == ("store_unavailable", 503)
    assert "hunter2" not in refused.value.reason
    store.close()


def test_a_view_never_shows_the_acl() -> None:
    assert not [name for name in view(document("d1", {"a": 1})) if "acl" in name]
