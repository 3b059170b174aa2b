"""Trying an app: what it would get for a person, and a sign-in of one's own by its rules. The app itself is told nothing.

The test is a sign-in as every other, with a front door of its own: it ends here instead of at the app, no code is made, and
the session is not noted as one that the app has. Leaves the sign-in to idp.services.sign_in and claims to previews.
"""

import json
from dataclasses import replace
from typing import Any

from flask import Blueprint, redirect, request
from markupsafe import Markup
from werkzeug.wrappers import Response

from idp.admin import as_words
from idp.admin.common import find, shown
from idp.admin.happened import Happened, first_step, second_step
from idp.admin.names import api_path_of, path_of
from idp.admin.previews import chosen_scopes, of_sign_in, preview_for
from idp.base.errors import Refused
from idp.domain.attempt import FrontDoor, LoginAttempt, Wants
from idp.domain.metadata import CODE
from idp.domain.profile import rules
from idp.domain.relying import Client
from idp.domain.session import ACR_MFA, ACR_SINGLE
from idp.domain.user import User
from idp.http.browser import browser_digest
from idp.http.forms import Problem, attempted
from idp.http.own_pages import administrator
from idp.http.parts import parts
from idp.http.render import text
from idp.http.security import check_csrf
from idp.services.attempts import Finished

bp = Blueprint("admin_try", __name__)

DOOR: FrontDoor = "test"
MAX_TYPED = 1000


@bp.before_request
def _looking_is_not_doing() -> Response | None:
    """Link checkers ask with HEAD: that must not use up the result."""
    return Response() if request.method == "HEAD" and request.endpoint == "admin_try.test_done" else None


# ---------------------------------------------------------------- what would it get


@bp.get("/admin/clients/<name>/preview")
def preview(name: str) -> Response:
    administrator(request.path)
    client = find(name)
    login, scopes = request.args.get("user", "")[:MAX_TYPED].strip(), request.args.get("scopes", "")[:MAX_TYPED]
    claims, problem = None, None
    if login:
        outcome = attempted(
            lambda: preview_for(parts(), client, login, scopes.split()), "unknown_user", "invalid_scope"
        )
        problem = outcome if isinstance(outcome, Problem) else None
        claims = None if isinstance(outcome, Problem) else _in_lines(outcome)
    words = ("preview", client.id, login or "NAME")
    asked = f"{api_path_of(client.id)}/preview?user={login or 'NAME'}"
    return shown(
        "admin_preview.html",
        problem,
        client=client,
        base=path_of(client.id),
        login=login,
        scopes=scopes,
        claims=claims,
        command=as_words.command(words, {}),
        api_call=as_words.api_call(parts().installation.issuer, "GET", asked),
    )


def _in_lines(claims: dict[str, dict[str, Any]]) -> dict[str, str]:
    """As text for reading; empty where the app gets nothing."""
    return {place: json.dumps(found, indent=2, ensure_ascii=False) if found else "" for place, found in claims.items()}


# ---------------------------------------------------------------- a sign-in


@bp.get("/admin/clients/<name>/test")
def test_page(name: str) -> Response:
    administrator(request.path)
    return _test_page(find(name))


@bp.post("/admin/clients/<name>/test")
def begin(name: str) -> Response:
    check_csrf()
    user = administrator(request.path)
    client = find(name)
    outcome = attempted(lambda: _begun(client, user), "invalid_scope")
    return _test_page(client, outcome) if isinstance(outcome, Problem) else redirect(f"/flow/{outcome}", 303)


