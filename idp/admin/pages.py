"""Pages for administrators: all apps, one app, changing it, removing it.

Leaves registering one to new_pages, its secret to secret_pages, trying it to try_pages; fields to fields and forms; rules
and audit to idp.services.manage_apps.
"""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, redirect, request
from markupsafe import Markup
from werkzeug.wrappers import Response

from idp.admin import as_words, forms
from idp.admin.changes import changed_client
from idp.admin.common import BAD_METADATA, badges, find, shown
from idp.admin.fields import BY_SECTION, SECTIONS, UNSET, Field, Section
from idp.admin.names import path_of
from idp.admin.secret_pages import secret_page
from idp.base.errors import Refused
from idp.base.secret import Secret
from idp.domain.metadata import has_secret
from idp.domain.profile import weak_points
from idp.domain.relying import Client
from idp.http.forms import Problem, attempted
from idp.http.own_pages import administrator, recent_administrator
from idp.http.parts import parts
from idp.http.render import text
from idp.http.security import check_csrf, form_field
from idp.services.manage_apps import changed_meanwhile

bp = Blueprint("admin", __name__)

LIST_PATH = "/admin/clients"
_OF_INSTALLATION = ("access_token_seconds", "id_token_seconds", "refresh_token_seconds")


@bp.get("/admin")
def front() -> Response:
    return redirect(LIST_PATH, 303)


@bp.get(LIST_PATH)
def every_app() -> Response:
    administrator(LIST_PATH)
    words = request.args.get("q", "")[:200].strip()
    found = parts().app_list.page(words, after=request.args.get("after", ""))
    lines = [(line, path_of(line.id), badges(line)) for line in found.lines]
    return shown("admin_apps.html", lines=lines, words=words, found=found, removed=request.args.get("removed") == "1")


@bp.get("/admin/clients/<name>")
def one_app(name: str) -> Response:
    administrator(f"{LIST_PATH}/{name}")
    client = find(name)
    return shown(
        "admin_app.html",
        client=client,
        base=path_of(client.id),
        badges=badges(client),
        weak=weak_points(client),
        has_secret=has_secret(client),
        overlap=old_secret_works(client),
        sections=[(section, _changed_fields(client, section)) for section in SECTIONS],
        saved=request.args.get("saved") == "1",
    )


def old_secret_works(client: Client) -> bool:
    return client.old_secret_until is not None and client.old_secret_until > parts().clock()


def _changed_fields(client: Client, section: Section) -> list[tuple[Field, str]]:
    """Those that are not as by default, with their values in words."""
    found = [forms.shown(client, field) for field in section.fields]
    return [(one.field, in_words(one.field, getattr(client, one.field.name))) for one in found if one.changed]


# ---------------------------------------------------------------- changing it


@bp.get("/admin/clients/<name>/edit/<section>")
def edit_page(name: str, section: str) -> Response:
    recent_administrator(request.path)
    client, chosen = find(name), _section(section)
    return _edit_page(client, chosen, [forms.shown(client, field) for field in chosen.fields], client.version)


@bp.post("/admin/clients/<name>/edit/<section>")
def edit(name: str, section: str) -> Response:
    check_csrf()
    user = recent_administrator(request.path)
    client, chosen = find(name), _section(section)
    version = version_field()
    typed = [forms.typed(request.form, field) for field in chosen.fields]
    if request.form.get("act") == "words":
        return _edit_page(client, chosen, typed, version, attempted(lambda: _only_read(chosen), *BAD_METADATA))
    outcome = attempted(lambda: _save(client, chosen, version, user.id), *BAD_METADATA, "changed_meanwhile")
    if isinstance(outcome, Problem):
        return _edit_page(client, chosen, typed, version, outcome)
    stored, secret = outcome
    if secret is not None:
        return secret_page(stored, secret, "admin.secret_new")
    return redirect(f"{path_of(stored.id)}?saved=1", 303)


def _section(name: str) -> Section:
    if name not in BY_SECTION:
        raise Refused("no_such_section", "There is no such part of an app.", status=404)
    return BY_SECTION[name]


