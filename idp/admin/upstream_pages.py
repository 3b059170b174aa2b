"""Pages for administrators about upstreams: all of them, one, changing it, switching it on and off, removing it.

Leaves adding one to upstream_new_pages, testing it to upstream_try_pages; fields to upstream_fields and upstream_forms; rules and
audit to idp.services.manage_upstreams and upstream_tests.
"""

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from idp.admin import as_words, upstream_forms
from idp.admin.editing import version_field
from idp.admin.removing import Removing
from idp.admin.upstream_common import (
    BAD_SETTING,
    LIST_PATH,
    api_path_of,
    command,
    find_upstream,
    path_of,
    shown,
    upstream_badges,
)
from idp.admin.upstream_fields import SECRET, UpstreamSection, by_section, sections
from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from idp.http.forms import Problem, attempted
from idp.http.own_pages import administrator, recent_administrator
from idp.http.parts import parts
from idp.http.security import check_csrf, form_field
from idp.services.manage_apps import changed_meanwhile
from idp.upstream.addresses import addresses
from idp.upstream.parse import changed_upstream
from idp.upstream.registry import secret_fields

bp = Blueprint("admin_upstreams", __name__)

MAX_COUNTED = 1000


@bp.get(LIST_PATH)
def every_upstream() -> Response:
    administrator(LIST_PATH)
    lines = [(one, path_of(one.id), upstream_badges(one)) for one in parts().upstreams.all()]
    return shown("admin_upstreams.html", lines=lines, removed=request.args.get("removed") == "1")


@bp.get(f"{LIST_PATH}/<name>")
def one_upstream(name: str) -> Response:
    administrator(f"{LIST_PATH}/{name}")
    provider = find_upstream(name)
    tests = parts().upstream_tests
    return shown(
        "admin_upstream.html",
        provider=provider,
        base=path_of(provider.id),
        badges=upstream_badges(provider),
        passed=tests.passed(provider),
        last=tests.last(provider),
        ours=addresses(parts().installation.issuer, provider),
        notes=_notes(provider),
        sections=[(section, _changed(provider, section)) for section in sections(provider.kind)],
        logins=parts().upstreams.logins_of(provider.id, MAX_COUNTED),
        most=MAX_COUNTED,
        saved=request.args.get("saved") == "1",
        added=request.args.get("added") == "1",
    )


def _changed(provider: UpstreamProvider, section: UpstreamSection) -> list[tuple[upstream_forms.Value, str]]:
    """Secrets stand under their own title only, although a changed address wants them as well."""
    fields = [one for one in section.fields if section.name == SECRET or one.kind != "secret"]
    return upstream_forms.changed_values(provider, fields)


def _notes(provider: UpstreamProvider) -> list[str]:
    """What would otherwise be found out by the first sign-in that fails; in English. Only while it is off: some kinds ask the
    upstream for it."""
    if provider.enabled:
        return []
    try:
        with parts().kinds.room.place(provider.id):
            notes: list[str] = getattr(parts().kinds.open(provider), "notes", list)()
    except Refused as refused:
        return [refused.reason]
    return notes


# ---------------------------------------------------------------- changing it


@bp.get(f"{LIST_PATH}/<name>/edit/<section>")
def edit_page(name: str, section: str) -> Response:
    recent_administrator(request.path)
    provider = find_upstream(name)
    chosen = _section(provider, section)
    values = [upstream_forms.shown(provider, field) for field in chosen.fields]
    return _edit_page(provider, chosen, values, provider.version)


@bp.post(f"{LIST_PATH}/<name>/edit/<section>")
def edit(name: str, section: str) -> Response:
    check_csrf()
    user = recent_administrator(request.path)
    provider = find_upstream(name)
    chosen, version = _section(provider, section), version_field()
    if request.form.get("act") == "words":
        read = attempted(lambda: _read(provider, chosen), *BAD_SETTING)
        problem = read if isinstance(read, Problem) else None
        return _edit_page(provider, chosen, _typed(provider, chosen), version, problem)
    outcome = attempted(
        lambda: _save(provider, chosen, version, user.id),
        *(*BAD_SETTING, "changed_meanwhile", "last_way_in_for_administrators"),
    )
    if isinstance(outcome, Problem):
        return _edit_page(provider, chosen, _typed(provider, chosen), version, outcome)
    return redirect(f"{path_of(provider.id)}?saved=1", 303)


def _read(provider: UpstreamProvider, section: UpstreamSection) -> dict[str, str | None]:
    found = upstream_forms.read(request.form, section.fields)
    changed_upstream(provider, found)
    return found


