"""Accepts a thing once: the jti of a client assertion or of a DPoP proof, on every node (RFC 7523 3, RFC 9449 11.1).

Leaves whether the thing is genuine to whoever asks: ask this last, or anybody can use up what is not theirs.
"""

from idp.base import ids
from idp.base.waiting import about_to_wait
from idp.domain.grant import Seen
from idp.ports import Duplicate, Repository

# The clocks of nodes differ a little: one that is ahead must not forget what one that is behind still accepts.
CLOCKS_DIFFER_SECONDS = 60.0


class Once:
    def __init__(self, repo: Repository) -> None:
        self._repo = repo

    def first(self, kind: str, owner: str, value: str, expires_at: float) -> bool:
        """True for exactly one caller. owner: whose `value` it is, as the same value of two owners is two things.
        expires_at: epoch seconds from when it would be refused anyway; it is forgotten soon after."""
        about_to_wait()  # a request that is answered again from its beginning would find its own trace
        id = ids.digest(f"{kind}|{len(owner)}:{owner}|{value}")
        try:
            self._repo.insert(Seen(id, expires_at + CLOCKS_DIFFER_SECONDS))
        except Duplicate:
            return False
        return True
