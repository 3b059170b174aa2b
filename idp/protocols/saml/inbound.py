"""The only reader of AuthnRequests: from the bytes that arrived to a request that every rule has passed.

Order: bounds and schema (`xml`), sender, signature, then meaning, read from the very bytes that were verified. Leaves what is
wished for to `wishes`, remembering that a request was seen to who answers it, and answering to `outbound`.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from idp.base.errors import Refused
from idp.domain.checks import Checks
from idp.domain.relying import SamlRequestSeen, ServiceProvider
from idp.protocols.saml import wishes
from idp.protocols.saml.errors import SamlStatus, refuse
from idp.protocols.saml.incoming import Incoming
from idp.protocols.saml.request import AuthnRequest
from idp.saml import names, xml
from idp.saml.bindings import Arrived
from idp.saml.signatures import BadSignature, signature_of, verify_element
from idp.saml.views import Acs, SpView
from idp.services.service_providers import Providers

MAX_ID = 256
MAX_URI = 1024  # SAML Core 8.3.6: entity identifiers
MAX_PROVIDER_NAME = 80


@dataclass(frozen=True, slots=True)
class Rules:
    """url: where requests must be addressed to. skew: seconds that a request may be old or early."""

    url: str
    skew: float
    require_signed: bool


@dataclass(frozen=True, slots=True)
class Received:
    """seen: to be stored, once, together with the answer; None when nobody asked. called: how the service provider calls
    itself for people, when a signature vouches for that."""

    request: AuthnRequest
    sp: ServiceProvider
    view: SpView
    seen: SamlRequestSeen | None
    called: str = ""


def receive(incoming: Incoming, providers: Providers, rules: Rules, now: float) -> Received:
    """A checked request of a registered service provider.

    Raises Refused (a page) while it is not certain who asks and where an answer belongs, SamlStatus afterwards.
    """
    checks, arrived = incoming.checks, incoming.message
    sp, view, root = sender(incoming, "AuthnRequest", providers, now)
    must = must_sign(sp, view, everybody=rules.require_signed)
    message, signed = verified(incoming, root, sp, view, must)
    with step(checks, "issue_instant"):
        issued_at = check_fresh(message, rules, now)
    with step(checks, "destination"):
        check_destination(message, rules, required=signed)
    with step(checks, "acs"):
        acs = _acs(message, view)
    request = wishes.read(message, sp.id, acs, arrived.relay_state)
    seen = SamlRequestSeen(_seen_id(sp.id, request.id), now, issued_at + rules.skew + 1)
    try:
        for code, check in wishes.WISHES:
            with step(checks, code):
                check(message, request)
    except SamlStatus as refused:
        refused.seen = seen
        raise
    return Received(request, sp, view, seen, _called(message) if signed else "")


@contextmanager
def step(checks: Checks, code: str) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        checks.failed(code, refused.reason)
        raise
    checks.passed(code)


def sender(
    incoming: Incoming, kind: str, providers: Providers, now: float
) -> tuple[ServiceProvider, SpView, xml.Element]:
    """The registered service provider that a message of this kind names; whether it really speaks is for the signature to say."""
    with step(incoming.checks, "schema"):
        root = _parsed(incoming, kind)
    with step(incoming.checks, "issuer_known"):
        sp, view = _named(incoming.issuer, providers)
    with step(incoming.checks, "enabled"):
        check_enabled(sp, view, now)
    return sp, view, root


def _parsed(incoming: Incoming, kind: str) -> xml.Element:
    try:
        root = xml.parse(incoming.message.document, xml.PROTOCOL)
    except xml.BadXml as error:
        raise refuse("saml_unreadable", str(error)) from None
    incoming.kind, incoming.issuer = root.tag.rpartition("}")[2][:100], issuer_of(root)
    if root.tag != f"{{{xml.SAMLP}}}{kind}":
        raise refuse("saml_unreadable", f"the message is not an {kind} but {root.tag[:100]!r}")
    if root.get("Version") != "2.0" or len(root.get("ID")) > MAX_ID:
        raise refuse("saml_unreadable", f"the message is not SAML 2.0, or its ID is longer than {MAX_ID} characters")
    if not incoming.issuer:
        raise refuse("saml_unreadable", "the message does not name its issuer as an entity")
    return root


def _named(entity_id: str, providers: Providers) -> tuple[ServiceProvider, SpView]:
    known = providers.get(entity_id)
    if known is None:
        raise refuse(
            "unknown_service_provider",
            f"no service provider is registered as {entity_id[:200]!r}",
            message="This app is not registered here. Ask an administrator to add its metadata.",
            status=403,
        )
    return known


def issuer_of(root: xml.Element) -> str:
    """Empty when the message does not say it in the one way there is (SAML Core 3.2.1, 8.3.6)."""
    issuers = root.findall(f"{{{xml.SAML}}}Issuer")
    if len(issuers) != 1 or issuers[0].get("Format", names.ENTITY) != names.ENTITY:
        return ""
    name = "".join(issuers[0].itertext()).strip()
    return name if len(name) <= MAX_URI else ""


def check_enabled(sp: ServiceProvider, view: SpView, now: float) -> None:
    if not sp.enabled:
        raise refuse(
            "sp_disabled",
            f"the service provider {sp.id!r} is switched off",
            message="This app is switched off here at the moment. Ask an administrator.",
            status=403,
        )
    if view.valid_until is not None and view.valid_until <= now:
        raise refuse("sp_metadata_expired", f"the registered metadata of {sp.id!r} is past its validUntil", status=403)


def verified(
    incoming: Incoming, root: xml.Element, sp: ServiceProvider, view: SpView, must: str
) -> tuple[xml.Element, bool]:
    """What to read from, and whether a signature covers it. Any signature that is there must hold, asked for or not. must: why
    there must be one, empty when there need not be."""
    try:
        message, signed = _covered(incoming.message, root, view)
        if issuer_of(message) != sp.id:
            raise BadSignature("what was signed names another issuer")
        if not signed and must:
            raise BadSignature(f"the message is not signed, but {must}")
    except (BadSignature, xml.BadXml) as error:
        incoming.checks.failed("signature", str(error))
        raise refuse("saml_signature", str(error), status=403) from None
    incoming.checks.passed("signature" if signed else "signature_not_required")
    return message, signed


def _covered(arrived: Arrived, root: xml.Element, view: SpView) -> tuple[xml.Element, bool]:
    """Raises BadSignature, BadXml."""
    embedded = signature_of(root)
    everywhere = sum(1 for _ in root.iter(f"{{{xml.DS}}}Signature"))
    if everywhere != (embedded is not None):
        raise BadSignature("there is a signature inside of the message that does not belong to it")
    if arrived.signature is not None:
        arrived.signature.verify(view.signing_keys)
    content = verify_element(root, view.signing_keys) if embedded is not None else xml.canonical(root)
    return xml.bounded(content, xml.MAX_MESSAGE_BYTES), embedded is not None or arrived.signature is not None


def must_sign(sp: ServiceProvider, view: SpView, *, everybody: bool) -> str:
    """Why a request of this service provider must be signed; empty when it need not be."""
    if view.requests_signed:
        return "its metadata promises signed requests"
    if sp.sign_requests == "always":
        return "it is set that its requests must be"
    return "saml.require_signed_requests is set" if everybody else ""


def check_fresh(message: xml.Element, rules: Rules, now: float) -> float:
    """IssueInstant in seconds since the epoch, within the skew on either side of now."""
    try:
        at = datetime.fromisoformat(message.get("IssueInstant").strip())
        issued_at = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):  # the schema also allows the year 10000 and 24:00
        raise refuse("saml_unreadable", "IssueInstant is not a time that we can read") from None
    if abs(now - issued_at) > rules.skew:
        raise refuse(
            "saml_stale",
            f"IssueInstant is {now - issued_at:.0f} s away from our time, {rules.skew:.0f} s are allowed",
            message="This sign-in request is too old, or the clock of the app is wrong. Go back to the app and try again.",
        )
    return issued_at


def check_destination(message: xml.Element, rules: Rules, *, required: bool) -> None:
    """Bindings 3.4.5.2: a signed message must say for whom it is, or it could be carried to another one."""
    destination = message.get("Destination", "")
    if destination != rules.url if destination else required:
        raise refuse("saml_destination", f"Destination is {destination[:200]!r}, we are {rules.url!r}")


def _acs(message: xml.Element, view: SpView) -> Acs:
    """From the registered metadata only, by URL, index and binding; never what the message says alone."""
    url, index = message.get("AssertionConsumerServiceURL"), message.get("AssertionConsumerServiceIndex")
    found = [acs for acs in view.acs if url is None or acs.url == url.strip()]
    if index is not None:
        found = [acs for acs in found if acs.index == int(index)]
    if not found:
        named = [repr(url[:200])] if url is not None else []
        named += [f"index {index[:10]}"] if index is not None else []
        raise refuse(
            "saml_acs_unknown",
            f"{view.entity_id!r} asks for an answer to {' with '.join(named)}, which its metadata does not name for HTTP-POST "
            "or HTTP-Artifact",
            status=403,
        )
    # When none has the binding that is asked for, the status that says so goes to one of the others.
    wanted = wishes.BINDINGS.get(message.get("ProtocolBinding", "").strip())
    found = [acs for acs in found if acs.binding == wanted] or found
    if url is None and index is None:
        return replace(view, acs=tuple(found)).default_acs()
    return min(found, key=lambda acs: acs.binding != "post")


def _seen_id(sp_id: str, message_id: str) -> str:
    return hashlib.sha256(f"{len(sp_id)}:{sp_id}{message_id}".encode()).hexdigest()


def replayed(sp_id: str) -> Refused:
    return refuse(
        "saml_replayed",
        f"this request of {sp_id!r} was seen before",
        message="This sign-in request was already used. Go back to the app and start again.",
    )


def _called(message: xml.Element) -> str:
    """ProviderName (SAML Core 3.4.1), as one line."""
    name = " ".join(message.get("ProviderName", "").split())
    return name if len(name) <= MAX_PROVIDER_NAME and name.isprintable() else ""
