"""Joining two accounts of one's own: whoever proves the one, and then the other in the same browser, may join them.

Leaves proving to the pages, and the merge itself to idp.services.change_links.
"""

from contextlib import suppress

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.link_change import MergeOffer
from idp.domain.user import User
from idp.ports import Duplicate, Repository

OFFER_SECONDS = 600.0


class MergeOffers:
    def __init__(self, repo: Repository, clock: Clock) -> None:
        self._repo = repo
        self._clock = clock

    def make(self, user: User, browser: str) -> None:
        """user has just been proved in this browser (digest of its cookie). The newest one counts."""
        now = self._clock()
        offer = MergeOffer(_id(browser), user.id, now, now + OFFER_SECONDS)
        self._repo.delete(MergeOffer, offer.id)
        with suppress(Duplicate):  # another tab was faster with the same
            self._repo.insert(offer)

    def of(self, browser: str | None) -> MergeOffer | None:
        found = self._repo.get(MergeOffer, _id(browser)) if browser else None
        return found if found is not None and found.consumed_at is None else None

    def take(self, browser: str | None) -> MergeOffer:
        """Once. Raises Refused(merge_offer_gone)."""
        offer = self.of(browser)
        if offer is None or self._repo.consume(MergeOffer, offer.id) is None:
            raise Refused("merge_offer_gone", "That was too long ago. Begin again from your account.", status=409)
        return offer

    def forget(self, browser: str | None) -> None:
        if browser:
            self._repo.delete(MergeOffer, _id(browser))


def _id(browser: str) -> str:
    return ids.digest(f"merge offer {browser}")
