"""The second step of a sign-in: type a code, or set up an authenticator first. Comes back to idp.web.flow.

Leaves codes, counting and locking to idp.services.factors.
"""

from flask import Blueprint, Response, abort, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from idp.domain.attempt import LoginAttempt, Step
from idp.domain.session import OTP
from idp.domain.user import User
from idp.http.browser import current_session
from idp.http.forms import Problem, attempted, form_page
from idp.http.own_pages import is_recent
from idp.http.parts import parts
from idp.http.security import check_csrf, form_field
from idp.web.flow import load
from idp.web.qr import qr_svg

bp = Blueprint("factor_pages", __name__)


@bp.get("/flow/<handle>/factor")
def factor_page(handle: str) -> AnyResponse:
    attempt, user = due(handle, Step.FACTOR)
    return _factor_page(handle, attempt, user)


@bp.post("/flow/<handle>/factor")
def prove_factor(handle: str) -> AnyResponse:
    check_csrf()
    attempt, user = due(handle, Step.FACTOR)
    outcome = attempted(
        lambda: parts().sign_in.prove_factor(attempt, current_session(), form_field("code", limit=64)),
        "wrong_code",
        "used_code",
        "factor_locked",
        "too_many_attempts",
    )
    if isinstance(outcome, Problem):
        return _factor_page(handle, attempt, user, outcome)
    return redirect(f"/flow/{handle}", 303)


@bp.get("/flow/<handle>/enrol")
def enrol_page(handle: str) -> AnyResponse:
    attempt, user = _enrolment_due(handle)
    return _enrol_page(handle, attempt, user)


@bp.post("/flow/<handle>/enrol")
def prove_enrolment(handle: str) -> AnyResponse:
    """One code proves the authenticator; the answer shows the recovery codes, once, and is not a redirect: they must not
    stand in an address or a cookie."""
    check_csrf()
    again = _sent_twice(handle)
    if again is not None:
        return again
    attempt, user = _enrolment_due(handle)
    outcome = attempted(
        lambda: parts().sign_in.prove_enrolment(attempt, current_session(), form_field("code", limit=64)),
        "wrong_code",
        "enrolment_expired",
    )
    if isinstance(outcome, Problem):
        return _enrol_page(handle, attempt, user, outcome)
    return form_page("recovery_codes.html", codes=outcome[1], onward=f"/flow/{handle}")


def due(handle: str, step: Step) -> tuple[LoginAttempt, User]:
    """The attempt and whom it is about, when `step` is what it needs now; else the browser goes where it should be."""
    attempt = load(handle)
    decision = parts().sign_in.decide(attempt, current_session())
    if decision.step is not step or decision.user is None:
        abort(redirect(f"/flow/{handle}", 303))
    return attempt, decision.user


def _enrolment_due(handle: str) -> tuple[LoginAttempt, User]:
    """Whoever has only a session that began a while ago proves themselves again first: a browser that was left alone must
    not get a second step of its own."""
    attempt, user = due(handle, Step.ENROL)
    session = current_session()
    if attempt.proof is None and session is not None and not is_recent(session, user):
        parts().sign_in.start_over(attempt)
        abort(redirect(f"/flow/{handle}", 303))
    return attempt, user


def _sent_twice(handle: str) -> Response | None:
    """A double click shows only the second answer, and the codes of the first were never seen: make new ones.

    Only for an attempt whose own proofs include the authenticator and are older than it: it was set up right here.
    """
    attempt = load(handle)
    proof = attempt.proof
    if proof is None or proof.factor_at is None or OTP not in proof.amr:
        return None
    user, enrolled_at = parts().users.get(proof.user_id), parts().factors.enrolled_at(proof.user_id)
    if user is None or enrolled_at is None or enrolled_at < proof.auth_time:
        return None
    return form_page("recovery_codes.html", codes=parts().factors.renew_recovery_codes(user), onward=f"/flow/{handle}")


def _factor_page(handle: str, attempt: LoginAttempt, user: User, problem: Problem | None = None) -> Response:
    by_recovery = request.form.get("way") == "recovery"
    shown = {"handle": handle, "app_name": attempt.app_name, "account": user.username, "by_recovery": by_recovery}
    return form_page("factor.html", problem, **shown)


def _enrol_page(handle: str, attempt: LoginAttempt, user: User, problem: Problem | None = None) -> Response:
    enrolment = parts().factors.enrolment(user, attempt.browser)
    return form_page(
        "enrol.html",
        problem,
        action=f"/flow/{handle}/enrol",
        app_name=attempt.app_name,
        enrolment=enrolment,
        qr=qr_svg(enrolment.uri),
        account=user.username,
        restart=f"/flow/{handle}/restart",
    )
