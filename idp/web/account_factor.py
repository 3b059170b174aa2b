"""My second step on the account page: set one up, move it to a new phone, make new recovery codes.

Each asks for a recent proof of everything the person has, the old second step included. Leaves the codes to
idp.services.factors.
"""

from flask import Blueprint, Response, abort, make_response, redirect
from werkzeug.wrappers import Response as AnyResponse

from idp.domain.user import User
from idp.http.browser import browser_digest, sign_browser_in
from idp.http.forms import Problem, attempted, form_page
from idp.http.own_pages import proved_factor_now, recently_signed_in
from idp.http.parts import parts
from idp.http.render import page
from idp.http.security import check_csrf, form_field
from idp.web.qr import qr_svg

bp = Blueprint("account_factor", __name__)


@bp.get("/account/authenticator")
def authenticator_page() -> AnyResponse:
    _, user = recently_signed_in("/account/authenticator")
    return _authenticator_page(user)


@bp.post("/account/authenticator")
def set_up_authenticator() -> AnyResponse:
    """A first one, or a new one in place of the old: recently_signed_in has then asked for a code of the old one."""
    check_csrf()
    session, user = recently_signed_in("/account/authenticator")
    replacing = parts().factors.has(user.id)
    outcome = attempted(
        lambda: parts().factors.confirm(user, browser_digest(), form_field("code", limit=64), replacing=replacing),
        "wrong_code",
        "enrolment_expired",
    )
    if isinstance(outcome, Problem):
        return _authenticator_page(user, outcome)
    sign_browser_in(proved_factor_now(session, user))
    return _codes_page(outcome)


@bp.get("/account/recovery-codes")
def renew_page() -> AnyResponse:
    _, user = recently_signed_in("/account/recovery-codes")
    _must_have_factor(user)
    return make_response(page("renew_codes.html"))


@bp.post("/account/recovery-codes")
def renew() -> AnyResponse:
    check_csrf()
    _, user = recently_signed_in("/account/recovery-codes")
    _must_have_factor(user)
    return _codes_page(parts().factors.renew_recovery_codes(user))


def _authenticator_page(user: User, problem: Problem | None = None) -> Response:
    enrolment = parts().factors.enrolment(user, browser_digest(make=True))
    return form_page(
        "enrol.html", problem, action="/account/authenticator", enrolment=enrolment, qr=qr_svg(enrolment.uri)
    )


def _codes_page(codes: tuple[str, ...]) -> Response:
    return form_page("recovery_codes.html", codes=codes, onward="/account")


def _must_have_factor(user: User) -> None:
    if not parts().factors.has(user.id):
        abort(redirect("/account", 303))
