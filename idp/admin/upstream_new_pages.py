"""Adding an upstream: which one, then the few things that are not known already. It is off until it has been tested.

Leaves what is known to upstream_presets, and the rules to idp.upstream.parse and idp.services.manage_upstreams.
"""

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from idp.admin import as_words, upstream_forms
from idp.admin.upstream_common import API_PATH, BAD_SETTING, LIST_PATH, command, path_of, shown
from idp.admin.upstream_presets import Preset, preset_of, presets
from idp.domain.upstream import UpstreamProvider
from idp.http.forms import Problem, attempted
from idp.http.own_pages import recent_administrator
from idp.http.parts import parts
from idp.http.security import check_csrf, form_field
from idp.upstream.addresses import addresses_of
from idp.upstream.parse import new_upstream
from idp.upstream.registry import secret_fields

bp = Blueprint("admin_upstream_new", __name__)

PATH = f"{LIST_PATH}/new"


@bp.get(PATH)
def choose_page() -> Response:
    recent_administrator(PATH)
    return shown("admin_upstream_choose.html", presets=presets(), path=PATH)


@bp.get(f"{PATH}/<name>")
def new_page(name: str) -> Response:
    recent_administrator(request.path)
    preset = preset_of(name)
    first, more = preset.fields()
    values = [
        upstream_forms.typed_text(field, preset.values[field.name])
        if field.name in preset.values
        else upstream_forms.given(field, field.default)
        for field in (*first, *more)
    ]
    return _page(preset, values, _free_id(preset), preset.label)


@bp.post(f"{PATH}/<name>")
def new(name: str) -> Response:
    check_csrf()
    user = recent_administrator(request.path)
    preset = preset_of(name)
    if request.form.get("act") == "words":
        read = attempted(lambda: _drafted(preset), *BAD_SETTING)
        return _again(preset, read if isinstance(read, Problem) else None)
    outcome = attempted(lambda: _add(preset, user.id), *BAD_SETTING, "upstream_taken", "invalid_upstream")
    if isinstance(outcome, Problem):
        return _again(preset, outcome)
    return redirect(f"{path_of(outcome.id)}?added=1", 303)


def _add(preset: Preset, who: str) -> UpstreamProvider:
    return parts().upstreams.add(_drafted(preset), secrets=secret_fields(preset.kind), actor=who)


def _drafted(preset: Preset) -> UpstreamProvider:
    provider_id = form_field("id", limit=40).strip()
    return new_upstream(preset.kind, provider_id, _values(preset), parts().clock())


def _values(preset: Preset) -> dict[str, str | None]:
    first, more = preset.fields()
    label = form_field("label", required=False, limit=200).strip()
    found = {"label": label or None, **upstream_forms.read(request.form, (*first, *more))}
    return {name: said for name, said in found.items() if said is not None}


def _again(preset: Preset, problem: Problem | None) -> Response:
    first, more = preset.fields()
    values = [upstream_forms.typed(request.form, field) for field in (*first, *more)]
    return _page(preset, values, request.form.get("id", "")[:40], request.form.get("label", "")[:200], problem)


def _free_id(preset: Preset) -> str:
    taken = {one.id for one in parts().upstreams.all()}
    wanted = (preset.proposed_id, *(f"{preset.proposed_id}-{number}" for number in range(2, 100)))
    return next((one for one in wanted if one not in taken), "")


def _page(
    preset: Preset, values: list[upstream_forms.Value], provider_id: str, label: str, problem: Problem | None = None
) -> Response:
    first, more = preset.fields()
    read = attempted(lambda: _values(preset)) if request.method == "POST" else {**preset.values, "label": label}
    meant: dict[str, str | None] = {} if isinstance(read, Problem) else dict(read)
    issuer = parts().installation.issuer
    pairs = upstream_forms.as_pairs({name: said for name, said in meant.items() if name != "label"}, (*first, *more))
    labelled = [("label", str(meant["label"])), *pairs] if meant.get("label") else pairs
    document = upstream_forms.as_document(preset.kind, meant, {})
    return shown(
        "admin_upstream_add.html",
        problem,
        preset=preset,
        path=f"{PATH}/{preset.name}",
        first=[one for one in values if one.field in first],
        more=[one for one in values if one.field in more],
        id=provider_id,
        label=label,
        ours=addresses_of(issuer, preset.kind, provider_id) if provider_id else {},
        command=command(("add", preset.kind, "--id", provider_id or "ID"), labelled),
        api_call=as_words.api_call(
            issuer, "POST", API_PATH, {"id": provider_id or "ID", "kind": preset.kind, **document}
        ),
    )
