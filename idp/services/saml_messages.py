"""The newest SAML messages of each peer, for administrators who look for a fault. Leaves reading them to the doors."""

from collections.abc import Sequence
from typing import Literal

from idp.base.clock import Clock
from idp.domain.saml import MessageCheck, SamlMessage
from idp.ports import Repository


class SamlMessages:
    """kept: so many of each peer; 0 keeps none. hours: how long."""

    def __init__(self, repo: Repository, clock: Clock, *, kept: int, hours: int) -> None:
        self._repo = repo
        self._clock = clock
        self._kept = kept
        self._seconds = hours * 3600.0

    def keep(
        self,
        peer: str,
        direction: Literal["in", "out"],
        kind: str,
        binding: str,
        document: bytes,
        *,
        checks: Sequence[MessageCheck] = (),
        ok: bool = True,
        trace: str = "",
    ) -> None:
        """Returns at once; what is kept is written a moment later, by another thread. peer: `sp:ENTITYID`, `upstream:ID`."""

    def of(self, peer: str) -> list[SamlMessage]:
        """The newest first."""
        return []
