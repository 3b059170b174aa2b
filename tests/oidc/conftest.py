"""Fixtures of the OIDC tests: one house, on the embedded store and a clock that stands still."""

import base64
from pathlib import Path

import pytest

from idp.app import create_app
from idp.base.config import Settings
from idp.crypto.new_keys import make_key
from idp.crypto.seal import Seal
from idp.domain.signing_key import SigningKey
from idp.storage.sqlite import SqliteRepository
from tests.oidc.house import ISSUER, House
from tests.support.clock import START, FakeClock

SEAL_KEY = bytes(range(32))


@pytest.fixture(scope="session")
def signing_keys() -> list[SigningKey]:
    """Made once for all houses: an RSA key takes longer than most tests."""
    seal = Seal(SEAL_KEY)
    return [make_key(use, state, seal, START) for use in ("id_token", "access_token") for state in ("current", "next")]


@pytest.fixture
def house(repo: SqliteRepository, clock: FakeClock, tmp_path: Path, signing_keys: list[SigningKey]) -> House:
    for key in signing_keys:
        repo.insert(key)
    settings = Settings(issuer=ISSUER, data=str(tmp_path / "data"), seal_key=base64.b64encode(SEAL_KEY).decode())
    return House(create_app(settings, repo=repo, clock=clock), clock)
