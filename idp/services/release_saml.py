"""What a SAML service provider is told about a person: attributes and the value of the NameID. Decided here and nowhere else.

The door and the preview of the admin pages use the same functions. Leaves random names to name_ids, XML to the SAML door, and
which settings are accepted to check_sp, which asks `check_field`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from idp.base.errors import Refused
from idp.domain.claims import check_name, facts
from idp.domain.relying import ServiceProvider
from idp.domain.user import User
from idp.saml import names

if TYPE_CHECKING:
    from idp.saml.views import SpView, WantedAttribute

CLAIM = "claim:"
# SAML cannot say "unverified", and apps take a mail address for the person: one that nobody proved is kept back.
_PROVEN_BY = {"email": "email_verified", "phone_number": "phone_number_verified"}
_CLAIM_OF = {"username": "preferred_username"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SCOPE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
MAX_CONSTANT = 1024
# Wrong, but common in requests and metadata; the right ones are of SAML 1.1.
_MEANT = {
    "urn:oasis:names:tc:SAML:2.0:nameid-format:emailAddress": names.EMAIL,
    "urn:oasis:names:tc:SAML:2.0:nameid-format:unspecified": names.UNSPECIFIED,
}

Why = Literal["", "no_value", "unverified", "filtered", "not_mapped"]


@dataclass(frozen=True, slots=True)
class SamlAttribute:
    """values: what is sent; none, and the attribute is not sent at all. source_field: as in ServiceProvider.attributes.
    left_out: values of ours that this service provider does not get. why: of the first one that is missing."""

    name: str
    friendly_name: str
    name_format: str
    values: tuple[str, ...]
    source_field: str
    left_out: tuple[str, ...] = ()
    why: Why = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """name_id: empty for one that is random. name_id_why: why there is none. wanted: what its metadata asks for and does
    not get, the required ones first."""

    name_id_format: str
    name_id: str
    name_id_why: Why | Literal["not_released"]
    attributes: tuple[SamlAttribute, ...]
    wanted: "tuple[WantedAttribute, ...]" = ()

    @property
    def sent(self) -> tuple[SamlAttribute, ...]:
        return tuple(one for one in self.attributes if one.values)


def attributes_for(sp: ServiceProvider, user: User) -> list[SamlAttribute]:
    """Every attribute that is set for this service provider, else the default three; those without values are not sent."""
    about: dict[str, Any] = {}
    return [_attribute(sp, user, about, name, source) for name, source in sent(sp).items()]


def preview(sp: ServiceProvider, view: "SpView | None", user: User, asked: str = "") -> Preview:
    """What a sign-in of this user would tell. asked: the format that a request names, empty for none."""
    chosen = name_id_format(sp, view.name_id_formats if view is not None else (), asked)
    value, why = name_id_value(sp, user, chosen)
    attributes = tuple(attributes_for(sp, user))
    sent = {one.name for one in attributes if one.values}
    wanted = [one for one in (view.wanted if view is not None else ()) if one.name not in sent]
    wanted.sort(key=lambda one: not one.required)
    return Preview(chosen, value, why, attributes, tuple(wanted))


def name_id_format(sp: ServiceProvider, listed: Sequence[str], asked: str = "") -> str:
    """What the request asks for, else what was set for the service provider, else the first of its metadata that we have,
    else persistent. The answer to a format that we do not have is that format: the caller refuses it."""
    asked = meant(asked)
    if asked not in ("", names.UNSPECIFIED):
        return asked
    known = map(meant, listed)
    first = next((one for one in known if one in names.NAME_ID_FORMATS and one != names.UNSPECIFIED), names.PERSISTENT)
    return sp.name_id_format or first


def meant(format: str) -> str:
    """The format that somebody means who writes one of the usual mistakes."""
    return _MEANT.get(format, format)


def name_id_value(sp: ServiceProvider, user: User, chosen: str) -> tuple[str, Why | Literal["not_released"]]:
    """The value of an e-mail or unspecified NameID, and why there is none. Empty for the formats that are random.

    A request may ask for a format, but not for a field that was not meant for this service provider.
    """
    if chosen in (names.PERSISTENT, names.TRANSIENT):
        return "", ""
    field = sp.name_id_field or ("email" if chosen == names.EMAIL else "username")
    if not (sp.name_id_field or sp.name_id_format == chosen or field in sent(sp).values()):
        return "", "not_released"
    values, why = _values(user, {}, field)
    return (values[0], "") if values else ("", why)


def check_field(text: str, *, one: bool = False) -> str:
    """A source of attribute values (or, with `one`, of a NameID), as it is stored. Raises Refused(invalid_sp_setting).

    `username`, `email`, `name`, `id`, `roles`, `groups`, `claim:NAME`, each also with `@scope` at its end; `=text`.
    """
    text = text.strip()
    if text.startswith("=") and not one:
        if not 1 < len(text) <= MAX_CONSTANT or _NOT_XML.search(text) or not text.isprintable():
            raise _bad_field(text, f"a constant has 1 to {MAX_CONSTANT} printable characters")
        return text
    field, scope = _parts(text)
    if field.startswith(CLAIM):
        try:
            check_name(field.removeprefix(CLAIM))
        except Refused as refused:
            raise _bad_field(text, refused.message) from None
    elif field not in names.FIELDS:
        raise _bad_field(text, f"use {', '.join(names.FIELDS)}, claim:NAME or =text")
    if one and field in ("roles", "groups"):
        raise _bad_field(text, "a NameID is made of one value")
    if "@" in text and not _SCOPE.match(scope):
        raise _bad_field(text, "what follows the @ is no domain")
    return text


def _attribute(sp: ServiceProvider, user: User, about: dict[str, Any], name: str, source: str) -> SamlAttribute:
    values, why = _values(user, about, source)
    patterns = sp.attribute_filters.get(name)
    kept = values if patterns is None else [v for v in values if any(fnmatchcase(v, p) for p in patterns)]
    theirs = sp.attribute_values.get(name)
    mapped = kept if theirs is None else [theirs[v] for v in kept if v in theirs]
    left_out = tuple(v for v in values if v not in kept or (theirs is not None and v not in theirs))
    if left_out:
        why = "filtered" if left_out[0] not in kept else "not_mapped"
    format = names.URI_NAME if ":" in name else names.BASIC_NAME
    friendly = names.FRIENDLY_NAMES.get(name, "")
    return SamlAttribute(name, friendly, format, tuple(dict.fromkeys(mapped)), source, left_out, why)


def sent(sp: ServiceProvider) -> Mapping[str, str]:
    """SAML attribute name -> field. Of what a federation vouches for nobody has looked at each: without a word, nothing."""
    return sp.attributes or ({} if sp.source_id else names.DEFAULT_ATTRIBUTES)


def _values(user: User, about: dict[str, Any], source: str) -> tuple[list[str], Why]:
    """The values of a source as text. about: facts(user), read once when something is asked for that needs it."""
    if source.startswith("="):
        return [source[1:]], ""
    field, scope = _parts(source)
    if field == "id":
        found: object = user.id
    else:
        about.update(facts(user) if not about else {})
        claim = _CLAIM_OF.get(field, field.removeprefix(CLAIM))
        found = about.get(claim)
        if found and claim in _PROVEN_BY and about.get(_PROVEN_BY[claim]) is not True:
            return [], "unverified"
    texts = (_NOT_XML.sub("", text) for text in _texts(found))
    # With an @ of its own before the scope, some apps read another name, or another scope.
    values = [f"{text}@{scope}" if scope else text for text in texts if text and not (scope and "@" in text)]
    return values, "" if values else "no_value"


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(one)]
    return [json.dumps(value, ensure_ascii=False, separators=(",", ":"))]  # true, 7, {"locality":"Kiel"}


def _parts(source: str) -> tuple[str, str]:
    """`username@example.org` -> field and scope; the scope is empty when there is none."""
    field, _, scope = source.partition("@")
    return field, scope


def _bad_field(text: str, why: str) -> Refused:
    return Refused("invalid_sp_setting", f"{text[:100]!r} is no field of a person: {why}.")
