"""Home, signing in to our own pages, signing out, and whether we are alive.

Leaves the account to idp.web.account_pages and the steps of a sign-in to idp.web.flow.
"""

from flask import Blueprint, Response, jsonify, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

import idp
from idp.base.config import Settings
from idp.domain.user import User
from idp.http import leaving
from idp.http.browser import browser_digest, current
from idp.http.machine import Asked, Told, told_json
from idp.http.own_pages import DONE_PATH, own_path, start_sign_in
from idp.http.parts import parts
from idp.http.render import page
from idp.http.security import check_csrf
from idp.web.attention import MANY, Installed, Point, points

bp = Blueprint("home", __name__)


@bp.get("/")
def home() -> AnyResponse:
    found = current()
    if found is None:
        return make_response(page("welcome.html", set_up=not parts().set_up.open))
    _, user = found
    installed = _installed() if user.is_administrator else None
    return make_response(
        page(
            "home.html",
            person=user,
            attention=_attention(user, installed),
            installed=installed,
            many=MANY,
            store=_engine(parts().settings),
            version=idp.__version__,
        )
    )


@bp.get("/sign-in")
def sign_in() -> AnyResponse:
    wanted = own_path(request.args.get("next", "/"))
    return redirect(wanted, 303) if current() else start_sign_in(wanted)


@bp.get(DONE_PATH)
def signed_in_again() -> AnyResponse:
    finished = parts().sign_in.collect(request.args.get("attempt", ""), browser_digest())
    return redirect(own_path(str(finished.attempt.request.get("return_to", "/"))), 303)


@bp.get("/sign-out")
def sign_out_page() -> AnyResponse:
    found = current()
    onward = leaving.unfinished() if found is None else None
    if onward is not None:  # an app did not send the person back, and "back" in the browser leads here
        return redirect(onward, 303)
    return make_response(page("sign_out.html", person=found[1] if found else None))


@bp.post("/sign-out")
def sign_out() -> AnyResponse:
    check_csrf()
    return redirect(leaving.sign_out() or "/sign-out", 303)


def alive(_asked: Asked) -> Told:
    """The process answers. Says nothing about the store: restarting us would not mend it."""
    return told_json({"status": "ok"})


@bp.get("/readyz")
def ready() -> Response:
    """The store answers, too; 503 otherwise (by the common mapping of StoreUnavailable)."""
    parts().installation.stored("base_url")
    return jsonify(status="ok")


def _installed() -> Installed:
    p = parts()
    users = p.users.all(MANY)
    return Installed(
        issuer=p.installation.issuer,
        users=len(users),
        administrators=sum(1 for one in users if one.is_administrator and not one.disabled),
        # A client without a grant, as the companion's own, only asks about tokens: it is no app.
        apps=sum(bool(line.grant_types) for line in p.app_list.all()) + len(p.apps.service_providers()),
        upstreams=len(p.upstreams.for_sign_in()),
    )


def _attention(user: User, installed: Installed | None) -> list[Point]:
    p = parts()
    codes = p.factors.recovery_codes_left(user.id) if p.factors.has(user.id) else None
    if installed is None:
        return points(codes, None)
    # What a trusted proxy says has been taken for the sender's address before anybody of us looks.
    hidden = not p.settings.server.trusted_proxies and "X-Forwarded-For" in request.headers
    return points(codes, installed, p.upkeep.needs(), hidden_by_proxy=hidden)


def _engine(settings: Settings) -> str:
    return "MongoDB" if settings.store.url.startswith("mongodb") else "SQLite"
