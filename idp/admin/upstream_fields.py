"""Every setting of an upstream that a form shows: in which section, of what kind, with which choices and help.

Those that all upstreams have stand in a table here, those of a kind follow from its model. A test makes sure that each stands in
exactly one section. Leaves values to upstream_forms, and words to the catalogue (`up_field.<name>`, `up_field.<name>_why`); what
has none there is shown by its name, with the help of the model.
"""

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from idp.upstream.common import Common
from idp.upstream.registry import file_fields, secret_fields, settings_model

# line: text; words: a list between blanks; lines: a list, table or document; number, flag, choice as they say.
Kind = Literal["line", "number", "flag", "choice", "words", "lines", "secret"]
CONNECTION, SECRET = "connection", "secret"
_LONG = ("claim_map", "keep_groups", "group_names", "group_roles", "administrator_groups")
# What people look for first, in this order; what a kind cannot do without stands there in any case.
_FIRST = (
    *("issuer", "tenant", "url", "base_dn", "metadata_url", "metadata", "base_url"),
    *("client_id", "allowed_tenants", "hosted_domains", "preset", "bind_dn", "subject_attribute", "groups_claim"),
)


@dataclass(frozen=True, slots=True)
class UpstreamField:
    """own: of the kind, not of all upstreams. why: the help of the model, in English. default: None for none."""

    name: str
    kind: Kind = "line"
    choices: tuple[str, ...] = ()
    own: bool = False
    required: bool = False
    why: str = ""
    default: Any = None

    @property
    def words(self) -> str:
        """Its key in the text catalogue."""
        return f"up_field.{self.name}"


@dataclass(frozen=True, slots=True)
class UpstreamSection:
    """first: shown at once; more: behind "More"."""

    name: str
    first: tuple[UpstreamField, ...]
    more: tuple[UpstreamField, ...] = ()

    @property
    def words(self) -> str:
        """The key of its title in the text catalogue."""
        return f"up_section.{self.name.replace('-', '_')}"

    @property
    def fields(self) -> tuple[UpstreamField, ...]:
        return (*self.first, *self.more)


# `enabled` is switched, not edited.
_COMMON: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "people": (("mode", "may_create", "trusted_domains"), ("create_domains",)),
    "button": (("label", "home_domains"), ("order", "icon")),
    "mapping": (("claim_map", "keep_groups", "group_roles"), ("group_names", "administrator_groups")),
    "second-step": (("trusted_amr", "always_ask"), ("trusted_acr",)),
}


@lru_cache(maxsize=64)
def sections(kind: str) -> tuple[UpstreamSection, ...]:
    """Of an upstream of this kind, in the order of the page. Raises Refused(unknown_upstream_kind)."""
    own = fields_of(kind)
    open_ones = [one for one in own if one.kind != "secret"]
    first = sorted((one for one in open_ones if one.required or one.name in _FIRST), key=_place)
    secrets = tuple(one for one in own if one.kind == "secret")
    # Secrets stand in both: with another address they must be given again (idp.upstream.parse).
    more = (*(one for one in open_ones if one not in first), *secrets)
    found = [UpstreamSection(CONNECTION, tuple(first), more)]
    if secrets:
        found.append(UpstreamSection(SECRET, (*secrets, common_field("secret_expires_at"))))
    found += [UpstreamSection(name, _named(first), _named(more)) for name, (first, more) in _COMMON.items()]
    return tuple(found)


def _place(field: UpstreamField) -> int:
    return _FIRST.index(field.name) if field.name in _FIRST else len(_FIRST)


def by_section(kind: str) -> dict[str, UpstreamSection]:
    return {section.name: section for section in sections(kind)}


@lru_cache(maxsize=64)
def fields_of(kind: str) -> tuple[UpstreamField, ...]:
    """The settings of the kind, as its model has them."""
    secret, files = secret_fields(kind), file_fields(kind)
    return tuple(
        _field(name, info, own=True, secret=name in secret, document=name in files)
        for name, info in settings_model(kind).model_fields.items()
    )


@lru_cache(maxsize=64)
def common_field(name: str) -> UpstreamField:
    return _field(name, Common.model_fields[name], document=name in _LONG)


def _named(names: tuple[str, ...]) -> tuple[UpstreamField, ...]:
    return tuple(common_field(name) for name in names)


def _field(name: str, info: Any, *, own: bool = False, secret: bool = False, document: bool = False) -> UpstreamField:
    kind, choices = ("secret", ()) if secret else ("lines", ()) if document else _kind_of(info.annotation)
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    if secret:
        default = None
    why = " ".join((info.description or "").split())
    return UpstreamField(name, kind, choices, own, info.is_required(), why, default)


def _kind_of(wanted: Any) -> tuple[Kind, tuple[str, ...]]:
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is typing.Annotated:
        return _kind_of(inner[0])
    if origin is Literal:
        return "choice", tuple(map(str, inner))
    if wanted is bool:
        return "flag", ()
    if wanted is int:
        return "number", ()
    if origin is tuple:
        return "words", ()
    return ("lines", ()) if origin is dict else ("line", ())
