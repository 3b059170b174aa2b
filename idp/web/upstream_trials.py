"""The way of an administrator to an upstream and back in a test, also of one that is off. Nobody is signed in or joined by it.

Leaves beginning a test and showing what it came to to idp.admin, whether it counts to idp.services.upstream_tests, and checking
answers to the upstream kinds.
"""

from collections.abc import Callable, Mapping
from typing import cast

from flask import Blueprint, make_response, redirect, request
from werkzeug.wrappers import Response

from idp.base.errors import Refused
from idp.domain.checks import Checks
from idp.domain.upstream import UpstreamDeparture, UpstreamIdentity, UpstreamProvider
from idp.domain.upstream_trial import UpstreamTrial
from idp.http.browser import browser_digest, current_user
from idp.http.forms import Problem, attempted, form_page
from idp.http.parts import parts
from idp.http.security import check_csrf, form_field
from idp.http.sending import sent_away
from idp.ports import Departure, DirectoryKind, UpstreamKind
from idp.services.prove_directory import prove_directory

bp = Blueprint("upstream_trials", __name__)


def provider_for(provider_id: str, state: str) -> UpstreamProvider:
    """The upstream that an answer with this state came from: enabled; or off, if the answer is to a test of it under way.

    Raises Refused(unknown_upstream): any other answer of one that is off.
    """
    services = parts()
    provider = services.upstreams.get(provider_id)
    if provider is not None and not provider.enabled:
        trial = services.upstream_tests.of(services.departures.handle_of(state, provider_id))
        if trial is not None and trial.ended_at is None:
            return provider
    return services.upstreams.enabled(provider_id)


def trial_answered(
    departure: UpstreamDeparture, provider: UpstreamProvider, kind: UpstreamKind, params: Mapping[str, str]
) -> Response | None:
    """The answer to a test, judged and kept for its page; None for the answer to a sign-in."""
    services = parts()
    found = services.upstream_tests.of(departure.handle)
    if found is None:
        return None
    trial, callback = _mine(departure.handle, provider.id), _callback_url(provider)
    with services.kinds.room.place(provider.id):
        services.departures.take(departure)
        services.departures.forget_arrival(request.args.get("arrival", ""))
        return _judged(
            departure.handle,
            trial,
            lambda checks: kind.arrive(provider, callback, params, departure.remembered, checks),
        )


@bp.get("/upstream/<provider_id>/trial/<handle>")
def depart(provider_id: str, handle: str) -> Response:
    trial = _mine(handle, provider_id)
    provider = _provider(provider_id)
    if trial.ended_at is not None:
        return redirect(_result_path(provider_id, handle), 303)
    try:
        kind = parts().kinds.open(provider)
        if getattr(kind, "asks_password", False):
            return _form(provider, handle)
        departure = _departure(provider, kind)
    except Refused as refused:
        if refused.code == "upstream_busy":
            raise
        parts().upstream_tests.failed(trial, refused, ())
        return redirect(_result_path(provider_id, handle), 303)
    parts().departures.begin(handle, trial, provider.id, departure.remembered)
    return sent_away(departure, provider.label)


def _departure(provider: UpstreamProvider, kind: UpstreamKind) -> Departure:
    with parts().kinds.room.place(provider.id):
        return kind.depart(provider, _callback_url(provider), force=provider.always_ask, login_hint=None)


@bp.post("/upstream/<provider_id>/trial/<handle>")
def prove(provider_id: str, handle: str) -> Response:
    """By name and password, for a directory. Neither is kept."""
    check_csrf()
    trial, provider = _mine(handle, provider_id), _provider(provider_id)
    kind = parts().kinds.open(provider)
    if not getattr(kind, "asks_password", False):
        raise Refused("unknown_upstream", "This way to sign in is not available. Choose another one.", status=404)
    with parts().kinds.room.place(provider.id):
        outcome = attempted(lambda: _proved(handle, trial, provider, cast("DirectoryKind", kind)), "too_many_attempts")
    return _form(provider, handle, outcome) if isinstance(outcome, Problem) else outcome


def _proved(handle: str, trial: UpstreamTrial, provider: UpstreamProvider, kind: DirectoryKind) -> Response:
    login, password = form_field("username", limit=320), form_field("password", limit=1024)

    def prove(checks: Checks) -> UpstreamIdentity:
        return prove_directory(
            parts().throttles,
            parts().audit,
            kind,
            provider,
            login=login,
            password=password,
            address=request.remote_addr or "unknown",
            checks=checks,
        )

    return _judged(handle, trial, prove)


def _judged(handle: str, trial: UpstreamTrial, arrive: Callable[[Checks], UpstreamIdentity]) -> Response:
    checks, tests = Checks(), parts().upstream_tests
    try:
        identity = arrive(checks)
    except Refused as refused:
        if refused.code == "too_many_attempts":  # nobody was asked
            raise
        tests.failed(trial, refused, checks.made)
    else:
        tests.ended(trial, identity, checks.made)
    return redirect(_result_path(trial.provider_id, handle), 303)


def _mine(handle: str, provider_id: str) -> UpstreamTrial:
    """Raises Refused(trial_over | not_administrator): tests are for the administrator who began them, in that browser."""
    user = current_user()
    trial = parts().upstream_tests.load(handle, provider_id, user.id if user else None, browser_digest())
    if user is None or not user.is_administrator:
        raise Refused("not_administrator", "This is for administrators. Ask one of them.", status=403)
    return trial


def _provider(provider_id: str) -> UpstreamProvider:
    provider = parts().upstreams.get(provider_id)
    if provider is None:
        raise Refused("unknown_upstream", "This way to sign in is not available. Choose another one.", status=404)
    return provider


def _form(provider: UpstreamProvider, handle: str, problem: Problem | None = None) -> Response:
    answer = form_page("upstream_trial.html", problem, provider=provider, handle=handle)
    return make_response(answer)


def _callback_url(provider: UpstreamProvider) -> str:
    return f"{parts().installation.issuer}/upstream/{provider.id}/callback"


def _result_path(provider_id: str, handle: str) -> str:
    return f"/admin/upstreams/{provider_id}/tested/{handle}"
