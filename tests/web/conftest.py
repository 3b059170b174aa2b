"""Fixtures of the page tests: one house, on the embedded store and a clock that stands still."""

from pathlib import Path

import pytest

from idp.app import create_app
from idp.base.config import Settings
from idp.base.sections import Passwords
from idp.storage.sqlite import SqliteRepository
from tests.support.clock import FakeClock
from tests.support.quick import SEAL_KEY_TEXT, quick
from tests.web.house import House


@pytest.fixture
def new_store(store_with_keys: Path) -> Path:
    return store_with_keys


@pytest.fixture
def house(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> House:
    cheap = Passwords(time_cost=1, memory_kib=8192)
    settings = Settings(issuer="http://localhost", data=str(tmp_path / "data"), passwords=cheap, seal_key=SEAL_KEY_TEXT)
    return House(quick(create_app(settings, repo=repo, clock=clock)), clock)


@pytest.fixture
def relaxed(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> House:
    """Only administrators need a second step."""
    cheap = Passwords(time_cost=1, memory_kib=8192)
    data = str(tmp_path / "data")
    settings = Settings(
        issuer="http://localhost", data=data, passwords=cheap, second_factor="administrators", seal_key=SEAL_KEY_TEXT
    )
    return House(quick(create_app(settings, repo=repo, clock=clock)), clock)
