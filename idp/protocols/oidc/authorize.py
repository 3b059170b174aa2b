"""From a checked authorization request to a code: at once when the browser's session suffices, else after a sign-in.

Leaves the checks to checks, the sign-in to idp.services.sign_in and idp.web.flow, and the code to services.issue_grant.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import redirect
from werkzeug.wrappers import Response

from idp.base.errors import Refused
from idp.domain.attempt import Step, Wants
from idp.domain.relying import Client
from idp.domain.session import ACR_MFA, ACR_SINGLE, Session
from idp.domain.user import User
from idp.http import seeing
from idp.http.browser import keep_state
from idp.http.render import fitting, speak
from idp.http.visit import browser_state
from idp.protocols.oidc import session_iframe
from idp.protocols.oidc.checks import Asking
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.errors import RefusedToApp
from idp.protocols.oidc.redirects import Reply, form_target, is_registered, send
from idp.services.attempts import Decision, Draft, Finished
from idp.services.issue_grant import Allowed
from idp.services.release import PLACES

RESUME_PATH = "/authorize/resume"
# What prompt=none answers instead of showing a page (OIDC Core 3.1.2.6).
_SILENT = {
    Step.CHOOSE: "login_required",
    Step.LINK: "login_required",
    Step.FACTOR: "interaction_required",
    Step.ENROL: "interaction_required",
    Step.CONSENT: "consent_required",
}


@dataclass(frozen=True, slots=True)
class Way:
    """How a request goes on. draft: the sign-in that it takes; session: of this browser."""

    draft: Draft
    decision: Decision
    session: Session | None

    @property
    def is_done(self) -> bool:
        """Does what the browser has already proved suffice?"""
        return self.decision.step is Step.DONE and self.session is not None and self.decision.user is not None


@dataclass(frozen=True, slots=True)
class Granted:
    """fields: what the app gets. state: the browser's, of its session (session_iframe)."""

    client: Client
    reply: Reply
    fields: Mapping[str, str]
    state: str


def begin(door: Door, asking: Asking, found: tuple[Session, User] | None) -> Response:
    """A code, or the way to the sign-in. found: who is signed in in this browser.

    Raises RefusedToApp(login_required | interaction_required | consent_required), Refused(request_used).
    """
    assert asking.reply is not None
    way = find_way(door, asking, found)
    attempt = way.draft.attempt
    speak(attempt.wants.language)
    if way.is_done:
        return _sent(grant(door, asking, way))
    if "none" in asking.prompt:
        _answered(door, attempt.request)
        code = _SILENT.get(way.decision.step, "interaction_required")
        raise RefusedToApp(code, "The person would have to do something first.", asking.reply)
    return redirect(f"/flow/{door.parts.sign_in.save(way.draft)}", 303)


def find_way(door: Door, asking: Asking, found: tuple[Session, User] | None) -> Way:
    """Decides, and does nothing."""
    assert asking.reply is not None
    sign_in, client = door.parts.sign_in, asking.client
    session, user = found if found is not None else (None, None)
    other = user is not None and not _meant(door, client, asking.subjects, user)
    request, wanted = _remembered(asking, asking.reply), wants(asking, force=other)
    draft = sign_in.draft("oidc", RESUME_PATH, request, app_id=client.id, app_name=client.name, wants=wanted)
    return Way(draft, sign_in.decide(draft.attempt, session, known=user), session)


def grant(door: Door, asking: Asking, way: Way) -> Granted:
    """The code for a way that is done. Raises RefusedToApp(unmet_authentication_requirements), Refused(request_used)."""
    user, session = way.decision.user, way.session
    assert asking.reply is not None
    assert user is not None
    assert session is not None
    return _granted(door, asking.client, asking.reply, user, session, way.draft.attempt.request)


def wants(asking: Asking, *, force: bool) -> Wants:
    """The request in the words of a sign-in."""
    client, params = asking.client, asking.params
    return Wants(
        force=force or bool(asking.prompt & {"login", "select_account"}) or asking.max_age == 0,
        max_age=asking.max_age,
        second_factor=client.second_factor_required or _stronger(asking),
        scopes=_to_allow(asking) if client.consent == "ask" else (),
        force_consent="consent" in asking.prompt or anybody_could_be(asking),
        login_hint=(params.get("login_hint") or "")[:320] or None,
        language=fitting(params.words("ui_locales")) if "ui_locales" in params else None,
        upstreams=client.upstreams,
        details=asking.details,
    )


def _stronger(asking: Asking) -> bool:
    """Is a second factor demanded, or wished for and possible? The first value that we know is what is liked best; a
    mere wish is no reason to refuse what prompt=none can have (OIDC Core 3.1.2.1, 5.5.1.1)."""
    if asking.acr:
        return ACR_SINGLE not in asking.acr or (asking.acr[0] == ACR_MFA and "none" not in asking.prompt)
    return asking.acr_wished[:1] == (ACR_MFA,) and "none" not in asking.prompt


