"""Fixtures of these tests: applications in this process find their signing keys in the store."""

from pathlib import Path

import pytest


@pytest.fixture
def new_store(store_with_keys: Path) -> Path:
    return store_with_keys
