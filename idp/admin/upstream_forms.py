"""Values of an upstream's settings as a form has them, and back: always texts, which idp.upstream.parse reads as well.

What is left empty, or as by default, is not stored. Secrets are put in and never shown. Leaves which fields there are to
upstream_fields, and whether values make sense to the models of idp.upstream.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from werkzeug.datastructures import MultiDict

from idp.admin.json_values import to_json
from idp.admin.upstream_fields import UpstreamField, fields_of
from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from idp.http.render import catalogue, language, text
from idp.http.security import form_field
from idp.upstream.as_text import as_text, in_line
from idp.upstream.common import Common
from idp.upstream.parse import read_settings
from idp.upstream.registry import secret_fields

LONGEST_LINE = 4096
LONGEST_TEXT = 400_000


@dataclass(frozen=True, slots=True)
class Value:
    """A field as the form shows it. changed: not as by default; stored: a secret that is there and not shown."""

    field: UpstreamField
    text: str = ""
    ticked: bool = False
    changed: bool = False
    stored: bool = False

    @property
    def label(self) -> Markup:
        return text(self.field.words) if _has(self.field.words) else Markup.escape(self.field.name)

    @property
    def help(self) -> Markup:
        key = f"{self.field.words}_why"
        return text(key) if _has(key) else Markup.escape(self.field.why.replace("`", ""))

    @property
    def foreign(self) -> bool:
        """Is the help in English, whatever the page is in?"""
        return language() != "en" and not _has(f"{self.field.words}_why")

    @property
    def usual(self) -> str:
        """The default in a word; empty for a field whose help says it."""
        default = self.field.default
        if isinstance(default, bool) or default in (None, "", (), {}):
            return ""
        return in_line(self.field.name, default)


def shown(provider: UpstreamProvider, field: UpstreamField) -> Value:
    if not field.own:
        return given(field, getattr(provider, field.name))
    if field.kind == "secret":
        return Value(field, stored=bool(provider.settings.get(field.name)))
    return given(field, provider.settings.get(field.name, field.default))


def given(field: UpstreamField, value: Any) -> Value:
    if field.kind == "secret":
        return Value(field)
    said = as_text(field.name, value)
    return Value(field, "" if field.kind == "flag" else said, value is True, said != as_text(field.name, field.default))


def typed_text(field: UpstreamField, said: str) -> Value:
    """A text as somebody could have typed it."""
    ticked = field.kind == "flag" and said == "true"
    return Value(field, "" if field.kind == "flag" else said, ticked, changed=True)


def typed(form: MultiDict[str, str], field: UpstreamField, stored: bool = False) -> Value:
    """What somebody sent, good or bad, for showing it again; never a secret."""
    if field.kind == "secret":
        return Value(field, stored=stored)
    said = form.get(field.name, "")
    return Value(field, said, field.kind == "flag" and bool(said), changed=True)


def read(form: MultiDict[str, str], fields: Iterable[UpstreamField]) -> dict[str, str | None]:
    """Every one of the fields; None for what is to be as by default. A secret that is left empty is left out: it stays.

    Raises Refused(missing_field | repeated_field | field_too_long).
    """
    found: dict[str, str | None] = {}
    for field in fields:
        if field.kind != "flag" and field.name not in form:
            raise Refused("missing_field", "Fill in all fields.", reason=f"field {field.name} is missing")
        said = form_field(field.name, required=False, limit=_limit(field), form=form).strip()
        if field.kind == "secret":
            found |= {field.name: said} if said else {}
        elif field.kind == "flag":
            found[field.name] = None if bool(said) == bool(field.default) else str(bool(said)).lower()
        else:
            found[field.name] = None if _is_usual(field, said) else said
    return found


def _is_usual(field: UpstreamField, said: str) -> bool:
    return not said or " ".join(said.split()) == " ".join(as_text(field.name, field.default).split())


def _limit(field: UpstreamField) -> int:
    return LONGEST_TEXT if field.kind == "lines" else LONGEST_LINE


def changed_values(provider: UpstreamProvider, fields: Iterable[UpstreamField]) -> list[tuple[Value, str]]:
    """Those that are not as by default, with their values in words."""
    values = [shown(provider, field) for field in fields]
    return [(one, in_words(one)) for one in values if one.changed or one.stored or one.field.required]


def in_words(value: Value) -> str:
    if value.stored:
        return str(text("admin_upstreams.secret_set"))
    if value.field.kind == "flag":
        return str(text("admin.yes" if value.ticked else "admin.no"))
    if value.field.kind == "lines" and len(value.text) > 2000:
        return str(text("admin_upstreams.long_text", n=len(value.text)))
    return value.text


def as_pairs(values: Mapping[str, str | None], fields: Iterable[UpstreamField]) -> list[tuple[str, str]]:
    """What a form says, as a command line has it; secrets and documents by a file."""
    known = {field.name: field for field in fields}
    found = []
    for name, said in values.items():
        field = known[name]
        if said is None:
            found.append((name, in_line(name, field.default)))
        elif field.kind == "secret":
            found.append((name, f"file:{name}.txt"))
        elif len(said) > 500:
            found.append((name, f"@{name}.xml"))
        else:
            found.append((name, said if "\n" not in said else "; ".join(said.splitlines())))
    return found


def as_document(kind: str, values: Mapping[str, str | None], stored: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the JSON API, secrets to be put in; as texts while it cannot be read. stored: the settings so far."""
    secrets, said = secret_fields(kind), {name: one for name, one in values.items() if one is not None}
    found: dict[str, Any] = dict(values)
    try:
        parsed = read_settings(kind, said, stored=stored)
    except Refused:
        own = {field.name for field in fields_of(kind)}.intersection(values)
    else:
        own = {*parsed.settings, *(name for name in values if name not in Common.model_fields)}
        found |= {**parsed.common, **parsed.settings}
    plain = {name: "…" if name in secrets and value else to_json(value) for name, value in found.items()}
    settings = {name: one for name, one in plain.items() if name in own}
    return {**{name: one for name, one in plain.items() if name not in own}, **({"settings": settings} if own else {})}


def _has(key: str) -> bool:
    return key in catalogue("en")
