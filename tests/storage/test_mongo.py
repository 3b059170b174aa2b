"""What only the cluster store promises: URIs, outages, fail-over, indexes, forks. On the stand-in for MongoDB."""

import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo import monitoring
from pymongo.errors import DuplicateKeyError
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from idp.base.errors import Misconfigured
from idp.domain.attempt import LoginAttempt
from idp.domain.audit_event import StoredSetting
from idp.domain.grant import AuthorizationCode
from idp.domain.session import Session
from idp.domain.user import User
from idp.ports import Duplicate, Repository, StoreUnavailable
from idp.storage.collections import BY_KIND
from idp.storage.mongo import MongoRepository, _duplicate
from idp.storage.mongo.schema import KEEP_SECONDS, date
from idp.storage.rows import Rows
from tests.storage.conftest import mongo_database
from tests.storage.engines import ROOT, Engine
from tests.storage.examples import example
from tests.support.clock import FakeClock
from tests.support.needs import SECANTUS, need
from tests.support.ports import free_port
from tests.support.running import Running, until

pytestmark = pytest.mark.slow
Client = pymongo.MongoClient[dict[str, Any]]


@pytest.fixture
def engine(mongo_uri: str) -> Iterator[Engine]:
    with mongo_database(mongo_uri) as engine:
        yield engine


@pytest.fixture
def client(mongo_uri: str) -> Iterator[Client]:
    client: Client
    with pymongo.MongoClient(mongo_uri) as client:
        yield client


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

    def uri(self, user: str = "", database: str = "sheaf_test") -> str:
        return f"mongodb://{user}127.0.0.1:{self.port}/{database}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.kill()


def setting(id: str) -> StoredSetting:
    return StoredSetting(id, "x", 1.0)


def answers(repository: Repository) -> bool:
    try:
        repository.get(User, "nobody")
    except StoreUnavailable:
        return False
    return True


# --- outages ----------------------------------------------------------------------------------------------------------


def test_a_repository_finds_its_server_again_and_nothing_acknowledged_is_lost(server: Server) -> None:
    repository = MongoRepository(server.uri(), time.time, operation_seconds=3)
    assert not answers(repository)  # not there yet: no reason to give up
    server.start()
    until(lambda: answers(repository), "the repository finds its server")
    for number in range(50):
        repository.insert(setting(f"{number:02d}"))
    server.kill()
    with pytest.raises(StoreUnavailable):
        repository.insert(setting("lost"))
    server.start()
    until(lambda: answers(repository), "the repository finds its server again")
    repository.insert(setting("new"))
    assert [found.id for found in repository.find(StoredSetting)] == [*(f"{number:02d}" for number in range(50)), "new"]
    repository.close()


def test_an_absent_server_is_reported_in_time_and_without_the_password(clock: FakeClock) -> None:
    repository = MongoRepository(f"mongodb://ada:hunter2@127.0.0.1:{free_port()}/db", clock, operation_seconds=0.5)
    start = time.monotonic()
    with pytest.raises(StoreUnavailable) as error:
        repository.get(User, "usr_1")
    assert time.monotonic() - start < 5
    assert "hunter2" not in f"{error.value} {error.value.__cause__} {repository!r} {vars(repository)}"
    repository.close()


def test_a_wrong_password_is_a_mistake_in_the_settings_and_the_right_one_works(
    server: Server, clock: FakeClock
) -> None:
    server.start()
    client: Client
    with pymongo.MongoClient(server.uri()) as client:
        client["admin"].command(
            "createUser", "ada", pwd="right", roles=[{"role": "readWriteAnyDatabase", "db": "admin"}]
        )
    server.kill()
    server.start("--auth")
    for user, cure in [("ada:wrong@", "readWrite"), ("", "readWrite")]:
        repository = MongoRepository(f"{server.uri(user)}?authSource=admin", clock)
        with pytest.raises(Misconfigured, match=cure) as refusal:
            repository.get(User, "usr_1")
        assert refusal.value.setting == "store.url"
        assert "wrong" not in str(refusal.value)
        repository.close()
    repository = MongoRepository(f"{server.uri('ada:right@')}?authSource=admin", clock)
    repository.insert(setting("a"))
    assert repository.get(StoredSetting, "a") == setting("a")
    repository.close()


@pytest.mark.parametrize(
    "failure",
    [
        {"errorCode": 10107, "errorLabels": ["RetryableWriteError"]},  # NotWritablePrimary: an election
        {"errorCode": 91, "errorLabels": ["RetryableWriteError"]},  # ShutdownInProgress
        {"closeConnection": True},
    ],
    ids=["election", "shutdown", "connection lost"],
)
def test_a_fail_over_in_the_middle_of_a_write_is_ridden_out_and_the_write_happens_once(
    engine: Engine, clock: FakeClock, client: Client, failure: dict[str, object]
) -> None:
    with engine.opened(clock) as store:
        now = clock.now
        store.insert(AuthorizationCode("code", "g", "c", "https://app.example/cb", None, now, now + 60))
        data = {"failCommands": ["insert", "update", "find"], **failure}
        client.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": data})
        store.insert(setting("a"))
        client.admin.command(
            {"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": {**data, "failCommands": ["update"]}}
        )
        assert store.consume(AuthorizationCode, "code") is not None
        client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
        assert store.consume(AuthorizationCode, "code") is None
        assert store.find(StoredSetting) == [setting("a")]


