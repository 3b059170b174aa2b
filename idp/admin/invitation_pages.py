"""The page of invitations: who is invited, inviting somebody, withdrawing. The link is shown once, to who made it.

Leaves the rules to idp.services.invitations.
"""

import shlex

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from idp.admin.as_words import api_call
from idp.admin.user_changes import other_user
from idp.admin.user_common import INVITATIONS_PATH, lines_of, path_of
from idp.domain.link_change import Invitation
from idp.http.forms import Problem, attempted, form_page
from idp.http.own_pages import recent_administrator
from idp.http.parts import parts
from idp.http.render import language
from idp.http.security import check_csrf, form_field
from idp.services.invitations import Asked, Made, address_of, link_of

bp = Blueprint("people_invitations", __name__)

_ON_THE_FORM = (
    *("invalid_email", "invalid_username", "invalid_name", "invalid_role", "invalid_group", "invalid_invitation"),
    *("email_taken", "username_taken", "unknown_upstream", "unknown_user", "user_disabled", "too_many_invitations"),
)


@bp.get(INVITATIONS_PATH)
def invitations() -> Response:
    recent_administrator(INVITATIONS_PATH)
    return _page()


@bp.post(INVITATIONS_PATH)
def invite() -> Response:
    check_csrf()
    who = recent_administrator(INVITATIONS_PATH)
    outcome = attempted(lambda: _made(who.id), *_ON_THE_FORM)
    if isinstance(outcome, Problem):
        return _page(outcome)
    link = link_of(parts().installation.issuer, outcome.token)
    return form_page("admin_invitation_made.html", link=link, made=outcome, base=INVITATIONS_PATH)


def _made(who: str) -> Made:
    p = parts()
    name = form_field("user", required=False, limit=254).strip()
    user = other_user(p, name) if name else None
    email = form_field("email", required=False, limit=254).strip()
    wanted = Asked(
        user,
        email,
        form_field("username", required=False, limit=200),
        form_field("name", required=False, limit=400),
        lines_of(form_field("roles", required=False, limit=4000)),
        lines_of(form_field("groups", required=False, limit=4000)),
        form_field("provider", required=False, limit=100),
    )
    made = p.invitations.make(wanted, actor=who)
    if not request.form.get("send"):
        return made
    issuer, organisation = p.installation.issuer, p.settings.organisation
    return p.invitations.send(
        made, p.mails, to=address_of(user, email), issuer=issuer, organisation=organisation, language=language()
    )


@bp.post(f"{INVITATIONS_PATH}/withdraw")
def withdraw() -> Response:
    """One that is gone anyhow is no error."""
    check_csrf()
    who = recent_administrator(INVITATIONS_PATH)
    found = parts().invitations.live(form_field("invitation", limit=100))
    if found is not None:
        parts().invitations.withdraw(found, actor=who.id)
    return redirect(INVITATIONS_PATH, 303)


def _page(problem: Problem | None = None) -> Response:
    p = parts()
    labels = {one.id: one.label for one in p.upstreams.all()}
    typed = request.form if problem else {"user": request.args.get("user", "")[:254]}
    words = [("--email", "email"), ("--user", "user")]
    options = [word for option, name in words if typed.get(name) for word in (option, str(typed.get(name)))]
    body = {name: str(typed.get(name)) for _, name in words if typed.get(name)} or {"email": "NAME@example.org"}
    return form_page(
        "admin_invitations.html",
        problem,
        typed=typed,
        lines=[(one, _whom(one), labels.get(one.provider_id or "", "")) for one in p.invitations.waiting()],
        providers=p.upstreams.for_sign_in(),
        mail_works=p.mails.works,
        command=" ".join(
            ["idp user invite", *(shlex.quote(one) for one in options or ["--email", "NAME@example.org"])]
        ),
        api_call=api_call(p.installation.issuer, "POST", "/admin/api/invitations", body),
    )


def _whom(one: Invitation) -> tuple[str, str | None]:
    """In words, and the page of the user that it is for."""
    user = parts().users.get(one.user_id) if one.user_id is not None else None
    if user is not None:
        return user.username, path_of(user.id)
    return one.email or one.username or one.name or "–", None
