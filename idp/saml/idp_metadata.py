"""What the metadata of an upstream identity provider says: read into a small frozen view (SAML Metadata 2.4.3).

Not held against the schema: ADFS publishes roles of WS-Federation beside ours, which no SAML schema knows. Leaves fetching,
keeping and the signature of the document to others.
"""

from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa

from idp.base.errors import Refused
from idp.saml import metadata_document as document
from idp.saml.metadata_document import BINDINGS, Problem
from idp.saml.views import Binding, EncryptTo, Endpoint, IdpView
from idp.saml.xml import MD, SHIBMD, Element


class BadIdpMetadata(Refused):
    """The metadata breaks a rule; the message says which, for the person who configures it."""

    def __init__(self, problem: str) -> None:
        super().__init__("invalid_idp_metadata", f"The metadata cannot be used: {problem}.", reason=problem)


def read(text: bytes, entity_id: str = "") -> IdpView:
    """entity_id: which one, where the document describes several. Raises BadIdpMetadata."""
    try:
        return _view(document.find(text, "IDPSSODescriptor", entity_id))
    except Problem as problem:
        raise BadIdpMetadata(str(problem)) from None


def _view(found: document.Found) -> IdpView:
    entity, role = found.entity, found.role
    sign_on = _endpoints(role, "SingleSignOnService", ("redirect", "post"))
    if not sign_on:
        raise Problem("it has no SingleSignOnService for HTTP-Redirect or HTTP-POST")
    signing, problems = document.keys(role, "signing")
    if not signing:
        raise Problem(problems[0] if problems else "it has no signing certificate")
    host = urlsplit(sign_on[0].url).hostname or ""
    return IdpView(
        entity_id=entity.get("entityID"),
        name=document.display_name(role) or document.organisation(entity) or host,
        sign_on=sign_on,
        signing_keys=tuple(one.key for one in signing),
        certificates=tuple(one.certificate for one in signing),
        wants_signed_requests=document.true(role.get("WantAuthnRequestsSigned")),
        logout=_endpoints(role, "SingleLogoutService", ("redirect", "post", "soap")),
        name_id_formats=tuple(t for one in role.findall(f"{{{MD}}}NameIDFormat") if (t := document.text_of(one))),
        encrypt_to=_encrypt_to(role),
        scopes=_scopes(entity, role),
        valid_until=found.valid_until,
        contacts=document.contacts(entity),
    )


def _endpoints(role: Element, name: str, usable: tuple[Binding, ...]) -> tuple[Endpoint, ...]:
    found = []
    for service in role.findall(f"{{{MD}}}{name}"):
        binding = BINDINGS.get(service.get("Binding", ""))
        if binding in usable:
            answers = service.get("ResponseLocation", "").strip()
            found.append(
                Endpoint(binding, _url(service.get("Location", ""), name), _url(answers, name) if answers else "")
            )
    return tuple(found)


def _url(text: str, name: str) -> str:
    return document.check_url(text.strip(), f"a {name}")


def _encrypt_to(role: Element) -> EncryptTo | None:
    for one in document.keys(role, "encryption")[0]:
        if isinstance(one.key, rsa.RSAPublicKey):
            return EncryptTo(one.certificate, one.key, one.methods)
    return None


def _scopes(entity: Element, role: Element) -> tuple[str, ...]:
    """shibmd:Scope. Regular expressions are left out: one that is wrong would let every scope through."""
    found = [
        document.text_of(scope).lower()
        for holder in (entity, role)
        for scope in holder.findall(f"{{{MD}}}Extensions/{{{SHIBMD}}}Scope")
        if not document.true(scope.get("regexp"))
    ]
    return tuple(dict.fromkeys(scope for scope in found if scope))
