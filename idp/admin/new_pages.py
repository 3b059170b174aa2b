"""Registering an app: three questions, and more for who wants; what follows from them is shown as command and API call.

Leaves what follows from what is left out to idp.services.draft_app, and the rules to idp.services.manage_apps.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from idp.admin import as_words, forms
from idp.admin.changes import described, fresh_id, new_client
from idp.admin.common import BAD_METADATA, shown
from idp.admin.fields import BY_NAME, UNSET, Field
from idp.admin.json_api import PATH as API_PATH
from idp.admin.secret_pages import secret_page
from idp.base.errors import Refused
from idp.base.secret import Secret
from idp.domain.metadata import CODE, bad
from idp.domain.relying import Client
from idp.http.forms import Problem, attempted
from idp.http.own_pages import recent_administrator
from idp.http.parts import parts
from idp.http.security import check_csrf, form_field

bp = Blueprint("admin_new", __name__)

PATH = "/admin/clients/new"
WEB, DEVICE_OR_BROWSER, MACHINE = KINDS = ("web", "app", "machine")
_ALWAYS: Mapping[str, dict[str, Any]] = {
    WEB: {"grant_types": (CODE, "refresh_token")},
    DEVICE_OR_BROWSER: {"grant_types": (CODE, "refresh_token"), "auth_method": "none"},
    MACHINE: {"grant_types": ("client_credentials",)},
}
FIRST = (BY_NAME["name"], BY_NAME["redirect_uris"])
_METHODS = tuple(method for method in BY_NAME["auth_method"].choices if method != "none")
MORE = (
    *(BY_NAME[name] for name in ("scopes", "audiences", "post_logout_redirect_uris", "consent", "profile")),
    replace(BY_NAME["auth_method"], choices=(UNSET, *_METHODS)),
    *(BY_NAME[name] for name in ("jwks_uri", "jwks")),
)
_EXAMPLE = {"name": "My app", "redirect_uris": ("https://app.example.org/callback",)}


@bp.get(PATH)
def new_page() -> Response:
    recent_administrator(PATH)
    values = [_empty(field) for field in (*FIRST, *MORE)]
    return _page(values, WEB, fresh_id(), {**_EXAMPLE, **_ALWAYS[WEB]})


@bp.post(PATH)
def new() -> Response:
    check_csrf()
    user = recent_administrator(PATH)
    if request.form.get("act") == "words":
        read = attempted(_given, *BAD_METADATA)
        return _again(read if isinstance(read, Problem) else None)
    outcome = attempted(lambda: _register(user.id), *BAD_METADATA, "client_taken")
    return _again(outcome) if isinstance(outcome, Problem) else secret_page(*outcome, "admin.made")


def _again(problem: Problem | None) -> Response:
    values = [forms.typed(request.form, field) for field in (*FIRST, *MORE)]
    return _page(values, request.form.get("kind", WEB), request.form.get("client_id", ""), _readable(), problem)


def _register(who: str) -> tuple[Client, Secret | None]:
    return new_client(parts(), form_field("client_id", limit=300).strip(), _given(), who)


def _given() -> dict[str, Any]:
    """Fields of Client: what was typed, and what the kind always has.

    Raises Refused(missing_field | repeated_field | field_too_long | invalid_client_metadata | invalid_redirect_uri).
    """
    kind = form_field("kind", limit=20)
    if kind not in KINDS:
        raise Refused("missing_field", "Fill in all fields.", reason=f"kind {kind!r}")
    form_field("name", limit=forms.LONGEST_LINE)
    typed = forms.read(request.form, (*FIRST, *MORE))
    # What was left empty follows from the kind and the rest.
    given = {name: value for name, value in typed.items() if value not in (UNSET, (), None)}
    if kind == MACHINE:
        given.pop("redirect_uris", None)
    elif not given.get("redirect_uris"):
        raise bad("redirect_uris", "a client for people needs at least one")
    return {**given, **_ALWAYS[kind]}


def _readable() -> dict[str, Any]:
    try:
        return _given()
    except Refused:
        return {}


def _empty(field: Field) -> forms.Shown:
    """Nothing is filled in that follows from the rest."""
    value = forms.default_of(field) if field.name in ("consent", "profile") else UNSET
    return forms.Shown(field, value, frozenset(), forms.default_of(field), False)


def _page(
    values: list[forms.Shown], kind: str, client_id: str, given: dict[str, Any], problem: Problem | None = None
) -> Response:
    command, api_call = _in_words(client_id, given) if given else (None, None)
    return shown(
        "admin_new.html",
        problem,
        values={one.field.name: one for one in values},
        more=[one for one in values if one.field in MORE],
        kinds=KINDS,
        kind=kind,
        client_id=client_id,
        command=command,
        api_call=api_call,
    )


def _in_words(client_id: str, given: dict[str, Any]) -> tuple[str | None, str]:
    """With everything that follows, so that it means the same whatever the defaults of the other way are."""
    client = described(parts(), client_id, given)
    whole = {name: getattr(client, name) for name in (*given, "grant_types", "scopes", "auth_method")}
    if client.application_type != "web":
        whole["application_type"] = client.application_type
    command = as_words.command(("add", "--client-id", client_id), whole)
    call = as_words.api_call(parts().installation.issuer, "POST", API_PATH, {"client_id": client_id, **whole})
    return command, call
