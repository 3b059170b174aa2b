"""The three screens of the first run: you, the base URL, the second step. What is due stands in the set-up link's record.

Every screen can be reloaded, sent twice and left; only the browser that did the first one goes on. Leaves the rules to
idp.services.set_up and looking at the base URL to idp.web.base_url.
"""

import hmac
from hashlib import sha256

from flask import Blueprint, Response, abort, redirect, request
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from idp.base.config import Settings
from idp.base.errors import Refused
from idp.base.net import Answer, NetPolicy, fetch, is_loopback_url
from idp.domain.attempt import Proof
from idp.domain.audit_event import SetupLink
from idp.domain.session import OTP, PWD
from idp.domain.user import User
from idp.http.browser import browser_digest, browser_id, keep_browser, sign_browser_in
from idp.http.forms import Problem, attempted, form_page
from idp.http.parts import parts
from idp.http.render import text
from idp.http.security import check_csrf, form_field
from idp.web.base_url import CHECK_PATH, Failed, ProxyAdvice, checked_form, leads_here, origin_of, proxy_advice
from idp.web.qr import qr_svg

bp = Blueprint("setup_pages", __name__)


@bp.get("/setup/<token>")
def due_screen(token: str) -> AnyResponse:
    link = _link(token)
    user = _user(link)
    if user is None:
        return _you_page(token)
    if not link.address_done:
        return _address_page(token)
    if parts().factors.has(user.id):
        return form_page("setup_codes.html", token=token, codes=None)
    return _factor_page(token, user)


# ---------------------------------------------------------------- one: you


@bp.post("/setup/<token>/you")
def you(token: str) -> AnyResponse:
    check_csrf()
    link = _link(token)
    if _user(link) is None:
        outcome = attempted(lambda: _first_administrator(link), *_ABOUT_YOU)
        if isinstance(outcome, Problem):
            return _you_page(token, outcome)
    return redirect(f"/setup/{token}", 303)


_ABOUT_YOU = ("username_taken", "email_taken", "weak_password", "invalid_username", "invalid_email", "invalid_name")


def _first_administrator(link: SetupLink) -> User:
    return parts().set_up.first_administrator(
        link,
        name=form_field("name", limit=200),
        username=form_field("username", limit=128),
        email=form_field("email", limit=254),
        password=form_field("password", limit=1024),
        browser=browser_digest(),
    )


def _you_page(token: str, problem: Problem | None = None) -> Response:
    typed = {name: request.form.get(name, "")[:254] for name in ("name", "username", "email")}
    minimum = parts().settings.passwords.minimum_length
    return form_page("setup_you.html", problem, token=token, typed=typed, minimum=minimum, advice=_advice())


# ---------------------------------------------------------------- two: the base URL


@bp.get("/setup/<token>/address")
def address_again(token: str) -> AnyResponse:
    link = _link(token)
    return _address_page(token) if _user(link) else redirect(f"/setup/{token}", 303)


@bp.post("/setup/<token>/address")
def address(token: str) -> AnyResponse:
    check_csrf()
    link = _link(token)
    if _user(link) is None:
        return redirect(f"/setup/{token}", 303)
    chosen = attempted(lambda: _fixed() or checked_form(form_field("address", limit=250)), "invalid_address")
    if isinstance(chosen, Problem):
        return _address_page(token, problem=chosen)
    failed = None if form_field("anyway", required=False) == "1" else leads_here(chosen, _fetch, _answer)
    if failed is not None:
        return _address_page(token, failed=failed)
    return _use(token, link, chosen)


def _use(token: str, link: SetupLink, chosen: str) -> AnyResponse:
    """Store it and go on there. A cookie does not cross to another host: then the browser is bound anew at its first
    visit with the link, which is still a secret. And no redirect: the CSP of the form would stop it."""
    here = _browser_origin() or origin_of(request.host_url)
    moved = chosen != here
    cookie = browser_id()
    parts().installation.store("base_url", chosen)
    parts().set_up.address_chosen(link, moved=moved)
    keep_browser(cookie)
    if moved:
        return form_page("setup_moved.html", address=chosen, onward=f"{chosen}/setup/{token}")
    return redirect(f"/setup/{token}", 303)


@bp.get(f"{CHECK_PATH}<challenge>")
def prove_it_is_us(challenge: str) -> Response:
    """Only the installation that asks can tell whether the answer is right."""
    return Response(_answer(challenge), mimetype="text/plain", headers={"Cache-Control": "no-store"})


def _answer(challenge: str) -> str:
    return hmac.new(parts().seal.derive("setup-check"), challenge.encode(), sha256).hexdigest()


