"""MongoDB servers that are absent, of the wrong kind, of an earlier version, or killed: said in time, nothing acknowledged lost."""

import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymongo
import pytest

from idp.api import acl
from idp.api.document_store import mongo_link
from idp.api.document_store.contract import DoneBefore, Memory, replace_if
from idp.api.document_store.mongo import MongoDocumentStore
from idp.base.errors import Misconfigured, Refused
from tests.api.stores.conftest import AT, NOW, Notes
from tests.api.stores.test_feed import write
from tests.support.needs import SECANTUS, need
from tests.support.ports import free_port
from tests.support.running import Running, until

pytestmark = pytest.mark.slow


class Server:
    """A stand-in of a test's own, that it may kill and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.running: Running | None = None
        (folder / "storage").mkdir()

    def start(self, *options: str) -> None:
        command = [need(SECANTUS), "--host", "127.0.0.1", "--port", str(self.port), "--sync-on-commit"]
        command += ["--storage-path", str(self.folder / "storage"), "--cache-size", "128M", *options]
        self.running = Running("secantusdb", command, log=self.folder / "secantus.log", cwd=self.folder).start()
        self.running.wait_port(self.port)

    def kill(self) -> None:
        if self.running:
            self.running.kill()
            self.running = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.kill()


def test_a_server_that_does_not_answer_is_a_refusal_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("CALL_SECONDS", "QUERY_SECONDS", "START_SECONDS"):
        monkeypatch.setattr(mongo_link, limit, 0.3)
    store = MongoDocumentStore(f"mongodb://ada:hunter2@127.0.0.1:{free_port()}/x")
    notes = Notes(store, "notes")
    for act in (
        lambda: notes.get("d1"),
        lambda: notes.find({}),
        lambda: store.commit([], Memory("k", "r", "", NOW, NOW)),
        store.position,
        store.ready,
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert (refused.value.code, refused.value.status) == ("store_unavailable", 503)
        assert refused.value.headers["Retry-After"]
        assert "hunter2" not in refused.value.reason
    store.close()


def test_a_uri_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(Misconfigured) as error:
        MongoDocumentStore("mongodb://ada:hunter2@[/x")
    assert "hunter2" not in str(error.value)


def test_a_server_without_a_replica_set_is_refused_at_the_start(server: Server) -> None:
    server.start("--standalone")
    with pytest.raises(Misconfigured, match="replica set"):
        MongoDocumentStore(f"mongodb://127.0.0.1:{server.port}/x")


def test_a_wrong_password_is_said_at_the_start_and_not_repeated(server: Server) -> None:
    server.start("--auth")
    with pytest.raises(Misconfigured, match="user name or password") as error:
        MongoDocumentStore(f"mongodb://ada:hunter2@127.0.0.1:{server.port}/x?authSource=admin")
    assert "hunter2" not in str(error.value)


def test_a_database_of_an_earlier_version_is_taken_over(mongo_uri: str) -> None:
    uri = f"{mongo_uri}/api_{secrets.token_hex(4)}"
    with pymongo.MongoClient[dict[str, Any]](uri) as client:
        old = client.get_default_database()["docs.notes"]
        old.create_index([("allow", 1), ("_id", 1)])
        entry = {"kind": "user", "id": "a", "rights": ["read"], "effect": "allow"}
        times = dict.fromkeys(("created_at", "updated_at"), AT) | dict.fromkeys(("created_by", "updated_by"), "user:a")
        allow = {"acl": [entry], "allow": ["read:user:a"], "deny": []}
        old.insert_one({"_id": "d1", "version": 3, **times, **allow, "data": {"n": 1}})
    notes = Notes(MongoDocumentStore(uri), "notes")
    stored = notes.document("d1", {"n": 1}, (acl.Entry("user", "a", ("read",)),), version=3)
    assert notes.get("d1") == stored
    notes.store.commit([write(notes, "d2")])
    assert notes.find({"n": 1}, keys=frozenset({"read:user:a"})) == ["d1"]
    assert replace_if(notes.store, replace(stored, version=4))
    assert notes.store.past("notes", "d1") == []
    notes.store.close()


# --- killed under load ---------------------------------------------------------------------------------------------


def test_a_store_killed_under_load_loses_nothing_acknowledged_and_does_nothing_twice(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each writer repeats a request with its key until it is acknowledged, as an application does."""
    monkeypatch.setattr(mongo_link, "CALL_SECONDS", 3.0)
    server.start()
    notes = Notes(MongoDocumentStore(f"mongodb://127.0.0.1:{server.port}/killed"), "notes")
    start = notes.store.position()
    acknowledged: list[str] = []
    refused: list[Refused] = []
    enough = threading.Event()

    def work(writer: int) -> None:
        number = 0
        while not enough.is_set():
            id = f"d{writer}-{number:04}"
            try:
                notes.store.commit([write(notes, id)], Memory(id, "r", id, NOW + 60, NOW))
            except Refused as refusal:
                refused.append(refusal)
                continue  # with the same key
            except DoneBefore:  # it had happened, only the answer was lost
                pass
            acknowledged.append(id)
            number += 1

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(acknowledged) > 40, "some writes before")
    server.kill()
    until(lambda: len(refused) >= 4, "every writer notices")
    server.start()
    before = len(acknowledged)
    until(lambda: len(acknowledged) > before + 40, "the writers find their server again")
    enough.set()
    for thread in threads:
        thread.join(30)
    assert {refusal.status for refusal in refused} == {503}
    assert len(set(acknowledged)) == len(acknowledged)
    assert notes.find({}) == sorted(acknowledged)
    lines = notes.store.feed(start, 10_000, 0)
    while more := notes.store.feed(lines[-1].position, 10_000, 0):
        lines += more
    assert sorted(line.id for line in lines) == sorted(acknowledged)
    assert all(notes.store.recall(id, NOW) for id in acknowledged)
    notes.store.close()
