"""Pages for administrators: all apps, one app, changing it, removing it.

Leaves registering one to new_pages, its secret to secret_pages, trying it to try_pages; fields to fields and forms; rules
and audit to idp.services.manage_apps.
"""

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from idp.admin import as_words, forms
from idp.admin.changes import changed_client
from idp.admin.common import BAD_METADATA, badges, find, shown
from idp.admin.editing import changed_fields, default_words, in_question, section_of, version_field
from idp.admin.fields import BY_SECTION, SECTIONS, Section
from idp.admin.names import path_of
from idp.admin.removing import Removing
from idp.admin.secret_pages import secret_page
from idp.base.secret import Secret
from idp.domain.metadata import has_secret
from idp.domain.profile import weak_points
from idp.domain.relying import Client
from idp.http.forms import Problem, attempted
from idp.http.own_pages import administrator, recent_administrator
from idp.http.parts import parts
from idp.http.render import text
from idp.http.security import check_csrf

bp = Blueprint("admin", __name__)

LIST_PATH = "/admin/clients"


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
        sections=[(section, changed_fields(client, section)) for section in SECTIONS],
        saved=request.args.get("saved") == "1",
    )


def old_secret_works(client: Client) -> bool:
    return client.old_secret_until is not None and client.old_secret_until > parts().clock()


# ---------------------------------------------------------------- changing it


@bp.get("/admin/clients/<name>/edit/<section>")
def edit_page(name: str, section: str) -> Response:
    recent_administrator(request.path)
    client, chosen = find(name), section_of(BY_SECTION, section)
    return _edit_page(client, chosen, [forms.shown(client, field) for field in chosen.fields], client.version)


@bp.post("/admin/clients/<name>/edit/<section>")
def edit(name: str, section: str) -> Response:
    check_csrf()
    user = recent_administrator(request.path)
    client, chosen = find(name), section_of(BY_SECTION, section)
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


def _save(client: Client, section: Section, version: int, who: str) -> tuple[Client, Secret | None]:
    given = forms.read(request.form, section.fields)
    new_secret = bool(request.form.get("new_secret"))
    return changed_client(parts(), client, given, who, version=version, new_secret=new_secret)


def _only_read(section: Section) -> None:
    forms.read(request.form, section.fields)


def _edit_page(
    client: Client, section: Section, values: list[forms.Shown], version: int, problem: Problem | None = None
) -> Response:
    meant = in_question(client, section)
    return shown(
        "admin_edit.html",
        problem,
        app=client,
        base=path_of(client.id),
        section=section,
        values=values,
        defaults={field.name: default_words(field) for field in section.fields},
        version=version,
        new_secret=bool(request.form.get("new_secret")),
        with_secret=section.name == "authentication",
        command=as_words.command(("set", client.id), meant) if meant else None,
        api_call=as_words.change_call(parts().installation.issuer, client.id, meant) if meant else None,
    )


# ---------------------------------------------------------------- removing it


@bp.get("/admin/clients/<name>/remove")
def remove_page(name: str) -> Response:
    return _removing.asked(name)


@bp.post("/admin/clients/<name>/remove")
def remove(name: str) -> Response:
    return _removing.sent(name)


def _remove_page(client: Client, problem: Problem | None) -> Response:
    path = path_of(client.id)
    return shown(
        "admin_remove.html",
        problem,
        app=client,
        why=text("admin.remove_why"),
        base=path,
        command=as_words.command(("remove", client.id), {}),
        api_call=as_words.api_call(parts().installation.issuer, "DELETE", f"/admin/api{path.removeprefix('/admin')}"),
    )


_removing = Removing(
    find=find,
    typed=lambda client: client.name,
    act=lambda client, who: parts().apps.remove_client(client.id, actor=who),
    page=_remove_page,
    to=LIST_PATH,
)
