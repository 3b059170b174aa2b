"""Adding a service provider by its metadata, which is pasted, uploaded or fetched; and more for who wants.

Leaves metadata that are fetched again later to idp.services.metadata.watch, and the rules to idp.services.manage_apps.
"""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from idp.admin import as_words, forms, sp_words
from idp.admin.common import BAD_SETTING, shown
from idp.admin.names import sp_path_of
from idp.admin.saml_common import BAD_SOURCE, LIST_PATH, Given, given_source
from idp.admin.sp_changes import new_sp, new_sp_from_url
from idp.admin.sp_fields import BY_NAME
from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.http.forms import Problem, attempted
from idp.http.own_pages import recent_administrator
from idp.http.parts import parts
from idp.http.security import check_csrf

bp = Blueprint("admin_saml_new", __name__)

PATH = f"{LIST_PATH}/new"
API_PATH = "/admin/api/service-providers"
MORE = tuple(BY_NAME[name] for name in ("name", "attributes", "name_id_format", "encrypt", "second_factor_required"))
_EXAMPLE = Given(url="https://app.example.org/saml/metadata")


@bp.get(PATH)
def new_page() -> Response:
    recent_administrator(PATH)
    values = [forms.given(field, forms.default_of(field)) for field in MORE]
    return _page(values, _EXAMPLE, {})


@bp.post(PATH)
def new() -> Response:
    check_csrf()
    user = recent_administrator(PATH)
    if request.form.get("act") == "words":
        read = attempted(_settings, *BAD_SETTING)
        return _again(read if isinstance(read, Problem) else None)
    outcome = attempted(lambda: _add(user.id), *BAD_SETTING, *BAD_SOURCE, "sp_taken")
    if isinstance(outcome, Problem):
        return _again(outcome)
    return redirect(f"{sp_path_of(outcome.id)}?added=1", 303)


def _add(who: str) -> ServiceProvider:
    settings, source = _settings(), given_source(request.form, request.files)
    if source.url:
        return new_sp_from_url(parts(), source.url, source.adopt, source.certificates, settings, who)
    return new_sp(parts(), source.metadata, settings, who)


def _settings() -> dict[str, Any]:
    """Those that are not as by default: what is left empty follows from the metadata."""
    given = forms.read(request.form, MORE)
    return {name: value for name, value in given.items() if value != forms.default_of(BY_NAME[name])}


def _again(problem: Problem | None) -> Response:
    """A file that was sent is not kept: browsers let nobody put it back."""
    values = [forms.typed(request.form, field) for field in MORE]
    try:
        settings = _settings()
    except Refused:
        settings = {}
    url = request.form.get("url", "")[:2000].strip()
    return _page(values, Given(url, adopt="auto" if request.form.get("adopt") else "ask"), settings, problem)


def _page(
    values: list[forms.Shown], source: Given, settings: Mapping[str, Any], problem: Problem | None = None
) -> Response:
    where = source.url or "metadata.xml"
    watched = ("--watch", *(("--adopt", "auto") if source.adopt == "auto" else ())) if source.url else ()
    metadata = {"metadata_url": source.url} if source.url else {"metadata": "<EntityDescriptor …>"}
    adopt = {"adopt": "auto"} if source.adopt == "auto" else {}
    return shown(
        "admin_saml_new.html",
        problem,
        values=values,
        source=source if source is not _EXAMPLE else Given(),
        typed=request.form.get("metadata", ""),
        pem=request.form.get("certificates", ""),
        command=sp_words.command(("add", where, *watched), settings),
        api_call=as_words.api_call(parts().installation.issuer, "POST", API_PATH, {**metadata, **adopt, **settings}),
    )
