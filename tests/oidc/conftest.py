"""Fixtures of the OIDC tests: one house, on the embedded store and a clock that stands still."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.app import create_app
from idp.base.config import Settings
from idp.storage.sqlite import SqliteRepository
from tests.oidc.certificates import SERVER
from tests.oidc.house import ISSUER, House
from tests.support.clock import FakeClock
from tests.support.quick import SEAL_KEY_TEXT, quick
from tests.support.receiver import Receiver


@pytest.fixture
def new_store(store_with_keys: Path) -> Path:
    return store_with_keys


@pytest.fixture
def house_with(repo: SqliteRepository, clock: FakeClock, tmp_path: Path) -> Callable[..., House]:
    """A house with settings of its own."""

    def build(**settings: Any) -> House:
        tree = {"issuer": ISSUER, "data": str(tmp_path / "data"), "seal_key": SEAL_KEY_TEXT, **settings}
        return House(quick(create_app(Settings.model_validate(tree), repo=repo, clock=clock)), clock)

    return build


@pytest.fixture
def house(house_with: Callable[..., House]) -> House:
    return house_with()


@pytest.fixture
def behind_proxy(house_with: Callable[..., House]) -> House:
    """A house that believes a proxy about the certificates of apps."""
    return house_with(server=SERVER)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The server of an app."""
    with Receiver() as receiver:
        yield receiver
