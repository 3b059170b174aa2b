"""Owns the way to an upstream and back: one UpstreamDeparture for each browser that was sent away, usable once.

Leaves URLs and checks of the answer to the upstream kinds, and whom the answer belongs to to sign_in and link_login.
"""

from collections.abc import Mapping

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.attempt import LoginAttempt
from idp.domain.upstream import UpstreamDeparture
from idp.ports import Repository

MAX_STATE = 100


class Departures:
    def __init__(self, repo: Repository, clock: Clock) -> None:
        self._repo = repo
        self._clock = clock

    def begin(
        self, handle: str, attempt: LoginAttempt, provider_id: str, remembered: Mapping[str, str]
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

    def take(self, departure: UpstreamDeparture) -> None:
        """Once: of two equal answers one goes on. Raises Refused(upstream_unexpected)."""
        if self._repo.consume(UpstreamDeparture, departure.id) is None:
            raise unexpected("the state was used at the same moment by another request")


def unexpected(reason: str) -> Refused:
    return Refused(
        "upstream_unexpected",
        "This answer was not expected, or it was already used. Start the sign-in again.",
        status=409,
        reason=reason,
    )
