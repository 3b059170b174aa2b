"""What only the embedded store promises: its file, its connections, forks, locks and full disks."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from idp.base.errors import Misconfigured
from idp.domain.audit_event import StoredSetting
from idp.domain.user import User
from idp.ports import StoreUnavailable
from idp.storage.collections import COLLECTIONS
from idp.storage.rows import Rows
from idp.storage.sqlite import SqliteRepository, schema
from idp.storage.sqlite.statements import Statements
from tests.storage.engines import ROOT
from tests.storage.examples import example
from tests.support.clock import FakeClock

LINUX = sys.platform == "linux"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def run_python(script: str, *arguments: object) -> str:
    """A script in a process of its own, as it forks or limits itself."""
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_file_and_its_companions_are_readable_by_their_owner_only(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "idp.db"
    before = os.umask(0)
    try:
        repository = SqliteRepository(path, clock)
        repository.insert(example(User))
        assert {file.name: mode(file) for file in tmp_path.iterdir()} == {
            "idp.db": 0o600,
            "idp.db-wal": 0o600,
            "idp.db-shm": 0o600,
        }
        repository.close()
    finally:
        os.umask(before)


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "idp.db"
    SqliteRepository(path, clock).close()
    path.chmod(0o644)
    SqliteRepository(path, clock).close()
    assert mode(path) == 0o600


def test_every_commit_is_synced_to_a_write_ahead_log(tmp_path: Path, clock: FakeClock) -> None:
    repository = SqliteRepository(tmp_path / "idp.db", clock)
    with repository._pool.connection() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    repository.close()


def test_a_file_of_another_program_is_refused_and_not_touched(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "theirs.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url)")
    connection.close()
    with pytest.raises(Misconfigured, match="belongs to another program"):
        SqliteRepository(path, clock)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]
    connection.close()


@pytest.mark.parametrize("content", [b"This is a letter to my aunt. " * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_refused_and_not_touched(
    tmp_path: Path, clock: FakeClock, content: bytes
) -> None:
    path = tmp_path / "letter.db"
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match=r"letter\.db"):
        SqliteRepository(path, clock)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["", "missing/idp.db"])
def test_a_path_that_cannot_be_a_file_is_refused_by_the_name_of_the_setting(
    tmp_path: Path, clock: FakeClock, name: str
) -> None:
    with pytest.raises(Misconfigured) as refusal:
        SqliteRepository(tmp_path / name, clock)
    assert refusal.value.setting == "store.url"


def test_an_sqlite_that_is_too_old_is_refused(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "OLDEST_SQLITE", (99, 0, 0))
    with pytest.raises(Misconfigured, match="too old"):
        SqliteRepository(tmp_path / "idp.db", clock)


def test_a_writer_waits_for_another_one(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "idp.db"
    repository = SqliteRepository(path, clock)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.execute, ["COMMIT"])
    release.start()
    repository.insert(example(User))
    release.join()
    other.close()
    assert repository.get(User, example(User).id) is not None
    repository.close()


def test_a_writer_that_waits_too_long_gets_an_error_while_readers_go_on(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "idp.db"
    repository = SqliteRepository(path, clock, busy_seconds=0.1)
    repository.insert(example(User))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        repository.insert(example(User, 2))
    assert repository.get(User, example(User).id) is not None
    other.execute("COMMIT")
    other.close()
    repository.insert(example(User, 2))
    repository.close()


@pytest.mark.skipif(not LINUX, reason="counts open files in /proc")
def test_threads_that_come_and_go_leave_no_connections_behind(tmp_path: Path, clock: FakeClock) -> None:
    repository = SqliteRepository(tmp_path / "idp.db", clock)

    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    def use(number: int) -> None:
        repository.insert(StoredSetting(str(number), "x", 1.0))

    before = open_files()
    for number in range(100):
        thread = threading.Thread(target=use, args=(number,))
        thread.start()
        thread.join()
    assert open_files() <= before + 3
    repository.close()
    assert len(list(tmp_path.iterdir())) == 1  # the last connection took -wal and -shm with it


FORK = """
import os, sys, threading
from idp.base.clock import system_clock
from idp.domain.audit_event import StoredSetting
from idp.storage.sqlite import SqliteRepository
from pathlib import Path

def open_files():
    files = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return sum(1 for file in files if os.path.exists(file) and os.readlink(file) == sys.argv[1])

