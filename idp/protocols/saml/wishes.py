"""What an AuthnRequest wishes for: read from the verified message, and refused with a status when it cannot be had.

Leaves who asks, when and where to `inbound`, and fulfilling the wishes to `outbound` and the sign-in.
"""

from collections.abc import Callable

from idp.protocols.saml.contexts import strength_needed
from idp.protocols.saml.errors import SamlStatus
from idp.protocols.saml.request import AuthnRequest
from idp.saml import names, xml
from idp.saml.views import Acs
from idp.services.release_saml import meant

POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
ARTIFACT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"
BINDINGS = {POST: "post", ARTIFACT: "artifact"}
MAX_CONTEXTS, MAX_CONTEXT_TEXT = 50, 8_192  # how many, and characters of all: they are kept while somebody signs in
MAX_SUBJECT = 1_024
_TRUE = ("true", "1")  # xs:boolean
_COMPARISONS = ("exact", "minimum", "better", "maximum")


def read(message: xml.Element, sp_id: str, acs: Acs, relay_state: str | None) -> AuthnRequest:
    """The wishes as they stand there. Scoping, Conditions and Extensions are allowed and mean nothing here: we are asked."""
    policy = message.find(f"{{{xml.SAMLP}}}NameIDPolicy")
    asked = message.find(f"{{{xml.SAMLP}}}RequestedAuthnContext")
    refs = asked.findall(f"{{{xml.SAML}}}AuthnContextClassRef") if asked is not None else []
    subject = message.find(f"{{{xml.SAML}}}Subject/{{{xml.SAML}}}NameID")
    return AuthnRequest(
        id=message.get("ID"),
        sp_id=sp_id,
        acs_url=acs.url,
        relay_state=relay_state,
        force=message.get("ForceAuthn", "").strip() in _TRUE,
        passive=message.get("IsPassive", "").strip() in _TRUE,
        name_id_format=meant(policy.get("Format", "").strip()) if policy is not None else "",
        contexts=tuple(_text(ref) for ref in refs),
        comparison=asked.get("Comparison", "exact").strip() if asked is not None else "exact",
        subject_format=meant(subject.get("Format", "").strip()) if subject is not None else "",
        subject=_text(subject) if subject is not None else None,
        binding=acs.binding,
    )


def binding_fits(message: xml.Element, request: AuthnRequest) -> None:
    """The metadata must name an ACS for the binding that is asked for."""
    wanted = message.get("ProtocolBinding")
    if wanted is not None and BINDINGS.get(wanted.strip()) != request.binding:
        why = f"its metadata names no such ACS for {wanted[:100]!r}"
        raise SamlStatus(request, names.UNSUPPORTED_BINDING, why)


def name_id_policy_fits(message: xml.Element, request: AuthnRequest) -> None:
    """A SPNameQualifier of another entity would hand out the name that a user has there (seen with pysaml2)."""
    policy = message.find(f"{{{xml.SAMLP}}}NameIDPolicy")
    if policy is None:
        return
    if policy.get("SPNameQualifier", "") not in ("", request.sp_id):
        raise SamlStatus(
            request, names.INVALID_NAME_ID_POLICY, "SPNameQualifier names another entity", top=names.REQUESTER
        )
    if request.name_id_format not in ("", *names.NAME_ID_FORMATS):
        raise SamlStatus(
            request, names.INVALID_NAME_ID_POLICY, f"format {request.name_id_format[:100]!r}", top=names.REQUESTER
        )


def subject_fits(message: xml.Element, request: AuthnRequest) -> None:
    subject = message.find(f"{{{xml.SAML}}}Subject")
    if subject is None:
        return
    if [part.tag for part in subject] != [f"{{{xml.SAML}}}NameID"]:
        raise SamlStatus(request, names.REQUEST_UNSUPPORTED, "Subject is not a plain NameID", top=names.REQUESTER)
    if len(request.subject or "") > MAX_SUBJECT or len(request.subject_format) > MAX_SUBJECT:
        raise SamlStatus(request, names.UNKNOWN_PRINCIPAL, "the Subject is too long", top=names.REQUESTER)
    if subject[0].get("SPNameQualifier", "") not in ("", request.sp_id):
        raise SamlStatus(request, names.UNKNOWN_PRINCIPAL, "SPNameQualifier names another entity", top=names.REQUESTER)


def contexts_fit(message: xml.Element, request: AuthnRequest) -> None:
    asked = message.find(f"{{{xml.SAMLP}}}RequestedAuthnContext")
    declared = asked is not None and asked.find(f"{{{xml.SAML}}}AuthnContextDeclRef") is not None
    many = len(request.contexts) > MAX_CONTEXTS or sum(map(len, request.contexts)) > MAX_CONTEXT_TEXT
    odd = many or request.comparison not in _COMPARISONS
    if declared or odd or strength_needed(request.contexts, request.comparison) is None:
        raise SamlStatus(request, names.NO_AUTHN_CONTEXT, f"{request.comparison} {' '.join(request.contexts)[:300]}")


WISHES: tuple[tuple[str, Callable[[xml.Element, AuthnRequest], None]], ...] = (
    ("protocol_binding", binding_fits),
    ("name_id_policy", name_id_policy_fits),
    ("subject", subject_fits),
    ("authn_context", contexts_fit),
)


def _text(element: xml.Element) -> str:
    return "".join(element.itertext()).strip()