def _fetch(url: str) -> Answer:
    # Private addresses are allowed here: it is our own, and only the holder of the set-up link can ask.
    settings = parts().settings
    policy = NetPolicy(True, settings.net.timeout_seconds, max_bytes=4096, trusted=settings.tls_certificate)
    return fetch("GET", url, policy)


def _address_page(token: str, *, problem: Problem | None = None, failed: Failed | None = None) -> Response:
    detected = _browser_origin() or origin_of(request.host_url)
    typed = _fixed() or request.form.get("address", "")[:250] or parts().installation.stored("base_url") or detected
    response = form_page(
        "setup_address.html",
        problem,
        token=token,
        address=typed,
        fixed=bool(_fixed()),
        failed=_why(failed),
        failed_trace=_kept(failed),
        advice=_advice(),
        open_http=typed.startswith("http://") and not is_loopback_url(typed),
    )
    response.status_code = 422 if failed else response.status_code
    return response


def _why(failed: Failed | None) -> Markup | None:
    return text(failed.key, url=failed.url, why=failed.why, status=failed.status) if failed else None


def _kept(failed: Failed | None) -> str | None:
    """Trace code of a failed check, for the page and for `idp explain`."""
    if failed is None:
        return None
    reason = f"{failed.url} does not lead back to this server: {failed.key} {failed.why or failed.status or ''}".strip()
    refused = Refused("invalid_address", "The address does not lead back here.", status=422, reason=reason)
    return parts().traces.keep("setup", refused, endpoint=request.endpoint or "")


def _fixed() -> str:
    return parts().settings.issuer.rstrip("/")


def _browser_origin() -> str:
    """The address in the browser's own words: Origin when it sends a form, Referer when it comes from one of our screens."""
    said = request.headers.get("Origin", "")
    if request.method == "GET" and "/setup/" in (request.referrer or ""):
        said = request.referrer or ""
    return origin_of(said)


def _advice() -> ProxyAdvice | None:
    settings: Settings = parts().settings
    forwarded = {name: request.headers.get(f"X-Forwarded-{name}", "") for name in ("Proto", "Host")}
    server = origin_of(request.host_url)
    browser = _browser_origin()
    if not browser and any(forwarded.values()):
        scheme, host = forwarded["Proto"] or request.scheme, forwarded["Host"] or request.host
        browser = origin_of(f"{scheme}://{host}".split(",")[0].strip())
    return proxy_advice(browser, server, settings.server.trusted_proxies, any(forwarded.values()))


# ---------------------------------------------------------------- three: the second step


@bp.post("/setup/<token>/factor")
def prove_factor(token: str) -> AnyResponse:
    check_csrf()
    user = _ready_for_factor(token)
    if parts().factors.has(user.id):
        return _codes_page(
            token, parts().factors.renew_recovery_codes(user)
        )  # sent twice: the first answer was not seen
    outcome = attempted(
        lambda: parts().factors.confirm(user, browser_digest(), form_field("code", limit=64)),
        "wrong_code",
        "enrolment_expired",
    )
    return _factor_page(token, user, outcome) if isinstance(outcome, Problem) else _codes_page(token, outcome)


@bp.post("/setup/<token>/codes")
def codes_again(token: str) -> AnyResponse:
    """The page with the codes was closed before they were kept."""
    check_csrf()
    user = _ready_for_factor(token)
    if not parts().factors.has(user.id):
        return redirect(f"/setup/{token}", 303)
    return _codes_page(token, parts().factors.renew_recovery_codes(user))


@bp.post("/setup/<token>/done")
def done(token: str) -> AnyResponse:
    check_csrf()
    link = _link(token)
    user = _ready_for_factor(token)
    if not parts().factors.has(user.id):
        return redirect(f"/setup/{token}", 303)
    administrator = parts().set_up.complete(link)
    now = parts().clock()
    proof = Proof(administrator.id, now, (PWD, OTP), factor_at=now)
    _, handle = parts().sessions.establish(proof, None, request.headers.get("User-Agent", ""))
    sign_browser_in(handle)
    return redirect("/", 303)


def _ready_for_factor(token: str) -> User:
    link = _link(token)
    user = _user(link)
    if user is None or not link.address_done:
        abort(redirect(f"/setup/{token}", 303))
    return user


def _factor_page(token: str, user: User, problem: Problem | None = None) -> Response:
    enrolment = parts().factors.enrolment(user, browser_digest(make=True))
    return form_page("setup_factor.html", problem, token=token, enrolment=enrolment, qr=qr_svg(enrolment.uri))


def _codes_page(token: str, codes: tuple[str, ...]) -> Response:
    return form_page("setup_codes.html", token=token, codes=codes)


def _link(token: str) -> SetupLink:
    return parts().set_up.claim(token, browser_digest(make=True))


def _user(link: SetupLink) -> User | None:
    return parts().users.get(link.user_id) if link.user_id else None
