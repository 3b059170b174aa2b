"""A copied SAML message, decoded, with the checks that can be made of it now: by whom, signed by whom, for whom, how old.

Uses nothing up and lets nobody in. Leaves reading it to idp.saml.look, and real messages to the doors.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.saml import MessageCheck
from idp.domain.upstream import UpstreamProvider
from idp.services.manage_upstreams import Upstreams
from idp.services.service_providers import Providers

if TYPE_CHECKING:
    from idp.saml.look import Sender

UPSTREAM_KINDS = ("saml", "adfs")


@dataclass(frozen=True, slots=True)
class Decoded:
    """peer: `sp:ENTITYID`, `upstream:ID`, `ourselves`, or empty. xml: indented, whole."""

    kind: str
    binding: str
    peer: str
    relay_state: str | None
    checks: tuple[MessageCheck, ...]
    xml: str = field(repr=False)


class DecodeSaml:
    """entity_id: ours as an identity provider. certificates: ours, PEM. issuer: our base URL. skew: seconds."""

    def __init__(
        self,
        providers: Providers,
        upstreams: Upstreams,
        clock: Clock,
        *,
        issuer: Callable[[], str],
        entity_id: Callable[[], str],
        certificates: Callable[[], list[str]],
        skew: float,
    ) -> None:
        self._providers = providers
        self._upstreams = upstreams
        self._clock = clock
        self._issuer = issuer
        self._entity_id = entity_id
        self._certificates = certificates
        self._skew = skew

    def decode(self, given: bytes) -> Decoded:
        """Raises Refused(not_saml)."""
        from idp.domain.checks import Checks
        from idp.saml import look, redact
        from idp.saml.bindings import BadMessage

        try:
            arrived = look.opened(given)
        except BadMessage as error:
            raise Refused("not_saml", f"There is no SAML message in that: {error}.") from None
        checks, sender, kind = Checks(), None, ""
        root = look.root_of(arrived, checks)
        if root is not None:
            kind = str(root.tag).rpartition("}")[2]
            sender = self._sender(look.issuer_of(root))
            look.look(arrived, root, sender, self._clock(), self._skew, checks)
        text = redact.indented(arrived.document.decode("utf-8", "replace"))
        peer = sender.peer if sender else ""
        return Decoded(kind, arrived.binding, peer, arrived.relay_state, tuple(checks.made), text)

    # ---------------------------------------------------------------- who may have sent it

    def _sender(self, entity_id: str) -> "Sender | None":
        if not entity_id:
            return None
        return self._service_provider(entity_id) or self._upstream(entity_id) or self._ourselves(entity_id)

    def _service_provider(self, entity_id: str) -> "Sender | None":
        from idp.saml.look import Sender

        try:
            known = self._providers.get(entity_id)
        except Refused:
            return None
        if known is None:
            return None
        base = f"{self._issuer()}/saml"
        return Sender(f"sp:{entity_id}", known[1].signing_keys, (f"{base}/sso", f"{base}/slo", f"{base}/slo/soap"))

    def _upstream(self, entity_id: str) -> "Sender | None":
        found = (one for one in self._upstreams.all() if one.kind in UPSTREAM_KINDS)
        return next((sender for one in found if (sender := self._if_is(one, entity_id)) is not None), None)

    def _if_is(self, provider: UpstreamProvider, entity_id: str) -> "Sender | None":
        """By its stored metadata; one whose metadata is fetched each time is not known here."""
        from idp.saml import idp_metadata
        from idp.saml.look import Sender

        try:
            view = idp_metadata.read(str(provider.settings.get("metadata") or "").encode())
        except Refused:
            return None
        if view.entity_id != entity_id:
            return None
        base = f"{self._issuer()}/upstream/{provider.id}"
        return Sender(
            f"upstream:{provider.id}", view.signing_keys, (f"{base}/acs", f"{base}/slo"), (f"{base}/metadata",)
        )

    def _ourselves(self, entity_id: str) -> "Sender | None":
        from idp.saml.algorithms import public_key
        from idp.saml.look import Sender

        issuer = self._issuer()
        as_service_provider = entity_id.startswith(f"{issuer}/upstream/") and entity_id.endswith("/metadata")
        if entity_id != self._entity_id() and not as_service_provider:
            return None
        return Sender("ourselves", [public_key(one) for one in self._certificates()], ())
