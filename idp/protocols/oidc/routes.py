"""The pages of the OpenID Connect door. Thin: each reads its request, calls one function, and renders the answer.

Leaves endpoints for programs to endpoints, refusals to errors, checks to checks, and who may have what to the services.
"""

from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from idp.http import seeing
from idp.http.browser import browser_digest, cookie_name, current
from idp.http.leaving import sign_out
from idp.http.parts import parts
from idp.http.render import fitting, page, speak
from idp.http.security import allow_form_target, check_csrf
from idp.protocols.oidc import authorize as authorization
from idp.protocols.oidc import device_pages, frontchannel
from idp.protocols.oidc import end_session as leaving
from idp.protocols.oidc.checks import Asking, examine
from idp.protocols.oidc.door import door, open_door
from idp.protocols.oidc.errors import set_up_errors
from idp.protocols.oidc.params import Params, body_params, query_params
from idp.protocols.oidc.redirects import form_target

bp = Blueprint("oidc", __name__)

MAX_MOVED = 4000  # a longer query may not pass every proxy
_ONCE = {"oidc.authorize", "oidc.resume", "oidc.end_session"}


def mount(app: Flask) -> None:
    app.extensions["sheaf_oidc"] = open_door(app.extensions["sheaf"])
    set_up_errors(app)
    app.register_blueprint(bp)
    app.register_blueprint(frontchannel.bp)
    app.register_blueprint(device_pages.bp)


@bp.before_request
def _looking_is_not_doing() -> Response | None:
    """Link checkers ask with HEAD: that must not issue a code, collect a sign-in or sign anybody out."""
    return Response() if request.method == "HEAD" and request.endpoint in _ONCE else None


@bp.route("/authorize", methods=["GET", "POST"])
def authorize() -> AnyResponse:
    if request.method == "POST":
        params = body_params()
        if _came_without_cookies(params):
            return redirect(f"/authorize?{_encoded(params)}", 303)
    else:
        params = query_params()
    door_ = door()
    return authorization.begin(door_, examine(Asking(params, door_)), current())


@bp.get("/authorize/resume")
def resume() -> AnyResponse:
    handle = query_params().get("attempt", "")
    return authorization.resume(door(), seeing.collected(parts().sign_in.collect(handle, browser_digest())))


@bp.route("/end_session", methods=["GET", "POST"])
def end_session() -> AnyResponse:
    if request.method == "POST":
        params = body_params()
        if _came_without_cookies(params):
            return redirect(f"/end_session?{_encoded(params)}", 303)
    else:
        params = query_params()
    speak(fitting(params.words("ui_locales")))
    plan = leaving.read(door(), params)
    found = current()
    if found is None or plan.agreed(found[0], parts().subjects):
        return _leave(plan)
    if plan.target:
        allow_form_target(form_target(plan.target))
    kept = {name: params[name] for name in leaving.KEPT if name in params}
    if plan.client_id is not None:
        kept["client_id"] = plan.client_id
    return make_response(page("end_session.html", person=found[1], fields=kept))


@bp.post("/end_session/confirm")
def end_session_confirm() -> AnyResponse:
    check_csrf()
    pairs = [(name, value) for name, value in request.form.items(multi=True) if name not in ("csrf", "id_token_hint")]
    params = Params(pairs)
    speak(fitting(params.words("ui_locales")))
    return _leave(leaving.read(door(), params))


def _leave(plan: leaving.Leaving) -> AnyResponse:
    onward = sign_out(target=plan.target, app_id=plan.client_id)
    if onward is not None:
        return redirect(onward, 303)
    return make_response(page("end_session.html", person=None, fields={}))


def _came_without_cookies(params: Params) -> bool:
    """A form that another site posts here comes without our SameSite=Lax cookies; the same as an address has them."""
    here = cookie_name("sheaf_session") in request.cookies or cookie_name("sheaf_browser") in request.cookies
    return not here and not params.repeated and len(_encoded(params)) <= MAX_MOVED


def _encoded(params: Params) -> str:
    single = [(name, value) for name, value in params.items() if name != "resource"]
    return urlencode([*single, *(("resource", value) for value in params.every("resource"))])
