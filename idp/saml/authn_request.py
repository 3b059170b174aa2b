"""Writes AuthnRequests to upstream identity providers, and our metadata as their service provider.

Leaves how a request travels to `bindings`, and when one is made to the upstream kinds. Loads no lxml unless it signs.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from idp.saml import names
from idp.saml.algorithms import Algorithm, PrivateKey, bare
from idp.saml.formats import CONTENT, KEY_TRANSPORT
from idp.saml.writing import attribute, element, instant, message, text, ui_info

PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:"
_LOGOUT_BINDINGS = ("HTTP-Redirect", "HTTP-POST", "SOAP")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """certificate: PEM."""

    private: PrivateKey = field(repr=False)
    certificate: str
    algorithm: Algorithm


@dataclass(frozen=True, slots=True)
class Request:
    """issuer: our entityID there. name_id_format: None for no NameIDPolicy at all, empty for one without a format.
    login_hint: becomes the Subject. contexts, comparison: RequestedAuthnContext."""

    id: str
    issuer: str
    destination: str
    acs_url: str
    at: float
    force: bool = False
    name_id_format: str | None = ""
    contexts: Sequence[str] = ()
    comparison: str = "exact"
    login_hint: str | None = None


def new_id() -> str:
    """An xs:ID with 160 random bits (Core 1.3.4)."""
    return f"_{secrets.token_hex(20)}"


def write(request: Request, key: SigningKey | None = None) -> bytes:
    """With an enveloped signature when there is a key: for the POST binding. Never IsPassive: somebody has just clicked."""
    attributes = {
        "AssertionConsumerServiceURL": request.acs_url,
        "Destination": request.destination,
        "ForceAuthn": "true" if request.force else None,
        "ID": request.id,
        "IssueInstant": instant(int(request.at)),
        "ProtocolBinding": f"{BINDING}HTTP-POST",
        "Version": "2.0",
    }
    rest = _subject(request.login_hint) + _policy(request.name_id_format) + _contexts(request)
    sign = None
    if key is not None:
        from idp.saml.signatures import signature_for

        def sign(canonical: bytes) -> str:
            return signature_for(canonical, request.id, key.private, key.certificate, key.algorithm)

    return message("samlp:AuthnRequest", attributes, request.issuer, rest, sign).encode()


def _subject(hint: str | None) -> str:
    if hint is None:
        return ""
    format = names.EMAIL if "@" in hint else names.UNSPECIFIED
    return element("saml:Subject", {}, element("saml:NameID", {"Format": format}, text(hint)), declares=True)


def _policy(format: str | None) -> str:
    return "" if format is None else element("samlp:NameIDPolicy", {"AllowCreate": "true", "Format": format or None})


def _contexts(request: Request) -> str:
    if not request.contexts:
        return ""
    classes = "".join(element("saml:AuthnContextClassRef", {}, text(c), declares=True) for c in request.contexts)
    return element("samlp:RequestedAuthnContext", {"Comparison": request.comparison}, classes)


# ---------------------------------------------------------------- our metadata as a service provider


@dataclass(frozen=True, slots=True)
class OurSp:
    """signing, encryption: certificates in PEM. logout_url: None when logout is off. cbc: we open AES-CBC as well.
    display_name: for people of the other side."""

    entity_id: str
    acs_url: str
    logout_url: str | None
    signing: Sequence[str]
    encryption: Sequence[str]
    name_id_formats: Sequence[str]
    requests_signed: bool
    want_assertions_signed: bool
    cbc: bool = False
    display_name: str = ""


def metadata(sp: OurSp) -> bytes:
    """SAML Metadata 2.4.4. Encryption methods: what we open by default, so that nobody has to guess."""
    methods = "".join(f'<md:EncryptionMethod Algorithm="{uri}"/>' for uri in (*_METHODS, *(_CBC if sp.cbc else ())))
    keys = "".join(_key("signing", one, "") for one in sp.signing)
    keys += "".join(_key("encryption", one, methods) for one in sp.encryption)
    logout = "".join(
        f'<md:SingleLogoutService Binding="{BINDING}{binding}" Location="{_quoted(sp.logout_url)}"/>'
        for binding in _LOGOUT_BINDINGS
        if sp.logout_url
    )
    shown = f"<md:Extensions>{more}</md:Extensions>" if (more := ui_info(sp.display_name)) else ""
    formats = "".join(f"<md:NameIDFormat>{text(one)}</md:NameIDFormat>" for one in sp.name_id_formats)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
        f'xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="{_quoted(sp.entity_id)}">'
        f'<md:SPSSODescriptor AuthnRequestsSigned="{_boolean(sp.requests_signed)}" '
        f'WantAssertionsSigned="{_boolean(sp.want_assertions_signed)}" protocolSupportEnumeration="{PROTOCOL}">'
        f"{shown}{keys}{logout}{formats}"
        f'<md:AssertionConsumerService Binding="{BINDING}HTTP-POST" Location="{_quoted(sp.acs_url)}" index="0" '
        f'isDefault="true"/></md:SPSSODescriptor></md:EntityDescriptor>\n'
    ).encode()


_METHODS = (CONTENT["aes256-gcm"], CONTENT["aes128-gcm"], *KEY_TRANSPORT.values())
_CBC = (CONTENT["aes256-cbc"], CONTENT["aes128-cbc"])


def _key(use: str, certificate: str, methods: str) -> str:
    return (
        f'<md:KeyDescriptor use="{use}"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{bare(certificate)}'
        f"</ds:X509Certificate></ds:X509Data></ds:KeyInfo>{methods}</md:KeyDescriptor>"
    )


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _quoted(value: str | None) -> str:
    return attribute(value or "")
