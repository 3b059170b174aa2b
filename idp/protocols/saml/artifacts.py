"""Answers by artifact (SAML Bindings 3.6): made instead of a form, fetched once, by the service provider they are for.

Leaves the 44 bytes and the messages to idp.saml.artifact, the SOAP envelope to idp.saml.soap, and what is in an answer to
`outbound`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from idp.base import ids
from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.domain.saml import SamlArtifact
from idp.http.machine import Asked, Told
from idp.http.parts import Parts
from idp.protocols.saml import inbound
from idp.protocols.saml.entity import Entity
from idp.protocols.saml.errors import refuse
from idp.protocols.saml.incoming import Incoming
from idp.saml import soap, xml
from idp.saml.algorithms import algorithm_named
from idp.saml.artifact import artifact_response, new_artifact, read_artifact, source_id
from idp.saml.bindings import BadMessage
from idp.saml.signatures import signature_for
from idp.saml.views import SpView

if TYPE_CHECKING:
    from idp.protocols.saml.door import Door

_SENTENCE = "This artifact cannot be exchanged. Start the sign-in again."


def made(entity: Entity, sp_id: str, document: bytes, now: float, seconds: float) -> tuple[str, SamlArtifact]:
    """The artifact, and what is to be stored for it."""
    text = new_artifact(entity.entity_id)
    return text, SamlArtifact(ids.digest(text), sp_id, document.decode(), now, now + seconds)


def resolve(door: "Door", asked: Asked) -> Told:
    """ArtifactResolve by SOAP (Core 3.5, Bindings 3.6.5). A refusal is a SOAP fault with a trace code."""
    incoming, parts = Incoming(), door.parts
    try:
        body = _answered(door, asked.body, incoming)
    except Refused as refused:
        trace = parts.traces.keep("saml", refused, endpoint=asked.path, sp=incoming.issuer[:200])
        incoming.refused(parts, refused, trace)
        return _told(soap.fault("Client", f"{_SENTENCE} Trace code {trace}"), refused.status)
    incoming.accepted(parts)
    return _told(body, 200)


def _told(body: bytes, status: int) -> Told:
    return Told(status, body, [("Cache-Control", "no-store"), ("Pragma", "no-cache")], soap.CONTENT_TYPE)


def _answered(door: "Door", body: bytes, incoming: Incoming) -> bytes:
    now = door.parts.clock()
    try:
        incoming.arrived = soap.arrived(body)
    except BadMessage as error:
        incoming.checks.failed("binding", str(error))
        raise refuse("saml_unreadable", str(error)) from None
    sp, view, root = inbound.sender(incoming, "ArtifactResolve", door.providers, now)
    message, _ = inbound.verified(incoming, root, sp, view, _must_sign(sp, view))
    rules = door.rules(door.entity.artifact_url)
    with inbound.step(incoming.checks, "issue_instant"):
        inbound.check_fresh(message, rules, now)
    with inbound.step(incoming.checks, "destination"):
        # By SOAP it is the connection that says to whom one speaks; what is said must be true all the same.
        inbound.check_destination(message, rules, required=False)
    text = "".join(message.findtext(f"{{{xml.SAMLP}}}Artifact", "").split())
    content = _taken(door.parts, door.entity, sp, text)
    if content is None:
        incoming.checks.failed("artifact", "it is unknown, used, too old or for somebody else")
    else:
        incoming.checks.passed("artifact")
    key, algorithm = door.issuing_key(sp), algorithm_named(sp.signature_algorithm)

    def sign(ident: str) -> Callable[[bytes], str]:
        return lambda canonical: signature_for(canonical, ident, key.private, key.certificate, algorithm)

    return soap.envelope(artifact_response(door.entity.entity_id, message.get("ID"), now, content or "", sign))


def _must_sign(sp: ServiceProvider, view: SpView) -> str:
    """Whoever has a key shows that it is the one: an artifact stands in addresses, and so in logs. Without a key the artifact
    itself is all there is."""
    return "its metadata has a signing key" if view.signing_keys else inbound.must_sign(sp, view, everybody=False)


def _taken(parts: Parts, entity: Entity, sp: ServiceProvider, text: str) -> str | None:
    """The message, for exactly one caller. Somebody else's artifact is not used up by asking for it."""
    artifact, id = read_artifact(text), ids.digest(text)
    if artifact is None or artifact.source != source_id(entity.entity_id):
        return None
    stored = parts.repo.get(SamlArtifact, id)
    if stored is None or stored.sp_id != sp.id or parts.repo.consume(SamlArtifact, id) is None:
        return None
    return stored.message
