"""Which upstream identity providers take part in single logout, and how they can be told (SAML Profiles 4.4).

Leaves messages and addresses to idp.web.upstream_logout and the SAML door, and sessions to the services.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from idp.services.manage_upstreams import Upstreams
from idp.services.reach import FindReach, Reach, of_endpoints
from idp.upstream.registry import Kinds

if TYPE_CHECKING:
    from idp.saml.logout_peer import Peer
    from idp.saml.views import IdpView

KINDS = ("saml", "adfs")


def takes_part(provider: UpstreamProvider | None) -> bool:
    """One that is switched off is told of ends all the same; what it says itself is refused elsewhere."""
    return provider is not None and provider.kind in KINDS and provider.settings.get("logout", True) is not False


def opened(kinds: Kinds, provider: UpstreamProvider) -> "tuple[Any, IdpView]":
    """Its kind, and what its metadata says now. Raises Refused(upstream_…)."""
    kind: Any = kinds.open(provider)
    return kind, kind.view()


def of_upstreams(upstreams: Upstreams, kinds: Callable[[], Kinds]) -> FindReach:
    """By id; None for one that is gone, or that shall hear nothing. kinds: asked for when they are needed."""

    def find(provider_id: str) -> Reach | None:
        provider = upstreams.get(provider_id)
        if provider is None or not takes_part(provider):
            return None
        try:
            _, view = opened(kinds(), provider)
        except Refused:  # nothing that keeps anybody from signing out
            return Reach(provider.label, "", browser=False)
        return of_endpoints(provider.label, view.logout)

    return find


def peer_of(provider_id: str, upstreams: Upstreams, kinds: Kinds, issuer: str) -> "Peer | None":
    """None for one that is gone or takes no part. issuer: our base URL. Raises Refused(upstream_…): its metadata cannot be had
    now."""
    from idp.saml.logout_peer import Peer
    from idp.saml.logout_writing import Signing

    provider = upstreams.get(provider_id)
    if provider is None or not takes_part(provider):
        return None
    kind, view = opened(kinds, provider)
    ours = kind.signing()
    here = f"{issuer}/upstream/{provider.id}/slo"
    return Peer(
        name=f"upstream:{provider.id}",
        label=provider.label,
        entity_id=view.entity_id,
        ours=kind.entity_id(provider),
        here=here,
        soap_here=here,
        keys=view.signing_keys,
        endpoints=view.logout,
        signing=Signing(ours.private, ours.certificate, ours.algorithm),
        decrypting=kind.our_keys,
        cbc=kind.settings.cbc,
        algorithms=kind.policy_algorithms(),
    )
