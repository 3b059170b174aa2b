"""The endpoints of the OpenID Connect door. Thin: each reads its request, calls one function, and renders the answer.

Leaves refusals to errors, checks to checks, and who may have what to the services.
"""

import json
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from idp.base.errors import Refused
from idp.crypto.keys import Published
from idp.http.browser import browser_digest, cookie_name, current, sign_browser_out
from idp.http.parts import parts
from idp.http.render import page
from idp.http.security import allow_form_target, check_csrf
from idp.protocols.oidc import authorize as authorization
from idp.protocols.oidc import end_session as leaving
from idp.protocols.oidc.checks import Asking, examine
from idp.protocols.oidc.client_auth import authenticate, authenticate_confidential
from idp.protocols.oidc.discovery import metadata
from idp.protocols.oidc.door import door, open_door
from idp.protocols.oidc.errors import bearer_refused, set_up_errors
from idp.protocols.oidc.params import Params, body_params, form_params, query_params
from idp.protocols.oidc.redirects import form_target
from idp.protocols.oidc.tokens import released

bp = Blueprint("oidc", __name__)

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
DISCOVERY_SECONDS = 300
JWKS_SECONDS = 60
MAX_MOVED = 4000  # a longer query may not pass every proxy
_ONCE = {"oidc.authorize", "oidc.resume", "oidc.end_session"}
# No cookie is involved at these: what an app in a browser could do there, it can do from a server as well.
_CROSS_ORIGIN = {
    "oidc.openid_configuration",
    "oidc.authorization_server",
    "oidc.jwks",
    "oidc.token",
    "oidc.userinfo",
    "oidc.revoke",
}


def mount(app: Flask) -> None:
    app.extensions["sheaf_oidc"] = open_door(app.extensions["sheaf"])
    set_up_errors(app)
    app.register_blueprint(bp)


@bp.before_request
def _looking_is_not_doing() -> Response | None:
    """Link checkers ask with HEAD: that must not issue a code, collect a sign-in or sign anybody out."""
    return Response() if request.method == "HEAD" and request.endpoint in _ONCE else None


@bp.get("/.well-known/openid-configuration")
def openid_configuration() -> AnyResponse:
    return _published(metadata(parts().installation.issuer), DISCOVERY_SECONDS)


@bp.get("/.well-known/oauth-authorization-server")
def authorization_server() -> AnyResponse:
    return _published(metadata(parts().installation.issuer), DISCOVERY_SECONDS)


@bp.get("/jwks")
def jwks() -> AnyResponse:
    return _published(parts().keys.published(), JWKS_SECONDS)


@bp.route("/authorize", methods=["GET", "POST"])
def authorize() -> AnyResponse:
    if request.method == "POST":
        params = body_params()
        if _came_without_cookies(params):
            return redirect(f"/authorize?{_encoded(params)}", 303)
    else:
        params = query_params()
    door_ = door()
    asking = examine(Asking(params, door_.client, door_.subject_of))
    found = current()
    return authorization.begin(door_, asking, found[0] if found else None)


@bp.get("/authorize/resume")
def resume() -> AnyResponse:
    handle = query_params().get("attempt", "")
    return authorization.resume(door(), parts().sign_in.collect(handle, browser_digest()))


@bp.post("/token")
def token() -> Response:
    door_ = door()
    params = form_params()
    client = authenticate(params, request.headers.get("Authorization"), door_.client)
    name = params.required("grant_type")
    grant = door_.grants.get(name)
    if grant is None:
        raise Refused(
            "unsupported_grant_type", "This grant_type is not supported.", reason=f"grant_type {name[:100]!r}"
        )
    if name not in client.grant_types:
        raise Refused("unauthorized_client", "This app is not registered for that grant_type.", reason=name)
    return _private_json(grant.answer(client, params))