def _to_allow(asking: Asking) -> tuple[str, ...]:
    """What the person is asked about: the scopes, and those behind claims that are asked for by name."""
    if not asking.claims:
        return asking.scopes
    return (*asking.scopes, *asking.door.parts.release.to_ask_for(asking.client, asking.claims, asking.scopes))


def anybody_could_be(asking: Asking) -> bool:
    """An app without a secret at an address that any program on the device may take: what was allowed once says nothing
    of who asks now (RFC 8252 8.6)."""
    return asking.client.is_public and asking.reply is not None and not asking.reply.redirect_uri.startswith("https:")


def resume(door: Door, finished: Finished) -> Response:
    """A finished sign-in. Raises Refused (the app is gone meanwhile, the request was answered already),
    RefusedToApp(access_denied | login_required | unmet_authentication_requirements)."""
    attempt = finished.attempt
    if attempt.front_door != "oidc":
        raise Refused("attempt_used", "This sign-in belongs to another app. Start again there.", status=409)
    speak(attempt.wants.language)
    request = attempt.request
    client = door.client(str(request["client_id"]))
    if client is None or not is_registered(client, str(request["redirect_uri"])):
        raise Refused("unknown_client", "The app that sent you here was removed meanwhile. Tell its operator.")
    alg = client.authorization_signed_response_alg
    reply = Reply(client.id, request["redirect_uri"], request["response_mode"], request["state"], alg)
    if finished.user is None or finished.session is None:
        _answered(door, request)
        raise RefusedToApp("access_denied", "The person declined.", reply)
    granted = _granted(door, client, reply, finished.user, finished.session, request)
    names = released_names(door, client, finished.user, tuple(request["scopes"]), request.get("claims") or {})
    seeing.released(finished, names)
    return _sent(granted)


def released_names(
    door: Door, client: Client, user: User, scopes: tuple[str, ...], asked: Mapping[str, Any]
) -> set[str]:
    """Of the claims that the app can have by this sign-in, in the ID token or at userinfo."""
    if "openid" not in scopes:
        return set()
    return {name for place in PLACES for name in door.parts.release.to(place, client, user, scopes, asked)}


def _sent(granted: Granted) -> Response:
    if "session_state" in granted.fields:
        keep_state(granted.state)
    return send(granted.reply, granted.fields, app_name=granted.client.name)


def _remembered(asking: Asking, reply: Reply) -> dict[str, Any]:
    """JSON values only: the LoginAttempt keeps it in the store. redirect_origin is for the pages' form-action."""
    pushed = asking.pushed
    key = pushed.confirmation.get("jkt") if pushed is not None else asking.key
    return {
        "client_id": reply.client_id,
        "redirect_uri": reply.redirect_uri,
        "redirect_origin": form_target(reply.redirect_uri),
        "response_mode": reply.response_mode,
        "state": reply.state,
        "nonce": asking.params.get("nonce"),
        "scopes": asking.scopes,
        "audiences": asking.audiences,
        "code_challenge": asking.code_challenge,
        "claims": asking.claims,
        "key": key,
        "pushed": pushed.id if pushed is not None else None,
        "subjects": asking.subjects,
        "acr": asking.acr,
        "details": asking.details,
    }


def _meant(door: Door, client: Client, subjects: Iterable[str] | None, user: User) -> bool:
    """Is this one of those whom the app means, by the names that it has for them?"""
    return subjects is None or any(door.parts.subjects.names(client, subject, user.id) for subject in subjects)


def _granted(
    door: Door, client: Client, reply: Reply, user: User, session: Session, request: Mapping[str, Any]
) -> Granted:
    _answered(door, request)
    if not _meant(door, client, request.get("subjects"), user):
        raise RefusedToApp("login_required", "Another person has signed in than the one asked for.", reply)
    demanded = request.get("acr")
    acr = _reached(session.acr, demanded) if demanded else session.acr
    if acr is None:
        raise RefusedToApp("unmet_authentication_requirements", "The sign-in was not as strong as demanded.", reply)
    allowed = Allowed(
        tuple(request["scopes"]),
        tuple(request["audiences"]),
        reply.redirect_uri,
        request["code_challenge"],
        request["nonce"],
        request.get("claims") or {},
        {"jkt": request["key"]} if request.get("key") else {},
        acr,
        tuple(request.get("details") or ()),
    )
    code, state = door.issue.issue_code(client, user, session, allowed), browser_state(door.parts, session)
    door.parts.sessions.used_by(session, client.id)
    beside = session_iframe.in_answer(client, reply.redirect_uri, state)
    return Granted(client, reply, {"code": code, **beside}, state)


def _reached(acr: str, demanded: Iterable[str]) -> str | None:
    """What the tokens say when one of these is demanded: two factors are good enough where one is (OIDC Core 5.5.1.1:
    the value matches one of those that were asked for)."""
    if acr in demanded:
        return acr
    return ACR_SINGLE if acr == ACR_MFA and ACR_SINGLE in demanded else None


def _answered(door: Door, request: Mapping[str, Any]) -> None:
    """A pushed request gets one answer (RFC 9126 4). Raises Refused(request_used): a page, as the app has its answer."""
    if (pushed := request.get("pushed")) is not None:
        door.pushed.answer(pushed)
