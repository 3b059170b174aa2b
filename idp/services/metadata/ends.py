"""What a peer's metadata say that ends by itself, and how soon: 60, 30 and 7 days before, and when it is over.

Leaves finding the ends to idp.saml.changes, and the words to whoever shows them (pages, `idp doctor`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from idp.domain.relying import ServiceProvider

if TYPE_CHECKING:
    from idp.saml.views import SpView

DAY = 86_400.0
SOON, SOONER, LAST = 60, 30, 7  # days before the end
FEDERATION_DAYS = 2  # a federation renews the end every few days: near it, fetching has failed for long
METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class Ending:
    """what: `metadata` or the certificate, as idp.saml.changes.ends_of has it. at: epoch seconds. days: left, negative when
    it is over."""

    what: str
    at: float
    days: float
    urgency: Literal["over", "last", "sooner", "soon"]

    @property
    def grave(self) -> bool:
        """Nobody looks at the dates of a certificate that stands in metadata, but some software does; metadata that are over
        are not used."""
        return self.urgency == "over" and self.what == METADATA


def endings(ends: Iterable[tuple[str, float]], now: float) -> list[Ending]:
    """Those that somebody should know of now."""
    found = [(what, at, (at - now) / DAY) for what, at in ends]
    return [Ending(what, at, days, _urgency(days)) for what, at, days in found if days <= SOON]


def endings_of_app(sp: ServiceProvider, view: "SpView", now: float) -> list[Ending]:
    """The same for a service provider; the metadata of a federation's are renewed by the federation."""
    from idp.saml.changes import ends_of  # here: an installation without SAML never loads it

    found = endings(ends_of(view), now)
    return [one for one in found if not sp.source_id or one.what != METADATA or one.days < FEDERATION_DAYS]


def _urgency(days: float) -> Literal["over", "last", "sooner", "soon"]:
    return "over" if days <= 0 else "last" if days <= LAST else "sooner" if days <= SOONER else "soon"
