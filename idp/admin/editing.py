"""What the forms that change an app share, of whichever kind it is: which section, what it says, values in words.

Leaves reading and showing fields to forms, and storing to the pages.
"""

from collections.abc import Mapping
from typing import Any

from flask import request
from markupsafe import Markup

from idp.admin import forms
from idp.admin.fields import UNSET, Field, Section
from idp.base.errors import Refused
from idp.domain.relying import Client, ServiceProvider
from idp.http.parts import parts
from idp.http.render import text
from idp.http.security import form_field
from idp.services.manage_apps import changed_meanwhile

App = Client | ServiceProvider
_OF_INSTALLATION = ("access_token_seconds", "id_token_seconds", "refresh_token_seconds", "assertion_seconds")


def section_of(sections: Mapping[str, Section], name: str) -> Section:
    if name not in sections:
        raise Refused("no_such_section", "There is no such part of an app.", status=404)
    return sections[name]


def version_field() -> int:
    """Of the app as it was when the form was shown. Raises Refused(missing_field | changed_meanwhile)."""
    given = form_field("version", limit=15)
    if not (given.isascii() and given.isdigit()):
        raise changed_meanwhile()
    return int(given)


def changed_fields(app: App, section: Section) -> list[tuple[Field, str]]:
    """Those that are not as by default, with their values in words."""
    found = [forms.shown(app, field) for field in section.fields]
    return [(one.field, in_words(one.field, getattr(app, one.field.name))) for one in found if one.changed]


def in_question(app: App, section: Section) -> dict[str, Any]:
    """What the form is about, to be said in other ways: of a form that was sent what it says, else what is stored."""
    return _meant(app, section) if request.method == "POST" else _stored(app, section)


def _stored(app: App, section: Section) -> dict[str, Any]:
    changed = [field.name for field in section.fields if forms.shown(app, field).changed]
    return {name: getattr(app, name) for name in changed}


def _meant(app: App, section: Section) -> dict[str, Any]:
    """What the form says that is neither as stored nor as by default; nothing while it cannot be read."""
    try:
        given = forms.read(request.form, section.fields)
    except Refused:
        return {}
    before: Mapping[str, Any] = {name: getattr(app, name) for name in given}
    fields = {field.name: field for field in section.fields}
    return {
        name: value for name, value in given.items() if value != before[name] or value != forms.default_of(fields[name])
    }


# ---------------------------------------------------------------- values in words


def in_words(field: Field, value: Any) -> str:
    """On one line or several, as it stands in the form; for flags yes or no."""
    if isinstance(value, bool):
        return str(text("admin.yes" if value else "admin.no"))
    if value is None or value in (UNSET, (), {}):
        nothing = {"limit": "admin.default_all", "choice": "admin.unset"}.get(field.kind, "admin.default_nothing")
        return str(text(nothing if value != () else "admin.default_nothing"))
    if isinstance(value, tuple):
        return "\n".join(value)
    return forms.given(field, value).text


def default_words(field: Field) -> Markup | None:
    """None for a field that has none, as the name, or whose help says it."""
    if field.name in ("name", "attributes"):
        return None
    if field.name in _OF_INSTALLATION:
        settings = parts().settings.saml if field.sp else parts().settings.oidc
        return text("admin.default_seconds", n=getattr(settings, field.name))
    return text("admin.default", value=in_words(field, forms.default_of(field)).replace("\n", " "))
