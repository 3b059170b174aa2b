"""The engines that every test of the contract runs on: SQLite, MongoDB through a stand-in, and a real MongoDB when
$IDP_TEST_MONGO_URI lends one. Leaves the servers to tests/support."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from idp.ports import Repository
from tests.storage.engines import Engine
from tests.support.clock import FakeClock
from tests.support.mongo import real_server

ENGINES = ["sqlite", pytest.param("mongo", marks=pytest.mark.slow)]
if real_server():
    ENGINES.append(pytest.param("real_mongo", marks=pytest.mark.slow))


@pytest.fixture
def clock() -> FakeClock:
    """Near the true time: MongoDB clears away by its own clock what has expired long ago."""
    return FakeClock(float(int(time.time())))


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty store, that this process and others can open."""
    if request.param == "sqlite":
        yield Engine("sqlite", str(tmp_path / "idp.db"))
        return
    server: str = real_server() or "" if request.param == "real_mongo" else request.getfixturevalue("mongo_uri")
    with mongo_database(server) as engine:
        yield engine


@pytest.fixture
def store(engine: Engine, clock: FakeClock) -> Iterator[Repository]:
    with engine.opened(clock) as repository:
        yield repository


def mongo_database(server: str) -> "_Database":
    return _Database(server)


class _Database:
    """A database of its own on a server, dropped afterwards."""

    def __init__(self, server: str) -> None:
        self.server, self.name = server, f"sheaf_test_{uuid.uuid4().hex[:12]}"

    def __enter__(self) -> Engine:
        base, question, options = self.server.partition("?")
        return Engine("mongo", f"{base.rstrip('/')}/{self.name}{question}{options}")

    def __exit__(self, *exception: object) -> None:
        client: pymongo.MongoClient[dict[str, Any]]
        with pymongo.MongoClient(self.server) as client:
            client.drop_database(self.name)
