"""Our identity provider's metadata, made from the issuer and the certificates of the keys; the bytes are kept until either changes.

Leaves reading the metadata of service providers to `sp_metadata`.
"""

from functools import lru_cache
from urllib.parse import urlsplit

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, ExtensionElement, md, xmldsig

from idp.protocols.saml.entity import Entity
from idp.saml import names, xml
from idp.saml.signatures import bare
from idp.saml.sp_metadata import service_provider_from_metadata

__all__ = ["idp_metadata", "service_provider_from_metadata"]

CONTENT_TYPE = "application/samlmetadata+xml"


@lru_cache(maxsize=8)
def idp_metadata(entity: Entity, certificates: tuple[str, ...], want_signed: bool) -> bytes:
    """certificates: PEM of every key that signs now or will or did a short while ago, so that a rollover breaks nobody."""
    role = md.IDPSSODescriptor(
        protocol_support_enumeration=xml.SAMLP,
        want_authn_requests_signed="true" if want_signed else "false",
        extensions=md.Extensions(extension_elements=[_scope(entity)]),
        key_descriptor=[_signing_key(certificate) for certificate in certificates],
        name_id_format=[md.NameIDFormat(text=f) for f in names.NAME_ID_FORMATS],
        single_sign_on_service=[
            md.SingleSignOnService(binding=binding, location=entity.sso_url)
            for binding in (BINDING_HTTP_REDIRECT, BINDING_HTTP_POST)
        ],
    )
    descriptor = md.EntityDescriptor(entity_id=entity.entity_id, idpsso_descriptor=[role])
    return bytes(descriptor.to_string())


def _signing_key(certificate: str) -> md.KeyDescriptor:
    data = xmldsig.X509Data(x509_certificate=xmldsig.X509Certificate(text=bare(certificate)))
    return md.KeyDescriptor(use="signing", key_info=xmldsig.KeyInfo(x509_data=data))


def _scope(entity: Entity) -> ExtensionElement:
    """Shibboleth's service provider drops scoped attributes of an identity provider that declares no scope."""
    host = urlsplit(entity.issuer).hostname or "localhost"
    return ExtensionElement("Scope", xml.SHIBMD, attributes={"regexp": "false"}, text=host)
