"""Owns codes of an authenticator app in tests: never the same step twice, as a person with a phone would.

The product's own TOTP code is not used here: these codes come from an independent library.
"""

import time
from collections.abc import Callable

import pyotp

PERIOD = 30
MARGIN = 8  # seconds; a code of the previous step must not fall out of the window on its way


class Authenticator:
    """An authenticator app that holds one secret (base32).

    A server takes each 30-second step once, and the previous, present and next step. `code()` therefore walks through
    these three and waits only when all are spent.
    """

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self.secret = secret
        self.clock = clock
        self.spent = 0

    def code(self) -> str:
        """A code that the server has not seen."""
        now = self.clock()
        step, elapsed = divmod(now, PERIOD)
        earliest = int(step) - (1 if elapsed < PERIOD - MARGIN else 0)
        chosen = max(earliest, self.spent + 1)
        if chosen > int(step) + 1:
            time.sleep((chosen - 1) * PERIOD - now + 0.5)
        self.spent = chosen
        return self.at_step(chosen)

    def at_step(self, step: int) -> str:
        """The code of a step, counted in 30 s since the epoch."""
        return pyotp.TOTP(self.secret).at(step * PERIOD)

    def wrong_code(self) -> str:
        """Six digits that are wrong now and in the minutes around."""
        step = int(self.clock() // PERIOD)
        near = {self.at_step(step + offset) for offset in range(-5, 6)}
        return next(code for code in (f"{number:06d}" for number in range(100)) if code not in near)
