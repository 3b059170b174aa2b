"""The only reader of foreign SAML messages: from the bytes that arrived to an AuthnRequest that every rule has passed.

Order: bounds and schema (`xml`), sender, signature, then meaning, read by pysaml2 from the very bytes that were verified.
Leaves answering to `outbound`. Each rule closes a gap that pysaml2 leaves open (docs/decisions/0004).
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from saml2 import BINDING_HTTP_POST, samlp

from idp.domain.relying import SamlRequestSeen, ServiceProvider
from idp.ports import Duplicate, Repository
from idp.protocols.saml.contexts import strength_needed
from idp.protocols.saml.entity import Providers
from idp.protocols.saml.errors import SamlStatus, refuse
from idp.protocols.saml.request import AuthnRequest
from idp.saml import names, xml
from idp.saml.bindings import Arrived
from idp.saml.signatures import BadSignature, signature_of, verify_element
from idp.saml.sp_metadata import MAX_URI
from idp.saml.views import Acs, SpView

_TRUE = ("true", "1")  # xs:boolean
MAX_ID = 256


@dataclass(frozen=True, slots=True)
class Rules:
    """sso_url: where requests must be addressed to. skew: seconds that a request may be old or early."""

    sso_url: str
    skew: float
    require_signed: bool


@dataclass(frozen=True, slots=True)
class Received:
    request: AuthnRequest
    sp: ServiceProvider


def receive(arrived: Arrived, repo: Repository, providers: Providers, rules: Rules, now: float) -> Received:
    """A checked request of a registered service provider, the first and only time it is seen.

    Raises Refused (a page) while it is not certain who asks and where an answer belongs, SamlStatus afterwards.
    """
    root = _parsed(arrived)
    sp, view = _sender(root, providers, now)
    content, signed = _verified(arrived, root, view, rules)
    message = samlp.authn_request_from_string(content)
    _check_version(message)
    issued_at = _check_fresh(message, rules, now)
    _check_destination(message, rules, signed=signed)
    acs = _acs(message, view)
    _check_first_time(repo, sp.id, message.id, issued_at + rules.skew + 1, now)
    request = _request(message, sp.id, acs, arrived.relay_state)
    for check in (_check_binding, _check_name_id_policy, _check_subject, _check_contexts):
        check(message, request)
    return Received(request, sp)


def _parsed(arrived: Arrived) -> xml.Element:
    try:
        root = xml.parse(arrived.document, xml.PROTOCOL)
    except xml.BadXml as error:
        raise refuse("saml_unreadable", str(error)) from None
    if root.tag != f"{{{xml.SAMLP}}}AuthnRequest":
        raise refuse("saml_unreadable", f"the message is not an AuthnRequest but {root.tag[:100]!r}")
    return root


def _sender(root: xml.Element, providers: Providers, now: float) -> tuple[ServiceProvider, SpView]:
    """The registered service provider that the message names; whether it really speaks is for the signature to say."""
    issuers = root.findall(f"{{{xml.SAML}}}Issuer")
    entity_id = "".join(issuers[0].itertext()).strip() if len(issuers) == 1 else ""
    if not 0 < len(entity_id) <= MAX_URI or issuers[0].get("Format", names.ENTITY) != names.ENTITY:
        raise refuse("saml_unreadable", "the message does not name its issuer as an entity")
    known = providers.get(entity_id)
    if known is None:
        raise refuse(
            "unknown_service_provider",
            f"no service provider is registered as {entity_id[:200]!r}",
            message="This app is not registered here. Ask an administrator to add its metadata.",
            status=403,
        )
    sp, view = known
    if view.valid_until is not None and view.valid_until <= now:
        raise refuse(
            "sp_metadata_expired", f"the registered metadata of {entity_id!r} is past its validUntil", status=403
        )
    return sp, view


def _verified(arrived: Arrived, root: xml.Element, view: SpView, rules: Rules) -> tuple[bytes, bool]:
    """The bytes to read from, and whether a signature covers them. Any signature that is there must hold, asked for or not."""
    try:
        embedded = signature_of(root)
        everywhere = sum(1 for _ in root.iter(f"{{{xml.DS}}}Signature"))
        if everywhere != (embedded is not None):
            raise BadSignature("there is a signature inside of the message that does not belong to it")
        if arrived.signature is not None:
            arrived.signature.verify(list(view.signing_keys))
        content = verify_element(root, list(view.signing_keys)) if embedded is not None else xml.canonical(root)
    except (BadSignature, xml.BadXml) as error:
        raise refuse("saml_signature", str(error), status=403) from None
    signed = embedded is not None or arrived.signature is not None
    if not signed and (view.requests_signed or rules.require_signed):
        why = "its metadata promises signed requests" if view.requests_signed else "saml.require_signed_requests is set"
        raise refuse("saml_signature", f"the request is not signed, but {why}", status=403)
    return content, signed


def _check_version(message: Any) -> None:
    if message.version != "2.0" or len(message.id) > MAX_ID:
        raise refuse("saml_unreadable", f"the message is not SAML 2.0, or its ID is longer than {MAX_ID} characters")


def _check_fresh(message: Any, rules: Rules, now: float) -> float:
    """IssueInstant in seconds since the epoch, within the skew on either side of now."""
    try:
        at = datetime.fromisoformat(message.issue_instant.strip())
    except ValueError:  # the schema also allows the year 10000 and 24:00
        raise refuse("saml_unreadable", "IssueInstant is not a time that we can read") from None
    issued_at = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if abs(now - issued_at) > rules.skew:
        raise refuse(
            "saml_stale",
            f"IssueInstant is {now - issued_at:.0f} s away from our time, {rules.skew:.0f} s are allowed",
            message="This sign-in request is too old, or the clock of the app is wrong. Go back to the app and try again.",
        )
    return issued_at


def _check_destination(message: Any, rules: Rules, *, signed: bool) -> None:
    """Bindings 3.4.5.2: a signed message must say for whom it is, or it could be carried to another one."""
    if message.destination != rules.sso_url if message.destination else signed:
        raise refuse("saml_destination", f"Destination is {str(message.destination)[:200]!r}, we are {rules.sso_url!r}")


def _acs(message: Any, view: SpView) -> Acs:
    """From the registered metadata only, by URL or index; never what the message says alone."""
    found = list(view.acs)
    if message.assertion_consumer_service_url:
        found = [acs for acs in found if acs.url == message.assertion_consumer_service_url.strip()]
    if message.assertion_consumer_service_index:
        found = [acs for acs in found if acs.index == int(message.assertion_consumer_service_index)]
    if not found:
        raise refuse(
            "saml_acs_unknown",
            f"{view.entity_id!r} asks for an answer to {str(message.assertion_consumer_service_url)[:200]!r} "
            f"(index {message.assertion_consumer_service_index}), which its metadata does not name for HTTP-POST",
            status=403,
        )
    named = message.assertion_consumer_service_url or message.assertion_consumer_service_index
    return found[0] if named else view.default_acs()


def _check_first_time(repo: Repository, sp_id: str, message_id: str, until: float, now: float) -> None:
    key = hashlib.sha256(f"{len(sp_id)}:{sp_id}{message_id}".encode()).hexdigest()
    try:
        repo.insert(SamlRequestSeen(key, now, until))
    except Duplicate:
        raise refuse(
            "saml_replayed",
            f"this request of {sp_id!r} was seen before",
            message="This sign-in request was already used. Go back to the app and start again.",
        ) from None


def _request(message: Any, sp_id: str, acs: Acs, relay_state: str | None) -> AuthnRequest:
    asked, subject = message.requested_authn_context, message.subject
    return AuthnRequest(
        id=message.id,
        sp_id=sp_id,
        acs_url=acs.url,
        relay_state=relay_state,
        force=(message.force_authn or "").strip() in _TRUE,
        passive=(message.is_passive or "").strip() in _TRUE,
        name_id_format=(message.name_id_policy.format or "").strip() if message.name_id_policy is not None else "",
        contexts=tuple((c.text or "").strip() for c in asked.authn_context_class_ref or [])
        if asked is not None
        else (),
        comparison=(asked.comparison or "exact").strip() if asked is not None else "exact",
        subject_format=(subject.name_id.format or "") if subject is not None and subject.name_id is not None else "",
        subject=(subject.name_id.text or "").strip() if subject is not None and subject.name_id is not None else None,
    )


def _check_binding(message: Any, request: AuthnRequest) -> None:
    if message.protocol_binding not in (None, BINDING_HTTP_POST):
        raise SamlStatus(
            request, names.UNSUPPORTED_BINDING, f"answers go by HTTP-POST, not {message.protocol_binding[:100]!r}"
        )


def _check_name_id_policy(message: Any, request: AuthnRequest) -> None:
    """A SPNameQualifier of another entity would hand out the name that a user has there (seen with pysaml2)."""
    policy = message.name_id_policy
    if policy is None:
        return
    if policy.sp_name_qualifier not in (None, "", request.sp_id):
        raise SamlStatus(
            request, names.INVALID_NAME_ID_POLICY, "SPNameQualifier names another entity", top=names.REQUESTER
        )
    if request.name_id_format not in ("", *names.NAME_ID_FORMATS):
        raise SamlStatus(
            request, names.INVALID_NAME_ID_POLICY, f"format {request.name_id_format[:100]!r}", top=names.REQUESTER
        )


def _check_subject(message: Any, request: AuthnRequest) -> None:
    subject = message.subject
    if subject is None:
        return
    if subject.name_id is None or subject.subject_confirmation:
        raise SamlStatus(request, names.REQUEST_UNSUPPORTED, "Subject is not a plain NameID", top=names.REQUESTER)
    if subject.name_id.sp_name_qualifier not in (None, "", request.sp_id):
        raise SamlStatus(request, names.UNKNOWN_PRINCIPAL, "SPNameQualifier names another entity", top=names.REQUESTER)


def _check_contexts(message: Any, request: AuthnRequest) -> None:
    asked = message.requested_authn_context
    declared = asked is not None and asked.authn_context_decl_ref
    if declared or strength_needed(request.contexts, request.comparison) is None:
        raise SamlStatus(request, names.NO_AUTHN_CONTEXT, f"{request.comparison} {' '.join(request.contexts)[:300]}")
