"""Time as a value that is passed in. Seconds since the epoch, UTC, as float."""

import time
from collections.abc import Callable

Clock = Callable[[], float]


def system_clock() -> float:
    return time.time()
