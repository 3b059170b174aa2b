"""A MongoDB store while its server stumbles: refused in time and by name, or done exactly once."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pymongo
import pytest
from pymongo import monitoring

from idp.api.document_store import mongo_link
from idp.api.document_store.contract import DocumentStore, Memory, Past, PositionLost
from idp.api.document_store.mongo import MongoDocumentStore
from idp.base.errors import Refused
from tests.api.stores.conftest import NOW, Notes
from tests.api.stores.test_feed import write
from tests.support.running import until

pytestmark = pytest.mark.slow
Fail = Callable[..., None]


@pytest.fixture(scope="module")
def store(mongo_uri: str) -> Iterator[DocumentStore]:
    store = MongoDocumentStore(f"{mongo_uri}/api_{secrets.token_hex(4)}")
    yield store
    store.close()


@pytest.fixture
def fail(mongo_uri: str) -> Iterator[Fail]:
    """The next commands of these names fail in this way; times=0: from now on."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(mongo_uri)

    def set(*commands: str, times: int = 1, **how: Any) -> None:
        mode = {"times": times} if times else "alwaysOn"
        data = {"failCommands": list(commands), "appName": "sheaf-api", **how}
        client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})

    yield set
    client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    client.close()


def refusal(act: Callable[[], object]) -> tuple[str, int]:
    with pytest.raises(Refused) as refused:
        act()
    return refused.value.code, refused.value.status


# --- one command fails ---------------------------------------------------------------------------------------------

FAILURES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "the connection breaks while writing": (("insert",), {"closeConnection": True}),
    "the connection breaks at the commit": (("commitTransaction",), {"closeConnection": True}),
    "the primary steps down at the commit": (("commitTransaction",), {"errorCode": 91}),
    "the primary has changed": (("insert",), {"errorCode": 10107, "errorLabels": ["TransientTransactionError"]}),
    "others write the same": (("insert",), {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}),
    "the commit is not known to have happened": (
        ("commitTransaction",),
        {"errorCode": 64, "errorLabels": ["UnknownTransactionCommitResult"]},
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_commit_that_stumbles_happens_once(notes: Notes, fail: Fail, failure: str) -> None:
    commands, how = FAILURES[failure]
    notes.insert("first")  # its collection is there
    start = notes.store.position()
    memory = Memory(f"{notes.name} key", "r", "a", NOW + 60, NOW)
    fail(*commands, **how)
    notes.store.commit([write(notes, "a"), write(notes, "b")], memory)
    assert notes.find({}) == ["a", "b", "first"]
    assert [line.id for line in notes.store.feed(start, 10, 0)] == ["a", "b"]
    assert notes.store.recall(memory.key, NOW) == memory


def test_reading_survives_a_broken_connection(notes: Notes, fail: Fail) -> None:
    notes.insert("d1")
    fail("find", "aggregate", closeConnection=True)
    assert notes.get("d1")
    fail("find", "aggregate", closeConnection=True)
    assert notes.find({}) == ["d1"]
    fail("find", "aggregate", closeConnection=True)
    assert notes.count({}) == 1


def test_a_plan_tells_its_index_and_what_it_looked_at(notes: Notes) -> None:
    notes.insert("d1", {"n": 1})
    told = notes.store.explain(notes.name, notes.ask({"n": 1}))
    assert told.keys() == {"index", "examined", "engine"}
    assert told["examined"] >= 1
    assert notes.store.explain(f"{notes.name}_nothing", notes.ask({}))["index"] is None


def test_a_feed_goes_on_where_it_broke_off(notes: Notes, fail: Fail) -> None:
    start = notes.store.position()
    notes.store.commit([write(notes, "a")])
    fail("getMore", closeConnection=True)
    lines: list[Past] = []

    def read() -> bool:
        with suppress(Refused):
            lines.extend(notes.store.feed(lines[-1].position if lines else start, 10, 0))
        return len(lines) >= 2

    read()
    notes.store.commit([write(notes, "b")])
    until(read, "both lines")
    assert [line.id for line in lines] == ["a", "b"]


@pytest.mark.parametrize("error", [280, 286])
def test_a_position_that_the_server_does_not_know_any_more_is_lost(notes: Notes, fail: Fail, error: int) -> None:
    start = notes.store.position()
    notes.store.commit([write(notes, "a")])
    line = notes.store.feed(start, 10, 0)[0]
    fail("aggregate", errorCode=error)
    with pytest.raises(PositionLost):
        notes.store.feed(start, 10, 0)
    assert notes.store.feed(start, 10, 0) == [line]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (50, ("query_too_slow", 400)),
        (292, ("query_too_large", 400)),
        (17419, ("query_too_large", 400)),
        (2, ("store_unavailable", 503)),
    ],
)
def test_what_the_server_does_not_finish_is_a_refusal(
    notes: Notes, fail: Fail, error: int, expected: tuple[str, int]
) -> None:
    notes.insert("d1")
    for search in (lambda: notes.find({"a": 1}), lambda: notes.count({"a": 1}), lambda: notes.distinct("a")):
        fail("find", "aggregate", errorCode=error)
        assert refusal(search) == expected


def test_the_server_is_told_how_long_a_query_may_take(
    notes: Notes, fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes.insert("d1")
    monkeypatch.setattr(mongo_link, "QUERY_SECONDS", 0.4)
    fail("find", "aggregate", blockConnection=True, blockTimeMS=5000)
    began = time.monotonic()
    assert refusal(lambda: notes.find({})) in (("query_too_slow", 400), ("store_unavailable", 503))
    assert time.monotonic() - began < 4


def test_a_uri_cannot_weaken_what_is_promised(mongo_uri: str) -> None:
    seen = Commands()
    monitoring.register(seen)
    try:
        store = MongoDocumentStore(f"{mongo_uri}/api_{secrets.token_hex(4)}?w=1&journal=false&readConcernLevel=local")
    finally:
        monitoring._LISTENERS.command_listeners.remove(seen)
    notes = Notes(store, "notes")
    store.commit([write(notes, "a")], Memory("k", "r", "", NOW, NOW))
    store.conclude(Memory("k", "r", "a", NOW, NOW))
    notes.find({})
    promised = {"w": "majority", "j": True}
    assert [c["writeConcern"] for c in seen.named("commitTransaction", "update")] == [promised, promised]
    assert [c["readConcern"]["level"] for c in seen.named("find")] == ["majority"]
    assert [c["maxTimeMS"] <= 1000 * mongo_link.QUERY_SECONDS for c in seen.named("find")] == [True]
    store.close()


class Commands(monitoring.CommandListener):
    """What a client sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def named(self, *names: str) -> list[dict[str, Any]]:
        return [command for name, command in self.sent if name in names]

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.sent.append((event.command_name, dict(event.command)))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...
