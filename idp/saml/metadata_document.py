"""What all SAML metadata have in common (SAML Metadata 2.2 to 2.4): the entity in a document, its validity, keys, addresses
and words. Tolerant of order and of what we do not use, strict about what we use.

Leaves what a service provider or an identity provider says besides to `sp_metadata` and `idp_metadata`, and a signature over
the document to whoever fetched it. Every rule that is broken is a Problem, in words for the person who brings the metadata.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography import x509

from idp.base.net import is_loopback_url
from idp.saml import xml
from idp.saml.algorithms import BadSignature, PublicKey, public_key
from idp.saml.names import MDUI
from idp.saml.views import Binding
from idp.saml.xml import DS, MD, SAML, SAMLP, Element

MDATTR = "urn:oasis:names:tc:SAML:metadata:attribute"
CATEGORY = "http://macedir.org/entity-category"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
ENTITY, GROUP = f"{{{MD}}}EntityDescriptor", f"{{{MD}}}EntitiesDescriptor"
BINDINGS: dict[str, Binding] = {
    "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect": "redirect",
    "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST": "post",
    "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact": "artifact",
    "urn:oasis:names:tc:SAML:2.0:bindings:SOAP": "soap",
}
MAX_URI = 1024  # SAML Core 8.3.6: entity identifiers
MAX_KEYS = 16
_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
_DURATION = re.compile(
    r"P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})(?:\.\d+)?S)?)?"
)
_DURATION_SECONDS = (31_536_000, 2_592_000, 86_400, 3600, 60, 1)


class Problem(Exception):  # noqa: N818
    """The metadata breaks a rule; the text says which, and holds nothing that could pass for words of ours."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entity and its one role for SAML 2.0, with what the groups around them say about validity.

    valid_until: seconds since the epoch. cache_seconds: how long it may be kept before it is asked for again.
    """

    entity: Element
    role: Element
    valid_until: float | None
    cache_seconds: float | None


def find(text: bytes, role: str, entity_id: str = "") -> Found:
    """The entity with this role (`SPSSODescriptor`, `IDPSSODescriptor`); entity_id: which one, where there are several.

    Raises Problem.
    """
    try:
        root = xml.bounded(text, xml.MAX_METADATA_BYTES)
    except xml.BadXml as error:
        raise Problem(str(error)) from None
    return find_in(root, role, entity_id)


def find_in(root: Element, role: str, entity_id: str = "") -> Found:
    if root.tag not in (ENTITY, GROUP):
        raise Problem("it is not SAML metadata (EntityDescriptor)")
    found: tuple[Element, Element] | None = None
    for entity in entities_of(root):
        if entity_id and entity.get("entityID") != entity_id:
            continue
        roles = [one for one in entity.findall(f"{{{MD}}}{role}") if SAMLP in _protocols(one)]
        if len(roles) > 1:
            raise Problem(f"it does not hold exactly one {role} for SAML 2.0")
        if roles and found is not None:
            raise Problem(f"it does not describe one single entity with {role}, and nobody said which one is meant")
        if roles:
            found = entity, roles[0]
    if found is None:
        named = " of the entity that is meant" if entity_id else ""
        raise Problem(f"it holds no {role}{named} for SAML 2.0")
    check_entity_id(found[0].get("entityID") or "")
    around = [found[1], found[0], *found[0].iterancestors(GROUP)]
    ends = [instant(value) for one in around if (value := one.get("validUntil"))]
    kept = [duration(value) for one in around if (value := one.get("cacheDuration"))]
    return Found(*found, min(ends, default=None), min(kept, default=None))


def entities_of(root: Element) -> Iterator[Element]:
    """The document's entities, in groups or not. One that stands anywhere else, in somebody's Extensions say, is none: a member
    of a federation writes those itself."""
    if root.tag == ENTITY:
        yield root
    elif root.tag == GROUP:
        for child in root.iterchildren(ENTITY, GROUP):
            yield from entities_of(child)


def _protocols(role: Element) -> list[str]:
    return (role.get("protocolSupportEnumeration") or "").split()


def check_entity_id(entity_id: str) -> None:
    if not 0 < len(entity_id) <= MAX_URI or any(not ("!" <= c <= "~") for c in entity_id):
        raise Problem("its entityID is not a URI of at most 1024 characters")


# ---------------------------------------------------------------- texts


def text_of(element: Element) -> str:
    """Its own text; a comment in it hides nothing and cuts nothing off."""
    return "".join([element.text or "", *(child.tail or "" for child in element)]).strip()


def words_of(element: Element, most: int = 200) -> str:
    """For people: one line, nothing that cannot be seen."""
    return "".join(c for c in " ".join(text_of(element).split()) if c.isprintable())[:most]


def in_english(elements: list[Element]) -> str:
    """The English one of several localised words, else the first."""
    ranked = sorted(elements, key=lambda one: not (one.get(LANG) or "").lower().startswith("en"))
    return next((words for one in ranked if (words := words_of(one))), "")


def display_name(role: Element) -> str:
    """mdui:DisplayName."""
    return in_english(role.findall(f"{{{MD}}}Extensions/{{{MDUI}}}UIInfo/{{{MDUI}}}DisplayName"))


def organisation(entity: Element) -> str:
    return in_english(entity.findall(f"{{{MD}}}Organization/{{{MD}}}OrganizationDisplayName"))


def contacts(entity: Element) -> tuple[str, ...]:
    """Mail addresses, the technical ones first."""
    people = sorted(entity.findall(f"{{{MD}}}ContactPerson"), key=lambda one: one.get("contactType") != "technical")
    found = (words_of(mail, 260) for one in people for mail in one.findall(f"{{{MD}}}EmailAddress"))
    return tuple(dict.fromkeys(one.removeprefix("mailto:") for one in found if one))[:5]


def categories(entity: Element) -> tuple[str, ...]:
    path = f"{{{MD}}}Extensions/{{{MDATTR}}}EntityAttributes/{{{SAML}}}Attribute"
    named = (one for one in entity.findall(path) if one.get("Name") == CATEGORY)
    found = (words_of(value, MAX_URI) for one in named for value in one.findall(f"{{{SAML}}}AttributeValue"))
    return tuple(dict.fromkeys(one for one in found if one))[:50]


def true(value: str | None) -> bool:
    """xs:boolean."""
    return (value or "").strip() in ("true", "1")


def instant(text: str) -> float:
    """xs:dateTime in seconds since the epoch; without a time zone it is UTC (SAML Core 1.3.3)."""
    try:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Problem("a validUntil is not a date") from None


def duration(text: str) -> float:
    """xs:duration in seconds. It is advice about fetching: what cannot be read counts as an hour."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return 3600.0
    return float(sum(int(n) * s for n, s in zip(match.groups(), _DURATION_SECONDS, strict=True) if n))


