"""Fixtures of the page tests: one house, on the embedded store and a clock that stands still."""

from pathlib import Path

import pytest

from idp.app import create_app
from idp.base.config import Passwords, Settings
from idp.storage.sqlite import SqliteRepository
from tests.support.clock import FakeClock
from tests.web.house import House


@pytest.fixture
def house(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> House:
    quick = Passwords(time_cost=1, memory_kib=8192)
    settings = Settings(issuer="http://localhost", data=str(tmp_path / "data"), passwords=quick)
    return House(create_app(settings, repo=repo, clock=clock), clock)
