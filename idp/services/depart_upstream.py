"""Owns the way to an upstream and back: one UpstreamDeparture for each browser that was sent away, usable once.

An answer that comes by POST from another site comes without our cookies: it waits as an UpstreamArrival until the same
browser asks for it. Leaves URLs and checks of the answer to the upstream kinds, and whom it belongs to to sign_in.
"""

from collections.abc import Mapping

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.attempt import LoginAttempt
from idp.domain.saml import UpstreamArrival
from idp.domain.upstream import UpstreamDeparture
from idp.domain.upstream_trial import UpstreamTrial
from idp.ports import Duplicate, Repository

MAX_STATE = 100
ARRIVAL_SECONDS = 120.0  # it is the next thing that a browser does
ARRIVALS_OF_A_DEPARTURE = 3  # a button pressed twice; and nobody fills the store with what we have not looked at yet


class Departures:
    def __init__(self, repo: Repository, clock: Clock) -> None:
        self._repo = repo
        self._clock = clock

    def begin(
        self, handle: str, attempt: LoginAttempt | UpstreamTrial, provider_id: str, remembered: Mapping[str, str]
    ) -> UpstreamDeparture:
        """Before the browser leaves. remembered["state"] is what the upstream will give back: 256 random bits that say
        nothing of the attempt. Ends with the attempt at the latest."""
        departure = UpstreamDeparture(
            ids.digest(remembered["state"]), handle, provider_id, self._clock(), attempt.expires_at, dict(remembered)
        )
        self._repo.insert(departure)
        return departure

    def find(self, state: str, provider_id: str) -> UpstreamDeparture:
        """The departure that an answer belongs to, still unused. Raises Refused(upstream_unexpected).

        Look here first and ask whether it is this browser's attempt; only then `take`: a stranger who saw the state must
        not be able to use it up.
        """
        departure = self._repo.get(UpstreamDeparture, ids.digest(state)) if 20 <= len(state) <= MAX_STATE else None
        if departure is None:
            raise unexpected("the state is missing, unknown or expired")
        if departure.provider_id != provider_id:
            raise unexpected(f"the state was made for {departure.provider_id}, the answer came to {provider_id}")
        if departure.consumed_at is not None:
            raise unexpected("the state was already used")
        return departure

    def knows(self, state: str) -> bool:
        """Did a departure, used or not, have this state?"""
        return 20 <= len(state) <= MAX_STATE and self._repo.get(UpstreamDeparture, ids.digest(state)) is not None

    def handle_of(self, state: str, provider_id: str) -> str:
        """Of the departure that an answer to this provider belongs to; empty for none that is still unused."""
        found = self._repo.get(UpstreamDeparture, ids.digest(state)) if 20 <= len(state) <= MAX_STATE else None
        usable = found is not None and found.provider_id == provider_id and found.consumed_at is None
        return found.handle if found is not None and usable else ""

    def take(self, departure: UpstreamDeparture) -> None:
        """Once: of two equal answers one goes on. Raises Refused(upstream_unexpected)."""
        if self._repo.consume(UpstreamDeparture, departure.id) is None:
            raise unexpected("the state was used at the same moment by another request")

    def keep_arrival(self, departure: UpstreamDeparture, params: Mapping[str, str]) -> str:
        """Until the browser comes back with the handle that this gives. Raises Refused(upstream_unexpected)."""
        now = self._clock()
        for number in range(ARRIVALS_OF_A_DEPARTURE):
            # Known to whoever knows the state, which opens nothing by itself: the browser's cookie is asked for.
            handle = ids.digest(f"arrival {number} {departure.remembered['state']}")
            arrival = UpstreamArrival(
                ids.digest(handle), departure.provider_id, dict(params), now, now + ARRIVAL_SECONDS
            )
            try:
                self._repo.insert(arrival)
            except Duplicate:
                continue
            return handle
        raise unexpected("this answer was posted too often")

    def arrival(self, handle: str, provider_id: str) -> Mapping[str, str]:
        """What was posted. Taking the departure is what makes it good only once. Raises Refused(upstream_unexpected)."""
        found = self._repo.get(UpstreamArrival, ids.digest(handle)) if len(handle) <= MAX_STATE else None
        if found is None or found.provider_id != provider_id:
            raise unexpected("there is no answer waiting under this handle, or it waited too long")
        return found.params

    def forget_arrival(self, handle: str) -> None:
        """It was taken: what it says of a person need not wait here for its end."""
        self._repo.delete(UpstreamArrival, ids.digest(handle))


def unexpected(reason: str) -> Refused:
    return Refused(
        "upstream_unexpected",
        "This answer was not expected, or it was already used. Start the sign-in again.",
        status=409,
        reason=reason,
    )
