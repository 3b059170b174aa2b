"""The account page: what I sign in with, where I am signed in, what I have allowed, what happened lately; and its actions.

Second factors are in idp.web.account_factor, linking and unlinking in idp.web.upstream_pages. Everything here is looked up
under the user of the session: an id of somebody else's is as good as none.
"""

from dataclasses import dataclass

from flask import Blueprint, Response, abort, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from idp.base.errors import Refused
from idp.domain.audit_event import AuditEvent
from idp.domain.grant import Consent, Grant
from idp.domain.relying import ServiceProvider
from idp.domain.session import Session
from idp.domain.upstream import FederatedLogin, UpstreamProvider
from idp.domain.user import User
from idp.http.browser import sign_browser_in, sign_browser_out
from idp.http.forms import Problem, attempted, form_page
from idp.http.leaving import farewell
from idp.http.own_pages import recently_signed_in, renewed, signed_in
from idp.http.parts import parts
from idp.http.render import has_text, page
from idp.http.security import check_csrf, form_field
from idp.services.change_password import change_own_password
from idp.services.explain_sign_in import Names
from idp.web.changes_in_words import lines_of
from idp.web.consent_pages import ScopeInWords, in_words
from idp.web.device import device

bp = Blueprint("account_pages", __name__)

LATELY = 10
LATELY_SIGNED_IN = 5


@dataclass(frozen=True, slots=True)
class LoginLine:
    """sign: as on the button of its upstream."""

    login: FederatedLogin
    label: str
    sign: str


@dataclass(frozen=True, slots=True)
class SessionLine:
    """browser, system: empty when not recognised; apps: names of those that this session signed in to."""

    session: Session
    here: bool
    browser: str
    system: str
    apps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsentLine:
    consent: Consent
    app_name: str
    scopes: tuple[ScopeInWords, ...]


@dataclass(frozen=True, slots=True)
class EventLine:
    key: str
    at: float


@bp.get("/account")
def account() -> AnyResponse:
    session, user = signed_in()
    p = parts()
    linked = p.links.of(user.id)
    providers = {provider.id: provider for provider in p.upstreams.all()}
    taken = {login.provider_id for login in linked}
    return make_response(
        page(
            "account.html",
            person=user,
            again=request.args.get("again") == "1",
            by_password=bool(user.password_hash) and p.sign_in.local_login_allowed(user),
            logins=[_line(login, providers.get(login.provider_id)) for login in linked],
            may_link=[provider for provider in p.upstreams.for_linking() if provider.id not in taken],
            enrolled_at=p.factors.enrolled_at(user.id),
            codes_left=p.factors.recovery_codes_left(user.id),
            sessions=_sessions(session, user),
            consents=_consents(user),
            events=_events(user),
            changes=lines_of(user),
            records=p.records.of_user(user.id, LATELY_SIGNED_IN),
            names=Names(p.users.get, p.upstreams.get),
        )
    )


def _line(login: FederatedLogin, provider: UpstreamProvider | None) -> LoginLine:
    if provider is None:
        return LoginLine(login, login.provider_id, "door")
    return LoginLine(login, provider.label, provider.sign)


# ---------------------------------------------------------------- where I am signed in


@bp.post("/account/sessions/<sid>/end")
def end_session(sid: str) -> AnyResponse:
    check_csrf()
    session, user = signed_in()
    ended = next((one for one in parts().sessions.of(user.id) if one.sid == sid), None)
    if ended is None:
        raise Refused("unknown_session", "This session has already ended.", status=404)
    here = ended.sid == session.sid
    apps = parts().sessions.end(ended, actor=user.id, here=here)
    if here:
        sign_browser_out()
    return redirect(farewell(ended.sid, apps, here=here) or ("/sign-out" if here else "/account"), 303)


@bp.post("/account/sessions/end-others")
def end_other_sessions() -> AnyResponse:
    check_csrf()
    session, user = signed_in()
    for one in parts().sessions.of(user.id):
        if one.sid != session.sid:
            parts().sessions.end(one, actor=user.id)
    return redirect("/account", 303)


def _sessions(current: Session, user: User) -> list[SessionLine]:
    names = {line.id: line.name for line in parts().app_list.all()}
    apps: dict[str, dict[str, None]] = {}
    for grant in parts().repo.find(Grant, user_id=user.id):
        if grant.session_sid and grant.client_id in names:
            apps.setdefault(grant.session_sid, {})[names[grant.client_id]] = None
    sessions = parts().sessions.of(user.id)
    for one in sessions:
        for participant in parts().participants.of(one.sid):
            sp = parts().repo.get(ServiceProvider, participant.sp_id)
            apps.setdefault(one.sid, {})[sp.name if sp is not None else participant.sp_id] = None
    lines = [
        SessionLine(one, one.sid == current.sid, *device(one.user_agent), tuple(apps.get(one.sid, ())))
        for one in sessions
    ]
    return sorted(lines, key=lambda line: not line.here)


# ---------------------------------------------------------------- what I have allowed


@bp.post("/account/consents/<consent_id>/revoke")
def take_back(consent_id: str) -> AnyResponse:
    """The app asks again next time, and what it was given ends now."""
    check_csrf()
    _, user = signed_in()
    consent = parts().repo.get(Consent, consent_id)
    if consent is not None and consent.user_id == user.id:
        parts().allowed.take_back(user, consent.client_id)
    return redirect("/account", 303)


def _consents(user: User) -> list[ConsentLine]:
    lines = []
    for consent in parts().repo.find(Consent, user_id=user.id):
        client = parts().apps.client(consent.client_id)
        if client is not None:
            lines.append(ConsentLine(consent, client.name, tuple(in_words(scope) for scope in consent.scopes)))
    return lines


def _events(user: User) -> list[EventLine]:
    found = parts().repo.find(AuditEvent, subject=user.id, newest=True, limit=LATELY)
    lines = [EventLine(f"event.{event.name.replace('.', '_')}", event.at) for event in found]
    return [line for line in lines if has_text(line.key)]


# ---------------------------------------------------------------- password


@bp.get("/account/password")
def password_page() -> AnyResponse:
    _, user = recently_signed_in("/account/password")
    return _password_page(user)


@bp.post("/account/password")
def change_password() -> AnyResponse:
    check_csrf()
    session, user = recently_signed_in("/account/password")
    p = parts()
    outcome = attempted(
        lambda: change_own_password(
            user,
            form_field("old", limit=1024),
            form_field("new", limit=1024),
            users=p.users,
            passwords=p.passwords,
            throttles=p.throttles,
            local_login=p.local_login,
        ),
        "wrong_old_password",
        "weak_password",
        "too_many_attempts",
    )
    if isinstance(outcome, Problem):
        return _password_page(user, outcome)
    _, handle = renewed(session, user)
    sign_browser_in(handle)
    return redirect("/account", 303)


def _password_page(user: User, problem: Problem | None = None) -> Response:
    if not user.password_hash or not parts().sign_in.local_login_allowed(user):
        abort(redirect("/account", 303))
    minimum = parts().settings.passwords.minimum_length
    return form_page("change_password.html", problem, minimum=minimum, username=user.username)
