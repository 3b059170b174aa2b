"""The pages on which a person connects a device (RFC 8628 3.3): type the code here; sign in and allow in idp.web.flow; done.

An address alone approves nothing: the one with the code in it only fills in the form, and the question that follows shows
the code and names the app. Leaves codes, limits and the approval to services.device_flow.
"""

from dataclasses import replace

from flask import Blueprint, Response, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from idp.base.errors import Refused
from idp.domain.attempt import Wants
from idp.domain.device_code import canonical, shown
from idp.domain.grant import DeviceAuthorization
from idp.domain.relying import Client
from idp.domain.session import ACR_MFA
from idp.http import seeing
from idp.http.browser import browser_digest, current_user
from idp.http.parts import parts
from idp.http.render import page, sentence
from idp.http.security import check_csrf, form_field
from idp.protocols.oidc.authorize import released_names
from idp.protocols.oidc.door import Door, door

bp = Blueprint("device", __name__)

RESUME_PATH = "/device/resume"
LONGEST_TYPED = 40
_ON_THE_FORM = ("wrong_user_code", "too_many_attempts", "missing_field", "field_too_long", "repeated_field")


@bp.before_request
def _looking_is_not_doing() -> Response | None:
    """Link checkers ask with HEAD: that must not use up an answer."""
    return Response() if request.method == "HEAD" and request.path == RESUME_PATH else None


@bp.get("/device")
def device_page() -> AnyResponse:
    return _form(request.args.get("user_code", ""))


@bp.post("/device")
def code_typed() -> AnyResponse:
    check_csrf()
    try:
        typed = form_field("user_code", limit=LONGEST_TYPED)
        waiting = door().device.typed(
            typed,
            address=request.remote_addr or "unknown",
            browser=browser_digest(make=True) or "",
            user=current_user(),
        )
    except Refused as refused:
        if refused.code not in _ON_THE_FORM:
            raise
        return _form(request.form.get("user_code", ""), refused)
    return redirect(f"/flow/{_begun(door(), waiting)}", 303)


@bp.get(RESUME_PATH)
def resume() -> AnyResponse:
    """After the sign-in and the answer, each of which was a POST with a CSRF token of this very browser."""
    door_ = door()
    finished = seeing.collected(parts().sign_in.collect(request.args.get("attempt", ""), browser_digest()))
    attempt = finished.attempt
    if attempt.front_door != "device":
        raise Refused("attempt_used", "This sign-in belongs to another app. Start again there.", status=409)
    id = str(attempt.request["device"])
    if finished.user is None or finished.session is None:
        door_.device.deny(id, current_user())
        return make_response(page("device_done.html", app_name=attempt.app_name, allowed=False))
    client = _client(door_, attempt.app_id)
    door_.device.approve(id, client, finished.user, finished.session)
    seeing.released(finished, released_names(door_, client, finished.user, attempt.wants.scopes, {}))
    return make_response(page("device_done.html", app_name=attempt.app_name, allowed=True))


def _begun(door_: Door, waiting: DeviceAuthorization) -> str:
    """A sign-in with the rules of the app. It always ends with the question, whatever was allowed before: it is not known
    who holds the device."""
    client = _client(door_, waiting.client_id)
    draft = parts().sign_in.draft(
        "device",
        RESUME_PATH,
        {"device": waiting.id, "user_code": shown(waiting.user_code)},
        app_id=client.id,
        app_name=client.name,
        wants=Wants(
            max_age=client.default_max_age,
            second_factor=client.second_factor_required or ACR_MFA in client.default_acr_values,
            scopes=waiting.scopes,
            force_consent=True,
            upstreams=client.upstreams,
            details=waiting.details,
        ),
    )
    # For the browser in which the code was typed: nobody is sent straight to the question, past what the form says.
    return parts().sign_in.save(replace(draft, attempt=replace(draft.attempt, browser=browser_digest())))


def _client(door_: Door, client_id: str) -> Client:
    client = door_.client(client_id)
    if client is None:
        raise Refused("device_not_waiting", "The app on the device was removed meanwhile.", status=410)
    return client


def _form(typed: str, refused: Refused | None = None) -> Response:
    code = canonical(typed)
    trace = parts().traces.keep("device", refused) if refused else None
    html = page(
        "device.html",
        code=shown(code) if code else typed[:LONGEST_TYPED] if refused else "",
        problem=sentence(refused) if refused else None,
        trace=trace,
    )
    response = make_response(html, refused.status if refused else 200)
    response.headers.extend(refused.headers if refused else {})
    return response