def version_field() -> int:
    """Of the app as it was when the form was shown. Raises Refused(missing_field | changed_meanwhile)."""
    given = form_field("version", limit=15)
    if not (given.isascii() and given.isdigit()):
        raise changed_meanwhile()
    return int(given)


def _save(client: Client, section: Section, version: int, who: str) -> tuple[Client, Secret | None]:
    given = forms.read(request.form, section.fields)
    new_secret = bool(request.form.get("new_secret"))
    return changed_client(parts(), client, given, who, version=version, new_secret=new_secret)


def _only_read(section: Section) -> None:
    forms.read(request.form, section.fields)


def _edit_page(
    client: Client, section: Section, values: list[forms.Shown], version: int, problem: Problem | None = None
) -> Response:
    meant = _meant(client, section) if request.method == "POST" else _stored(client, section)
    return shown(
        "admin_edit.html",
        problem,
        client=client,
        base=path_of(client.id),
        section=section,
        values=values,
        defaults={field.name: default_words(field) for field in section.fields},
        version=version,
        new_secret=bool(request.form.get("new_secret")),
        command=as_words.command(("set", client.id), meant) if meant else None,
        api_call=as_words.change_call(parts().installation.issuer, client.id, meant) if meant else None,
    )


def _stored(client: Client, section: Section) -> dict[str, Any]:
    changed = [field.name for field in section.fields if forms.shown(client, field).changed]
    return {name: getattr(client, name) for name in changed}


def _meant(client: Client, section: Section) -> dict[str, Any]:
    """What the form says that is neither as stored nor as by default; nothing while it cannot be read."""
    try:
        given = forms.read(request.form, section.fields)
    except Refused:
        return {}
    before: Mapping[str, Any] = {name: getattr(client, name) for name in given}
    fields = {field.name: field for field in section.fields}
    return {
        name: value for name, value in given.items() if value != before[name] or value != forms.default_of(fields[name])
    }


# ---------------------------------------------------------------- values in words


def in_words(field: Field, value: Any) -> str:
    """On one line or several, as it stands in the form; for flags yes or no."""
    if isinstance(value, bool):
        return str(text("admin.yes" if value else "admin.no"))
    if value is None or value in (UNSET, ()):
        nothing = {"limit": "admin.default_all", "choice": "admin.unset"}.get(field.kind, "admin.default_nothing")
        return str(text(nothing if value != () else "admin.default_nothing"))
    if isinstance(value, tuple):
        return "\n".join(value)
    return forms.given(field, value).text


def default_words(field: Field) -> Markup | None:
    """None for a field that has none, as the name."""
    if field.name == "name":
        return None
    if field.name in _OF_INSTALLATION:
        return text("admin.default_seconds", n=getattr(parts().settings.oidc, field.name))
    return text("admin.default", value=in_words(field, forms.default_of(field)).replace("\n", " "))


# ---------------------------------------------------------------- removing it


@bp.get("/admin/clients/<name>/remove")
def remove_page(name: str) -> Response:
    recent_administrator(request.path)
    return _remove_page(find(name))


@bp.post("/admin/clients/<name>/remove")
def remove(name: str) -> Response:
    check_csrf()
    user = recent_administrator(request.path)
    client = find(name)
    outcome = attempted(lambda: _remove(client, user.id), "not_its_name")
    return _remove_page(client, outcome) if isinstance(outcome, Problem) else redirect(f"{LIST_PATH}?removed=1", 303)


def _remove(client: Client, who: str) -> None:
    if form_field("name", limit=400).strip() != client.name.strip():
        raise Refused("not_its_name", "That is not its name. Nothing was removed.")
    parts().apps.remove_client(client.id, actor=who)


def _remove_page(client: Client, problem: Problem | None = None) -> Response:
    path = path_of(client.id)
    return shown(
        "admin_remove.html",
        problem,
        client=client,
        base=path,
        command=as_words.command(("remove", client.id), {}),
        api_call=as_words.api_call(parts().installation.issuer, "DELETE", f"/admin/api{path.removeprefix('/admin')}"),
    )
