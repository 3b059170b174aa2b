"""The embedded store alone: its file, limits of time, files of earlier releases, and what survives a kill."""

import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.api import acl
from idp.api.brokers.embedded import EmbeddedBroker
from idp.api.document_store import sqlite_indexes, sqlite_search, sqlite_writes
from idp.api.document_store.contract import Past, Write
from idp.api.document_store.sqlite import SqliteDocumentStore
from idp.api.sqlite_file import SqliteFile
from idp.base.errors import Misconfigured, Refused
from tests.api.stores.conftest import NOW, Notes
from tests.api.stores.test_indexes import index
from tests.api.stores.test_searches import readable_by


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteDocumentStore]:
    store = SqliteDocumentStore(tmp_path / "api" / "documents.db")
    yield store
    store.close()


def test_the_file_of_the_embedded_store_is_private(notes: Notes, tmp_path: Path) -> None:
    notes.insert("d1")
    for file in (tmp_path / "api").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE((tmp_path / "api").stat().st_mode) == 0o700


def test_a_query_that_takes_too_long_is_refused(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_search, "QUERY_SECONDS", -1.0)
    notes.insert("d1")
    for ask in (lambda: notes.find({"a": 1}), lambda: notes.count({}), lambda: notes.distinct("a")):
        with pytest.raises(Refused, match="query_too_slow"):
            ask()


def test_a_query_that_takes_too_long_with_one_single_document_is_refused(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_search, "QUERY_SECONDS", 0.3)
    notes.insert("d1", {"a": [1] * 200_000})
    began = time.monotonic()
    with pytest.raises(Refused, match="query_too_slow"):
        notes.find({"$nor": [{"a": {"$in": list(range(number, number + 1000))}} for number in range(2, 92)]})
    assert time.monotonic() - began < 3


def test_an_index_is_filled_in_parts_and_used_when_it_is_whole(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_indexes, "AT_ONCE", 3)
    notes.insert_all([notes.document(f"d{number}", {"n": number}) for number in range(10)])
    store, name = notes.store, notes.name
    assert isinstance(store, SqliteDocumentStore)
    with store._file.transaction() as connection:  # as if the process had ended in the middle
        begun = sqlite_indexes._begun(connection, name, index("n", n=1))
        sqlite_indexes._fill(connection, name, begun, "")
    assert store.explain(name, notes.ask({"n": 5}))["index"] is None
    notes.insert("d55", {"n": 5})
    store.ensure_index(name, index("n", n=1))
    assert store.explain(name, notes.ask({"n": 5}))["index"] == "n"
    assert notes.find({"n": 5}) == ["d5", "d55"]


def test_a_document_with_too_many_keys_for_an_index_is_refused(notes: Notes) -> None:
    notes.store.ensure_index(notes.name, index("n", n=1))
    notes.insert("d1", {"n": list(range(1000)), "m": list(range(1001))})
    with pytest.raises(Refused, match="too_many_index_keys"):
        notes.insert("d2", {"n": list(range(1001))})
    with pytest.raises(Refused, match="too_many_index_keys"):
        notes.store.ensure_index(notes.name, index("m", m=1))
    notes.insert("d3", {"m": list(range(1001))})  # nothing is left of that index
    notes.store.commit([Write("delete", notes.document("d3"), 1)])
    assert notes.find({}) == ["d1"]


