"""Values of fields as a form has them, and back: text areas, ticks and choices on one side, fields of Client and
ServiceProvider on the other.

Leaves which fields there are to fields and sp_fields, tables to tables, and whether values make sense to
idp.services.check_client and check_sp.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from idp.admin import tables
from idp.admin.fields import UNSET, Field
from idp.base.errors import Refused
from idp.domain.metadata import bad
from idp.domain.relying import Client, ServiceProvider
from idp.http.security import form_field
from idp.services import check_sp

LONGEST_LINE = 2100
LONGEST_LIST = 210_000  # 100 addresses
LONGEST_KEYS = 65_536
NO_LIMIT = "*"
TICKED = "yes"


@dataclass(frozen=True, slots=True)
class Shown:
    """A field with its value as the form shows it. ticked: of the choices of `ticks`; changed: not the default."""

    field: Field
    text: str
    ticked: frozenset[str]
    default: Any
    changed: bool


def read(form: MultiDict[str, str], fields: Iterable[Field]) -> dict[str, Any]:
    """Every one of the fields; what the form lacks is refused, but for ticks, which browsers leave out.

    Raises Refused(missing_field | repeated_field | field_too_long | invalid_client_metadata | invalid_sp_setting).
    """
    return {field.name: _read(form, field) for field in fields}


def _read(form: MultiDict[str, str], field: Field) -> Any:
    if field.kind == "flag":
        return _ticked(form, field.name)
    if field.kind == "ticks":
        return tuple(choice for choice in field.choices if _ticked(form, f"{field.name}.{choice}"))
    if field.name not in form:
        raise Refused("missing_field", "Fill in all fields.", reason=f"field {field.name} is missing")
    return _value(field, form_field(field.name, required=False, limit=_limit(field), form=form).strip())


def _limit(field: Field) -> int:
    if field.kind == "keys":
        return LONGEST_KEYS
    return LONGEST_LIST if field.kind in ("lines", "words", "limit", *tables.READERS) else LONGEST_LINE


def _ticked(form: MultiDict[str, str], name: str) -> bool:
    return bool(form_field(name, required=False, limit=10, form=form))


def _value(field: Field, text: str) -> Any:
    if field.kind == "number":
        return _number(field, text)
    if field.kind == "limit":
        return None if text == NO_LIMIT else _lines(text)
    if field.kind == "words":
        return tuple(dict.fromkeys(text.split()))
    if field.kind == "lines":
        return _lines(text)
    if field.kind in tables.READERS:
        return tables.READERS[field.kind](field.name, text)
    if field.kind == "choice" and text not in field.choices:
        raise _bad(field, "this is none of its values")
    return text if text or default_of(field) is not None else None


def _bad(field: Field, why: str) -> Refused:
    return check_sp.bad(field.name, why) if field.sp else bad(field.name, why)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _number(field: Field, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise _bad(field, "it is a whole number of seconds")
    return int(text)


def shown(app: Client | ServiceProvider, field: Field) -> Shown:
    return given(field, getattr(app, field.name))


def given(field: Field, value: Any) -> Shown:
    """A value of the field as the form has it."""
    default = default_of(field)
    ticked = frozenset(value) if field.kind == "ticks" else frozenset((TICKED,) if value is True else ())
    return Shown(field, _text(field, value), ticked, default, value != default)


def typed(form: MultiDict[str, str], field: Field) -> Shown:
    """What somebody sent, good or bad, for showing it again."""
    ticked = [choice for choice in field.choices if form.get(f"{field.name}.{choice}")]
    flag = [TICKED] if field.kind == "flag" and form.get(field.name) else []
    text = form.get(field.name, "") if not flag else ""
    usual = given(field, default_of(field))
    all_ticked = frozenset((*ticked, *flag))
    return Shown(field, text, all_ticked, usual.default, (text.strip(), all_ticked) != (usual.text, usual.ticked))


def _text(field: Field, value: Any) -> str:
    if value is None:
        return NO_LIMIT if field.kind == "limit" else UNSET
    if field.kind in ("flag", "ticks"):
        return ""
    if field.kind == "words":
        return " ".join(value)
    if field.kind in ("lines", "limit"):
        return "\n".join(value)
    if field.kind in tables.WRITERS:
        return tables.WRITERS[field.kind](value)
    return json.dumps(json.loads(value), indent=2) if field.kind == "keys" else str(value)


def default_of(field: Field) -> Any:
    return getattr(_BLANK_SP if field.sp else _BLANK, field.name)


_BLANK = Client(id="", name="", created_at=0.0)
_BLANK_SP = ServiceProvider(id="", name="", metadata="")
