"""Trying a service provider: what it would be told about a person, and a sign-in of one's own by its rules. It is told nothing.

The test is a sign-in as every other, with a front door of its own: it ends here, with the answer as the door would write it,
but without any signature, so that it is worth nothing to anybody. Leaves the sign-in to idp.services.sign_in and the answer to
the SAML door, which idp.app hands in.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from flask import Blueprint, current_app, redirect, request
from markupsafe import Markup
from werkzeug.wrappers import Response

from idp.admin import as_words, sp_words
from idp.admin.common import shown
from idp.admin.happened import Happened, first_step, second_step
from idp.admin.names import sp_api_path_of, sp_path_of
from idp.admin.saml_common import LIST_PATH, find_sp
from idp.admin.sp_changes import said_by
from idp.admin.sp_previews import preview_for
from idp.admin.try_pages import DOOR, MAX_TYPED
from idp.base.errors import Refused
from idp.domain.attempt import Wants
from idp.domain.relying import ServiceProvider
from idp.domain.session import Session
from idp.domain.user import User
from idp.http.browser import browser_digest
from idp.http.forms import Problem, attempted
from idp.http.own_pages import administrator
from idp.http.parts import parts
from idp.http.render import text
from idp.http.security import check_csrf
from idp.services.attempts import Finished

bp = Blueprint("admin_saml_try", __name__)

# The answer that a service provider would get for this session, without any signature (XML).
Trial = Callable[[str, User, Session], bytes]
TRIAL = "sheaf_saml_trial"


@dataclass(frozen=True, slots=True)
class Tried:
    """xml: for reading, empty when there would be no assertion; why: the reason then, for administrators."""

    xml: str = ""
    why: str = ""


@bp.before_request
def _looking_is_not_doing() -> Response | None:
    """Link checkers ask with HEAD: that must not use up the result."""
    return Response() if request.method == "HEAD" and request.endpoint == "admin_saml_try.test_done" else None


# ---------------------------------------------------------------- what would it be told


@bp.get(f"{LIST_PATH}/<name>/preview")
def preview(name: str) -> Response:
    administrator(request.path)
    sp = find_sp(name)
    login = request.args.get("user", "")[:MAX_TYPED].strip()
    found, persistent, problem = None, "", None
    if login:
        outcome = attempted(lambda: preview_for(parts(), sp, login), "unknown_user", "invalid_sp_metadata")
        if isinstance(outcome, Problem):
            problem = outcome
        else:
            found, persistent = outcome
    asked = f"{sp_api_path_of(sp.id, 'preview')}?user={login or 'NAME'}"
    return shown(
        "admin_saml_preview.html",
        problem,
        sp=sp,
        base=sp_path_of(sp.id),
        login=login,
        found=found,
        persistent=persistent,
        command=sp_words.command(("preview", sp.id, login or "NAME"), {}),
        api_call=as_words.api_call(parts().installation.issuer, "GET", asked),
    )


# ---------------------------------------------------------------- a sign-in


@bp.get(f"{LIST_PATH}/<name>/test")
def test_page(name: str) -> Response:
    administrator(request.path)
    sp = find_sp(name)
    return shown("admin_saml_test.html", sp=sp, base=sp_path_of(sp.id))


@bp.post(f"{LIST_PATH}/<name>/test")
def begin(name: str) -> Response:
    check_csrf()
    user = administrator(request.path)
    sp = find_sp(name)
    draft = parts().sign_in.draft(
        DOOR,
        f"{sp_path_of(sp.id)}/test/done",
        {},
        app_id=sp.id,
        app_name=sp.name,
        wants=Wants(
            force=bool(request.form.get("anew")),
            second_factor=sp.second_factor_required,
            login_hint=user.username,
            upstreams=sp.upstreams,
        ),
    )
    handle = parts().sign_in.save(replace(draft, attempt=replace(draft.attempt, owner_id=user.id)))
    return redirect(f"/flow/{handle}", 303)


@bp.get(f"{LIST_PATH}/<name>/test/done")
def test_done(name: str) -> Response:
    """What the sign-in came to, for the administrator who is signed in by it (or still is)."""
    user = administrator(f"{LIST_PATH}/{name}/test")
    sp = find_sp(name)
    finished = parts().sign_in.collect(request.args.get("attempt", ""), browser_digest())
    attempt = finished.attempt
    if attempt.front_door != DOOR or attempt.app_id != sp.id:
        raise Refused("attempt_used", "This sign-in belongs to another app. Start again there.", status=409)
    tried = Tried()
    if finished.user is not None and finished.session is not None:
        if finished.user.id != user.id:
            raise Refused("not_administrator", "Somebody else has signed in meanwhile.", status=403)
        tried = _tried(sp, user, finished.session)
    return shown(
        "admin_saml_test_done.html", sp=sp, base=sp_path_of(sp.id), steps=_steps(sp, finished, tried), xml=tried.xml
    )


def _tried(sp: ServiceProvider, user: User, session: Session) -> Tried:
    from idp.saml.redact import indented  # here: it loads an XML library

    trial: Trial = current_app.extensions[TRIAL]
    try:
        return Tried(xml=indented(trial(sp.id, user, session).decode()))
    except Refused as refused:
        return Tried(why=refused.reason)


# ---------------------------------------------------------------- what happened


def _steps(sp: ServiceProvider, finished: Finished, tried: Tried) -> list[Happened]:
    attempt = finished.attempt
    asked = Happened(text("admin_saml_test.asked", app=sp.name), _rules(sp))
    proved = [] if attempt.proof is None else [first_step(attempt), second_step(attempt)]
    if attempt.denied:
        return [asked, *proved, Happened(text("admin_saml_test.declined"), good=False)]
    if not tried.xml:
        return [asked, *proved, Happened(text("admin_saml_test.refused"), (Markup.escape(tried.why),), good=False)]
    view = said_by(parts(), sp)
    acs = view.default_acs().url if view is not None else ""
    return [asked, *proved, Happened(text("admin_saml_test.answer", acs=acs), _protection(sp))]


def _rules(sp: ServiceProvider) -> tuple[Markup, ...]:
    view = said_by(parts(), sp)
    signed = sp.sign_requests == "always" or (view is not None and view.requests_signed)
    said = {
        "off": not sp.enabled,
        "signed": signed or parts().settings.saml.require_signed_requests,
        "initiated": sp.idp_initiated,
    }
    return tuple(text(f"admin_saml_test.rule_{name}") for name, so in said.items() if so)


def _protection(sp: ServiceProvider) -> tuple[Markup, ...]:
    signed = text("admin_saml_test.signed_both" if sp.sign_response else "admin_saml_test.signed_assertion")
    return signed, text(f"admin_saml_test.encrypt_{sp.encrypt}"), text("admin_saml_test.not_sent")
