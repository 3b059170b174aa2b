"""The browser's side of a sign-in: its cookies, the current session and user. The only importer of flask_login.

`sheaf_session` holds the handle of a Session; `sheaf_browser` a random id that ties attempts and forms to this browser.
Neither says anything by itself: what counts is in the store. `sheaf_state` is for the script of the session iframe, and
opens nothing.
"""

from flask import Flask, Request, Response, g, request
from flask.sessions import SessionInterface, SessionMixin
from flask_login import LoginManager, UserMixin

from idp.base import ids
from idp.domain.session import Session
from idp.domain.user import User
from idp.http import visit
from idp.http.parts import parts
from idp.http.visit import LONGEST_COOKIE, SHORTEST_COOKIE

WAY_SECONDS = 31_536_000


class SignedIn(UserMixin):
    """What flask_login hands out as current_user. user and session as of this request."""

    def __init__(self, user: User, session: Session) -> None:
        self.user = user
        self.session = session

    def get_id(self) -> str:
        return self.session.sid


class _NoFlaskSession(SessionInterface):
    """Flask's own session cookie is not used: nothing is kept in the browser, and token endpoints need no cookie work."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        return None

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        return None


def set_up_browser(app: Flask) -> None:
    manager = LoginManager()
    manager.session_protection = None  # binds to client-controlled headers (X-Forwarded-For); ours is in the store
    manager.request_loader(_load)
    manager.init_app(app, add_context_processor=False)  # pages ask us; an error page must not ask the store
    app.session_interface = _NoFlaskSession()
    app.after_request(_write_cookies)


def _load(_request: Request) -> SignedIn | None:
    found = current()
    return SignedIn(found[1], found[0]) if found else None


def cookie_name(base: str) -> str:
    return visit.cookie_name(parts(), base)


def current() -> tuple[Session, User] | None:
    """The live session of this browser and its user; looked up once a request."""
    if "sheaf_current" not in g:
        g.sheaf_current = visit.signed_in(parts(), request.cookies)
    found: tuple[Session, User] | None = g.sheaf_current
    return found


def current_session() -> Session | None:
    found = current()
    return found[0] if found else None


def left_behind() -> Session | None:
    """The session that the cookie still names although nobody is signed in: it was not used for too long."""
    handle = request.cookies.get(cookie_name("sheaf_session"), "")
    return parts().sessions.left_behind(handle) if current() is None and handle else None


def current_user() -> User | None:
    found = current()
    return found[1] if found else None


def browser_digest(*, make: bool = False) -> str | None:
    """Digest of this browser's random id. make: give it one if it has none (only pages do)."""
    value = browser_id(make=make)
    return ids.digest(value) if value else None


def browser_id(*, make: bool = False) -> str | None:
    fresh: str | None = g.get("sheaf_new_browser")
    if fresh:
        return fresh
    value = request.cookies.get(cookie_name("sheaf_browser"), "")
    if SHORTEST_COOKIE <= len(value) <= LONGEST_COOKIE:
        return value
    if not make:
        return None
    g.sheaf_new_browser = ids.secret()
    made: str = g.sheaf_new_browser
    return made


def keep_browser(value: str | None) -> None:
    """Write the random id again with this answer: the name of its cookie changes when the base URL becomes https."""
    if value:
        g.sheaf_new_browser = value


def remember_way(provider_id: str | None) -> None:
    """Which upstream was used last, for the order of the buttons and nothing else."""
    g.sheaf_way = provider_id or ""


def last_way() -> str | None:
    return request.cookies.get(cookie_name("sheaf_way"), "")[:LONGEST_COOKIE] or None


def keep_state(state: str) -> None:
    """The browser has the state of its session (visit.browser_state) from this answer on."""
    if not visit.has_state(parts(), request.cookies, state):
        g.sheaf_state = state


def sign_browser_in(handle: str) -> None:
    """The cookie is written with the answer of this request."""
    g.sheaf_new_session = handle
    g.pop("sheaf_current", None)


def sign_browser_out() -> None:
    g.sheaf_new_session = ""
    g.pop("sheaf_current", None)


def _write_cookies(response: Response) -> Response:
    fresh = g.get("sheaf_new_browser")
    if fresh:
        _set(response, "sheaf_browser", fresh)
    way = g.get("sheaf_way")
    if way:
        _set(response, "sheaf_way", way, max_age=WAY_SECONDS)
    elif way == "" and last_way():
        _delete(response, "sheaf_way")
    handle = g.get("sheaf_new_session")
    if handle:
        _set(response, "sheaf_session", handle)
        session = parts().repo.get(Session, ids.digest(handle))
        if session is not None:
            keep_state(visit.browser_state(parts(), session))
    elif handle == "":
        _delete(response, "sheaf_session")
    _write_state(response, signed_out=handle == "" or (not handle and g.get("sheaf_current", g) is None))
    return response


def _write_state(response: Response, *, signed_out: bool) -> None:
    secure, name = parts().installation.secure, cookie_name("sheaf_state")
    state = g.get("sheaf_state")
    if state:
        response.headers.add("Set-Cookie", visit.state_cookie(parts(), state))
    elif signed_out and name in request.cookies:
        response.delete_cookie(name, path="/", secure=secure, samesite="None" if secure else "Lax")


def _set(response: Response, base: str, value: str, max_age: int | None = None) -> None:
    # A session cookie of the browser: it ends with the browser; the store ends it earlier.
    response.set_cookie(
        cookie_name(base), value, max_age, path="/", secure=parts().installation.secure, httponly=True, samesite="Lax"
    )


def _delete(response: Response, base: str) -> None:
    response.delete_cookie(
        cookie_name(base), path="/", secure=parts().installation.secure, httponly=True, samesite="Lax"
    )
