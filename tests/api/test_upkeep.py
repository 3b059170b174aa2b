"""What a node does by itself."""

import logging

import pytest

from idp.api.problems import unavailable
from idp.api.upkeep import Upkeep
from tests.support.clock import FakeClock


def test_each_sweep_goes_on_until_nothing_is_left_and_none_stops_the_others(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    left, seen = [3, 2, 0], []

    def away(now: float) -> int:
        raise unavailable("store", "down")

    def broken(now: float) -> int:
        raise ZeroDivisionError("broken")

    def sweep(now: float) -> int:
        seen.append(now)
        return left.pop(0)

    with caplog.at_level(logging.WARNING):
        Upkeep((away, broken, sweep), clock).once()
    assert seen == [clock()] * 3
    assert "upkeep_refused" in caplog.text
    assert "ZeroDivisionError" in caplog.text