class HeldUpdate(CommandListener):
    """Holds up an update of one thread, just before it leaves for the server."""

    def __init__(self) -> None:
        self.thread: int | None = None
        self.held, self.go_on = threading.Event(), threading.Event()

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name == "update" and threading.get_ident() == self.thread:
            self.held.set()
            self.go_on.wait(30)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...
    def failed(self, event: CommandFailedEvent) -> None: ...


def test_a_record_that_changes_while_it_is_being_consumed_is_consumed_as_it_is_then(
    engine: Engine, clock: FakeClock
) -> None:
    watch = HeldUpdate()
    monitoring.register(watch)
    attempt = example(LoginAttempt)
    with engine.opened(clock) as slow, engine.opened(clock) as fast, ThreadPoolExecutor(1) as thread:
        fast.insert(attempt)
        watch.thread = thread.submit(threading.get_ident).result(20)
        consuming = thread.submit(slow.consume, LoginAttempt, attempt.id)
        assert watch.held.wait(20)
        assert fast.get(LoginAttempt, attempt.id) == attempt
        assert fast.replace_if(replace(attempt, denied=False)) is not None
        assert not consuming.done()
        watch.go_on.set()
        consumed = consuming.result(20)
        assert consumed is not None
        assert (consumed.denied, consumed.version) == (False, attempt.version + 2)
        assert fast.get(LoginAttempt, attempt.id) == consumed


# --- durability and indexes -------------------------------------------------------------------------------------------


def test_a_uri_cannot_weaken_what_a_write_promises(engine: Engine, clock: FakeClock) -> None:
    weak = Engine("mongo", f"{engine.where}?w=0&journal=false&retryWrites=false&readPreference=secondaryPreferred")
    with weak.opened(clock) as store:
        store.insert(setting("a"))
        with pytest.raises(Duplicate):  # with w=0 nobody would tell
            store.insert(setting("a"))
        with store._connection.collection("settings") as collection:  # type: ignore[attr-defined]
            assert collection.write_concern.document == {"w": "majority", "j": True}
            assert collection.read_preference == pymongo.ReadPreference.PRIMARY


def test_what_expires_is_cleared_away_by_the_server_an_hour_later(
    engine: Engine, store: Repository, clock: FakeClock, client: Client
) -> None:
    store.insert(example(Session, id="s", expires_at=clock.now + 60.0004))
    collection = client[engine.where.rsplit("/", 1)[1]]["sessions"]
    (index,) = [index for index in collection.list_indexes() if "expireAfterSeconds" in index]
    assert (dict(index["key"]), index["expireAfterSeconds"]) == ({"gone_at": 1}, KEEP_SECONDS)
    document = collection.find_one({"_id": "s"})
    assert document is not None
    assert document["gone_at"] == datetime.fromtimestamp(clock.now + 60.001, UTC).replace(tzinfo=None)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1.0005, 1_800_000_000.123, 1e12, 1e300])
def test_every_expiry_has_a_date(seconds: float) -> None:
    assert date(seconds) <= date(seconds, up=True)
    if 0 <= seconds < 1e11:
        assert math.isclose(date(seconds).timestamp(), seconds, abs_tol=0.001)


def test_a_value_is_never_an_operator_in_the_stored_document(engine: Engine, store: Repository, client: Client) -> None:
    store.insert(example(LoginAttempt, id="a", request={"$where": "1", "a.b": {"$gt": 1}}))
    document = client[engine.where.rsplit("/", 1)[1]]["login_attempts"].find_one({"_id": "a"})
    assert document is not None
    assert isinstance(document["body"], str)


@pytest.mark.parametrize(
    ("message", "details", "key"),
    [
        ("E11000", {"keyPattern": {"username_key": 1}}, ("username_key",)),
        ("E11000", {"keyPattern": {"_id": 1}}, ("id",)),
        (
            'E11000 duplicate key error collection: db.users index: unique_email_key dup key: { : "a@b.c" }',
            {},
            ("email_key",),
        ),
        ('E11000 duplicate key error collection: db.users index: _id_ dup key: { : "usr_1" }', {}, ("id",)),
    ],
)
def test_a_taken_key_is_named_by_new_and_old_servers(
    message: str, details: dict[str, object], key: tuple[str, ...]
) -> None:
    refusal = _duplicate(Rows(BY_KIND[User]), DuplicateKeyError(message, 11000, details))
    assert (refusal.collection, refusal.key) == ("users", key)


# --- forks ------------------------------------------------------------------------------------------------------------

FORK = """
import os, sys, time
from idp.domain.audit_event import StoredSetting
from idp.storage.mongo import MongoRepository

repository = MongoRepository(sys.argv[1], time.time)
repository.insert(StoredSetting("before", "x", 1.0))
child = os.fork()
if child == 0:
    repository.insert(StoredSetting("child", "x", 1.0))
    sys.exit(0 if len(repository.find(StoredSetting)) == 2 else 1)
assert os.waitpid(child, 0)[1] == 0
repository.insert(StoredSetting("parent", "x", 1.0))
print(*(setting.id for setting in repository.find(StoredSetting)))
repository.close()
"""


def test_a_repository_used_before_a_fork_serves_parent_and_child(engine: Engine) -> None:
    # Python 3.12 warns about forking with threads; the driver has some, and servers that fork do it anyway.
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", FORK, engine.where]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["before", "child", "parent"]
