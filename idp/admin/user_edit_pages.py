"""Pages about one user with forms of their own: adding, changing, linking a login by hand, removing.

Leaves the rules to user_changes and idp.services.
"""

import json
from typing import Any

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from idp.admin.removing import Removing
from idp.admin.user_changes import added_user, changed_user, linked_by_hand
from idp.admin.user_common import LIST_PATH, call, command, find_user, lines_of, path_of
from idp.base.claims import ADMINISTRATOR
from idp.base.errors import Refused
from idp.domain.user import User
from idp.http.forms import Problem, attempted, form_page
from idp.http.own_pages import recent_administrator
from idp.http.parts import parts
from idp.http.security import check_csrf, form_field

bp = Blueprint("people_edit", __name__)

_ON_THE_FORM = (
    *("invalid_username", "invalid_email", "invalid_name", "invalid_role", "invalid_group", "invalid_claim"),
    *("email_taken", "username_taken", "changed_meanwhile", "invalid_user"),
)
_ON_THE_LINK = ("unknown_upstream", "no_issuer", "invalid_login", "login_taken", "user_disabled")


# ---------------------------------------------------------------- adding


@bp.get(f"{LIST_PATH}/new")
def new_page() -> Response:
    recent_administrator(f"{LIST_PATH}/new")
    return _new_page()


@bp.post(f"{LIST_PATH}/new")
def add() -> Response:
    check_csrf()
    who = recent_administrator(f"{LIST_PATH}/new")
    outcome = attempted(lambda: added_user(parts(), _given_new(), who.id), *_ON_THE_FORM)
    if isinstance(outcome, Problem):
        return _new_page(outcome)
    return redirect(f"{path_of(outcome.id)}?saved=1", 303)


def _given_new() -> dict[str, Any]:
    return {"username": form_field("username", limit=200), **_typed(), "email": form_field("email", limit=254)}


def _new_page(problem: Problem | None = None) -> Response:
    return form_page(
        "admin_user_new.html", problem, typed=request.form, command=command("add", "NAME", "--email", "ADDRESS")
    )


# ---------------------------------------------------------------- changing


@bp.get(f"{LIST_PATH}/<user_id>/edit")
def edit_page(user_id: str) -> Response:
    recent_administrator(path_of(user_id, "edit"))
    user = find_user(user_id)
    return _edit_page(user, _as_form(user))


@bp.post(f"{LIST_PATH}/<user_id>/edit")
def edit(user_id: str) -> Response:
    check_csrf()
    who = recent_administrator(path_of(user_id, "edit"))
    user = find_user(user_id)
    outcome = attempted(lambda: _save(user, who.id), *_ON_THE_FORM)
    if isinstance(outcome, Problem):
        return _edit_page(user, request.form.to_dict(), outcome)
    return redirect(f"{path_of(user.id)}?saved=1", 303)


def _save(user: User, who: str) -> User:
    version = form_field("version", limit=15)
    if not (version.isascii() and version.isdigit()):
        raise Refused("missing_field", "Fill in all fields.", reason="the version is no number")
    given = _typed()
    email = form_field("email", required=False, limit=254).strip()
    if email and email != (user.email or ""):
        given["email"] = email
    claims = _claims(user)
    return changed_user(parts(), user, {**given, **({"claims": claims} if claims else {})}, who, version=int(version))


def _typed() -> dict[str, Any]:
    found: dict[str, Any] = {"name": form_field("name", required=False, limit=400)}
    for name in ("roles", "groups"):
        found[name] = lines_of(form_field(name, required=False, limit=20_000))
    return found