def test_a_large_collection_is_dropped_in_parts_with_nothing_left(
    notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writes, "AT_ONCE", 4)
    notes.store.ensure_index(notes.name, index("n", n=1, unique=True))
    for number in range(10):
        document = notes.document(f"d{number}", {"n": number}, readable_by("a"), seals=frozenset({("n", "key")}))
        line = notes.line(document.id, 1, {"whole": document.data}, seals=document.seals)
        notes.store.commit([Write("insert", document, 0, line)])
    notes.store.commit([Write("delete", notes.document("d3"), 1, notes.line("d3", 2, action="delete"))])
    notes.store.drop(notes.name)
    with sqlite3.connect(tmp_path / "api" / "documents.db") as connection:
        for table in ("document", "allowed", "entry", "taken", "field_index", "past", "seal"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    connection.close()


EARLIER = """
CREATE TABLE document (
  collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  created_at TEXT NOT NULL, created_by TEXT NOT NULL, updated_at TEXT NOT NULL, updated_by TEXT NOT NULL,
  acl TEXT, data TEXT NOT NULL, PRIMARY KEY (collection, id)
);
CREATE TABLE rule (
  collection TEXT NOT NULL, key TEXT NOT NULL, effect TEXT NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (collection, key, effect, id)
) WITHOUT ROWID;
CREATE INDEX rule_of_document ON rule (collection, id, effect, key);
INSERT INTO document VALUES ('notes', 'd1', 3, 'c', 'user:a', 'u', 'user:b',
  '[{"kind": "user", "id": "a", "rights": ["read"], "effect": "allow"}]', '{"n": 1.0, "t": "\\u00fc"}');
INSERT INTO document VALUES ('notes', 'd2', 1, 'c', 'user:a', 'u', 'user:b', NULL, '{}');
INSERT INTO document VALUES ('sys.keys', 'cursor', 1, 'c', 'sheaf', 'u', 'sheaf', NULL, '{"key": "00"}');
INSERT INTO rule VALUES ('notes', 'read:user:a', 'allow', 'd1');
"""


def test_a_file_of_the_first_release_keeps_its_documents(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "d.db") as connection:
        connection.executescript(EARLIER)
    connection.close()
    for _ in range(2):  # the second time there is nothing to do
        store = SqliteDocumentStore(tmp_path / "d.db")
        notes = Notes(store, "notes")
        entries = (acl.Entry("user", "a", ("read",)),)
        stored = notes.document(
            "d1", {"n": 1.0, "t": "ü"}, entries, version=3, created_at="c", updated_at="u", updated_by="user:b"
        )
        assert notes.get("d1") == stored
        assert notes.find({}, keys=frozenset({"read:user:a"})) == ["d1"]
        assert store.get("sys.keys", "cursor", NOW)
        expected = Past("notes", "d1", 3, "replace", "u", "user:b", entries, {"whole": stored.data})
        assert store.past("notes", "d1") == [expected]
        assert store.past("sys.keys", "cursor") == []
        store.close()


def test_a_file_of_a_later_release_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "d.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Misconfigured, match="later release"):
        SqliteDocumentStore(tmp_path / "d.db")


def test_after_a_commit_that_failed_the_same_thread_can_write_again(tmp_path: Path) -> None:
    file = SqliteFile(
        tmp_path / "d.db", "CREATE TABLE t (id PRIMARY KEY, of REFERENCES t DEFERRABLE INITIALLY DEFERRED)", "store"
    )
    with file.reading():
        pass
    file.connection().execute("PRAGMA foreign_keys = ON")  # a COMMIT with a deferred violation fails, and stays open
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
        Notes(store, "notes").insert("d1")
    assert (refused.value.code, refused.value.status) == ("store_unavailable", 503)
    other.execute("ROLLBACK")
    Notes(store, "notes").insert("d1")
    other.close()
    store.close()


WRITER = """
import sys
from pathlib import Path
from idp.api.brokers.contract import Envelope
from idp.api.brokers.embedded import EmbeddedBroker
from idp.api.document_store.contract import Document, Past, Write, Memory
from idp.api.document_store.sqlite import SqliteDocumentStore
folder = Path(sys.argv[1])
store, broker = SqliteDocumentStore(folder / "d.db"), EmbeddedBroker(folder / "q.db", lambda: 0.0)
for number in range(1_000_000):
    id = f"d{number}"
    document = Document("notes", id, 1, "", "", "", "", None, {"n": number})
    past = Past("notes", id, 1, "insert", "", "", None, {"whole": document.data})
    store.commit([Write("insert", document, 0, past)], Memory(id, "", "", 9e9))
    broker.publish([("jobs", Envelope(id, number, 4, "a", "b", "c"))])
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
    for number in range(acknowledged + 3):  # the one that was being written is there whole, or not at all
        id = f"d{number}"
        there = [store.get("notes", id, NOW), store.past("notes", id), store.recall(id, NOW)]
        assert all(there) if number <= acknowledged else all(there) or not any(there)
    assert broker.count("jobs").ready >= acknowledged + 1
    store.close()
    broker.close()


FOLLOWED = """
import sys
from pathlib import Path
from idp.api.document_store.contract import Document, Past, Write
from idp.api.document_store.sqlite import SqliteDocumentStore
store, name = SqliteDocumentStore(Path(sys.argv[1])), sys.argv[2]
for version in range(1, 101):
    document = Document("notes", name, version, "", "", "", "", None, {})
    store.commit([Write("replace", document, version - 1, Past("notes", name, version, "replace", "", "", None, {}))])
"""


@pytest.mark.slow
def test_the_feed_of_many_processes_has_no_gap_and_one_order(notes: Notes, tmp_path: Path) -> None:
    seen: list[Past] = []
    start = notes.store.position()
    command = [sys.executable, "-c", FOLLOWED, str(tmp_path / "api" / "documents.db")]
    writers = [subprocess.Popen([*command, f"w{number}"]) for number in range(3)]
    at = start
    while len(seen) < 300:
        lines = notes.store.feed(at, 9, 60)
        assert lines, "the feed stands still"
        seen += lines
        at = lines[-1].position
    assert [writer.wait(30) for writer in writers] == [0, 0, 0]
    for number in range(3):
        assert [line.version for line in seen if line.id == f"w{number}"] == list(range(1, 101))
    assert [line.position for line in seen] == sorted({line.position for line in seen})
    assert seen == notes.store.feed(start, 1000, 0)
