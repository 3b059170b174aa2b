"""The SAML door without HTTP: from what arrived to what goes back to the service provider. Everything heavy is behind it.

Leaves deciding who has signed in to idp.services.sign_in, artifacts to `artifacts`, and requests, forms and pages to `routes`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from idp.domain.relying import SamlRequestSeen, ServiceProvider
from idp.domain.session import Session
from idp.domain.user import User
from idp.http.parts import Parts
from idp.ports import Duplicate
from idp.protocols.saml import artifacts, inbound, metadata, outbound
from idp.protocols.saml.entity import Entity, OurKey
from idp.protocols.saml.errors import SamlStatus, refuse
from idp.protocols.saml.incoming import Incoming
from idp.protocols.saml.name_id import name_id_for
from idp.protocols.saml.request import AuthnRequest
from idp.saml import bindings, formats
from idp.saml.algorithms import algorithm_named
from idp.saml.views import SpView


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser takes along, and where: in a form, or in the address when `by_form` is not so."""

    acs_url: str
    fields: dict[str, str]
    app_name: str
    by_form: bool = True


class Door:
    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.providers = parts.providers

    @property
    def entity(self) -> Entity:
        issuer = self.parts.installation.issuer
        return Entity(self.parts.settings.saml.entity_id or f"{issuer}/saml/metadata", issuer)

    def metadata(self, *, signed: bool = False, one_key: bool = False) -> bytes:
        return metadata.ours(self.parts, self.entity, signed=signed, one_key=one_key)

    # ---------------------------------------------------------------- requests

    def receive(self, read: Callable[[], bindings.Arrived], incoming: Incoming) -> inbound.Received:
        """A request that `read` takes from a query or a form. incoming: what is known of it, also when it is refused.

        Raises Refused; SamlStatus when it is certain where an answer belongs. Nothing is stored.
        """
        try:
            incoming.arrived = read()
        except bindings.BadMessage as error:
            incoming.checks.failed("binding", str(error))
            raise refuse("saml_unreadable", str(error)) from None
        incoming.checks.passed("binding", incoming.arrived.binding)
        return inbound.receive(incoming, self.providers, self.rules(self.entity.sso_url), self.parts.clock())

    def rules(self, url: str) -> inbound.Rules:
        settings = self.parts.settings.saml
        return inbound.Rules(url, settings.request_skew_seconds, settings.require_signed_requests)

    def claim(self, refused: SamlStatus) -> None:
        """A request is answered once, whatever the answer. Raises Refused(saml_replayed)."""
        if refused.seen is not None:
            self.store(refused.request.sp_id, refused.seen)
            refused.seen = None

    def store(self, sp_id: str, seen: SamlRequestSeen, *more: object) -> None:
        """Together with what the request leads to. Raises Refused(saml_replayed)."""
        try:
            self.parts.repo.insert_all(seen, *more)
        except Duplicate as double:
            raise inbound.replayed(sp_id) if double.collection == "saml_requests_seen" else double from None

    # ---------------------------------------------------------------- answers

    def answer(
        self, request: AuthnRequest, user: User, session: Session, received: inbound.Received | None = None
    ) -> Answer:
        """A signed assertion about `user`; nothing is stored before it is written. received: what this request was read from
        just now, when it is answered at once.

        Raises SamlStatus, Refused(unknown_service_provider | sp_disabled | saml_replayed).
        """
        sp, view = (received.sp, received.view) if received is not None else self.still_known(request)
        seen, now = received.seen if received is not None else None, self.parts.clock()
        try:
            name_id = name_id_for(self.parts.repo, request, sp, view, user, self.entity.entity_id, now)
            index = self.parts.participants.session_index(sp.id, session.sid)
            subject = outbound.Subject(user, session, index)
            written = outbound.assertion_response(self._issuing(sp, now), request, sp, view, subject, name_id)
        except SamlStatus as refused:
            refused.seen = seen
            raise
        answer, artifact = self._on_its_way(request, written.document, sp.name, now)
        event = self.parts.audit.event(
            "assertion.issued", actor=user.id, subject=sp.id, sid=session.sid, binding=request.binding
        )
        # The participant first: on a store without transactions a beginning of these is an app that is told of a sign-out.
        participant = self.parts.participants.new(sp.id, session, name_id, now)
        self._store_answer(sp.id, participant, [one for one in (seen, artifact, event) if one is not None])
        if participant is not None and self.parts.sessions.by_sid(session.sid) is None:
            raise refuse("session_ended", "the session ended while the answer was made", status=403)
        self.parts.audit.stored(event)
        self._keep(request, written.shown)
        return answer

    def _store_answer(self, sp_id: str, participant: object | None, records: list[object]) -> None:
        try:
            self.parts.repo.insert_all(*([participant] if participant is not None else []), *records)
        except Duplicate as double:
            if double.collection == "saml_requests_seen":
                raise inbound.replayed(sp_id) from None
            if double.collection != "saml_participants":
                raise
            self._store_answer(sp_id, None, records)  # two answers at once in one session: the other one has stored it

    def status(self, refused: SamlStatus, trace: str) -> Answer:
        """The answer without an assertion."""
        now, request = self.parts.clock(), refused.request
        known = self.providers.get(request.sp_id)
        sp = known[0] if known is not None else ServiceProvider(request.sp_id, "", "")
        document = outbound.status_response(self._issuing(sp, now), refused, trace)
        answer, artifact = self._on_its_way(request, document, sp.name, now)
        if artifact is not None:
            self.parts.repo.insert(artifact)
        self._keep(request, document, refused, trace)
        return answer

    def trial(self, sp_id: str, user: User, session: Session) -> bytes:
        """The answer that this service provider would get if we began, without any signature or encryption: to be shown,
        never to be sent. Raises SamlStatus, Refused(unknown_service_provider)."""
        known = self.providers.get(sp_id)
        if known is None:
            raise refuse("unknown_service_provider", f"{sp_id[:200]!r} is not registered", status=404)
        sp, view = known
        request, now = AuthnRequest("", sp_id, view.default_acs().url), self.parts.clock()
        name_id = name_id_for(self.parts.repo, request, sp, view, user, self.entity.entity_id, now)
        subject = outbound.Subject(user, session, self.parts.participants.session_index(sp.id, session.sid))
        issuing = replace(self._issuing(sp, now), key=None)
        return outbound.assertion_response(issuing, request, sp, view, subject, name_id).shown

    def still_known(self, request: AuthnRequest) -> tuple[ServiceProvider, SpView]:
        """A sign-in takes minutes: the service provider may be gone, switched off or have moved meanwhile."""
        known = self.providers.get(request.sp_id)
        if known is None or all((acs.url, acs.binding) != (request.acs_url, request.binding) for acs in known[1].acs):
            raise refuse(
                "unknown_service_provider", f"{request.sp_id!r} or its ACS was removed during the sign-in", status=403
            )
        inbound.check_enabled(*known, self.parts.clock())
        return known

    def issuing_key(self, sp: ServiceProvider) -> OurKey:
        return OurKey(*self.parts.keys.saml_current(formats.SIGNING_KEY[sp.signature_algorithm]))

    def _issuing(self, sp: ServiceProvider, now: float) -> outbound.Issuing:
        seconds = sp.assertion_seconds or self.parts.settings.saml.assertion_seconds
        algorithm = algorithm_named(sp.signature_algorithm)
        return outbound.Issuing(self.entity, self.issuing_key(sp), now, seconds, algorithm)

    def _on_its_way(
        self, request: AuthnRequest, document: bytes, app_name: str, now: float
    ) -> tuple[Answer, object | None]:
        """SAML Bindings 3.5.4, 3.6.3; RelayState goes back exactly as it came, and only if it came."""
        if request.binding == "post":
            return Answer(
                request.acs_url, bindings.to_form(document, request.relay_state, kind="response"), app_name
            ), None
        seconds = self.parts.settings.saml.artifact_seconds
        text, stored = artifacts.made(self.entity, request.sp_id, document, now, seconds)
        fields = {"SAMLart": text}
        if request.relay_state is not None:
            fields["RelayState"] = request.relay_state
        return Answer(request.acs_url, fields, app_name, by_form=False), stored

    def _keep(self, request: AuthnRequest, document: bytes, refused: SamlStatus | None = None, trace: str = "") -> None:
        checks = Incoming().checks
        if refused is not None:
            checks.failed("status", refused.reason)
        self.parts.saml_messages.keep(
            f"sp:{request.sp_id}", "out", "Response", request.binding, document,
            checks=checks.made, ok=refused is None, trace=trace,
        )  # fmt: skip
