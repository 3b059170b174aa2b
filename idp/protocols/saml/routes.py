"""The addresses of the SAML door: /saml/metadata, /saml/sso (Redirect and POST in), /saml/continue, /saml/resume; POST out.

Thin: what a message means is in `inbound` and `outbound`, who has signed in is for idp.services.sign_in to say. pysaml2
and lxml are loaded by the first SAML request, not by importing this module.
"""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, make_response, redirect, request
from werkzeug.wrappers import Response as WsgiResponse

from idp.domain.attempt import LoginAttempt, Step
from idp.http.browser import browser_digest, current_session
from idp.http.parts import parts
from idp.http.render import page
from idp.http.security import allow_form_target
from idp.protocols.saml.errors import SamlStatus, refuse
from idp.protocols.saml.request import AuthnRequest
from idp.saml import names

if TYPE_CHECKING:
    from idp.protocols.saml.door import Answer, Door
    from idp.protocols.saml.inbound import Received
    from idp.services.attempts import Draft

saml = Blueprint("saml", __name__, url_prefix="/saml")
RESUME = "/saml/resume"


def mount(app: Flask) -> None:
    app.register_blueprint(saml)


@saml.get("/metadata")
def metadata() -> Response:
    response = make_response(_door().metadata())
    response.headers["Content-Type"] = "application/samlmetadata+xml"
    response.headers["Content-Disposition"] = 'inline; filename="sheaf-idp-metadata.xml"'
    response.headers["Cache-Control"] = "max-age=300"
    return response


@saml.get("/sso")
def sso_by_redirect() -> Response | WsgiResponse:
    """SAML Bindings 3.4. The raw query goes in: its signature is over the characters as they were sent."""
    draft = _draft(_door().receive_query(request.query_string))
    outcome = _at_once(draft.attempt)
    if outcome is not None:
        return outcome
    return redirect(f"/flow/{parts().sign_in.save(draft)}", 303)


@saml.post("/sso")
def sso_by_post() -> WsgiResponse:
    """SAML Bindings 3.5. Browsers send no SameSite cookie with a form from another site: a GET of our own finds the session."""
    draft = _draft(_door().receive_form(request.form.to_dict(flat=False)))
    return redirect(f"/saml/continue?attempt={parts().sign_in.save(draft)}", 303)


@saml.get("/continue")
def go_on() -> Response | WsgiResponse:
    """After a request by POST: answer at once if this browser's session suffices, else begin the sign-in."""
    handle = request.args.get("attempt", "")
    attempt = _ours(parts().sign_in.load(handle, browser_digest(make=True)))
    outcome = _at_once(attempt)
    if outcome is None:
        return redirect(f"/flow/{handle}", 303)
    if parts().repo.consume(LoginAttempt, attempt.id) is None:
        raise refuse("attempt_used", "answered before", status=410)
    return outcome


@saml.get("/resume")
def resume() -> Response:
    """The sign-in is complete: one answer for it, exactly once."""
    finished = parts().sign_in.collect(request.args.get("attempt", ""), browser_digest())
    asked = AuthnRequest.from_json(_ours(finished.attempt).request)
    if finished.user is None or finished.session is None:
        raise SamlStatus(asked, names.REQUEST_DENIED, "the person turned back")
    return _form(_door().answer(asked, finished.user, finished.session))


@saml.errorhandler(SamlStatus)
def send_status(refused: SamlStatus) -> Response:
    trace = parts().traces.keep("saml", refused, sp=refused.request.sp_id[:200])
    return _form(_door().status(refused, trace))


def _draft(received: "Received") -> "Draft":
    from idp.protocols.saml.door import wants

    return parts().sign_in.draft(
        "saml",
        RESUME,
        received.request.to_json(),
        app_id=received.sp.id,
        app_name=received.sp.name,
        wants=wants(received),
    )


def _at_once(attempt: LoginAttempt) -> Response | None:
    """The answer that this browser's session already allows; None when somebody must do something first."""
    asked = AuthnRequest.from_json(attempt.request)
    session = current_session()
    decision = parts().sign_in.decide(attempt, session)
    # With a proof of its own the attempt may belong to somebody else than the session: that is for the flow to finish.
    vouched = attempt.proof is None and decision.step is Step.DONE
    if vouched and decision.user is not None and session is not None:
        return _form(_door().answer(asked, decision.user, session))
    if asked.passive:
        raise SamlStatus(asked, names.NO_PASSIVE, f"{decision.step} is due, and the request allows no page")
    return None


def _ours(attempt: LoginAttempt) -> LoginAttempt:
    if attempt.front_door != "saml":
        raise refuse("attempt_other_door", f"the attempt belongs to the front door {attempt.front_door}")
    return attempt


def _form(answer: "Answer") -> Response:
    """SAML Bindings 3.5.4: a form that posts itself; a button for browsers without JavaScript."""
    acs = urlsplit(answer.acs_url)
    allow_form_target(f"{acs.scheme}://{acs.netloc}")
    allow_form_target(
        "https:"
    )  # where the service provider sends the browser next; form-action holds for redirects too
    return make_response(page("saml_post.html", action=answer.acs_url, fields=answer.fields, app_name=answer.app_name))


def _door() -> "Door":
    from idp.protocols.saml.door import Door

    door: Door | None = current_app.extensions.get("sheaf_saml")
    return door or current_app.extensions.setdefault("sheaf_saml", Door(parts()))
