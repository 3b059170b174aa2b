"""Pages for administrators about service providers: all of them, one, changing it, switching it off, removing it.

Leaves adding one and its metadata to saml_new_pages and saml_metadata_pages, trying it to saml_try_pages; fields to sp_fields
and forms; rules and audit to idp.services.manage_apps.
"""

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from idp.admin import as_words, forms, sp_words
from idp.admin.common import BAD_SETTING, shown
from idp.admin.editing import changed_fields, default_words, in_question, section_of, version_field
from idp.admin.fields import Section
from idp.admin.names import sp_api_path_of, sp_path_of
from idp.admin.removing import Removing
from idp.admin.saml_common import LIST_PATH, find_sp, sp_badges, watch_of
from idp.admin.sp_changes import changed_sp, said_by, summary_of
from idp.admin.sp_fields import BY_SECTION, SECTIONS
from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.http.forms import Problem, attempted
from idp.http.own_pages import administrator, recent_administrator
from idp.http.parts import parts
from idp.http.render import text
from idp.http.security import check_csrf, form_field
from idp.services.check_sp import is_encryptable
from idp.services.metadata.ends import endings_of_app
from idp.services.release_saml import sent

bp = Blueprint("admin_saml", __name__)


@bp.get(LIST_PATH)
def every_sp() -> Response:
    administrator(LIST_PATH)
    words = request.args.get("q", "")[:200].strip()
    found = parts().sp_list.page(words, after=request.args.get("after", ""))
    lines = [(line, sp_path_of(line.id), sp_badges(line)) for line in found.lines]
    return shown("admin_saml_apps.html", lines=lines, words=words, found=found, removed=_said("removed"))


@bp.get(f"{LIST_PATH}/<name>")
def one_sp(name: str) -> Response:
    administrator(f"{LIST_PATH}/{name}")
    sp = find_sp(name)
    view, saml, issuer = said_by(parts(), sp), parts().settings.saml, parts().installation.issuer
    given, ends = sent(sp), endings_of_app(sp, view, parts().clock()) if view is not None else []
    return shown(
        "admin_saml_app.html",
        sp=sp,
        base=sp_path_of(sp.id),
        badges=sp_badges(sp),
        view=view,
        summary=summary_of(view),
        expired=any(one.grave for one in ends),
        ends=[one for one in ends if not one.grave],
        clear=view is not None and sp.encrypt == "when_possible" and not is_encryptable(sp, view),
        missing=[one.friendly_name or one.name for one in view.wanted if one.required and one.name not in given]
        if view
        else [],
        watch=watch_of(sp.id),
        ours={"entity_id": saml.entity_id or f"{issuer}/saml/metadata", "metadata": f"{issuer}/saml/metadata"},
        sections=[(section, changed_fields(sp, section)) for section in SECTIONS],
        saved=_said("saved"),
        added=_said("added"),
    )


def _said(name: str) -> bool:
    return request.args.get(name) == "1"


# ---------------------------------------------------------------- changing it


@bp.get(f"{LIST_PATH}/<name>/edit/<section>")
def edit_page(name: str, section: str) -> Response:
    recent_administrator(request.path)
    sp, chosen = find_sp(name), section_of(BY_SECTION, section)
    return _edit_page(sp, chosen, [forms.shown(sp, field) for field in chosen.fields], sp.version)


@bp.post(f"{LIST_PATH}/<name>/edit/<section>")
def edit(name: str, section: str) -> Response:
    check_csrf()
    user = recent_administrator(request.path)
    sp, chosen = find_sp(name), section_of(BY_SECTION, section)
    version = version_field()
    typed = [forms.typed(request.form, field) for field in chosen.fields]
    if request.form.get("act") == "words":
        read = attempted(lambda: forms.read(request.form, chosen.fields), *BAD_SETTING)
        return _edit_page(sp, chosen, typed, version, read if isinstance(read, Problem) else None)
    outcome = attempted(lambda: _save(sp, chosen, version, user.id), *BAD_SETTING, "changed_meanwhile")
    if isinstance(outcome, Problem):
        return _edit_page(sp, chosen, typed, version, outcome)
    return redirect(f"{sp_path_of(sp.id)}?saved=1", 303)


def _save(sp: ServiceProvider, section: Section, version: int, who: str) -> ServiceProvider:
    given = forms.read(request.form, section.fields)
    if "name" in given:
        form_field("name", limit=forms.LONGEST_LINE)
    return changed_sp(parts(), sp, given, who, version=version)


def _edit_page(
    sp: ServiceProvider, section: Section, values: list[forms.Shown], version: int, problem: Problem | None = None
) -> Response:
    meant = in_question(sp, section)
    call = as_words.api_call(parts().installation.issuer, "PATCH", sp_api_path_of(sp.id), meant) if meant else None
    return shown(
        "admin_edit.html",
        problem,
        app=sp,
        base=sp_path_of(sp.id),
        section=section,
        values=values,
        defaults={field.name: default_words(field) for field in section.fields},
        version=version,
        new_secret=False,
        with_secret=False,
        command=sp_words.command(("set", sp.id), meant) if meant else None,
        api_call=call,
    )


@bp.post(f"{LIST_PATH}/<name>/switch")
def switch(name: str) -> Response:
    """On or off, as the form says; a form that was overtaken changes nothing."""
    check_csrf()
    user = recent_administrator(f"{LIST_PATH}/{name}")
    sp, version = find_sp(name), version_field()
    enabled = form_field("enabled", limit=10) == "yes"
    changed_sp(parts(), sp, {"enabled": enabled}, user.id, version=version)
    return redirect(f"{sp_path_of(sp.id)}?saved=1", 303)


# ---------------------------------------------------------------- removing it


@bp.get(f"{LIST_PATH}/<name>/remove")
def remove_page(name: str) -> Response:
    return _removing.asked(name)


@bp.post(f"{LIST_PATH}/<name>/remove")
def remove(name: str) -> Response:
    return _removing.sent(name)


def _remove_page(sp: ServiceProvider, problem: Problem | None) -> Response:
    heir = _federation_of(sp)
    return shown(
        "admin_remove.html",
        problem,
        app=sp,
        why=text("admin_saml.remove_why_federation", federation=heir) if heir else text("admin_saml.remove_why"),
        base=sp_path_of(sp.id),
        command=sp_words.command(("remove", sp.id), {}),
        api_call=as_words.api_call(parts().installation.issuer, "DELETE", sp_api_path_of(sp.id)),
    )


def _federation_of(sp: ServiceProvider) -> str:
    """The federation by which it is still known when its record is gone; empty for none."""
    try:
        found = parts().federations.entity(sp.id)
    except Refused:  # too many wait for its server: that keeps nobody from removing
        return ""
    return found[0].id if found is not None else ""


_removing = Removing(
    find=find_sp,
    typed=lambda sp: sp.name,
    act=lambda sp, who: parts().apps.remove_service_provider(sp.id, actor=who),
    page=_remove_page,
    to=LIST_PATH,
)
