"""Owns the way to an upstream provider and back, for signing in and for joining one more login to an account.

Leaves the protocol to the upstream kinds, whom a login belongs to to idp.services.link_login, and the next step to the flow.
"""

from dataclasses import replace

from flask import Blueprint, g, redirect, request
from werkzeug.wrappers import Response

from idp.base.errors import Refused
from idp.domain.attempt import LoginAttempt, Step
from idp.domain.session import Session
from idp.domain.upstream import UpstreamProvider
from idp.domain.user import User
from idp.http import seeing
from idp.http.browser import browser_digest, current_session
from idp.http.own_pages import recently_signed_in
from idp.http.parts import parts
from idp.http.render import speak
from idp.http.security import check_csrf
from idp.http.sending import sent_away
from idp.services.depart_upstream import unexpected
from idp.web.upstream_saml import arrive, arrives_by_post, note_departure, watched
from idp.web.upstream_trials import provider_for, trial_answered

bp = Blueprint("upstream", __name__)

MAX_PARAMS = 20


@bp.post("/flow/<handle>/upstream/<provider_id>")
def depart(handle: str, provider_id: str) -> Response:
    check_csrf()
    services = parts()
    attempt = seeing.about(services.sign_in.load(handle, browser_digest(make=True)))
    speak(attempt.wants.language)
    provider = services.upstreams.enabled(provider_id)
    services.sign_in.must_accept(attempt, provider)
    step = services.sign_in.decide(attempt, current_session()).step
    if attempt.linking or step not in (Step.CHOOSE, Step.LINK):
        raise _wrong_step(f"{step} is due")
    return leave(handle, attempt, provider)


@bp.get("/upstream/<provider_id>/callback")
def callback(provider_id: str) -> Response:
    """The upstream's answer: tied to a departure of this provider, to this browser, and good once."""
    services = parts()
    waiting = request.args.get("arrival", "")
    params = services.departures.arrival(waiting, provider_id) if waiting else _params()
    state = params.get("RelayState" if waiting else "state", "")
    provider = provider_for(provider_id, state)
    kind = services.kinds.open(provider)
    if arrives_by_post(kind) is not bool(waiting):
        raise unexpected("the answer came by another way than those of this kind")
    departure = services.departures.find(state, provider.id)
    if (told := trial_answered(departure, provider, kind, params)) is not None:
        return told
    attempt = seeing.about(services.sign_in.load(departure.handle, browser_digest()))
    speak(attempt.wants.language)
    g.sheaf_back = _way_back(departure.handle, attempt)
    if attempt.proof is not None:
        raise _wrong_step("this attempt was proved meanwhile, in another tab")
    services.sign_in.must_accept(attempt, provider)
    with services.kinds.room.place(provider.id):  # before anything is used up: who must wait may come again
        services.departures.take(departure)
        if waiting:
            services.departures.forget_arrival(waiting)
        identity = arrive(kind, provider, params, departure.remembered)
    attempt = seeing.arrived(attempt, identity)
    if attempt.linking:
        services.sign_in.link_more(attempt, current_session(), identity)
        seeing.linked(attempt)
    else:
        services.sign_in.arrive(attempt, identity, provider)
    return redirect(g.sheaf_back, 303)


@bp.post("/account/link/<provider_id>")
def link(provider_id: str) -> Response:
    """Join one more login: a form of our own, and a recent proof of who asks."""
    check_csrf()
    session, user = recently_signed_in()
    return _leave_to_link(session, user, parts().upstreams.enabled(provider_id))


@bp.post("/account/unlink/<login_id>")
def unlink(login_id: str) -> Response:
    check_csrf()
    session, user = recently_signed_in()
    services = parts()
    local_login = services.sign_in.local_login_allowed(user)
    services.links.unlink(user, login_id, actor=user.id, local_login=local_login, here=session.sid)
    return redirect("/account", 303)


def callback_url(provider_id: str) -> str:
    """One for each provider, so that the answer of one is never taken for that of another (RFC 9700 4.4.2)."""
    return f"{parts().installation.issuer}/upstream/{provider_id}/callback"


def _leave_to_link(session: Session, user: User, provider: UpstreamProvider) -> Response:
    """An attempt of its own that can only end in a link to this user, in this browser and session."""
    services = parts()
    draft = services.sign_in.draft("account", "/account", {"sid": session.sid})
    attempt = replace(draft.attempt, linking=True, owner_id=user.id, browser=browser_digest(make=True))
    return leave(services.sign_in.save(replace(draft, attempt=attempt)), attempt, provider)


def leave(handle: str, attempt: LoginAttempt, provider: UpstreamProvider, *, hint: str | None = None) -> Response:
    """Sends the browser of this attempt to the upstream. hint: the name that the person typed here for it."""
    services = parts()
    g.sheaf_back = _way_back(handle, attempt)
    seeing.via(provider)
    hint = hint or (attempt.wants.login_hint if attempt.front_door != "account" else None)
    force = attempt.wants.force or provider.always_ask
    kind = services.kinds.open(provider)
    if getattr(kind, "asks_password", False):
        return redirect(f"/flow/{handle}/directory/{provider.id}", 303)
    with services.kinds.room.place(provider.id), watched(provider):
        departure = kind.depart(
            provider, callback_url(provider.id), force=force, login_hint=hint, max_age=attempt.wants.max_age
        )
    services.departures.begin(handle, attempt, provider.id, departure.remembered)
    note_departure(provider, departure)
    return sent_away(departure, provider.label)


def _way_back(handle: str, attempt: LoginAttempt) -> str:
    return "/account" if attempt.linking else f"/flow/{handle}"


def _wrong_step(reason: str) -> Refused:
    return Refused("wrong_step", "This page is no longer the current step.", status=409, reason=reason)


def _params() -> dict[str, str]:
    """One value for each name (RFC 6749 3.1). Raises Refused(repeated_field)."""
    names = list(request.args)
    if len(names) > MAX_PARAMS or any(len(request.args.getlist(name)) > 1 for name in names):
        raise Refused("repeated_field", "The answer of the other side has a field twice. Start again.")
    return request.args.to_dict()