@bp.get("/admin/clients/<name>/test/done")
def test_done(name: str) -> Response:
    """What the sign-in came to, for the administrator who is signed in by it (or still is)."""
    user = administrator(f"/admin/clients/{name}/test")
    client = find(name)
    finished = parts().sign_in.collect(request.args.get("attempt", ""), browser_digest())
    attempt = finished.attempt
    if attempt.front_door != DOOR or attempt.app_id != client.id:
        raise Refused("attempt_used", "This sign-in belongs to another app. Start again there.", status=409)
    scopes = tuple(attempt.request["scopes"])
    claims = None
    if finished.user is not None and finished.session is not None:
        if finished.user.id != user.id:
            raise Refused("not_administrator", "Somebody else has signed in meanwhile.", status=403)
        claims = _in_lines(of_sign_in(parts(), client, user, finished.session, scopes))
    return shown(
        "admin_test_done.html",
        client=client,
        base=path_of(client.id),
        steps=_steps(client, finished, scopes),
        claims=claims,
    )


def _begun(client: Client, user: User) -> str:
    """The handle of an attempt with what an authorization request of this app would want."""
    scopes = chosen_scopes(client, request.form.get("scopes", "")[:MAX_TYPED].split())
    if "refresh_token" not in client.grant_types:
        scopes = tuple(scope for scope in scopes if scope != "offline_access")
    anew = bool(request.form.get("anew"))
    draft = parts().sign_in.draft(
        DOOR,
        f"{path_of(client.id)}/test/done",
        {"scopes": scopes},
        app_id=client.id,
        app_name=client.name,
        wants=Wants(
            force=anew or client.default_max_age == 0,
            max_age=client.default_max_age,
            second_factor=_wants_second_factor(client),
            scopes=scopes if client.consent == "ask" else (),
            # As for a real request: on a device any program could ask in the name of this app (RFC 8252 8.6).
            force_consent=client.is_public and not all(uri.startswith("https:") for uri in client.redirect_uris),
            login_hint=user.username,
            upstreams=client.upstreams,
        ),
    )
    return parts().sign_in.save(replace(draft, attempt=replace(draft.attempt, owner_id=user.id)))


def _wants_second_factor(client: Client) -> bool:
    liked = [acr for acr in client.default_acr_values if acr in (ACR_MFA, ACR_SINGLE)]
    return client.second_factor_required or liked[:1] == [ACR_MFA]


def _test_page(client: Client, problem: Problem | None = None) -> Response:
    return shown(
        "admin_test.html",
        problem,
        client=client,
        base=path_of(client.id),
        possible=CODE in client.grant_types,
        scopes=request.form.get("scopes", "")[:MAX_TYPED],
    )


# ---------------------------------------------------------------- what happened


def _steps(client: Client, finished: Finished, scopes: tuple[str, ...]) -> list[Happened]:
    attempt = finished.attempt
    asked = Happened(text("admin_test.asked", scopes=" ".join(scopes)), _rules(client))
    proved = [] if attempt.proof is None else [first_step(attempt), second_step(attempt)]
    if attempt.denied:
        return [asked, *proved, Happened(text("admin_test.declined"), good=False)]
    uri = client.redirect_uris[0] if client.redirect_uris else ""
    answer = Happened(text("admin_test.answer", uri=uri), (text("admin_test.answer_why"),))
    return [asked, *proved, _consent(client, attempt), _strength(finished), answer]


def _rules(client: Client) -> tuple[Markup, ...]:
    settings = parts().settings.oidc
    demanded = rules(client, push_everything=settings.require_pushed_authorization_requests)
    bound = client.dpop_bound_access_tokens or client.tls_client_certificate_bound_access_tokens
    said = {
        "par": demanded.pushed_request,
        "pkce": demanded.pkce,
        "signed": client.require_signed_request_object,
        "bound": demanded.sender_constrained or bound,
    }
    return tuple(text(f"admin_test.rule_{name}") for name, so in said.items() if so)


def _consent(client: Client, attempt: LoginAttempt) -> Happened:
    if not attempt.wants.scopes:
        return Happened(text("admin_test.consent_skip"))
    return Happened(text("admin_test.consent_now" if attempt.consented else "admin_test.consent_known"))


def _strength(finished: Finished) -> Happened:
    session = finished.session
    assert session is not None
    return Happened(text("admin_test.strength", acr=session.acr, amr=" ".join(session.amr)))
