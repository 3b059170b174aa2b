"""Our answers: a Response with a signed assertion, or with an error status, as bytes for HTTP-POST.

Messages are built with pysaml2's classes; time, session and identifiers are passed in, so that nothing in an answer is
invented here. Leaves reading requests to `inbound` and the form to `routes`.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from lxml import etree
from saml2 import saml, samlp

from idp.domain.relying import ServiceProvider
from idp.domain.session import Session
from idp.domain.user import User
from idp.ports import Repository
from idp.protocols.saml.contexts import class_for
from idp.protocols.saml.entity import Entity, OurKey
from idp.protocols.saml.errors import SamlStatus
from idp.protocols.saml.request import AuthnRequest
from idp.saml import names, xml
from idp.saml.encryption import Content, encrypt
from idp.saml.signatures import sign_element
from idp.saml.views import EncryptTo, SpView
from idp.services.name_ids import persistent_name_id

# Clocks differ: an assertion that is valid only from this very second is refused by every service provider that is behind.
EARLY_SECONDS = 60.0
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Subject:
    """Who signed in, and how."""

    user: User
    session: Session


@dataclass(frozen=True, slots=True)
class Issuing:
    """What every answer needs: who we are, our key, the time, the life of an assertion in seconds."""

    entity: Entity
    key: OurKey
    now: float
    assertion_seconds: float


def assertion_response(
    issuing: Issuing, request: AuthnRequest, sp: ServiceProvider, view: SpView, subject: Subject, name_id: saml.NameID
) -> bytes:
    """The signed Response to a request. Raises SamlStatus(NoAuthnContext | RequestDenied)."""
    assertion = _assertion(issuing, request, sp, subject, name_id)
    signed = sign_element(_tree(assertion), issuing.key.private, issuing.key.certificate)
    target = _encrypt_to(request, sp, view)
    if target is not None:
        sealed = encrypt(signed, target.key, target.certificate, cast(Content, target.methods[0]))
        signed = b'<saml:EncryptedAssertion xmlns:saml="%s">%s</saml:EncryptedAssertion>' % (xml.SAML.encode(), sealed)
    response = _response(issuing, request.id, request.acs_url, samlp.Status(samlp.StatusCode(value=names.SUCCESS)))
    # As text: a signed element that moves from one tree into another loses the namespaces it was signed with.
    document = xml.serialised(response)
    end = document.rindex(b"</")
    document = document[:end] + signed + document[end:]
    if not sp.sign_response:
        return document
    return sign_element(etree.fromstring(document), issuing.key.private, issuing.key.certificate)


def status_response(issuing: Issuing, refused: SamlStatus, trace: str) -> bytes:
    """A signed Response without assertion; its message holds the trace code and nothing else."""
    code = samlp.StatusCode(value=refused.top, status_code=samlp.StatusCode(value=refused.second))
    status = samlp.Status(status_code=code, status_message=samlp.StatusMessage(text=f"Trace code {trace}"))
    response = _response(issuing, refused.request.id, refused.request.acs_url, status)
    return sign_element(_tree(response), issuing.key.private, issuing.key.certificate)


def name_id_for(
    repo: Repository, request: AuthnRequest, sp: ServiceProvider, view: SpView, user: User, entity_id: str, now: float
) -> saml.NameID:
    """The NameID of `user` for this service provider. Raises SamlStatus(InvalidNameIDPolicy | UnknownPrincipal)."""
    chosen = _format(request, sp, view)
    value = _value(repo, chosen, request, sp, user, now)
    if request.subject is not None and not _is_subject(repo, request, user, now):
        raise SamlStatus(request, names.UNKNOWN_PRINCIPAL, f"user {user.id} is not the Subject that the request names")
    if chosen in (names.PERSISTENT, names.TRANSIENT):
        return saml.NameID(format=chosen, name_qualifier=entity_id, sp_name_qualifier=sp.id, text=value)
    return saml.NameID(format=chosen, text=value)


def _format(request: AuthnRequest, sp: ServiceProvider, view: SpView) -> str:
    """What the request asks for, else what was set for the service provider, else the first of its metadata, else persistent."""
    if request.name_id_format not in ("", names.UNSPECIFIED):
        return request.name_id_format
    listed = [f for f in view.name_id_formats if f in names.NAME_ID_FORMATS and f != names.UNSPECIFIED]
    return sp.name_id_format or (listed[0] if listed else names.PERSISTENT)


def _value(repo: Repository, chosen: str, request: AuthnRequest, sp: ServiceProvider, user: User, now: float) -> str:
    if chosen == names.PERSISTENT:
        return persistent_name_id(repo, user.id, sp.id, now)
    if chosen == names.TRANSIENT:
        return f"_{secrets.token_hex(16)}"
    field = "email" if chosen == names.EMAIL else "username"
    released = field in (sp.attributes or names.DEFAULT_ATTRIBUTES).values() or sp.name_id_format == chosen
    value = _field(user, field)[0] if released else None
    if not value:
        why = f"user {user.id} has no {field} that may be released to {sp.id!r}"
        raise SamlStatus(request, names.INVALID_NAME_ID_POLICY, why)
    return value


def _is_subject(repo: Repository, request: AuthnRequest, user: User, now: float) -> bool:
    """Core 3.4.1.4: the answer must be about the very subject that was asked for."""
    asked = request.subject or ""
    if request.subject_format == names.PERSISTENT:
        return asked == persistent_name_id(repo, user.id, request.sp_id, now)
    if asked and request.subject_format in ("", names.EMAIL, names.UNSPECIFIED):
        return asked.casefold() in (_field(user, "email")[0].casefold(), user.username.casefold())
    return False


def _assertion(
    issuing: Issuing, request: AuthnRequest, sp: ServiceProvider, subject: Subject, name_id: saml.NameID
) -> saml.Assertion:
    ends = _time(issuing.now + issuing.assertion_seconds)
    return saml.Assertion(
        id=_message_id(),
        version="2.0",
        issue_instant=_time(issuing.now),
        issuer=saml.Issuer(text=issuing.entity.entity_id),
        subject=saml.Subject(
            name_id=name_id,
            subject_confirmation=saml.SubjectConfirmation(
                method=saml.SCM_BEARER,
                subject_confirmation_data=saml.SubjectConfirmationData(
                    in_response_to=request.id, recipient=request.acs_url, not_on_or_after=ends
                ),
            ),
        ),
        conditions=saml.Conditions(
            not_before=_time(issuing.now - EARLY_SECONDS),
            not_on_or_after=ends,
            audience_restriction=saml.AudienceRestriction(audience=saml.Audience(text=sp.id)),
        ),
        authn_statement=_authn_statement(request, subject.session),
        attribute_statement=_attribute_statement(sp, subject.user),
    )


def _authn_statement(request: AuthnRequest, session: Session) -> saml.AuthnStatement:
    """AuthnInstant, index and end are those of the session; an older login is never dressed up as a new one."""
    reached = class_for(request.contexts, request.comparison, session)
    if reached is None:
        raise SamlStatus(
            request, names.NO_AUTHN_CONTEXT, f"the session is weaker than {request.comparison} {request.contexts}"
        )
    return saml.AuthnStatement(
        authn_instant=_time(session.auth_time),
        session_index=session.sid,
        session_not_on_or_after=_time(session.expires_at),
        authn_context=saml.AuthnContext(authn_context_class_ref=saml.AuthnContextClassRef(text=reached)),
    )


def _attribute_statement(sp: ServiceProvider, user: User) -> saml.AttributeStatement | None:
    """Only what is set for this service provider, else the default three. Without a value an attribute is left out."""
    attributes = []
    for name, field in (sp.attributes or names.DEFAULT_ATTRIBUTES).items():
        values = [_NOT_XML.sub("", value) for value in _field(user, field) if value]
        if values:
            attributes.append(
                saml.Attribute(
                    name=name,
                    name_format=names.URI_NAME if ":" in name else names.BASIC_NAME,
                    friendly_name=names.FRIENDLY_NAMES.get(name),
                    attribute_value=[_plain(value) for value in values],
                )
            )
    return saml.AttributeStatement(attribute=attributes) if attributes else None


def _field(user: User, field: str) -> tuple[str, ...]:
    """SAML cannot say "unverified", and apps take a mail address for the person: an unverified one is kept back."""
    if field == "roles":
        return user.roles
    if field == "email" and not user.email_verified:
        return ("",)
    return ({"username": user.username, "email": user.email, "name": user.name, "id": user.id}[field] or "",)


def _plain(value: str) -> saml.AttributeValue:
    """Without xsi:type: its prefix is invisible to exclusive canonicalisation and gets lost when an assertion is moved."""
    element = saml.AttributeValue(text=value)
    element.extension_attributes = {}
    return element


def _encrypt_to(request: AuthnRequest, sp: ServiceProvider, view: SpView) -> EncryptTo | None:
    if sp.encrypt == "never":
        return None
    if view.encrypt_to is None and sp.encrypt == "always":
        raise SamlStatus(
            request, names.REQUEST_DENIED, f"{sp.id!r} must get encrypted assertions, but names no usable key"
        )
    return view.encrypt_to


def _response(issuing: Issuing, request_id: str, acs_url: str, status: samlp.Status) -> samlp.Response:
    return samlp.Response(
        id=_message_id(),
        version="2.0",
        issue_instant=_time(issuing.now),
        in_response_to=request_id,
        destination=acs_url,
        issuer=saml.Issuer(text=issuing.entity.entity_id),
        status=status,
    )


def _tree(message: Any) -> xml.Element:
    return etree.fromstring(xml.serialised(message))


def _message_id() -> str:
    """160 bits (SAML Core 1.3.4 asks for 128 to 160); an ID must not begin with a digit."""
    return f"_{secrets.token_hex(20)}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
