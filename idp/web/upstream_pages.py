"""Owns the way to an upstream provider and back, for signing in and for joining one more login to an account.

Leaves the protocol to the upstream kinds, whom a login belongs to to idp.services.link_login, and the next step to the flow.
"""

from dataclasses import replace

from flask import Blueprint, g, make_response, redirect, request
from werkzeug.wrappers import Response

from idp.base.errors import Refused
from idp.domain.attempt import LoginAttempt, Step
from idp.domain.upstream import UpstreamProvider
from idp.domain.user import User
from idp.http.browser import browser_digest, current_session
from idp.http.own_pages import recently_signed_in
from idp.http.parts import parts
from idp.http.render import page, speak
from idp.http.security import allow_form_target, check_csrf
from idp.web.upstream_saml import arrive, arrives_by_post, note_departure, origin_of

bp = Blueprint("upstream", __name__)

MAX_PARAMS = 20


@bp.post("/flow/<handle>/upstream/<provider_id>")
def depart(handle: str, provider_id: str) -> Response:
    check_csrf()
    services = parts()
    attempt = services.sign_in.load(handle, browser_digest(make=True))
    speak(attempt.wants.language)
    provider = services.upstreams.enabled(provider_id)
    _must_be_for_sign_in(provider)
    step = services.sign_in.decide(attempt, current_session()).step
    if attempt.linking or step not in (Step.CHOOSE, Step.LINK):
        raise _wrong_step(f"{step} is due")
    return _leave(handle, attempt, provider)


@bp.get("/upstream/<provider_id>/callback")
def callback(provider_id: str) -> Response:
    """The upstream's answer: tied to a departure of this provider, to this browser, and good once."""
    services = parts()
    provider = services.upstreams.enabled(provider_id)
    kind = services.kinds.open(provider)
    by_post = arrives_by_post(kind)
    waiting = request.args.get("arrival", "")
    params = services.departures.arrival(waiting, provider.id) if by_post else _params()
    departure = services.departures.find(params.get("RelayState" if by_post else "state", ""), provider.id)
    attempt = services.sign_in.load(departure.handle, browser_digest())
    speak(attempt.wants.language)
    g.sheaf_back = _way_back(departure.handle, attempt)
    if attempt.proof is not None:
        raise _wrong_step("this attempt was proved meanwhile, in another tab")
    if not attempt.linking:
        _must_be_for_sign_in(provider)
    services.departures.take(departure)
    if by_post:
        services.departures.forget_arrival(waiting)
    identity = arrive(kind, provider, params, departure.remembered)
    if attempt.linking:
        services.sign_in.link_more(attempt, current_session(), identity)
    else:
        services.sign_in.arrive(attempt, identity, provider)
    return redirect(g.sheaf_back, 303)


@bp.post("/account/link/<provider_id>")
def link(provider_id: str) -> Response:
    """Join one more login: a form of our own, and a recent proof of who asks."""
    check_csrf()
    _, user = recently_signed_in()
    return _leave_to_link(user, parts().upstreams.enabled(provider_id))


@bp.post("/account/unlink/<login_id>")
def unlink(login_id: str) -> Response:
    check_csrf()
    _, user = recently_signed_in()
    services = parts()
    local_login = services.sign_in.local_login_allowed(user)
    services.links.unlink(user, login_id, actor=user.id, local_login=local_login)
    return redirect("/account", 303)


def callback_url(provider_id: str) -> str:
    """One for each provider, so that the answer of one is never taken for that of another (RFC 9700 4.4.2)."""
    return f"{parts().installation.issuer}/upstream/{provider_id}/callback"


def _leave_to_link(user: User, provider: UpstreamProvider) -> Response:
    """An attempt of its own that can only end in a link to this user, in this browser."""
    services = parts()
    draft = services.sign_in.draft("account", "/account", {})
    attempt = replace(draft.attempt, linking=True, owner_id=user.id, browser=browser_digest(make=True))
    return _leave(services.sign_in.save(replace(draft, attempt=attempt)), attempt, provider)


def _leave(handle: str, attempt: LoginAttempt, provider: UpstreamProvider) -> Response:
    services = parts()
    g.sheaf_back = _way_back(handle, attempt)
    hint = attempt.wants.login_hint if attempt.front_door != "account" else None
    # An app that says how old a proof may be does not mean how long ago the upstream let this browser through.
    force = attempt.wants.force or attempt.wants.max_age is not None
    kind = services.kinds.open(provider)
    departure = kind.depart(provider, callback_url(provider.id), force=force, login_hint=hint)
    services.departures.begin(handle, attempt, provider.id, departure.remembered)
    note_departure(provider, departure)
    if departure.form is not None:
        # Browsers hold form-action against every hop that follows, and upstreams send people on to hosts nobody here knows.
        allow_form_target(origin_of(departure.url))
        allow_form_target("https:")
        return make_response(
            page("form_post.html", action=departure.url, fields=departure.form, app_name=provider.label)
        )
    # Not a redirect: browsers hold the form's CSP form-action against every hop that follows it, and upstreams send people
    # on to hosts that nobody here knows. A page that moves on by itself begins a navigation of its own.
    response = make_response(page("leaving.html", url=departure.url, label=provider.label))
    response.headers["Refresh"] = f"0;url={departure.url}"
    return response


def _way_back(handle: str, attempt: LoginAttempt) -> str:
    return "/account" if attempt.linking else f"/flow/{handle}"


def _must_be_for_sign_in(provider: UpstreamProvider) -> None:
    if provider.mode != "sign_in":
        raise Refused("upstream_not_for_sign_in", "This way is not for signing in. Choose another one.", status=403)


def _wrong_step(reason: str) -> Refused:
    return Refused("wrong_step", "This page is no longer the current step.", status=409, reason=reason)


def _params() -> dict[str, str]:
    """One value for each name (RFC 6749 3.1). Raises Refused(repeated_field)."""
    names = list(request.args)
    if len(names) > MAX_PARAMS or any(len(request.args.getlist(name)) > 1 for name in names):
        raise Refused("repeated_field", "The answer of the other side has a field twice. Start again.")
    return request.args.to_dict()