@bp.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    access = door().check.access(_bearer())
    if access is None or access.user is None or parts().installation.issuer not in access.audiences:
        raise bearer_refused("invalid_token", "The access token is expired, revoked, or not meant for this endpoint.")
    if "openid" not in access.scopes:
        raise bearer_refused("insufficient_scope", "The scope openid is needed.", status=403, scope="openid")
    return _private_json({"sub": access.user.id, **released(access.user, access.scopes)})


@bp.post("/introspect")
def introspect() -> Response:
    door_ = door()
    params = form_params()
    client = authenticate_confidential(params, request.headers.get("Authorization"), door_.client)
    return _private_json(door_.check.introspect(client, params.required("token")))


@bp.post("/revoke")
def revoke() -> Response:
    door_ = door()
    params = form_params()
    client = authenticate(params, request.headers.get("Authorization"), door_.client)
    door_.check.revoke(client, params.required("token"))
    return _private_json({})


@bp.route("/end_session", methods=["GET", "POST"])
def end_session() -> AnyResponse:
    if request.method == "POST":
        params = body_params()
        if _came_without_cookies(params):
            return redirect(f"/end_session?{_encoded(params)}", 303)
    else:
        params = query_params()
    plan = leaving.read(door(), params)
    found = current()
    if found is None or plan.agreed(found[0]):
        return _leave(plan)
    if plan.target:
        allow_form_target(form_target(plan.target))
    kept = {name: params[name] for name in ("client_id", "post_logout_redirect_uri", "state") if name in params}
    if plan.client_id is not None:
        kept["client_id"] = plan.client_id
    return make_response(page("end_session.html", person=found[1], fields=kept))


@bp.post("/end_session/confirm")
def end_session_confirm() -> AnyResponse:
    check_csrf()
    pairs = [(name, value) for name, value in request.form.items(multi=True) if name not in ("csrf", "id_token_hint")]
    return _leave(leaving.read(door(), Params(pairs)))


@bp.after_request
def _allow_other_origins(response: Response) -> Response:
    if request.endpoint in _CROSS_ORIGIN:
        response.headers["Access-Control-Allow-Origin"] = "*"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Max-Age"] = "3600"
        else:
            response.headers["Access-Control-Expose-Headers"] = "WWW-Authenticate"
    return response


def _leave(plan: leaving.Leaving) -> AnyResponse:
    found = current()
    if found is not None:
        session, user = found
        parts().sessions.end(session, actor=user.id)
        parts().audit.record("sign_out", actor=user.id, subject=user.id, app=plan.client_id)
    sign_browser_out()
    if plan.target is not None:
        return redirect(plan.target, 303)
    return make_response(page("end_session.html", person=None, fields={}))


def _came_without_cookies(params: Params) -> bool:
    """A form that another site posts here comes without our SameSite=Lax cookies; the same as an address has them."""
    here = cookie_name("sheaf_session") in request.cookies or cookie_name("sheaf_browser") in request.cookies
    return not here and not params.repeated and len(_encoded(params)) <= MAX_MOVED


def _encoded(params: Params) -> str:
    single = [(name, value) for name, value in params.items() if name != "resource"]
    return urlencode([*single, *(("resource", value) for value in params.every("resource"))])


def _bearer() -> str:
    """The token of the Authorization header, or of the body (RFC 6750 2.1, 2.2); never of the address."""
    header = request.headers.get("Authorization")
    sent_in_body = request.method == "POST" and request.content_length
    in_body = form_params().get("access_token") if sent_in_body else None
    if header is None and in_body is not None:
        return in_body
    scheme, _, value = (header or "").partition(" ")
    if in_body is not None:
        raise bearer_refused("invalid_request", "Send the access token in one way only.", status=400)
    if scheme.lower() != "bearer" or not value.strip():
        raise bearer_refused("", "Send an access token in the Authorization header.")
    return value.strip()


def _private_json(answer: dict[str, Any]) -> Response:
    response = Response(_ENCODE(answer), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response


def _published(what: Published, seconds: int) -> AnyResponse:
    response = Response(what.body, mimetype="application/json")
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    response.set_etag(what.etag)
    return response.make_conditional(request)
