"""Which upstream identity providers take part in single logout, and how they can be told (SAML Profiles 4.4, OpenID Connect
RP-Initiated Logout 1.0).

Leaves messages and addresses to idp.web.upstream_logout and the SAML door, what OpenID Providers are told to oidc_logout, and
sessions to the services.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from idp.services.manage_upstreams import Upstreams
from idp.services.reach import FindReach, Reach, of_endpoints
from idp.upstream.registry import Kinds, settings_model
from idp.upstream.room import Room

if TYPE_CHECKING:
    from idp.saml.logout_peer import Peer
    from idp.saml.views import IdpView

KINDS = ("saml", "adfs")  # those that speak SAML


@dataclass(frozen=True, slots=True)
class Led:
    """A browser on its way to the sign-out page of an OpenID Provider; like idp.saml.logout_peer.Sent."""

    url: str
    binding: str = "redirect"
    document: bytes = b""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OidcPeer:
    """An OpenID Provider as somebody to be told by the browser."""

    name: str
    provider: UpstreamProvider
    kind: Any
    room: Room

    def request(self, facts: Mapping[str, str], request_id: str, now: float) -> Led | None:
        """request_id comes back as `state`. None: it has no such page. Raises Refused(upstream_…)."""
        with self.room.place(self.provider.id):
            url = self.kind.logout.url(self.provider, facts, request_id)
        return Led(url) if url is not None else None


def takes_part(provider: UpstreamProvider | None) -> bool:
    """One that is switched off is told of ends all the same; what it says itself is refused elsewhere."""
    if provider is None:
        return False
    asked = settings_model(provider.kind).model_fields.get("logout")
    return asked is not None and provider.settings.get("logout", asked.default) is not False


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
        if provider.kind not in KINDS:
            return Reach(provider.label, "", browser=True)
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
    if provider is None or provider.kind not in KINDS or not takes_part(provider):
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


def next_peer(provider_id: str, upstreams: Upstreams, kinds: Kinds, issuer: str) -> "Peer | OidcPeer | None":
    """Whom a browser is led to, whatever it speaks. As peer_of."""
    provider = upstreams.get(provider_id)
    if provider is None or provider.kind in KINDS or not takes_part(provider):
        return peer_of(provider_id, upstreams, kinds, issuer)
    return OidcPeer(f"upstream:{provider.id}", provider, kinds.open(provider), kinds.room)
