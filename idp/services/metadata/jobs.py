"""Keeps the metadata of peers and federations fresh, in a thread of its own in every process. Whoever finds something due
claims it in the store, so each look happens once however many processes there are.

Leaves the look to watch and federations. Without anything that is due it loads no XML library.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from idp.base import log
from idp.base.errors import Refused
from idp.ports import StoreUnavailable
from idp.services.metadata.federations import LONG_PATIENCE, Federations
from idp.services.metadata.watch import MetadataWatches

LOOK_SECONDS = 60.0
FIRST_LOOK_SECONDS = 20.0
_log = logging.getLogger("idp.metadata")


class MetadataJobs:
    def __init__(self, watches: MetadataWatches, federations: Federations) -> None:
        self._watches = watches
        self._federations = federations

    def run_due(self) -> int:
        """Everything that is due, one after the other, right here. Gives the number of looks that went well."""
        done = 0
        with _carrying_on("upstreams"):
            self._watches.follow_upstreams()
        for peer in self._watches.due():
            with _carrying_on(peer):
                self._watches.look(peer, only_due=True)
                done += 1
        for source_id in self._federations.due():
            with _carrying_on(f"federation:{source_id}"):
                self._federations.refresh(source_id, patience=LONG_PATIENCE, only_due=True)
                done += 1
        return done

    def keep_for_ever(
        self, wait: Callable[[float], None] = time.sleep, chance: Callable[[], float] = random.random
    ) -> None:
        """Not all processes at the same moment."""
        wait(FIRST_LOOK_SECONDS * (0.5 + chance()))
        while True:
            try:
                self.run_due()
            except StoreUnavailable as error:
                log.event(_log, "metadata_wait", logging.WARNING, why=str(error))
            wait(LOOK_SECONDS * (0.9 + 0.2 * chance()))


@contextmanager
def _carrying_on(what: str) -> Iterator[None]:
    """The thread outlives everything; what went wrong stands with the peer, and is tried again later."""
    try:
        yield
    except Refused as refused:
        if refused.code != "changed_meanwhile":  # another process has it
            log.event(_log, "metadata_not_read", logging.WARNING, peer=what[:200], why=refused.reason[:300])
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001  (whatever it is, the next one must be looked at)
        _log.exception("fault while looking at the metadata of %s", what)
