"""What a service provider's metadata says: read, checked when it is registered, kept as a small frozen view.

Leaves what all metadata have in common to `metadata_document`, settings and storing to idp.services, and our own metadata to
the SAML door.
"""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa

from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.saml import metadata_document as document
from idp.saml.formats import CONTENT
from idp.saml.metadata_document import BINDINGS, MAX_URI, Certified, Found, Problem, text_of, true
from idp.saml.views import Acs, EncryptTo, Endpoint, SpView, WantedAttribute
from idp.saml.xml import MD, Element

__all__ = ["MAX_URI", "BadMetadata", "read", "service_provider_from_metadata"]

ROLE = "SPSSODescriptor"
MAX_SERVICES = 100
MAX_WANTED = 200
_GCM = tuple(uri for name, uri in CONTENT.items() if name.endswith("gcm"))


class BadMetadata(Refused):
    """The metadata breaks a rule; the message says which, for the person who registers it."""

    def __init__(self, problem: str) -> None:
        super().__init__("invalid_sp_metadata", f"The metadata cannot be used: {problem}.", reason=problem)


def read(text: bytes, entity_id: str = "") -> SpView:
    """entity_id: which one, where the document describes several. Raises BadMetadata. Every rule holds here, so that what
    was registered before a rule existed is refused as well."""
    try:
        return view_of(document.find(text, ROLE, entity_id))
    except Problem as problem:
        raise BadMetadata(str(problem)) from None


def view_of(found: Found) -> SpView:
    """Raises Problem."""
    role, notes = found.role, []
    acs = _consumers(role)
    signing, unusable = document.keys(role, "signing")
    if unusable and not signing:
        raise Problem(unusable[0])
    signed = true(role.get("AuthnRequestsSigned"))
    if signed and not signing:
        raise Problem("it promises signed requests, but has no signing certificate")
    notes += [f"a signing key is left out: {why}" for why in unusable]
    logout = _logout(role, notes)
    encryption, unusable = document.keys(role, "encryption")
    notes += [f"an encryption key is left out: {why}" for why in unusable]
    return SpView(
        entity_id=found.entity.get("entityID") or "",
        name=name_of(found) or urlsplit(acs[0].url).hostname or found.entity.get("entityID") or "",
        acs=acs,
        requests_signed=signed,
        signing_keys=tuple(one.key for one in signing),
        encrypt_to=_encrypt_to(encryption),
        name_id_formats=tuple(one for f in role.findall(f"{{{MD}}}NameIDFormat") if (one := text_of(f)))[:20],
        valid_until=found.valid_until,
        logout=logout,
        certificates=tuple(one.certificate for one in signing),
        wanted=_wanted(role),
        categories=document.categories(found.entity),
        contacts=document.contacts(found.entity),
        notes=tuple(notes),
        cache_seconds=found.cache_seconds,
    )


def _consumers(role: Element) -> tuple[Acs, ...]:
    """Those to which we can answer. One whose address is not good spoils all: it may be the one that is meant."""
    services = role.findall(f"{{{MD}}}AssertionConsumerService")[:MAX_SERVICES]
    taken = {_index(one) for one in services}
    found = []
    for service in services:
        binding = BINDINGS.get(service.get("Binding") or "")
        if binding not in ("post", "artifact"):
            continue
        index = _index(service)
        if index is None:
            taken.add(index := next(n for n in range(len(services) + 1) if n not in taken))
        url = document.check_url((service.get("Location") or "").strip(), "an AssertionConsumerService")
        default = service.get("isDefault")
        found.append(Acs(url, index, None if default is None else true(default), binding))
    if not found:
        raise Problem("it has no AssertionConsumerService for HTTP-POST or HTTP-Artifact")
    return tuple(found)


def _index(service: Element) -> int | None:
    text = (service.get("index") or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else None


def _logout(role: Element, notes: list[str]) -> tuple[Endpoint, ...]:
    """An address that is no good is left out: signing in does not need it."""
    found = []
    for service in role.findall(f"{{{MD}}}SingleLogoutService")[:MAX_SERVICES]:
        binding = BINDINGS.get(service.get("Binding") or "")
        if binding not in ("redirect", "post", "soap"):
            continue
        try:
            url = document.check_url((service.get("Location") or "").strip(), "a SingleLogoutService")
            answers = (service.get("ResponseLocation") or "").strip()
            found.append(Endpoint(binding, url, document.check_url(answers, "a ResponseLocation") if answers else ""))
        except Problem as problem:
            notes.append(f"an address for logout is left out: {problem}")
    return tuple(found)


def _encrypt_to(keys: list[Certified]) -> EncryptTo | None:
    """The first RSA key with which AES-GCM will do, else the first RSA key."""
    usable = [
        EncryptTo(one.certificate, one.key, tuple(m for m in one.methods if _is_content(m)))
        for one in keys
        if isinstance(one.key, rsa.RSAPublicKey)
    ]
    return next((one for one in usable if takes_gcm(one)), next(iter(usable), None))


def takes_gcm(target: EncryptTo) -> bool:
    return not target.methods or any(method in _GCM for method in target.methods)


def _is_content(method: str) -> bool:
    return "#aes" in method or "#tripledes" in method


def _wanted(role: Element) -> tuple[WantedAttribute, ...]:
    """Of every AttributeConsumingService; the same name once."""
    found: dict[str, WantedAttribute] = {}
    for one in role.findall(f"{{{MD}}}AttributeConsumingService/{{{MD}}}RequestedAttribute")[:MAX_WANTED]:
        name = (one.get("Name") or "").strip()
        if not 0 < len(name) <= MAX_URI or not name.isprintable():
            continue
        friendly = "".join(c for c in one.get("FriendlyName") or "" if c.isprintable())[:200]
        required = true(one.get("isRequired")) or (name in found and found[name].required)
        found[name] = WantedAttribute(name, friendly, required)
    return tuple(found.values())


def name_of(found: Found) -> str:
    """For people; empty when it says none."""
    services = found.role.findall(f"{{{MD}}}AttributeConsumingService/{{{MD}}}ServiceName")
    return document.display_name(found.role) or document.in_english(services) or document.organisation(found.entity)


# ---------------------------------------------------------------- to be registered


def service_provider_from_metadata(xml_text: bytes, now: float, **settings: Any) -> ServiceProvider:
    """As it is to be stored. settings: fields of it, with which check_sp of idp.services has to agree.

    Raises BadMetadata.
    """
    view = read(xml_text)
    if view.valid_until is not None and view.valid_until <= now:
        raise BadMetadata("its validUntil is in the past")
    sp = ServiceProvider(id=view.entity_id, name=view.name, metadata=xml_text.decode("utf-8-sig"), created_at=now)
    return replace(sp, **settings)
