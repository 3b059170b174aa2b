"""The conformance suite once more, with requests that go over the queue."""

from collections.abc import Iterator

import pytest

from tests.api.transports.conftest import Served, serve
from tests.api.transports.test_conformance import *  # noqa: F403  (tests, run here once more)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serve(tmp_path_factory.mktemp("dispatched"), dispatch="queue")
