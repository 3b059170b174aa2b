"""Owns the clock that tests hold in their hand.

Whatever needs the time takes a callable; tests pass one of these and move it.
"""

START = 1_800_000_000.0


class FakeClock:
    """Callable like base.clock.system_clock: seconds since the epoch. Stands still until it is moved."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move by so many seconds; a negative number turns it back."""
        self.now += seconds

    def set(self, now: float) -> None:
        self.now = now
