"""Owns what a node does by itself, once a minute: deletes what has expired and contents that no file names.

What that is, the stores know. Every process of every node may do it, also at the same time.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.log import event

EVERY_SECONDS = 60.0
logger = logging.getLogger("idp.api.upkeep")


class Upkeep:
    """sweeps: each deletes some of what is to be deleted at a time in epoch seconds, and says how many."""

    def __init__(self, sweeps: Sequence[Callable[[float], int]], clock: Clock) -> None:
        self._sweeps = sweeps
        self._clock = clock

    def start(self) -> None:
        """Until the process ends: what is half done then, the next one finds."""
        threading.Thread(target=self._run, name="upkeep", daemon=True).start()

    def once(self) -> None:
        for sweep in self._sweeps:
            try:
                while sweep(self._clock()):
                    pass
            except Refused as refused:  # the store does not answer now; it will in a minute
                event(logger, "upkeep_refused", logging.WARNING, code=refused.code, reason=refused.reason)
            except Exception:
                logger.exception("upkeep")

    def _run(self) -> None:
        while True:
            time.sleep(EVERY_SECONDS)
            self.once()
