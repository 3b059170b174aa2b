"""Our identity provider's metadata (SAML Metadata 2.4.3), made from the settings and the certificates of our keys, signed for
whoever wants that; the bytes are kept until one of these changes.

Leaves reading the metadata of others to idp.saml, and the metadata that an upstream gets to idp.web.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urlsplit

from idp.http.parts import Parts
from idp.protocols.saml.entity import Entity, OurKey
from idp.saml import formats, names, xml
from idp.saml.algorithms import ALGORITHMS, DIGESTS, bare
from idp.saml.metadata_document import BINDINGS, CATEGORY, MDATTR
from idp.saml.sp_metadata import service_provider_from_metadata
from idp.saml.writing import attribute, instant, text, ui_info

__all__ = ["Published", "idp_metadata", "ours", "service_provider_from_metadata", "signed_metadata"]

CONTENT_TYPE = "application/samlmetadata+xml"
ALG = "urn:oasis:names:tc:SAML:metadata:algsupport"
SUPPORT = "http://macedir.org/entity-category-support"
ASSURANCE = "urn:oasis:names:tc:SAML:attribute:assurance-certification"
# What is said of an identity provider itself; every other category is one of service providers that it supports.
_OF_OURSELVES = ("http://refeds.org/category/hide-from-discovery", "https://refeds.org/category/hide-from-discovery")
_ASSURANCES = ("https://refeds.org/sirtfi", "https://refeds.org/sirtfi2")
_URN = {short: urn for urn, short in BINDINGS.items()}
STEP = 3600  # validUntil moves on once an hour, so that the document stays the same in between


@dataclass(frozen=True, slots=True)
class Published:
    """What our metadata says. signing: certificates (PEM) of every key that signs now or will or did a short while ago, so that a
    rollover breaks nobody. valid_until: seconds since the epoch, None for no end."""

    entity: Entity
    signing: tuple[str, ...]
    encryption: str = ""
    want_signed: bool = False
    organisation: str = ""
    scopes: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    contact: str = ""
    valid_until: int | None = None


@dataclass(frozen=True, slots=True)
class _Signing:
    """A key as an argument that can be remembered by its id."""

    kid: str
    key: OurKey = field(compare=False, repr=False)


def ours(parts: Parts, entity: Entity, *, signed: bool = False, one_key: bool = False) -> bytes:
    """As of now. signed: asked for; the settings may want it in any case. one_key: with the key that signs and no other, for
    software that cannot read two; it must be told of the next one by hand."""
    chosen = parts.settings.saml
    days = chosen.metadata_valid_days
    published = Published(
        entity,
        tuple(parts.keys.saml_published()[: 1 if one_key else None]),
        parts.keys.saml_decrypting()[0][1],
        chosen.require_signed_requests,
        parts.settings.organisation,
        chosen.scopes or (urlsplit(entity.issuer).hostname or "localhost",),
        chosen.entity_categories,
        chosen.contact,
        int(parts.clock() // STEP) * STEP + days * 86_400 if days else None,
    )
    if not (signed or chosen.sign_metadata):
        return idp_metadata(published)
    key = OurKey(*parts.keys.saml_current())
    return signed_metadata(published, _Signing(key.kid, key))


@lru_cache(maxsize=8)
def idp_metadata(published: Published) -> bytes:
    """Without a signature."""
    entity = published.entity
    ends = f' validUntil="{instant(published.valid_until)}"' if published.valid_until is not None else ""
    inside = _extensions(published.categories) + _role(published) + _people(published)
    ident = "_" + sha256(f"{entity}{ends}{inside}".encode()).hexdigest()[:40]
    return (
        f'<md:EntityDescriptor xmlns:md="{xml.MD}" xmlns:ds="{xml.DS}" ID="{ident}" entityID="{attribute(entity.entity_id)}"{ends}>\n'
        f"{inside}</md:EntityDescriptor>\n"
    ).encode()


@lru_cache(maxsize=8)
def signed_metadata(published: Published, by: _Signing) -> bytes:
    """The signature stands first (Metadata 2.3.2)."""
    from idp.saml.signatures import sign_element

    root = xml.bounded(idp_metadata(published), xml.MAX_METADATA_BYTES)
    return sign_element(root, by.key.private, by.key.certificate)


def _role(published: Published) -> str:
    entity = published.entity
    wants = "true" if published.want_signed else "false"
    # Shibboleth's service provider drops scoped attributes of an identity provider that declares no scope.
    scopes = "".join(f'<shibmd:Scope regexp="false">{text(one)}</shibmd:Scope>' for one in published.scopes)
    more = scopes + ui_info(published.organisation)
    more = f'<md:Extensions xmlns:shibmd="{xml.SHIBMD}">{more}</md:Extensions>\n' if more else ""
    keys = "".join(_key("signing", one) for one in published.signing)
    if published.encryption:
        listed = (formats.CONTENT["aes256-gcm"], formats.CONTENT["aes128-gcm"], formats.KEY_TRANSPORT["rsa-oaep-mgf1p"])
        methods = "".join(f'<md:EncryptionMethod Algorithm="{one}"/>' for one in listed)
        keys += _key("encryption", published.encryption, methods)
    artifact = f'index="0" isDefault="true" Binding="{_URN["soap"]}" Location="{attribute(entity.artifact_url)}"'
    return (
        f'<md:IDPSSODescriptor WantAuthnRequestsSigned="{wants}" protocolSupportEnumeration="{xml.SAMLP}">\n'
        f"{more}"
        f"{keys}<md:ArtifactResolutionService {artifact}/>\n"
        f"{_services('SingleLogoutService', ('redirect', 'post'), entity.slo_url)}"
        f"{_services('SingleLogoutService', ('soap',), f'{entity.slo_url}/soap')}"
        + "".join(f"<md:NameIDFormat>{one}</md:NameIDFormat>\n" for one in names.NAME_ID_FORMATS)
        + f"{_services('SingleSignOnService', ('redirect', 'post'), entity.sso_url)}</md:IDPSSODescriptor>\n"
    )


def _services(name: str, by: tuple[str, ...], url: str) -> str:
    return "".join(f'<md:{name} Binding="{_URN[one]}" Location="{attribute(url)}"/>\n' for one in by)  # type: ignore[index]


def _key(use: str, certificate: str, methods: str = "") -> str:
    return (
        f'<md:KeyDescriptor use="{use}"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{bare(certificate)}</ds:X509Certificate>'
        f"</ds:X509Data></ds:KeyInfo>{methods}</md:KeyDescriptor>\n"
    )


def _people(published: Published) -> str:
    found = ""
    if published.organisation:
        name, url = text(published.organisation), text(published.entity.issuer)
        found += (
            f'<md:Organization><md:OrganizationName xml:lang="en">{name}</md:OrganizationName><md:OrganizationDisplayName '
            f'xml:lang="en">{name}</md:OrganizationDisplayName><md:OrganizationURL xml:lang="en">{url}</md:OrganizationURL>'
            "</md:Organization>\n"
        )
    if published.contact:
        mail = f"<md:EmailAddress>mailto:{text(published.contact)}</md:EmailAddress>"
        found += f'<md:ContactPerson contactType="technical">{mail}</md:ContactPerson>\n'
    return found


def _extensions(given: tuple[str, ...]) -> str:
    """What we can verify, so that nobody signs with SHA-1 (SAML Metadata Profile for Algorithm Support); entity categories."""
    known = "".join(f'<alg:DigestMethod Algorithm="{one}"/>' for one in DIGESTS)
    known += "".join(f'<alg:SigningMethod Algorithm="{one}"/>' for one in ALGORITHMS)
    return f'<md:Extensions xmlns:alg="{ALG}">{known}{_categories(given)}</md:Extensions>\n'


def _categories(given: tuple[str, ...]) -> str:
    named = {
        CATEGORY: [one for one in given if one in _OF_OURSELVES],
        ASSURANCE: [one for one in given if one in _ASSURANCES],
        SUPPORT: [one for one in given if one not in (*_OF_OURSELVES, *_ASSURANCES)],
    }
    attributes = "".join(
        f'<saml:Attribute Name="{name}" NameFormat="{names.URI_NAME}">'
        + "".join(f"<saml:AttributeValue>{text(value)}</saml:AttributeValue>" for value in values)
        + "</saml:Attribute>"
        for name, values in named.items()
        if values
    )
    if not attributes:
        return ""
    return f'<mdattr:EntityAttributes xmlns:mdattr="{MDATTR}" xmlns:saml="{xml.SAML}">{attributes}</mdattr:EntityAttributes>'
