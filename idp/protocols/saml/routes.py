"""The addresses of the SAML door for browsers: metadata, sso (Redirect and POST in), start (sign-ins that begin here), continue,
resume; and the table of those for programs.

Thin: what a message means is in `inbound` and `outbound`, who has signed in is for idp.services.sign_in to say. lxml is loaded by
the first SAML request, not by importing this module.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, current_app, g, make_response, redirect, request
from werkzeug.wrappers import Response as WsgiResponse

from idp.base.errors import Refused
from idp.base.waiting import about_to_wait
from idp.domain.attempt import LoginAttempt, Step
from idp.http import errors, seeing
from idp.http.browser import browser_digest, current
from idp.http.machine import Asked, Endpoint, ShortCut, Told
from idp.http.parts import Parts, parts
from idp.http.render import language
from idp.protocols.saml import logout_run
from idp.protocols.saml.at_once import loaded, sso_at_once
from idp.protocols.saml.drafts import draft
from idp.protocols.saml.errors import SamlStatus, refuse
from idp.protocols.saml.incoming import Incoming
from idp.protocols.saml.posting import Posting
from idp.protocols.saml.request import AuthnRequest
from idp.saml import names
from idp.services.release_saml import attributes_for

if TYPE_CHECKING:
    from idp.protocols.saml.door import Answer, Door
    from idp.protocols.saml.inbound import Received
    from idp.saml.bindings import Arrived

saml = Blueprint("saml", __name__, url_prefix="/saml")
_ONCE = {"saml.sso_by_redirect", "saml.start", "saml.go_on", "saml.resume"}


def mount(app: Flask) -> None:
    parts: Parts = app.extensions["sheaf"]
    app.extensions["sheaf_saml_posting"] = Posting(app.jinja_env, parts.settings.organisation)
    app.extensions["sheaf_saml_door"] = _keeper(parts)
    # For the pages of administrators, which know no front door: (entityID, user, session) -> the answer, unsigned.
    app.extensions["sheaf_saml_trial"] = lambda *who: app.extensions["sheaf_saml_door"]().trial(*who)
    app.register_blueprint(saml)
    logout_run.mount(app)


def endpoints(app: Flask) -> list[Endpoint]:
    """For programs."""
    find: Callable[[], Door] = app.extensions["sheaf_saml_door"]

    def resolve(asked: Asked) -> Told:
        if not loaded():
            about_to_wait()
        from idp.protocols.saml.artifacts import resolve

        return resolve(find(), asked)

    return [Endpoint("/saml/artifact", frozenset({"POST"}), resolve, short=True)]


def short_cuts(app: Flask) -> dict[str, ShortCut]:
    """Pages that often need no page."""
    found = app.extensions
    return {"/saml/sso": partial(sso_at_once, found["sheaf"], found["sheaf_saml_door"], found["sheaf_saml_posting"])}


@saml.before_request
def _looking_is_not_doing() -> Response | None:
    """Link checkers ask with HEAD: that must neither use up a request nor issue an assertion."""
    return Response() if request.method == "HEAD" and request.endpoint in _ONCE else None


@saml.get("/metadata")
def metadata() -> WsgiResponse:
    """?signed=1 asks for a signature, ?keys=current for the key that signs and no other."""
    signed, one_key = request.args.get("signed") in ("1", "true"), request.args.get("keys") == "current"
    response = make_response(_door().metadata(signed=signed, one_key=one_key))
    response.headers["Content-Type"] = "application/samlmetadata+xml"
    response.headers["Content-Disposition"] = 'inline; filename="sheaf-idp-metadata.xml"'
    response.headers["Cache-Control"] = "max-age=300"
    response.add_etag()
    return response.make_conditional(request)


@saml.get("/sso")
def sso_by_redirect() -> Response | WsgiResponse:
    """SAML Bindings 3.4. The raw query goes in: its signature is over the characters as they were sent."""
    from idp.saml.bindings import from_query

    return _begin(_received(partial(from_query, request.query_string)))


@saml.post("/sso")
def sso_by_post() -> WsgiResponse:
    """SAML Bindings 3.5. Browsers send no SameSite cookie with a form from another site: a GET of our own finds the session."""
    from idp.saml.bindings import from_form

    received = _received(partial(from_form, request.form.to_dict(flat=False)))
    return redirect(f"/saml/continue?attempt={_saved(received)}", 303)


@saml.get("/start")
def start() -> Response | WsgiResponse:
    """A sign-in that nobody asked for: sp names the service provider, target where it should take the person."""
    from idp.protocols.saml.idp_initiated import unsolicited

    given = {name: request.args.getlist(name) for name in ("sp", "target")}
    if any(len(values) > 1 for values in given.values()):
        raise refuse("repeated_field", "sp or target was sent more than once")
    found = _door().providers
    return _begin(unsolicited(found, request.args.get("sp", ""), request.args.get("target", ""), parts().clock()))


@saml.get("/continue")
def go_on() -> Response | WsgiResponse:
    """After a request by POST: answer at once if this browser's session suffices, else begin the sign-in."""
    handle = request.args.get("attempt", "")
    attempt = _ours(parts().sign_in.load(handle, browser_digest(make=True)))
    return _at_once(attempt) or redirect(f"/flow/{handle}", 303)


