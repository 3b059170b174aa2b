"""Owns making a person of what an assertion says: which value names them for ever, and what we take over besides.

What fits is taken over, what does not is left out, nothing is guessed. Leaves reading the assertion to idp.saml.response.
"""

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING

from idp.base.errors import Refused
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.domain.user import email_key
from idp.saml import names
from idp.saml.attributes import PRESETS, SCOPED, SUBJECTS
from idp.upstream import person
from idp.upstream.refusals import answer_invalid, said
from idp.upstream.saml_settings import SamlSettings

if TYPE_CHECKING:
    from idp.saml.response import Login
    from idp.saml.views import IdpView

MAX_SUBJECT = 256  # Core 8.3.7
MAX_QUALIFIER = 1024
MAX_GROUPS = 500
MAX_KEPT_ATTRIBUTES, MAX_KEPT_VALUES = 40, 20
METHODS = "http://schemas.microsoft.com/claims/authnmethodsreferences"

Attributes = Mapping[str, tuple[str, ...]]


def identity(settings: SamlSettings, provider: UpstreamProvider, view: "IdpView", login: "Login") -> UpstreamIdentity:
    """Raises Refused(upstream_answer_invalid) when nothing names the person."""
    allowed = scopes(settings, view)
    attributes = {name: fitting(name, values, allowed) for name, values in login.attributes.items()}
    email, verified = _email(settings, provider, attributes)
    kept = list(attributes.items())[:MAX_KEPT_ATTRIBUTES]
    return UpstreamIdentity(
        provider_id=provider.id,
        issuer=view.entity_id,
        subject=_subject(settings, login, attributes, view.entity_id),
        email=email,
        email_verified=verified,
        name=person.name({key: _first(settings, attributes, key) for key in ("name", "given_name", "family_name")}),
        username=person.text(_first(settings, attributes, "username"), 128),
        acr=person.text(login.context, 200),
        amr=person.methods({"amr": list(attributes.get(METHODS, ()))}),
        auth_time=login.auth_time,
        groups=_clean(_all(settings, attributes, "groups"), MAX_GROUPS),
        attributes={name: _clean(values, MAX_KEPT_VALUES) for name, values in kept if values},
        logout={**login.name_id, "session_index": login.session_index} if login.name_id is not None else {},
    )


def scopes(settings: SamlSettings, view: "IdpView") -> frozenset[str] | None:
    """None: every scope will do."""
    known = frozenset(one.lower() for one in settings.scopes or view.scopes)
    if settings.check_scopes == "never" or (settings.check_scopes == "auto" and not known):
        return None
    return known


def fitting(name: str, values: tuple[str, ...], allowed: frozenset[str] | None) -> tuple[str, ...]:
    """An upstream must not speak for people of another one: `admin@other.example` from here is nobody."""
    if allowed is None or name not in SCOPED:
        return values
    return tuple(value for value in values if value.rpartition("@")[2].lower() in allowed and "@" in value)


def _subject(settings: SamlSettings, login: "Login", attributes: Attributes, issuer: str) -> str:
    qualifier = ""
    if settings.subject_attribute:
        asked = settings.subject_attribute
        values = {value for name in SUBJECTS.get(asked, (asked,)) for value in attributes.get(name, ())}
        if len(values) != 1:
            there = "missing, or of a scope that is not its own" if not values else "there more than once"
            raise answer_invalid(f"subject_attribute {said(asked)!r} is {there}; there are: {_listed(login)}")
        value = values.pop()
    else:
        if login.name_id is None:
            raise answer_invalid(f"there is no NameID, so set subject_attribute to one of: {_listed(login)}")
        if login.name_id.get("Format") == names.TRANSIENT:
            raise answer_invalid(
                "the NameID is transient, another one at each sign-in: ask for another name_id_format, or set "
                f"subject_attribute to one of: {_listed(login)}"
            )
        value = login.name_id["value"]
        qualifier = login.name_id.get("NameQualifier", "")[:MAX_QUALIFIER]
    if not 0 < len(value) <= MAX_SUBJECT or any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        raise answer_invalid("the name of the person is empty, too long or not plain text")
    # An upstream that passes on names of others: the same name of two of them is two people (Core 8.3.7).
    return value if qualifier in ("", issuer) else f"{qualifier}!{value}"


def _listed(login: "Login") -> str:
    return said(", ".join(sorted(login.attributes)) or "(no attributes)", 600)


def _all(settings: SamlSettings, attributes: Attributes, field: str) -> tuple[str, ...]:
    """The first name of the field under which something came."""
    own = settings.attributes.get(field)
    listed = [own] if own else [name for preset in PRESETS[settings.preset] for name in preset.get(field, ())]
    return next((attributes[name] for name in listed if attributes.get(name)), ())


def _first(settings: SamlSettings, attributes: Attributes, field: str) -> str | None:
    return next(iter(_all(settings, attributes, field)), None)


def _email(settings: SamlSettings, provider: UpstreamProvider, attributes: Attributes) -> tuple[str | None, bool]:
    """SAML cannot say whether an address is verified; an administrator can say that this upstream's addresses are."""
    found, _ = person.email({"email": _first(settings, attributes, "email")})
    if found is None or not settings.email_trusted:
        return found, False
    try:
        domain = email_key(found).rpartition("@")[2]
    except Refused:
        return found, False
    return found, not provider.trusted_domains or domain in provider.trusted_domains


def _clean(values: tuple[str, ...], most: int) -> tuple[str, ...]:
    found = (person.text(value, 200) for value in values[:most])
    return tuple(value for value in found if value)
