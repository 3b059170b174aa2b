"""Pages about users: all of them, one with logins, sign-ins and changes, and the switches on that page.

Leaves forms of their own to user_edit_pages, merging and splitting to user_join_pages, and rules and audit to idp.services.
"""

from collections.abc import Callable

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from idp.admin.user_changes import changed_user
from idp.admin.user_common import LIST_PATH, find_user, path_of, user_badges
from idp.base.claims import ADMINISTRATOR
from idp.base.errors import Refused
from idp.domain.link_change import LinkChange
from idp.domain.user import User
from idp.http.forms import Problem, attempted, form_page
from idp.http.own_pages import administrator, recent_administrator
from idp.http.parts import parts
from idp.http.render import has_text, sentence, text
from idp.http.security import check_csrf, form_field
from idp.services.explain_sign_in import Names

bp = Blueprint("people", __name__)

SIGN_INS = 20
_ON_THE_PAGE = (
    *("last_administrator", "last_way_in_for_administrators", "already_merged", "changed_meanwhile", "user_disabled"),
    *("unknown_login", "last_way_in", "undo_moved_on", "change_under_way", "unknown_change"),
)


@bp.get(LIST_PATH)
def every_user() -> Response:
    administrator(LIST_PATH)
    words = request.args.get("q", "")[:200].strip()
    found = parts().user_list.page(words, after=request.args.get("after", ""))
    lines = [(user, path_of(user.id), user_badges(user)) for user in found.lines]
    removed = request.args.get("removed") == "1"
    return form_page("admin_users.html", lines=lines, words=words, found=found, removed=removed)


@bp.get(f"{LIST_PATH}/<user_id>")
def one_user(user_id: str) -> Response:
    administrator(f"{LIST_PATH}/{user_id}")
    return _page(find_user(user_id), saved=request.args.get("saved") == "1")


def _page(user: User, problem: Problem | None = None, *, saved: bool = False) -> Response:
    p = parts()
    labels = {one.id: one.label for one in p.upstreams.all()}
    into = p.users.get(user.merged_into) if user.merged_into is not None else None
    return form_page(
        "admin_user.html",
        problem,
        user=user,
        base=path_of(user.id),
        badges=user_badges(user),
        roles=[role for role in user.roles if role != ADMINISTRATOR],
        logins=[(one, labels.get(one.provider_id, one.provider_id)) for one in p.links.of(user.id)],
        enrolled_at=p.factors.enrolled_at(user.id),
        sessions=len(p.sessions.of(user.id)),
        changes=[(one, *_told(one)) for one in p.changes.of(user.id)],
        records=p.records.of_user(user.id, SIGN_INS),
        names=Names(p.users.get, p.upstreams.get),
        into=into,
        into_path=path_of(into.id) if into is not None else None,
        saved=saved,
    )


def _told(change: LinkChange) -> tuple[object, object, object]:
    """What it was, who did it, and why it cannot be undone (None when it can, or was)."""
    p = parts()
    labels = {one.id: one.label for one in p.upstreams.all()}
    side = change.after if change.what == "linked" else change.before
    named = [side["login"]["provider_id"]] if "login" in side else list(change.before.get("providers", ()))
    why = str(side.get("why", ""))
    both = [p.users.get(one) if one is not None else None for one in (change.user_id, change.other_id)]
    names = [one.username if one is not None else "–" for one in both]
    words = text(
        f"admin_users.was_{change.what}",
        login=", ".join(dict.fromkeys(labels.get(one, one) for one in named)) or "–",
        user=names[0],
        other=names[1],
        why=text(f"rule.{why}") if has_text(f"rule.{why}") else "",
    )
    actor = p.users.get(change.actor)
    refused = p.changes.undoable(change) if change.undone_at is None else None
    return words, actor.username if actor is not None else change.actor, sentence(refused) if refused else None


# ---------------------------------------------------------------- switches


@bp.post(f"{LIST_PATH}/<user_id>/state")
def switch(user_id: str) -> Response:
    check_csrf()
    who = recent_administrator(path_of(user_id))
    user = find_user(user_id)
    given = _SWITCHES.get(form_field("act", limit=20))
    if given is None:
        raise Refused("missing_field", "Fill in all fields.", reason="no such act")
    return _done(user, lambda: changed_user(parts(), user, given, who.id))


_SWITCHES: dict[str, dict[str, object]] = {
    "disable": {"disabled": True},
    "enable": {"disabled": False},
    "promote": {"administrator": True},
    "demote": {"administrator": False},
    "never": {"never_auto_link": True},
    "may": {"never_auto_link": False},
}


@bp.post(f"{LIST_PATH}/<user_id>/unlink")
def unlink(user_id: str) -> Response:
    check_csrf()
    who = recent_administrator(path_of(user_id))
    user = find_user(user_id)
    login_id, by_password = form_field("login", limit=100), parts().sign_in.local_login_allowed(user)
    return _done(user, lambda: parts().links.unlink(user, login_id, actor=who.id, local_login=by_password))


@bp.post(f"{LIST_PATH}/<user_id>/undo")
def undo(user_id: str) -> Response:
    check_csrf()
    who = recent_administrator(path_of(user_id))
    user = find_user(user_id)
    change_id = form_field("change", limit=100)

    def act() -> None:
        change = parts().changes.get(change_id)
        if user.id not in (change.user_id, change.other_id):
            raise Refused("unknown_change", "There is no such change of this user.", status=404)
        parts().changes.undo(change, actor=who.id)

    return _done(user, act)


def _done(user: User, act: Callable[[], object]) -> Response:
    outcome = attempted(act, *_ON_THE_PAGE)
    if isinstance(outcome, Problem):
        return _page(parts().users.get(user.id) or user, outcome)
    return redirect(f"{path_of(user.id)}?saved=1", 303)
