"""/break-glass: a code of the printed sheet, with name and password of an administrator, opens local login for them.

Goes on with the second step of an ordinary sign-in. Leaves codes, throttling and telling others to idp.services.break_glass.
"""

from dataclasses import replace

from flask import Blueprint, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from idp.domain.attempt import Proof
from idp.domain.session import PWD
from idp.domain.user import User
from idp.http.browser import browser_digest
from idp.http.forms import Problem, attempted, form_page
from idp.http.own_pages import DONE_PATH
from idp.http.parts import parts
from idp.http.render import page
from idp.http.security import check_csrf, form_field

bp = Blueprint("break_glass", __name__)

PATH = "/break-glass"
AFTERWARDS = "/admin/local-login"


@bp.get(PATH)
def break_glass_page() -> AnyResponse:
    if parts().local_login.switch().state == "on":
        return make_response(page("break_glass.html", needed=False))
    return form_page("break_glass.html", needed=True)


@bp.post(PATH)
def break_glass() -> AnyResponse:
    check_csrf()
    if parts().local_login.switch().state == "on":
        return redirect(PATH, 303)
    outcome = attempted(_come_in, "break_glass_refused", "too_many_attempts", "reason_missing")
    if isinstance(outcome, Problem):
        typed = {name: request.form.get(name, "")[:320] for name in ("username", "reason")}
        return form_page("break_glass.html", outcome, needed=True, typed=typed)
    return redirect(f"/flow/{_attempt_of(outcome)}", 303)


def _come_in() -> User:
    return parts().break_glass.come_in(
        form_field("code", limit=100),
        form_field("username", limit=320),
        form_field("password", limit=1024),
        form_field("reason", limit=1000),
        request.remote_addr or "unknown",
    )


def _attempt_of(user: User) -> str:
    """A sign-in whose first step is done, by the password that was typed just now; the second step comes as ever."""
    sign_in = parts().sign_in
    draft = sign_in.draft("account", DONE_PATH, {"return_to": AFTERWARDS})
    proof = Proof(user.id, parts().clock(), (PWD,))
    attempt = replace(draft.attempt, browser=browser_digest(make=True), owner_id=user.id, proof=proof)
    return sign_in.save(replace(draft, attempt=attempt))