# ---------------------------------------------------------------- addresses


def check_url(url: str, what: str) -> str:
    """An address to which we send browsers or messages: https, or http on loopback; never javascript:. Raises Problem."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise Problem(f"{what} is not a URL") from None
    if any(not ("!" <= c <= "~") or c in '"<>\\^`{|}' for c in url) or len(url) > MAX_URI:
        raise Problem(f"{what} holds characters that a URL cannot have")
    if not _AUTHORITY.fullmatch(parts.netloc.rpartition("@")[2]):  # it becomes part of our Content-Security-Policy
        raise Problem(f"{what} has a host that is none")
    if "#" in url or parts.username is not None or not parts.hostname:
        raise Problem(f"{what} has a fragment, a user name or no host")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_url(url)):
        raise Problem(f"{what} is neither https nor http on a loopback address")
    return url


# ---------------------------------------------------------------- keys


@dataclass(frozen=True, slots=True)
class Certified:
    """A key that we can use and the certificate it stands in, bare base64. methods: EncryptionMethods, as URIs."""

    certificate: str
    key: PublicKey
    methods: tuple[str, ...] = ()


def keys(role: Element, use: str) -> tuple[list[Certified], list[str]]:
    """Those for `signing` or `encryption`; a KeyDescriptor without `use` is for both (Metadata 2.4.1.1). And why others
    cannot be used."""
    found: dict[str, Certified] = {}
    problems: list[str] = []
    for descriptor in role.findall(f"{{{MD}}}KeyDescriptor"):
        if (descriptor.get("use") or use) != use:
            continue
        methods = tuple(m.get("Algorithm") or "" for m in descriptor.findall(f"{{{MD}}}EncryptionMethod"))
        for certificate in _certificates(descriptor):
            try:
                found.setdefault(certificate, Certified(certificate, public_key(certificate), methods))
            except BadSignature as error:
                problems.append(str(error))
    return list(found.values())[:MAX_KEYS], problems


def _certificates(descriptor: Element) -> Iterator[str]:
    """Of a chain the one at its end: whoever issued it must not speak for the entity."""
    for data in descriptor.findall(f"{{{DS}}}KeyInfo/{{{DS}}}X509Data"):
        chain = ["".join(text_of(one).split()) for one in data.findall(f"{{{DS}}}X509Certificate")]
        if len(chain) > 1:
            chain = [one for one in chain if not _is_authority(one)] or chain
        yield from chain


def _is_authority(certificate: str) -> bool:
    try:
        read = x509.load_der_x509_certificate(base64.b64decode(certificate, validate=True))
        return bool(read.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return True  # it cannot say what it is; where another one stands beside it, that one will do
    except (ValueError, x509.ExtensionNotFound):
        return False
