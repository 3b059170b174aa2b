"""The page where somebody types the name and password of a directory (LDAP), for signing in and for joining one more login.

Leaves counting failures to idp.services.prove_directory, and whose login it is and what comes next to sign_in and the flow.
"""

from typing import cast

from flask import Blueprint, g, make_response, redirect, request
from werkzeug.wrappers import Response

from idp.base.errors import Refused
from idp.domain.attempt import LoginAttempt, Step
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.http import seeing
from idp.http.browser import current_session
from idp.http.parts import parts
from idp.http.render import page, sentence
from idp.http.security import check_csrf, form_field
from idp.ports import DirectoryKind
from idp.services.prove_directory import prove_directory
from idp.web.flow import load
from idp.web.upstream_saml import watched

bp = Blueprint("directory", __name__)

_SHOWN_ON_THE_FORM = ("wrong_credentials", "too_many_attempts", "missing_field", "field_too_long")


@bp.get("/flow/<handle>/directory/<provider_id>")
def form(handle: str, provider_id: str) -> Response:
    attempt, provider = _due(handle, provider_id)
    hint = attempt.wants.login_hint if attempt.front_door != "account" else None
    return make_response(_page(handle, attempt, provider, login=hint or ""))


@bp.post("/flow/<handle>/directory/<provider_id>")
def prove(handle: str, provider_id: str) -> Response:
    check_csrf()
    attempt, provider = _due(handle, provider_id)
    services = parts()
    try:
        identity = _proved(provider)
    except Refused as refused:
        if refused.code not in _SHOWN_ON_THE_FORM:
            raise
        trace = seeing.kept("flow", refused)
        typed = request.form.get("username", "")[:320]
        response = make_response(_page(handle, attempt, provider, typed, refused, trace), refused.status)
        response.headers.extend(refused.headers)
        return response
    attempt = seeing.arrived(attempt, identity)
    if attempt.linking:
        services.sign_in.link_more(attempt, current_session(), identity)
        seeing.linked(attempt)
    else:
        services.sign_in.arrive(attempt, identity, provider, forced=True)
    return redirect(g.sheaf_back, 303)


def _due(handle: str, provider_id: str) -> tuple[LoginAttempt, UpstreamProvider]:
    """Raises Refused(unknown_upstream | upstream_not_for_sign_in | way_not_accepted | wrong_step)."""
    attempt = load(handle)
    services = parts()
    g.sheaf_back = "/account" if attempt.linking else f"/flow/{handle}"
    provider = services.upstreams.enabled(provider_id)
    seeing.via(provider)
    services.sign_in.must_accept(attempt, provider)
    _directory(provider)
    if not attempt.linking:
        step = services.sign_in.decide(attempt, current_session()).step
        if step not in (Step.CHOOSE, Step.LINK):
            raise Refused("wrong_step", "This page is no longer the current step.", status=409, reason=f"{step} is due")
    return attempt, provider


def _proved(provider: UpstreamProvider) -> UpstreamIdentity:
    services = parts()
    login, password = form_field("username", limit=320), form_field("password", limit=1024)
    with services.kinds.room.place(provider.id), watched(provider):
        identity = prove_directory(
            services.throttles,
            services.audit,
            _directory(provider),
            provider,
            login=login,
            password=password,
            address=request.remote_addr or "unknown",
            checks=seeing.checks(provider),
        )
    services.upstream_health.worked(provider.id)
    return identity


def _directory(provider: UpstreamProvider) -> DirectoryKind:
    kind = parts().kinds.open(provider)
    if not getattr(kind, "asks_password", False):
        raise Refused("unknown_upstream", "This way to sign in is not available. Choose another one.", status=404)
    return cast("DirectoryKind", kind)


def _page(
    handle: str,
    attempt: LoginAttempt,
    provider: UpstreamProvider,
    login: str,
    refused: Refused | None = None,
    trace: str | None = None,
) -> str:
    return page(
        "directory.html",
        handle=handle,
        provider=provider,
        login=login,
        app_name=attempt.app_name,
        linking=attempt.linking,
        error=sentence(refused) if refused else None,
        trace=trace,
    )