def _save(provider: UpstreamProvider, section: UpstreamSection, version: int, who: str) -> None:
    if provider.version != version:
        raise changed_meanwhile()
    changed, settings = changed_upstream(provider, upstream_forms.read(request.form, section.fields))
    parts().upstreams.change(changed, settings, secrets=secret_fields(provider.kind), actor=who)


def _typed(provider: UpstreamProvider, section: UpstreamSection) -> list[upstream_forms.Value]:
    return [
        upstream_forms.typed(request.form, field, bool(provider.settings.get(field.name))) for field in section.fields
    ]


def _section(provider: UpstreamProvider, name: str) -> UpstreamSection:
    found = by_section(provider.kind).get(name)
    if found is None:
        raise Refused("no_such_section", "There is no such part of an upstream.", status=404)
    return found


def _edit_page(
    provider: UpstreamProvider,
    section: UpstreamSection,
    values: list[upstream_forms.Value],
    version: int,
    problem: Problem | None = None,
) -> Response:
    meant = _meant(provider, section)
    document = upstream_forms.as_document(provider.kind, meant, provider.settings)
    return shown(
        "admin_upstream_edit.html",
        problem,
        provider=provider,
        base=path_of(provider.id),
        section=section,
        values=values,
        version=version,
        command=command(("set", provider.id), upstream_forms.as_pairs(meant, section.fields)) if meant else None,
        api_call=as_words.api_call(parts().installation.issuer, "PATCH", api_path_of(provider.id), document)
        if meant
        else None,
    )


def _meant(provider: UpstreamProvider, section: UpstreamSection) -> dict[str, str | None]:
    """What the form is about, to be said in other ways: what was typed, else what is stored and not as by default."""
    if request.method == "POST":
        read = attempted(lambda: upstream_forms.read(request.form, section.fields))
        before = {one.field.name: one for one in (upstream_forms.shown(provider, field) for field in section.fields)}
        if isinstance(read, Problem):
            return {}
        return {name: said for name, said in read.items() if said is not None or before[name].changed}
    found = [upstream_forms.shown(provider, field) for field in section.fields]
    return {
        one.field.name: ("true" if one.ticked else "false") if one.field.kind == "flag" else one.text
        for one in found
        if one.changed
    }


# ---------------------------------------------------------------- on and off, removing it


@bp.post(f"{LIST_PATH}/<name>/switch")
def switch(name: str) -> Response:
    """On or off, as the form says; a form that was overtaken changes nothing."""
    check_csrf()
    user = recent_administrator(f"{LIST_PATH}/{name}")
    provider = find_upstream(name)
    if provider.version != version_field():
        raise changed_meanwhile()
    enabled, untested = form_field("enabled", limit=10) == "yes", bool(request.form.get("untested"))
    parts().upstream_tests.switch(provider, enabled, actor=user.id, untested=untested)
    return redirect(f"{path_of(provider.id)}?saved=1", 303)


@bp.get(f"{LIST_PATH}/<name>/remove")
def remove_page(name: str) -> Response:
    return _removing.asked(name)


@bp.post(f"{LIST_PATH}/<name>/remove")
def remove(name: str) -> Response:
    return _removing.sent(name)


def _remove_page(provider: UpstreamProvider, problem: Problem | None) -> Response:
    return shown(
        "admin_upstream_remove.html",
        problem,
        provider=provider,
        base=path_of(provider.id),
        logins=parts().upstreams.logins_of(provider.id, MAX_COUNTED),
        most=MAX_COUNTED,
        command=command(("remove", provider.id)),
        api_call=as_words.api_call(parts().installation.issuer, "DELETE", api_path_of(provider.id)),
    )


_removing = Removing(
    find=find_upstream,
    typed=lambda provider: provider.id,
    act=lambda provider, who: parts().remove_upstream.remove(provider.id, actor=who),
    page=_remove_page,
    to=LIST_PATH,
    refusals=("last_way_in_for_administrators",),
)


# ---------------------------------------------------------------- our metadata


@bp.get(f"{LIST_PATH}/<name>/metadata")
def metadata(name: str) -> Response:
    """Ours for an upstream that speaks SAML, as a file: before it is on, its public address answers nobody."""
    administrator(f"{LIST_PATH}/{name}")
    provider = find_upstream(name)
    if "sp_metadata" not in addresses("", provider):
        raise Refused("no_such_upstream", "There is no such upstream.", status=404)
    kind = parts().kinds.open(provider)
    response = Response(kind.metadata(provider), content_type="application/samlmetadata+xml")  # type: ignore[attr-defined]
    response.headers["Content-Disposition"] = f'attachment; filename="sheaf-sp-{provider.id}.xml"'
    response.headers["Cache-Control"] = "no-store"
    return response
