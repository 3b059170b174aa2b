"""From a checked authorization request to a code: at once when the browser's session suffices, else after a sign-in.

Leaves the checks to checks, the sign-in to idp.services.sign_in and idp.web.flow, and the code to services.issue_grant.
"""

from collections.abc import Mapping
from typing import Any

from flask import redirect
from werkzeug.wrappers import Response

from idp.base.errors import Refused
from idp.domain.attempt import Step, Wants
from idp.domain.relying import Client
from idp.domain.session import ACR_MFA, Session
from idp.domain.user import User
from idp.protocols.oidc.checks import Asking
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.errors import RefusedToApp
from idp.protocols.oidc.redirects import Reply, form_target, is_registered, send
from idp.services.attempts import Finished
from idp.services.issue_grant import Allowed

RESUME_PATH = "/authorize/resume"
# What prompt=none answers instead of showing a page (OIDC Core 3.1.2.6).
_SILENT = {
    Step.CHOOSE: "login_required",
    Step.LINK: "login_required",
    Step.FACTOR: "interaction_required",
    Step.ENROL: "interaction_required",
    Step.CONSENT: "consent_required",
}


def begin(door: Door, asking: Asking, session: Session | None) -> Response:
    """A code, or the way to the sign-in. Raises RefusedToApp(login_required | interaction_required | consent_required)."""
    assert asking.reply is not None
    sign_in = door.parts.sign_in
    client = asking.client
    other_person = session is not None and asking.hint_sub is not None and session.user_id != asking.hint_sub
    draft = sign_in.draft(
        "oidc",
        RESUME_PATH,
        _remembered(asking, asking.reply),
        app_id=client.id,
        app_name=client.name,
        wants=wants(asking, force=other_person),
    )
    decision = sign_in.decide(draft.attempt, session)
    if decision.step is Step.DONE and session is not None and decision.user is not None:
        return _code(door, client, asking.reply, decision.user, session, draft.attempt.request)
    if "none" in asking.prompt:
        code = _SILENT.get(decision.step, "interaction_required")
        raise RefusedToApp(code, "The person would have to do something first.", asking.reply)
    return redirect(f"/flow/{sign_in.save(draft)}", 303)


def wants(asking: Asking, *, force: bool) -> Wants:
    """The request in the words of a sign-in."""
    client = asking.client
    stronger = ACR_MFA in asking.params.words("acr_values") or client.second_factor_required
    return Wants(
        force=force or bool(asking.prompt & {"login", "select_account"}) or asking.max_age == 0,
        max_age=asking.max_age,
        second_factor=stronger,
        scopes=asking.scopes if client.consent == "ask" else (),
        force_consent="consent" in asking.prompt or anybody_could_be(asking),
        login_hint=(asking.params.get("login_hint") or "")[:320] or None,
    )


def anybody_could_be(asking: Asking) -> bool:
    """An app without a secret at an address that any program on the device may take: what was allowed once says nothing
    of who asks now (RFC 8252 8.6)."""
    return asking.client.is_public and asking.reply is not None and not asking.reply.redirect_uri.startswith("https:")


def resume(door: Door, finished: Finished) -> Response:
    """A finished sign-in. Raises Refused (the app is gone meanwhile), RefusedToApp(access_denied | login_required)."""
    attempt = finished.attempt
    if attempt.front_door != "oidc":
        raise Refused("attempt_used", "This sign-in belongs to another app. Start again there.", status=409)
    request = attempt.request
    client = door.client(str(request["client_id"]))
    if client is None or not is_registered(client, str(request["redirect_uri"])):
        raise Refused("unknown_client", "The app that sent you here was removed meanwhile. Tell its operator.")
    reply = Reply(client.id, request["redirect_uri"], request["response_mode"], request["state"])
    if finished.user is None or finished.session is None:
        raise RefusedToApp("access_denied", "The person declined.", reply)
    if request["hint_sub"] is not None and request["hint_sub"] != finished.user.id:
        raise RefusedToApp("login_required", "Another person has signed in than the one asked for.", reply)
    return _code(door, client, reply, finished.user, finished.session, request)


def _remembered(asking: Asking, reply: Reply) -> dict[str, Any]:
    """JSON values only: the LoginAttempt keeps it in the store. redirect_origin is for the pages' form-action."""
    return {
        "client_id": reply.client_id,
        "redirect_uri": reply.redirect_uri,
        "redirect_origin": form_target(reply.redirect_uri),
        "response_mode": reply.response_mode,
        "state": reply.state,
        "nonce": asking.params.get("nonce"),
        "scopes": list(asking.scopes),
        "audiences": list(asking.audiences),
        "code_challenge": asking.code_challenge,
        "hint_sub": asking.hint_sub,
    }


def _code(
    door: Door, client: Client, reply: Reply, user: User, session: Session, request: Mapping[str, Any]
) -> Response:
    allowed = Allowed(
        tuple(request["scopes"]),
        tuple(request["audiences"]),
        reply.redirect_uri,
        request["code_challenge"],
        request["nonce"],
    )
    return send(reply, {"code": door.issue.issue_code(client, user, session, allowed)}, app_name=client.name)
