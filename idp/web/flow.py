"""The dispatcher: looks at the attempt, asks for the next step, and shows it or sends the browser there.

Owns the pages for choosing how to sign in and for joining a login; factor, enrolment and consent have files of their own
and come back here. Leaves every decision to idp.domain.attempt.next_step.
"""

from collections.abc import Sequence
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from idp.base.errors import Refused
from idp.domain import home_realm
from idp.domain.attempt import LoginAttempt, Step, accepts, waits
from idp.domain.upstream import UpstreamProvider
from idp.http import seeing
from idp.http.browser import browser_digest, current_session, last_way, left_behind, remember_way, sign_browser_in
from idp.http.parts import parts
from idp.http.render import page, sentence, speak, text
from idp.http.security import allow_form_target, check_csrf, form_field
from idp.web.app_marks import marks

bp = Blueprint("flow", __name__)

_PAGES = {Step.FACTOR: "factor", Step.ENROL: "enrol", Step.CONSENT: "consent"}
_SHOWN_ON_THE_FORM = ("wrong_credentials", "too_many_attempts", "missing_field", "field_too_long")


@bp.get("/flow/<handle>")
def dispatch(handle: str) -> AnyResponse:
    attempt = load(handle)
    step = parts().sign_in.decide(attempt, current_session()).step
    if step in (Step.CONSENT, Step.DONE) and waits(attempt):
        # What comes with the login may ask for more than its owner has proved so far.
        attempt = seeing.about(parts().sign_in.join(attempt))
        step = parts().sign_in.decide(attempt, current_session()).step
    if step in _PAGES:
        return redirect(f"/flow/{handle}/{_PAGES[step]}", 303)
    if step in (Step.DONE, Step.DENIED):
        return _finish(handle, attempt)
    return make_response(way_page(handle, attempt, step))


@bp.post("/flow/<handle>/password")
def password(handle: str) -> AnyResponse:
    check_csrf()
    attempt = load(handle)
    try:
        owner = _due(attempt, Step.CHOOSE, Step.LINK)
        login = owner or form_field("username", limit=320)
        address = request.remote_addr or "unknown"
        parts().sign_in.prove_password(attempt, login, form_field("password", limit=1024), address)
    except Refused as refused:
        if refused.code not in _SHOWN_ON_THE_FORM:
            raise
        trace = seeing.kept("flow", refused)
        step = Step.LINK if attempt.waiting else Step.CHOOSE
        if step is Step.LINK and refused.code == "wrong_credentials":  # only a password was asked for
            refused = Refused("wrong_password", "The password is not right.", status=refused.status)
        response = make_response(way_page(handle, attempt, step, refused, trace), refused.status)
        response.headers.extend(refused.headers)
        return response
    return redirect(f"/flow/{handle}", 303)


@bp.post("/flow/<handle>/separate")
def keep_separate(handle: str) -> AnyResponse:
    """Not my account, or not to be joined: a user of its own."""
    check_csrf()
    attempt = load(handle)
    _due(attempt, Step.LINK)
    assert attempt.waiting is not None
    provider = parts().upstreams.enabled(attempt.waiting.provider_id)
    seeing.via(provider)
    parts().sign_in.keep_separate(attempt, provider)
    return redirect(f"/flow/{handle}", 303)


@bp.post("/flow/<handle>/restart")
def restart(handle: str) -> AnyResponse:
    """Not you, or another way after all: back to the first page of the same attempt."""
    check_csrf()
    parts().sign_in.start_over(load(handle))
    return redirect(f"/flow/{handle}", 303)


@bp.post("/flow/<handle>/cancel")
def cancel(handle: str) -> AnyResponse:
    """Back to the app, which is told that access was denied."""
    check_csrf()
    parts().sign_in.deny(load(handle))
    return redirect(f"/flow/{handle}", 303)


