"""Fixtures of the OIDC tests: one house, on the embedded store and a clock that stands still."""

from pathlib import Path

import pytest

from idp.app import create_app
from idp.base.config import Settings
from idp.storage.sqlite import SqliteRepository
from tests.oidc.house import ISSUER, House
from tests.support.clock import FakeClock
from tests.support.quick import SEAL_KEY_TEXT, quick


@pytest.fixture
def new_store(store_with_keys: Path) -> Path:
    return store_with_keys


@pytest.fixture
def house(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> House:
    settings = Settings(issuer=ISSUER, data=str(tmp_path / "data"), seal_key=SEAL_KEY_TEXT)
    return House(quick(create_app(settings, repo=repo, clock=clock)), clock)
