"""The page of a logout under way: it sends the browser to one app after the other, shows how far it is, and ends with the
answer to whoever began it (SAML Profiles 4.4.3).

Nobody is locked in: an app that hangs leaves this page standing, with a link that goes on without it; who comes back by
himself from an app that is broken goes on with the next. Leaves the order and the states to idp.services.logout_runs.
"""

from typing import TYPE_CHECKING, cast

from flask import Blueprint, Flask, Response, make_response, redirect, request
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as AnyResponse

from idp.base.errors import Refused
from idp.domain.saml import LogoutRun, ToldOfLogout
from idp.http import leaving, saml_logout
from idp.http.browser import browser_digest, cookie_name, current, left_behind, sign_browser_out
from idp.http.parts import parts
from idp.http.render import page
from idp.protocols.saml import slo

if TYPE_CHECKING:
    from idp.saml.logout_peer import Outcome, Peer, Sent
    from idp.upstream.logout import Led, OidcPeer

bp = Blueprint("saml_logout_run", __name__)


def mount(app: Flask) -> None:
    """With it the addresses of single logout; none of them loads XML before the first message."""
    app.register_blueprint(slo.bp)
    app.register_blueprint(bp)


TIMEOUT_SECONDS = 10  # of an app that does not answer, where scripts run; others have the link


@bp.get(f"{leaving.RUN_PATH}<id>")
def run(id: str) -> AnyResponse:
    if request.method == "HEAD":  # looking is not doing
        return Response()
    runs = parts().logout_runs
    found = runs.visit(id, browser_digest(make=True) or "")
    if found is None:  # over, or of another browser: nothing is said but what everybody may know
        return redirect("/sign-out", 303)
    _forget_dead_session()
    if "skip" in request.args:
        runs.skip(found, request.args["skip"][:200])
        return redirect(f"{leaving.RUN_PATH}{id}", 303)
    if "answer" in request.args and found.initiator:
        return _answer(found)
    return _next(found)


def _next(found: LogoutRun) -> AnyResponse:
    runs = parts().logout_runs
    for _ in range(len(found.told) + 1):
        found, told = runs.advance(found)
        if told is None:
            break
        sent = _sent(told, found.request_id)
        if sent is not None:
            return _leading(found, told, sent)
        found = runs.skip(found, found.request_id)  # it was removed meanwhile, or has no address any more
    return redirect(leaving.last_page(found), 303)


def _sent(told: ToldOfLogout, request_id: str) -> "Sent | Led | None":
    """None when it was removed meanwhile, or has no address (any more)."""
    peer = _peer(told)
    if peer is None:
        return None
    facts = {**told.name_id, "session_index": told.session_index}
    try:
        sent = peer.request(facts, request_id, parts().clock())
    except Refused:  # nothing that keeps anybody from signing out
        return None
    if sent is not None and sent.document:
        saml_logout.keep_sent(cast("Sent", sent), cast("Peer", peer))
    return sent


def _leading(found: LogoutRun, told: ToldOfLogout, sent: "Sent | Led") -> Response:
    if sent.binding == "post":
        saml_logout.allow_post(sent.url)
    html = page(
        "saml_logout.html",
        lines=found.told,
        going_to=told.name,
        url=sent.url,
        fields=sent.fields,
        skip=f"{leaving.RUN_PATH}{found.id}?skip={found.request_id}",
        seconds=TIMEOUT_SECONDS,
    )
    response = make_response(html)
    if sent.binding == "redirect":
        # Not a redirect: browsers hold the form-action of the page with the form against every hop that follows it.
        response.headers["Refresh"] = f"0;url={iri_to_uri(sent.url)}"
    return response


def _answer(found: LogoutRun) -> AnyResponse:
    """To the peer that began it. Once more when the page is loaded again: it says the same."""
    peer = _initiator(found)
    outcome: Outcome = "done" if leaving.complete(found) else "partial"
    sent = None
    if peer is not None:
        sent = peer.answer(
            found.initiator_request, found.initiator_binding, found.relay_state, parts().clock(), outcome
        )
    if peer is None or sent is None:
        return redirect("/sign-out", 303)
    return saml_logout.leave(sent, peer)


def _peer(told: ToldOfLogout) -> "Peer | OidcPeer | None":
    if not told.upstream:
        return slo.peer_of(parts(), told.sp_id)
    from idp.upstream.logout import next_peer

    services = parts()
    try:
        return next_peer(told.sp_id, services.upstreams, services.kinds, services.installation.issuer)
    except Refused:  # nothing that keeps anybody from signing out
        return None


def _initiator(found: LogoutRun) -> "Peer | None":
    kind, _, id = found.initiator.partition(":")
    return _upstream(id) if kind == "upstream" else slo.peer_of(parts(), id)


def _upstream(provider_id: str) -> "Peer | None":
    from idp.upstream.logout import peer_of

    services = parts()
    try:
        return peer_of(provider_id, services.upstreams, services.kinds, services.installation.issuer)
    except Refused:  # nothing that keeps anybody from signing out
        return None


def _forget_dead_session() -> None:
    """The session may have been ended by a form of another site, which brings no cookies: this browser still has its handle."""
    held = cookie_name("sheaf_session") in request.cookies
    if held and current() is None and left_behind() is None:
        sign_browser_out()