@saml.get("/resume")
def resume() -> Response | WsgiResponse:
    """The sign-in is complete: one answer for it, exactly once."""
    finished = seeing.collected(parts().sign_in.collect(request.args.get("attempt", ""), browser_digest()))
    asked = AuthnRequest.from_json(_ours(finished.attempt).request)
    if finished.user is None or finished.session is None:
        if not asked.id:
            return redirect("/", 303)
        raise SamlStatus(asked, names.REQUEST_DENIED, "the person turned back")
    sp, _ = _door().still_known(asked)
    answer = _door().answer(asked, finished.user, finished.session)
    seeing.released(
        finished, [one.friendly_name or one.name for one in attributes_for(sp, finished.user) if one.values]
    )
    return _send(answer)


@saml.errorhandler(SamlStatus)
def send_status(refused: SamlStatus) -> Response:
    if not refused.request.id:  # nobody waits for an answer: it is for the person here
        sentence = "You cannot be signed in to this app from here. Ask an administrator."
        return show(refuse("saml_not_possible", refused.reason, status=403, message=sentence))
    try:
        _door().still_known(refused.request)
    except Refused as gone:
        return show(gone)
    trace = seeing.kept("saml", refused, sp=refused.request.sp_id[:200])
    if incoming := _incoming():
        incoming.refused(parts(), refused, trace)
    return _send(_door().status(refused, trace))


@saml.errorhandler(Refused)
def show(refused: Refused) -> Response:
    response = errors.answer(refused)
    if incoming := _incoming():
        incoming.refused(parts(), refused, g.sheaf_trace)
    return response


def _received(read: "Callable[[], Arrived]") -> "Received":
    """What comes of it is noted for the message inspector, now or when it is refused."""
    g.sheaf_saml_incoming = Incoming()
    try:
        return _door().receive(read, g.sheaf_saml_incoming)
    except SamlStatus as refused:
        _door().claim(refused)
        raise


def _incoming() -> Incoming | None:
    """The message of this request, for who tells the message inspector of it."""
    found: Incoming | None = g.pop("sheaf_saml_incoming", None)
    return found


def _begin(received: "Received") -> Response | WsgiResponse:
    """Answered at once, or a sign-in begins."""
    try:
        outcome = _at_once(draft(parts(), received).attempt, received)
    except SamlStatus as refused:
        refused.seen = received.seen
        _door().claim(refused)
        raise
    if outcome is None:
        return redirect(f"/flow/{_saved(received)}", 303)
    if incoming := _incoming():
        incoming.accepted(parts())
    return outcome


def _saved(received: "Received") -> str:
    """The handle of a new attempt. It is stored together with the mark that the request was seen."""
    made = draft(parts(), received)
    if received.seen is None:
        return parts().sign_in.save(made)
    _door().store(received.sp.id, received.seen, made.attempt)
    if incoming := _incoming():
        incoming.accepted(parts())
    return made.handle


def _at_once(attempt: LoginAttempt, received: "Received | None" = None) -> Response | None:
    """The answer that this browser's session already allows; None when somebody must do something first. received: what the
    attempt was made from, in this very request, and then it is not stored."""
    asked = AuthnRequest.from_json(attempt.request)
    found = current()
    decision = parts().sign_in.decide(attempt, found[0] if found else None, known=found[1] if found else None)
    # With a proof of its own the attempt may belong to somebody else than the session: that is for the flow to finish.
    user = decision.user if attempt.proof is None and decision.step is Step.DONE else None
    answered = user is not None and found is not None
    if (answered or asked.passive) and received is None and parts().repo.consume(LoginAttempt, attempt.id) is None:
        raise refuse("attempt_used", "answered before", status=410)
    if user is not None and found is not None:
        return _send(_door().answer(asked, user, found[0], received))
    if asked.passive:
        raise SamlStatus(asked, names.NO_PASSIVE, f"a page is due ({decision.step}), and IsPassive allows none")
    return None


def _ours(attempt: LoginAttempt) -> LoginAttempt:
    if attempt.front_door != "saml":
        raise refuse("attempt_other_door", f"the attempt belongs to the front door {attempt.front_door}")
    return attempt


def _send(answer: "Answer") -> Response:
    posting: Posting = current_app.extensions["sheaf_saml_posting"]
    told = posting.told(answer, language())
    response = Response(told.body, told.status, told.headers)
    if not told.body:
        del response.headers["Content-Type"]
    return response


def _door() -> "Door":
    find: Callable[[], Door] = current_app.extensions["sheaf_saml_door"]
    return find()


def _keeper(parts: Parts) -> "Callable[[], Door]":
    """Makes the door at its first use."""
    made: list[Door] = []

    def find() -> "Door":
        if not made:
            from idp.protocols.saml.door import Door

            made.append(Door(parts))
        return made[0]

    return find