repository = SqliteRepository(Path(sys.argv[1]), system_clock)
repository.insert(StoredSetting("before", "x", 1.0))
inherited = open_files()
for number in range(3):
    child = os.fork()
    if child == 0:
        assert open_files() == inherited, "a connection of the parent was closed"
        repository.insert(StoredSetting("warm-up", "x", 1.0))
        repository.delete(StoredSetting, "warm-up")
        assert open_files() == inherited + 1, "the child has no connection of its own"
        repository.insert(StoredSetting(f"child-{number}", "x", 1.0))
        sys.exit(0 if len(repository.find(StoredSetting)) == number * 2 + 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
    repository.insert(StoredSetting(f"parent-{number}", "x", 1.0))
assert os.path.exists(sys.argv[1] + "-wal"), "a child took the log away from its parent"
print(*(setting.id for setting in repository.find(StoredSetting)))
repository.close()
"""


@pytest.mark.skipif(not LINUX, reason="looks at open files in /proc")
def test_a_repository_opened_before_a_fork_serves_parent_and_children(tmp_path: Path) -> None:
    path = tmp_path / "idp.db"
    names = run_python(FORK, path).split()
    assert names == sorted(["before", *(f"{who}-{number}" for who in ("child", "parent") for number in range(3))])
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


FORK_UNUSED = """
import os, sys, time
from idp.base.clock import system_clock
from idp.domain.audit_event import StoredSetting
from idp.storage.sqlite import SqliteRepository
from pathlib import Path

repository = SqliteRepository(Path(sys.argv[1]), system_clock)
repository.insert(StoredSetting("before", "x", 1.0))
child = os.fork()
if child == 0:
    sys.exit(0)  # a whole interpreter goes down, with everything it inherited
assert os.waitpid(child, 0)[1] == 0
assert os.path.exists(sys.argv[1] + "-wal")
repository.insert(StoredSetting("after", "x", 1.0))
print("acknowledged", flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_child_that_ends_without_using_the_store_takes_nothing_from_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "idp.db"
    done = subprocess.run([sys.executable, "-c", FORK_UNUSED, str(path)], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    repository = SqliteRepository(path, time.time)
    assert [setting.id for setting in repository.find(StoredSetting)] == ["after", "before"]
    repository.close()


FULL_DISK = """
import resource, sys
from idp.base.clock import system_clock
from idp.domain.audit_event import StoredSetting
from idp.ports import StoreUnavailable
from idp.storage.sqlite import SqliteRepository
from pathlib import Path

repository = SqliteRepository(Path(sys.argv[1]), system_clock)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
written = 0
try:
    while written < 10_000:
        repository.insert(StoredSetting(f"{written:05d}", "x" * 500, 1.0))
        written += 1
except StoreUnavailable as error:
    print(error, file=sys.stderr)
else:
    sys.exit("it never got full")
assert len(repository.find(StoredSetting, limit=100_000)) == written, "reading goes on"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
repository.insert(StoredSetting("room again", "x", 1.0))
assert len(repository.find(StoredSetting, limit=100_000)) == written + 1
repository.close()
print(written)
"""


@pytest.mark.skipif(not LINUX, reason="limits the size of files")
def test_a_full_disk_refuses_writes_loses_nothing_and_heals(tmp_path: Path) -> None:
    assert int(run_python(FULL_DISK, tmp_path / "idp.db")) > 10


def test_every_look_up_uses_an_index(tmp_path: Path, clock: FakeClock) -> None:
    SqliteRepository(tmp_path / "idp.db", clock).close()
    connection = sqlite3.connect(tmp_path / "idp.db")
    for collection in COLLECTIONS:
        statements = Statements(Rows(collection))
        for group in [*collection.unique, *((key,) for key in collection.lookup)]:
            sql = statements.find(tuple((key, False) for key in group), True)
            plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", ["x"] * sql.count("?")).fetchall()
            assert all(step[-1].startswith("SEARCH") for step in plan if "TEMP B-TREE" not in step[-1]), (sql, plan)
    connection.close()


def test_closing_the_store_under_threads_that_use_it_ends_them_by_name(tmp_path: Path) -> None:
    """SQLite crashes the process when a connection is closed that another thread is just using."""
    for number in range(20):
        store, ended = SqliteRepository(tmp_path / f"{number}.db", FakeClock()), []

        def read(store: SqliteRepository = store, ended: list[str] = ended) -> None:
            try:
                while True:
                    store.find(StoredSetting)
            except StoreUnavailable as error:
                ended.append(str(error))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.002 * (number % 5))
        store.close()
        for thread in threads:
            thread.join(20)
        assert ended == ["the repository is closed"] * 4
