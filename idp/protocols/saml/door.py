"""The SAML door without HTTP: from what arrived to what goes back to the service provider. Everything heavy is behind it.

Leaves deciding who has signed in to idp.services.sign_in, and requests, forms and pages to `routes`.
"""

import base64
from dataclasses import dataclass

from idp.domain.attempt import Wants
from idp.domain.relying import ServiceProvider
from idp.domain.session import Session
from idp.domain.user import User
from idp.http.parts import Parts
from idp.protocols.saml import inbound, metadata, outbound
from idp.protocols.saml.contexts import strength_needed
from idp.protocols.saml.entity import Entity, OurKey, Providers
from idp.protocols.saml.errors import SamlStatus, refuse
from idp.protocols.saml.request import AuthnRequest
from idp.saml import bindings, names
from idp.saml.views import SpView


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser posts, and where."""

    acs_url: str
    fields: dict[str, str]
    app_name: str


class Door:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._providers = Providers(parts.repo)

    @property
    def entity(self) -> Entity:
        issuer = self._parts.installation.issuer
        return Entity(self._parts.settings.saml.entity_id or f"{issuer}/saml/metadata", issuer)

    def metadata(self) -> bytes:
        certificates = tuple(self._parts.keys.saml_published())
        return metadata.idp_metadata(self.entity, certificates, self._parts.settings.saml.require_signed_requests)

    def receive_query(self, query: bytes) -> inbound.Received:
        """A request by HTTP-Redirect. Raises Refused, SamlStatus."""
        try:
            return self._receive(bindings.from_query(query))
        except bindings.BadMessage as error:
            raise refuse("saml_unreadable", str(error)) from None

    def receive_form(self, form: dict[str, list[str]]) -> inbound.Received:
        """A request by HTTP-POST. Raises Refused, SamlStatus."""
        try:
            return self._receive(bindings.from_form(form))
        except bindings.BadMessage as error:
            raise refuse("saml_unreadable", str(error)) from None

    def _receive(self, arrived: bindings.Arrived) -> inbound.Received:
        settings = self._parts.settings.saml
        rules = inbound.Rules(self.entity.sso_url, settings.request_skew_seconds, settings.require_signed_requests)
        return inbound.receive(arrived, self._parts.repo, self._providers, rules, self._parts.clock())

    def answer(self, request: AuthnRequest, user: User, session: Session) -> Answer:
        """A signed assertion about `user`. Raises SamlStatus, Refused(unknown_service_provider)."""
        sp, view = self._still_known(request)
        now = self._parts.clock()
        name_id = outbound.name_id_for(self._parts.repo, request, sp, view, user, self.entity.entity_id, now)
        subject = outbound.Subject(user, session)
        document = outbound.assertion_response(self._issuing(now), request, sp, view, subject, name_id)
        self._parts.audit.record("assertion.issued", actor=user.id, subject=sp.id, sid=session.sid)
        return _posted(request, document, sp.name)

    def status(self, refused: SamlStatus, trace: str) -> Answer:
        """The answer without an assertion."""
        document = outbound.status_response(self._issuing(self._parts.clock()), refused, trace)
        known = self._providers.get(refused.request.sp_id)
        return _posted(refused.request, document, known[0].name if known else "")

    def _still_known(self, request: AuthnRequest) -> tuple[ServiceProvider, SpView]:
        """A sign-in takes minutes: the service provider may be gone or have moved meanwhile."""
        known = self._providers.get(request.sp_id)
        if known is None or all(acs.url != request.acs_url for acs in known[1].acs):
            raise refuse(
                "unknown_service_provider", f"{request.sp_id!r} or its ACS was removed during the sign-in", status=403
            )
        return known

    def _issuing(self, now: float) -> outbound.Issuing:
        return outbound.Issuing(
            self.entity, OurKey(*self._parts.keys.saml_current()), now, self._parts.settings.saml.assertion_seconds
        )


def wants(received: inbound.Received) -> Wants:
    """What the sign-in must fulfil for this request."""
    request = received.request
    hint = request.subject if request.subject_format in ("", names.EMAIL, names.UNSPECIFIED) else None
    strong = (strength_needed(request.contexts, request.comparison) or 0) > 1
    return Wants(force=request.force, second_factor=strong or received.sp.second_factor_required, login_hint=hint)


def _posted(request: AuthnRequest, document: bytes, app_name: str) -> Answer:
    """SAML Bindings 3.5.4; RelayState goes back exactly as it came, and only if it came."""
    fields = {"SAMLResponse": base64.b64encode(document).decode()}
    if request.relay_state is not None:
        fields["RelayState"] = request.relay_state
    return Answer(request.acs_url, fields, app_name)