def load(handle: str) -> LoginAttempt:
    """The attempt for this browser. Its forms end, after redirects, at the app and wherever that sends people next:
    browsers apply form-action to every hop, so these pages allow https and the app's own origin."""
    attempt = seeing.about(parts().sign_in.load(handle, browser_digest(make=True)))
    speak(attempt.wants.language)
    allow_form_target("https:")
    origin = attempt.request.get("redirect_origin")
    if origin:
        allow_form_target(str(origin))
    return attempt


def _due(attempt: LoginAttempt, *steps: Step) -> str | None:
    """Raises Refused(wrong_step) unless one of `steps` is due. Gives the user name of the owner who must prove themselves."""
    step = parts().sign_in.decide(attempt, current_session()).step
    if step not in steps:
        raise Refused("wrong_step", "This page is no longer the current step.", status=409, reason=f"{step} is due")
    owner = parts().users.get(attempt.owner_id) if attempt.owner_id else None
    return owner.username_key if owner else None


def way_page(
    handle: str,
    attempt: LoginAttempt,
    step: Step,
    refused: Refused | None = None,
    trace: str | None = None,
    *,
    found: Sequence[UpstreamProvider] | None = None,
) -> str:
    """found: homes of the address that was typed, if it has several, or none; None: it was not asked yet."""
    shared: dict[str, object] = {
        "handle": handle,
        "app_name": attempt.app_name,
        "marks": marks(handle, attempt),
        "error": sentence(refused) if refused else None,
        "trace": trace,
    }
    if step is Step.LINK:
        return _link_page(attempt, shared)
    shared["local_login"] = parts().sign_in.local_login_allowed(None) and accepts(attempt.wants, None)
    providers, asked = found or ways(attempt), refused is not None or found is not None
    typed = request.form.get("username", "")[:320] if asked else attempt.wants.login_hint or ""
    where_first = not asked and home_realm.wanted(providers)
    return page(
        "sign_in.html",
        providers=providers,
        login=typed,
        last_provider=last_way(),
        where_first=where_first,
        **shared,
    )


def ways(attempt: LoginAttempt) -> list[UpstreamProvider]:
    """The upstreams that the app accepts, in the order of their buttons."""
    return [one for one in parts().upstreams.for_sign_in() if accepts(attempt.wants, one.id)]


def _link_page(attempt: LoginAttempt, shared: dict[str, object]) -> str:
    services = parts()
    owner = services.users.get(attempt.owner_id or "")
    assert attempt.waiting is not None
    provider = services.upstreams.enabled(attempt.waiting.provider_id)
    if owner is None:
        raise Refused("attempt_expired", "This sign-in has expired. Start again from the app.", status=410)
    by_password, by_providers = services.links.ways_to_prove(
        owner, local_login=services.sign_in.local_login_allowed(owner)
    )
    providers = [one for one in services.upstreams.for_sign_in() if one.id in by_providers]
    methods = [*([str(text("link.by_password"))] if by_password else []), *(one.label for one in providers)]
    return page(
        "link.html",
        # What the person came with, and not what else stands in that account.
        masked_email=_masked(attempt.waiting.email or ""),
        provider_label=provider.label,
        methods=f" {text('link.by_or')} ".join(methods),
        by_password=by_password,
        providers=providers,
        may_keep_separate=services.sign_in.may_keep_separate(attempt, provider),
        **shared,
    )


def _finish(handle: str, attempt: LoginAttempt) -> Response | AnyResponse:
    user_agent = request.headers.get("User-Agent", "")
    closed, session_handle = parts().sign_in.finish(attempt, current_session(), user_agent, left_behind())
    seeing.finished(closed)
    if session_handle:
        sign_browser_in(session_handle)
        remember_way(closed.proof.provider_id if closed.proof else None)
    return redirect(f"{closed.resume_path}?{urlencode({'attempt': handle})}", 303)


def _masked(email: str) -> str:
    local, _, domain = email.partition("@")
    return f"{local[:1]}…@{domain}"
