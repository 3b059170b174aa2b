"""How the parties of a session can be told by SAML that it has ended: in the back channel, through the browser, or not at all.

Leaves the messages to the doors, and when to tell whom to saml_notes and logout_runs. Loads no XML before somebody is asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from idp.base.errors import Refused
from idp.services.service_providers import Providers

if TYPE_CHECKING:
    from idp.saml.views import Endpoint


@dataclass(frozen=True, slots=True)
class Reach:
    """name: for people. soap: where it takes LogoutRequests in the back channel, empty for nowhere. browser: it takes them
    from a browser."""

    name: str
    soap: str
    browser: bool


FindReach = Callable[[str], Reach | None]


def of_endpoints(name: str, endpoints: "Sequence[Endpoint]") -> Reach:
    soap = next((one.url for one in endpoints if one.binding == "soap"), "")
    return Reach(name, soap, any(one.binding in ("redirect", "post") for one in endpoints))


def of_service_providers(providers: Providers) -> FindReach:
    """By entityID; None when it is not registered any more. One that is switched off is told all the same."""

    def find(entity_id: str) -> Reach | None:
        try:
            known = providers.get(entity_id)
        except Refused:  # its metadata cannot be read any more
            return Reach(entity_id, "", browser=False)
        if known is None:
            return None
        sp, view = known
        return of_endpoints(sp.name, view.logout if sp.logout else ())

    return find
