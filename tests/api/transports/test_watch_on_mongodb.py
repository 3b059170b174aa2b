"""documents.watch on MongoDB, where the feed is a change stream: the cases that its order, its gaps or its rights could break."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.transports.conftest import Served, serve
from tests.api.transports.test_watch import (  # noqa: F401  (tests and their fixture, run here once more)
    notes,
    test_after_a_break_nothing_is_missed_and_nothing_told_twice,
    test_only_what_one_may_read_is_told_and_nothing_of_the_rest,
    test_roles_of_roles_count_and_a_change_of_membership_acts_at_once,
    test_the_life_of_a_document_is_told_as_it_happens,
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, mongo_uri: str) -> Iterator[Served]:
    yield from serve(tmp_path_factory.mktemp("streams"), store=f"{mongo_uri}/watch_{secrets.token_hex(4)}")


@pytest.fixture
def framed(served: Served) -> Any:
    return served.open("websocket")
