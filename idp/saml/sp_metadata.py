"""What a service provider's metadata says: read, checked when it is registered, kept as a small frozen view.

Leaves storing it to idp.services.manage_apps, and our own metadata to `metadata`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from saml2 import BINDING_HTTP_POST, md

from idp.base.errors import Refused
from idp.base.net import is_loopback_url
from idp.domain.relying import ServiceProvider
from idp.saml import encryption, xml
from idp.saml.names import FIELDS, NAME_ID_FORMATS, SHORT_FORMATS
from idp.saml.signatures import BadSignature, PublicKey, public_key
from idp.saml.views import Acs, EncryptTo, SpView

SAML2_PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
MDUI = "urn:oasis:names:tc:SAML:metadata:ui"
_ORDER = (
    *("Signature", "Extensions", "KeyDescriptor", "Organization", "ContactPerson", "ArtifactResolutionService"),
    *("SingleLogoutService", "ManageNameIDService", "NameIDFormat", "AssertionConsumerService"),
    "AttributeConsumingService",
)
_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
MAX_URI = 1024  # SAML Core 8.3.6: entity identifiers


class BadMetadata(Refused):
    """The metadata breaks a rule; the message says which, for the person who registers it."""

    def __init__(self, problem: str) -> None:
        super().__init__("invalid_sp_metadata", f"The metadata cannot be used: {problem}.", reason=problem)


def service_provider_from_metadata(xml_text: bytes, now: float, **settings: str) -> ServiceProvider:
    """A checked ServiceProvider, ready to be stored. Raises BadMetadata or Refused(invalid_sp_setting).

    settings: name, name_id_format (persistent, transient, email, unspecified or a URN), sign_response (true, false),
    encrypt (never, when_possible, always), second_factor_required (true, false), attributes.NAME=FIELD.
    """
    view = read(xml_text)
    if view.valid_until is not None and view.valid_until <= now:
        raise BadMetadata("its validUntil is in the past")
    sp = ServiceProvider(id=view.entity_id, name=view.name, metadata=xml_text.decode("utf-8-sig"), created_at=now)
    sp = _with_settings(sp, settings)
    if sp.encrypt == "always" and view.encrypt_to is None:
        raise BadMetadata("encryption is demanded, but it has no RSA encryption certificate for AES-GCM")
    return sp


def read(text: bytes) -> SpView:
    """Raises BadMetadata. Every rule holds here, so that what was registered before a rule existed is refused as well."""
    try:
        root = xml.bounded(text, xml.MAX_METADATA_BYTES)
        _into_schema_order(root)
        xml.validate(root, xml.METADATA)
        entity = md.entity_descriptor_from_string(xml.canonical(root))
    except xml.BadXml as error:
        raise BadMetadata(str(error)) from None
    if entity is None:
        raise BadMetadata("it does not describe one single entity (EntityDescriptor)")
    _check_entity_id(entity.entity_id)
    roles = [
        r for r in entity.spsso_descriptor or [] if SAML2_PROTOCOL in (r.protocol_support_enumeration or "").split()
    ]
    if len(roles) != 1:
        raise BadMetadata("it does not hold exactly one SPSSODescriptor for SAML 2.0")
    return _view(entity, roles[0])


def _into_schema_order(root: Any) -> None:
    """Several libraries write the parts of a role in an order of their own (NameIDFormat before SingleLogoutService)."""
    for role in root.iter(f"{{{xml.MD}}}SPSSODescriptor"):
        role[:] = sorted(role, key=lambda part: _ORDER.index(name) if (name := _local(part)) in _ORDER else -1)


def _local(part: Any) -> str:
    return part.tag.rpartition("}")[2] if isinstance(part.tag, str) else ""


def _view(entity: Any, role: Any) -> SpView:
    acs = tuple(_acs(service) for service in role.assertion_consumer_service if service.binding == BINDING_HTTP_POST)
    if not acs:
        raise BadMetadata("it has no AssertionConsumerService for HTTP-POST")
    signing = tuple(_key(c) for k in role.key_descriptor or [] if k.use in (None, "signing") for c in _certificates(k))
    signed = (role.authn_requests_signed or "").strip() in ("true", "1")
    if signed and not signing:
        raise BadMetadata("it promises signed requests, but has no signing certificate")
    ends = [_instant(value) for value in (entity.valid_until, role.valid_until) if value]
    return SpView(
        entity_id=entity.entity_id,
        name=_name(role) or urlsplit(acs[0].url).hostname or entity.entity_id,
        acs=acs,
        requests_signed=signed,
        signing_keys=signing,
        encrypt_to=_encrypt_to(role),
        name_id_formats=tuple((f.text or "").strip() for f in role.name_id_format or []),
        valid_until=min(ends) if ends else None,
    )


def _check_entity_id(entity_id: str) -> None:
    if not entity_id or len(entity_id) > MAX_URI or any(not ("!" <= c <= "~") for c in entity_id):
        raise BadMetadata("its entityID is not a URI of at most 1024 characters")


def _acs(service: Any) -> Acs:
    url = (service.location or "").strip()
    check_post_url(url)
    marked = {"true": True, "1": True, "false": False, "0": False}.get((service.is_default or "").strip())
    return Acs(url, int(service.index), marked)


def check_post_url(url: str) -> None:
    """Where we let a browser post an assertion: https, or http on loopback; never javascript:. Raises BadMetadata."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise BadMetadata("an AssertionConsumerService is not a URL") from None
    if any(not ("!" <= c <= "~") or c in '"<>\\^`{|}' for c in url) or len(url) > MAX_URI:
        raise BadMetadata("an AssertionConsumerService holds characters that a URL cannot have")
    if not _AUTHORITY.fullmatch(parts.netloc.rpartition("@")[2]):  # it becomes part of our Content-Security-Policy
        raise BadMetadata("an AssertionConsumerService has a host that is none")
    if "#" in url or parts.username is not None or not parts.hostname:
        raise BadMetadata("an AssertionConsumerService has a fragment, a user name or no host")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_url(url)):
        raise BadMetadata("an AssertionConsumerService is neither https nor http on a loopback address")


