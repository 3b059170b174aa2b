"""Pages that merge two users and split logins off one: what will happen first, then the name of who goes is typed.

Leaves the merge itself, undoing it, and telling its owners to idp.services.change_links.
"""

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from idp.admin.user_changes import other_user
from idp.admin.user_common import LIST_PATH, call, command, find_user, path_of
from idp.base.errors import Refused
from idp.domain.user import User
from idp.http.forms import Problem, attempted, form_page
from idp.http.own_pages import recent_administrator
from idp.http.parts import parts
from idp.http.security import check_csrf, form_field

bp = Blueprint("people_join", __name__)

_ON_MERGING = (
    *("unknown_user", "same_user", "already_merged", "kept_disabled", "last_administrator", "not_the_name"),
    *("changed_meanwhile", "last_way_in_for_administrators"),
)
_ON_SPLITTING = ("unknown_login", "last_way_in", "already_merged", "last_way_in_for_administrators", "none_chosen")
MOST_CHOSEN = 100


@bp.get(f"{LIST_PATH}/<user_id>/merge")
def merge_page(user_id: str) -> Response:
    """other: whose name was typed on the first screen."""
    recent_administrator(path_of(user_id, "merge"))
    user, name = find_user(user_id), request.args.get("other", "")[:200].strip()
    if not name:
        return _first_page(user)

    def look() -> User:
        other = other_user(parts(), name)
        parts().changes.check_merge(user, other)
        return other

    found = attempted(look, *_ON_MERGING)
    return _first_page(user, name, found) if isinstance(found, Problem) else _second_page(user, found)


@bp.post(f"{LIST_PATH}/<user_id>/merge")
def merge(user_id: str) -> Response:
    check_csrf()
    who = recent_administrator(path_of(user_id, "merge"))
    user, other = find_user(user_id), find_user(form_field("other", limit=100))

    def act() -> None:
        if form_field("name", limit=200).strip() != other.username:
            raise Refused("not_the_name", "That is not its name. Nothing was done.")
        parts().changes.merge(user, other, actor=who.id)

    outcome = attempted(act, *_ON_MERGING)
    if isinstance(outcome, Problem):
        return _second_page(user, other, outcome)
    return redirect(f"{path_of(user.id)}?saved=1", 303)


def _first_page(user: User, name: str = "", problem: Problem | None = None) -> Response:
    return form_page("admin_user_merge.html", problem, user=user, base=path_of(user.id), other=None, typed=name)


def _second_page(user: User, other: User, problem: Problem | None = None) -> Response:
    p = parts()
    labels = {one.id: one.label for one in p.upstreams.all()}
    return form_page(
        "admin_user_merge.html",
        problem,
        user=user,
        base=path_of(user.id),
        other=other,
        logins=[(one, labels.get(one.provider_id, one.provider_id)) for one in p.links.of(other.id)],
        sessions=len(p.sessions.of(other.id)),
        apps=len(p.allowed.of(other)),
        lost=[one for one in (*other.roles, *other.groups) if one not in (*user.roles, *user.groups)],
        gains=user.is_administrator and not other.is_administrator,
        swap=f"{path_of(other.id, 'merge')}?other={user.id}",
        command=command("merge", user.username, other.username),
        api_call=call("POST", f"/{user.id}/merge", {"other": other.username}),
    )


@bp.get(f"{LIST_PATH}/<user_id>/split")
def split_page(user_id: str) -> Response:
    recent_administrator(path_of(user_id, "split"))
    return _split_page(find_user(user_id))


@bp.post(f"{LIST_PATH}/<user_id>/split")
def split(user_id: str) -> Response:
    check_csrf()
    who = recent_administrator(path_of(user_id, "split"))
    user = find_user(user_id)

    def act() -> User:
        chosen = tuple(dict.fromkeys(request.form.getlist("login")))[:MOST_CHOSEN]
        if not chosen:
            raise Refused("none_chosen", "Choose at least one login.")
        return parts().changes.split(user, chosen, actor=who.id)[1]

    outcome = attempted(act, *_ON_SPLITTING)
    if isinstance(outcome, Problem):
        return _split_page(user, outcome)
    return redirect(f"{path_of(outcome.id)}?saved=1", 303)


def _split_page(user: User, problem: Problem | None = None) -> Response:
    labels = {one.id: one.label for one in parts().upstreams.all()}
    logins = parts().links.of(user.id)
    return form_page(
        "admin_user_split.html",
        problem,
        user=user,
        base=path_of(user.id),
        logins=[(one, labels.get(one.provider_id, one.provider_id)) for one in logins],
        command=command("split", user.username, "PROVIDER", "SUBJECT"),
        api_call=call("POST", f"/{user.id}/split", {"logins": [one.id for one in logins][:1]}),
    )
