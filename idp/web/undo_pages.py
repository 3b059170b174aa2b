"""Undoing a change of one's logins: by the link in the mail (also when signed out), or from the page of the account.

The link shows first and does nothing; only the button does. Leaves what undoing means to idp.services.undo_changes.
"""

from flask import Blueprint, make_response, redirect
from werkzeug.wrappers import Response

from idp.base.errors import Refused
from idp.http.browser import current_user
from idp.http.forms import Problem, attempted
from idp.http.own_pages import recently_signed_in
from idp.http.parts import parts
from idp.http.render import page
from idp.http.security import check_csrf
from idp.web.changes_in_words import line_of

bp = Blueprint("undo_pages", __name__)

BY_MAIL = "undo link"  # who did it, in the audit: whoever reads that mailbox
_ON_THE_PAGE = (
    *("undo_moved_on", "change_under_way", "changed_meanwhile", "user_disabled"),
    *("last_way_in", "last_way_in_for_administrators", "last_administrator"),
)


@bp.get("/undo/<token>")
def undo_page(token: str) -> Response:
    return _page(token)


@bp.post("/undo/<token>")
def undo(token: str) -> Response:
    check_csrf()
    change = parts().changes.by_token(token)
    outcome = attempted(lambda: parts().changes.undo(change, actor=BY_MAIL, by_owner=True), *_ON_THE_PAGE)
    return _page(token, outcome) if isinstance(outcome, Problem) else redirect(f"/undo/{token}", 303)


def _page(token: str, problem: Problem | None = None) -> Response:
    change = parts().changes.by_token(token)
    line = line_of(change, current_user())
    html = page("undo.html", token=token, line=line, change=change, problem=problem)
    return make_response(html, problem.status if problem else 200)


@bp.post("/account/changes/<change_id>/undo")
def undo_own(change_id: str) -> Response:
    """Only of one's own logins: a change of somebody else's is as good as none."""
    check_csrf()
    _, user = recently_signed_in()
    change = parts().changes.get(change_id)
    if change.user_id != user.id:
        raise Refused("unknown_change", "There is no such change, or it is older than 30 days.", status=404)
    parts().changes.undo(change, actor=user.id, by_owner=True)
    return redirect("/account", 303)  # whom it signed out signs in first