def _claims(user: User) -> dict[str, Any]:
    """What is different; None takes one away. One claim a line, NAME = VALUE, JSON values as such."""
    found: dict[str, Any] = {}
    for line in form_field("claims", required=False, limit=20_000).splitlines():
        name, equals, said = (part.strip() for part in line.partition("="))
        if not line.strip():
            continue
        if not equals or not name or name in found:
            raise Refused("invalid_claim", f"{line.strip()[:100]!r} does not read: NAME = VALUE, each name once.")
        found[name] = _value(said, user.claims.get(name))
    kept = {name: value for name, value in user.claims.items() if name != "updated_at"}
    changed = {name: value for name, value in found.items() if name not in kept or kept[name] != value}
    return {**changed, **{name: None for name in kept if name not in found}}


def _value(said: str, before: Any) -> Any:
    """Text, unless it was something else before or is a JSON list, object, number or truth."""
    if before is not None and said == _as_text(before):
        return before
    try:
        found = json.loads(said) if said[:1] in '{["' or said in ("true", "false") else said
    except (ValueError, RecursionError):
        return said
    return found


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _as_form(user: User) -> dict[str, str]:
    claims = {name: value for name, value in user.claims.items() if name != "updated_at"}
    return {
        "name": user.name,
        "email": user.email or "",
        "roles": "\n".join(role for role in user.roles if role != ADMINISTRATOR),
        "groups": "\n".join(user.groups),
        "claims": "\n".join(f"{name} = {_as_text(value)}" for name, value in claims.items()),
        "version": str(user.version),
    }


def _edit_page(user: User, typed: dict[str, str], problem: Problem | None = None) -> Response:
    return form_page(
        "admin_user_edit.html",
        problem,
        user=user,
        base=path_of(user.id),
        typed=typed,
        command=command("edit", user.username, "--name", typed.get("name", "")),
        api_call=call("PATCH", f"/{user.id}", {"name": typed.get("name", "")}),
    )


# ---------------------------------------------------------------- linking by hand


@bp.get(f"{LIST_PATH}/<user_id>/link")
def link_page(user_id: str) -> Response:
    recent_administrator(path_of(user_id, "link"))
    return _link_page(find_user(user_id))


@bp.post(f"{LIST_PATH}/<user_id>/link")
def link(user_id: str) -> Response:
    check_csrf()
    who = recent_administrator(path_of(user_id, "link"))
    user = find_user(user_id)

    def act() -> object:
        provider, subject = form_field("provider", limit=100), form_field("subject", limit=1000)
        issuer = form_field("issuer", required=False, limit=1000)
        return linked_by_hand(parts(), user, provider, issuer, subject, who.id)

    outcome = attempted(act, *_ON_THE_LINK)
    return _link_page(user, outcome) if isinstance(outcome, Problem) else redirect(f"{path_of(user.id)}?saved=1", 303)


def _link_page(user: User, problem: Problem | None = None) -> Response:
    return form_page(
        "admin_user_link.html",
        problem,
        user=user,
        base=path_of(user.id),
        providers=parts().upstreams.all(),
        typed=request.form,
        command=command("link", user.username, "PROVIDER", "SUBJECT"),
        api_call=call("POST", f"/{user.id}/logins", {"provider": "PROVIDER", "subject": "SUBJECT"}),
    )


# ---------------------------------------------------------------- removing


@bp.get(f"{LIST_PATH}/<user_id>/remove")
def remove_page(user_id: str) -> Response:
    return _removing.asked(user_id)


@bp.post(f"{LIST_PATH}/<user_id>/remove")
def remove(user_id: str) -> Response:
    return _removing.sent(user_id)


def _remove_page(user: User, problem: Problem | None) -> Response:
    return form_page(
        "admin_user_remove.html",
        problem,
        user=user,
        base=path_of(user.id),
        command=command("remove", user.username),
        api_call=call("DELETE", f"/{user.id}"),
    )


_removing = Removing(
    find=find_user,
    typed=lambda user: user.username,
    act=lambda user, who: parts().remove_user.remove(user, actor=who),
    page=_remove_page,
    to=LIST_PATH,
    refusals=("last_administrator", "last_way_in_for_administrators"),
)
