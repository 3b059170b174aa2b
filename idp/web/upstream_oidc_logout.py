"""Single logout with OpenID Providers: what one says of a session that ended there (Back-Channel Logout 1.0), and the browser
that comes back from its sign-out page (RP-Initiated Logout 1.0).

Leaves reading a logout token to idp.upstream.oidc_logout, which sessions are meant to upstream_sessions, and the way on to the
run (idp.protocols.saml.logout_run).
"""

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from idp.http.leaving import RUN_PATH
from idp.http.parts import parts
from idp.services.upstream_sessions import UpstreamSessions
from idp.upstream.refusals import answer_invalid

if TYPE_CHECKING:
    from idp.upstream.oidc_kind import OidcKind

bp = Blueprint("upstream_oidc_logout", __name__)


@bp.post("/upstream/<provider_id>/backchannel-logout")
def backchannel_logout(provider_id: str) -> Response:
    """2.5 to 2.8 there. Sessions that are gone already are as good as ended."""
    try:
        provider, kind = _openid(provider_id)
        given = request.form.getlist("logout_token")
        if len(given) != 1 or request.args:
            raise answer_invalid("the form has not exactly one logout_token, or the address has parameters")
        services = parts()
        with services.kinds.room.place(provider.id):
            ended = kind.logout.ended(provider, given[0])
        known = UpstreamSessions(services.repo, services.clock)
        if ended.value:
            name_id = {"value": ended.value, "Format": ended.format}
            found = known.named(provider.id, name_id, (ended.sid,) if ended.sid else ())
        else:
            found = known.of_index(provider.id, ended.format, ended.sid)
        for one in found:
            session = services.sessions.by_sid(one.id)
            if session is not None:
                peer = f"upstream:{provider.id}"
                services.sessions.end(session, actor=peer, besides=peer)
    except Refused as refused:
        return _refused(refused)
    return _unkept(Response(status=200))


@bp.get("/upstream/<provider_id>/signed-out")
def signed_out(provider_id: str) -> AnyResponse:
    """`state` is the ID of our request: nobody can guess it, and only the browser of the run goes on with it."""
    if request.method == "HEAD":  # looking is not doing
        return Response()
    runs, state = parts().logout_runs, request.args.get("state", "")[:200]
    run = runs.answered(state, f"upstream:{provider_id}", done=True) or runs.holder(state)
    return redirect(f"{RUN_PATH}{run}" if run is not None else "/sign-out", 303)


def _openid(provider_id: str) -> "tuple[UpstreamProvider, OidcKind]":
    from idp.upstream.oidc_kind import OidcKind

    services = parts()
    provider = services.upstreams.enabled(provider_id)
    kind: Any = services.kinds.open(provider)
    if not isinstance(kind, OidcKind):
        raise Refused("unknown_upstream", "This way to sign in is not available. Choose another one.", status=404)
    return provider, kind


def _refused(refused: Refused) -> Response:
    """2.8: 400, with the error in JSON. It may try again after 503."""
    trace = parts().traces.keep("upstream logout", refused)
    status = refused.status if refused.status in (404, 503) else 503 if refused.code == "upstream_unreachable" else 400
    response = jsonify({"error": "invalid_request", "error_description": refused.message, "trace": trace})
    response.status_code = status
    response.headers.extend(refused.headers)
    return _unkept(response)


def _unkept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
