"""Our answers: a Response with a signed assertion, or with an error status, as canonical text that is signed as it stands.

Time, session, names and keys are passed in, so that nothing in an answer is invented here. Leaves reading requests to `inbound`,
who is called what to `name_id` and idp.services.release_saml, and how an answer travels to `door`.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lxml import etree

from idp.domain.relying import ServiceProvider
from idp.domain.session import Session
from idp.domain.user import User
from idp.protocols.saml.contexts import class_for
from idp.protocols.saml.entity import Entity, OurKey
from idp.protocols.saml.errors import SamlStatus
from idp.protocols.saml.name_id import NameId
from idp.protocols.saml.request import AuthnRequest
from idp.saml import encryption, formats, names, xml
from idp.saml.signatures import Algorithm, signature_for
from idp.saml.views import SpView
from idp.saml.writing import element, instant, message, text
from idp.services.release_saml import SamlAttribute, attributes_for

# Clocks differ: an assertion that is valid only from this very second is refused by every service provider that is behind.
EARLY_SECONDS = 60.0
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_SUCCESS = element("samlp:Status", {}, element("samlp:StatusCode", {"Value": names.SUCCESS}))


@dataclass(frozen=True, slots=True)
class Subject:
    """Who signed in, how, and as what this service provider knows the session."""

    user: User
    session: Session
    session_index: str


@dataclass(frozen=True, slots=True)
class Issuing:
    """What every answer needs: who we are, our key and how it signs, the time, the life of an assertion in seconds. Without a
    key nothing is signed: for showing only."""

    entity: Entity
    key: OurKey | None
    now: float
    assertion_seconds: float
    algorithm: Algorithm | None = None

    def signer(self, ident: str) -> Callable[[bytes], str] | None:
        """Makes the signature of the message with this ID."""
        key, algorithm = self.key, self.algorithm
        if key is None:
            return None
        return lambda content: signature_for(content, ident, key.private, key.certificate, algorithm)


@dataclass(frozen=True, slots=True)
class Written:
    """document: what is sent. shown: the same for administrators, before it was encrypted."""

    document: bytes
    shown: bytes


def assertion_response(
    issuing: Issuing, request: AuthnRequest, sp: ServiceProvider, view: SpView, subject: Subject, name_id: NameId
) -> Written:
    """The signed Response to a request. Raises SamlStatus(NoAuthnContext | RequestDenied)."""
    if sp.second_factor_required and subject.session.factor_at is None:  # it was set while somebody signed in
        raise SamlStatus(request, names.NO_AUTHN_CONTEXT, f"{sp.id!r} demands a second factor, and there was none")
    method = _content_method(request, sp, view)
    assertion = _assertion(issuing, request, sp, subject, name_id)
    if method is None or issuing.key is None:
        document = _response(issuing, request, _SUCCESS + assertion, signed=sp.sign_response)
        return Written(document, document)
    shown = _response(issuing, request, _SUCCESS + assertion, signed=False)
    sealed = _SUCCESS + _encrypted(assertion, sp, view, method)
    return Written(_response(issuing, request, sealed, signed=sp.sign_response), shown)


def status_response(issuing: Issuing, refused: SamlStatus, trace: str) -> bytes:
    """A signed Response without assertion; its message holds the trace code and nothing else."""
    second = element("samlp:StatusCode", {"Value": refused.second})
    code = element("samlp:StatusCode", {"Value": refused.top}, second)
    said = element("samlp:StatusMessage", {}, text(f"Trace code {trace}"))
    return _response(issuing, refused.request, element("samlp:Status", {}, code + said), signed=True)


def _response(issuing: Issuing, request: AuthnRequest, rest: str, *, signed: bool) -> bytes:
    id = _message_id()
    attributes = {
        "ID": id,
        "Version": "2.0",
        "IssueInstant": instant(int(issuing.now)),
        "Destination": request.acs_url,
        "InResponseTo": request.id or None,
    }
    sign = issuing.signer(id) if signed else None
    return message("samlp:Response", attributes, issuing.entity.entity_id, rest, sign).encode()


def _assertion(issuing: Issuing, request: AuthnRequest, sp: ServiceProvider, subject: Subject, name_id: NameId) -> str:
    id, ends = _message_id(), instant(int(issuing.now + issuing.assertion_seconds))
    audience = element("saml:AudienceRestriction", {}, element("saml:Audience", {}, text(sp.id)))
    rest = (
        _subject(request, name_id, ends)
        + element(
            "saml:Conditions",
            {"NotBefore": instant(int(issuing.now - EARLY_SECONDS)), "NotOnOrAfter": ends},
            audience,
        )
        + _authn_statement(request, subject)
        + _attribute_statement(attributes_for(sp, subject.user))
    )
    attributes = {"ID": id, "Version": "2.0", "IssueInstant": instant(int(issuing.now))}
    return message("saml:Assertion", attributes, issuing.entity.entity_id, rest, issuing.signer(id))


def _subject(request: AuthnRequest, name_id: NameId, ends: str) -> str:
    """No NotBefore in the confirmation (SAML Profiles 4.1.4.2); no InResponseTo when nobody asked (4.1.5)."""
    qualifiers = {key: value for key, value in name_id.items() if key != "value"}
    data = {"InResponseTo": request.id or None, "Recipient": request.acs_url, "NotOnOrAfter": ends}
    confirmed = element("saml:SubjectConfirmationData", data)
    return element(
        "saml:Subject",
        {},
        element("saml:NameID", qualifiers, text(name_id["value"]))
        + element("saml:SubjectConfirmation", {"Method": BEARER}, confirmed),
    )


def _authn_statement(request: AuthnRequest, subject: Subject) -> str:
    """AuthnInstant and end are those of the session; an older login is never dressed up as a new one."""
    session = subject.session
    reached = class_for(request.contexts, request.comparison, session)
    if reached is None:
        raise SamlStatus(
            request, names.NO_AUTHN_CONTEXT, f"the session is weaker than {request.comparison} {request.contexts}"
        )
    return element(
        "saml:AuthnStatement",
        {
            "AuthnInstant": instant(int(session.auth_time)),
            "SessionIndex": subject.session_index,
            "SessionNotOnOrAfter": instant(int(session.expires_at)),
        },
        element("saml:AuthnContext", {}, element("saml:AuthnContextClassRef", {}, text(reached))),
    )


def _attribute_statement(attributes: Sequence[SamlAttribute]) -> str:
    """Values without xsi:type: its prefix is invisible to exclusive canonicalisation and gets lost when an assertion is moved."""
    written = [
        element(
            "saml:Attribute",
            {"Name": one.name, "NameFormat": one.name_format, "FriendlyName": one.friendly_name or None},
            "".join([element("saml:AttributeValue", {}, text(value)) for value in one.values]),
        )
        for one in attributes
        if one.values
    ]
    return element("saml:AttributeStatement", {}, "".join(written)) if written else ""


def _content_method(request: AuthnRequest, sp: ServiceProvider, view: SpView) -> str | None:
    """The URI of the method to encrypt with; None for an assertion in clear text."""
    if sp.encrypt == "never":
        return None
    method = content_method(sp, view)
    if method is None and sp.encrypt == "always":
        why = "names no usable key, or only methods that are not chosen by themselves"
        raise SamlStatus(request, names.REQUEST_DENIED, f"{sp.id!r} must get encrypted assertions, but {why}")
    return method


def content_method(sp: ServiceProvider, view: SpView) -> str | None:
    """None: not possible. Anybody can change what is encrypted with CBC unseen, so that is taken only where it was chosen."""
    if view.encrypt_to is None:
        return None
    if sp.encryption_method != "auto":
        return formats.CONTENT[sp.encryption_method]
    listed = view.encrypt_to.methods or (encryption.AES256_GCM,)
    return next((one for one in listed if one in encryption.KEY_BYTES), None)


def _encrypted(assertion: str, sp: ServiceProvider, view: SpView, method: str) -> str:
    target, transport = view.encrypt_to, formats.KEY_TRANSPORT[sp.key_transport]
    assert target is not None
    data = encryption.encrypt(assertion.encode(), target.key, target.certificate, method, transport)
    # The response around it is signed as text, so this must be in canonical form as well.
    return element("saml:EncryptedAssertion", {}, xml.canonical(etree.fromstring(data)).decode(), declares=True)


def _message_id() -> str:
    """160 bits (SAML Core 1.3.4 asks for 128 to 160); an ID must not begin with a digit."""
    return f"_{secrets.token_hex(20)}"