def _certificates(descriptor: Any) -> list[str]:
    data = descriptor.key_info.x509_data or [] if descriptor.key_info is not None else []
    return ["".join((c.text or "").split()) for d in data for c in _many(d.x509_certificate)]


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value is not None else []


def _key(certificate: str) -> PublicKey:
    try:
        return public_key(certificate)
    except BadSignature as error:
        raise BadMetadata(str(error)) from None


def _encrypt_to(role: Any) -> EncryptTo | None:
    """The first encryption key that we can use: RSA, and AES-GCM unless the metadata lists other methods only."""
    for descriptor in role.key_descriptor or []:
        if descriptor.use not in (None, "encryption"):
            continue
        listed = [m.algorithm for m in descriptor.encryption_method or []]
        content = [m for m in listed if m in encryption.KEY_BYTES] or (
            [] if _names_content(listed) else [encryption.AES256_GCM]
        )
        for certificate in _certificates(descriptor):
            key = _key(certificate)
            if content and isinstance(key, rsa.RSAPublicKey):
                return EncryptTo(certificate, key, tuple(content))
    return None


def _names_content(methods: list[str]) -> bool:
    return any("#aes" in m or "#tripledes" in m for m in methods)


def _instant(text: str) -> float:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadMetadata("a validUntil is not a date") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _name(role: Any) -> str | None:
    """mdui:DisplayName, the English one if there are several."""
    extensions = role.extensions.extension_elements if role.extensions is not None else []
    names = [
        n for e in extensions if (e.namespace, e.tag) == (MDUI, "UIInfo") for n in e.find_children("DisplayName", MDUI)
    ]
    names.sort(key=lambda n: n.attributes.get("{http://www.w3.org/XML/1998/namespace}lang") != "en")
    return " ".join((names[0].text or "").split())[:200] if names else None


def _with_settings(sp: ServiceProvider, settings: Mapping[str, str]) -> ServiceProvider:
    attributes: dict[str, str] = {}
    for key, value in settings.items():
        if key.startswith("attributes."):
            attributes[key.removeprefix("attributes.")] = _one_of(key, value, FIELDS)
        elif key == "name":
            sp = replace(sp, name=" ".join(value.split())[:200] or sp.name)
        elif key == "name_id_format":
            sp = replace(sp, name_id_format=SHORT_FORMATS.get(value) or _one_of(key, value, NAME_ID_FORMATS))
        elif key == "encrypt":
            allowed = ("never", "when_possible", "always")
            encrypt = cast(Literal["never", "when_possible", "always"], _one_of(key, value, allowed))
            sp = replace(sp, encrypt=encrypt)
        elif key == "sign_response":
            sp = replace(sp, sign_response=_boolean(key, value))
        elif key == "second_factor_required":
            sp = replace(sp, second_factor_required=_boolean(key, value))
        else:
            raise _bad_setting(key, "there is no setting of this name")
    return replace(sp, attributes=attributes)


def _boolean(key: str, value: str) -> bool:
    return _one_of(key, str(value).lower(), ("true", "false", "yes", "no", "1", "0")) in ("true", "yes", "1")


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise _bad_setting(key, f"use one of {', '.join(allowed)}")
    return value


def _bad_setting(key: str, why: str) -> Refused:
    return Refused("invalid_sp_setting", f"{key}: {why}.")
