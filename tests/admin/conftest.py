"""Fixtures of the tests of what administrators do: a house, an administrator at a browser, programs with tokens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from idp.app import create_app
from idp.base.config import Settings
from idp.domain.relying import Client
from idp.storage.sqlite import SqliteRepository
from tests.admin.programs import Program, Programs
from tests.support.clock import FakeClock
from tests.support.quick import SEAL_KEY_TEXT, quick
from tests.web.house import Browser, House, Person


@pytest.fixture
def new_store(store_with_keys: Path) -> Path:
    return store_with_keys


@pytest.fixture
def house_with(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> Callable[..., House]:
    """A house with settings of its own."""

    def build(**settings: Any) -> House:
        cheap = {"time_cost": 1, "memory_kib": 8192}
        data = str(tmp_path / "data")
        tree = {"issuer": "http://localhost", "data": data, "passwords": cheap, "seal_key": SEAL_KEY_TEXT, **settings}
        return House(quick(create_app(Settings.model_validate(tree), repo=repo, clock=clock)), clock)

    return build


@pytest.fixture
def house(house_with: Callable[..., House]) -> House:
    return house_with()


@pytest.fixture
def ada(house: House) -> Person:
    """The administrator."""
    return house.person("ada", admin=True)


@pytest.fixture
def browser(house: House, ada: Person) -> Browser:
    """That of the administrator."""
    return house.sign_in(ada)


@pytest.fixture
def wiki(house: House) -> Client:
    client, _ = house.parts.apps.add_client(
        Client("wiki", "Wiki", house.clock(), redirect_uris=("https://wiki.example/cb",)),
        actor="test",
        with_secret=True,
    )
    return client


@pytest.fixture
def programs(house: House) -> Programs:
    return Programs(house)


@pytest.fixture
def program(programs: Programs) -> Program:
    """One that may."""
    return programs.add()
