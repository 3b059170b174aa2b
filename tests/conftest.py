"""Fixtures that every test may use, the marks that follow from them, and the closing words about what did not run.

How the things behind the fixtures work is in tests/support.
"""

import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.peers.oidc_provider import oidc_upstream  # noqa: F401  (a fixture)
from tests.peers.relying_parties import relying_party  # noqa: F401  (a fixture)
from tests.support import mongo, rabbitmq
from tests.support.chromium import Windows, chromium_browser
from tests.support.clock import FakeClock
from tests.support.quick import build_addresses_when_asked
from tests.support.sheaf import Sheaf

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from idp.storage.sqlite import SqliteRepository

build_addresses_when_asked()

ROOT = Path(__file__).parent.parent
ARTIFACTS = ROOT / "test-artifacts"
# Whoever uses one of these starts a server; their tests are marked so that nobody has to remember it.
MARKS = {
    "sheaf": ("slow",),
    "sheaf_with_api": ("slow",),
    "start_sheaf": ("slow",),
    "mongo_uri": ("slow",),
    "rabbitmq_url": ("slow", "peer"),
    "chromium": ("slow", "browser"),
    "windows": ("slow", "browser"),
    "oidc_upstream": ("slow", "peer"),
    "relying_party": ("slow", "peer"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            for mark in MARKS.get(fixture, ()):
                item.add_marker(mark)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any) -> Generator[None, None, None]:
    """Say by name, below everything else, what is missing on this machine and which tests did not run for that."""
    yield
    absent: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        absent.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)
    for reason, tests in absent.items():
        terminalreporter.section(f"{len(tests)} not run", sep="-")
        terminalreporter.line(reason)
        for test in tests:
            terminalreporter.line(f"  {test}")


# pytest-flask would push a request context into every test that uses an app: that hides code which lacks one.
@pytest.fixture(autouse=True)
def _push_request_context() -> None: ...


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store in which nothing is, to be copied: making its tables takes longer than most tests."""
    from idp.storage.sqlite import SqliteRepository

    path = tmp_path_factory.mktemp("empty-store") / "idp.db"
    SqliteRepository(path, FakeClock()).close()
    return path


@pytest.fixture(scope="session")
def store_with_keys(empty_store: Path) -> Path:
    """The same with signing keys in it, sealed with support/quick.SEAL_KEY."""
    from idp.storage.sqlite import SqliteRepository
    from tests.support.quick import furnish

    path = Path(shutil.copy(empty_store, empty_store.with_name("with-keys.db")))
    repository = SqliteRepository(path, FakeClock())
    furnish(repository)
    repository.close()
    return path


@pytest.fixture
def new_store(empty_store: Path) -> Path:
    """What `repo` begins with. Tests of a running application take `store_with_keys` instead."""
    return empty_store


@pytest.fixture
def repo(tmp_path: Path, clock: FakeClock, new_store: Path) -> Iterator["SqliteRepository"]:
    """The embedded store on a fresh file, on the test's clock."""
    from idp.storage.sqlite import SqliteRepository

    repository = SqliteRepository(Path(shutil.copy(new_store, tmp_path / "idp.db")), clock)
    yield repository
    repository.close()


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that speaks MongoDB's wire protocol, without a database in the URI. Take a database of your own."""
    with mongo.secantus(tmp_path_factory.mktemp("secantus")) as uri:
        yield uri


@pytest.fixture(scope="session")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A RabbitMQ node of our own. Take queue names of your own."""
    with rabbitmq.rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as url:
        yield url


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    with chromium_browser() as browser:
        yield browser


@pytest.fixture
def windows(chromium: "Browser") -> Iterator[Windows]:
    """Pages in Chromium; all are closed after the test."""
    windows = Windows(chromium, ARTIFACTS)
    yield windows
    windows.close()


@pytest.fixture(scope="session")
def sheaf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sheaf]:
    """One identity provider for the whole run, a second factor for everyone. Add users and apps of your own."""
    with Sheaf(tmp_path_factory.mktemp("sheaf")) as running:
        yield running


@pytest.fixture(scope="session")
def sheaf_with_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sheaf]:
    """One installation with its companion for the whole run, as `idp run` starts it."""
    with Sheaf(tmp_path_factory.mktemp("sheaf-with-api"), api=True) as running:
        yield running


@pytest.fixture(scope="module")
def start_sheaf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sheaf]]:
    """Start installations with settings of their own (see support/sheaf.Sheaf); they end with the module."""
    started: list[Sheaf] = []

    def start(**settings: Any) -> Sheaf:
        sheaf = Sheaf(tmp_path_factory.mktemp("sheaf"), **settings)
        started.append(sheaf)
        return sheaf.start()

    yield start
    for one in started:
        one.stop()
