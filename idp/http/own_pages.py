"""Who may see our own pages: signed in, and recently enough for what cannot be undone lightly; administrators only.

Also the front door of those pages: starts an attempt and says where it comes back to. Leaves the sign-in to idp.web.flow.
"""

import re
from dataclasses import replace

from flask import abort, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from idp.base.errors import Refused
from idp.domain.attempt import Proof, Wants, proof_of
from idp.domain.session import OTP, Session
from idp.domain.user import User
from idp.http.browser import current
from idp.http.parts import parts

# Where a sign-in may come back to. A list, so that no link can send a person who just signed in anywhere else.
RETURNS = (
    "/",
    "/account",
    "/account?again=1",
    "/account/apps",
    "/account/password",
    "/account/authenticator",
    "/account/recovery-codes",
    "/account/merge",
    "/admin/local-login",
)
# Pages for administrators, those about one app with its name as idp.admin.names writes it.
_ADMIN = re.compile(
    r"/admin/(?:users|invitations|upstreams|clients|saml|saml-messages|trace)(?:/[A-Za-z0-9_~][A-Za-z0-9._~-]{0,1400}(?:/[a-z-]{1,20}){0,2})?\Z"
)
_DATA = re.compile(r"/data(?:/(?:collections|queues)/[A-Za-z0-9._%-]{1,400})?\Z")
DONE_PATH = "/sign-in/done"


def start_sign_in(return_to: str, *, again: User | None = None) -> AnyResponse:
    """To the sign-in, and back to a page of ours. again: this user, and nobody else, although there is a session."""
    sign_in = parts().sign_in
    wants = Wants(force=True, login_hint=again.username) if again else Wants()
    draft = sign_in.draft("account", DONE_PATH, {"return_to": own_path(return_to)}, wants=wants)
    bound = replace(draft.attempt, owner_id=again.id if again else None)
    return redirect(f"/flow/{sign_in.save(replace(draft, attempt=bound))}", 303)


def own_path(path: str) -> str:
    return path if path in RETURNS or _ADMIN.match(path) or _DATA.match(path) else "/"


def signed_in(return_to: str = "/account") -> tuple[Session, User]:
    """The session and its user. Whoever has none is sent to the sign-in and comes back to `return_to`."""
    found = current()
    if found is None:
        abort(start_sign_in(return_to))
    return found


def recently_signed_in(return_to: str = "/account?again=1") -> tuple[Session, User]:
    """As signed_in, and every factor the person has was proved within `sign_in.recent_seconds`. Else they prove again and
    come back to `return_to`: a form that was sent is not kept, the person sends it once more."""
    session, user = signed_in(return_to)
    if not is_recent(session, user):
        abort(start_sign_in(return_to, again=user))
    return session, user


def administrator(return_to: str) -> User:
    """Raises Refused(not_administrator) for everybody else who is signed in."""
    return _administrator(return_to)[1]


def recent_administrator(return_to: str) -> User:
    """For changes, and for pages with the forms that lead to them."""
    session, user = _administrator(return_to)
    if not is_recent(session, user):
        abort(start_sign_in(return_to, again=user))
    return user


def _administrator(return_to: str) -> tuple[Session, User]:
    session, user = signed_in(return_to)
    if not user.is_administrator:
        raise Refused("not_administrator", "This is for administrators. Ask one of them.", status=403)
    return session, user


def is_recent(session: Session, user: User) -> bool:
    since = parts().clock() - parts().settings.sign_in.recent_seconds
    if session.auth_time < since:
        return False
    if session.factor_at is None:
        return not parts().factors.has(user.id)
    return session.factor_at >= since


def renewed(session: Session, user: User) -> tuple[Session, str]:
    """After the password was changed and every session ended: one for this browser again, for what it had proved; the old
    password just now."""
    proof = Proof(user.id, parts().clock(), session.amr, session.factor_at, session.provider_id)
    return parts().sessions.establish(proof, None, _user_agent())


def proved_factor_now(session: Session, user: User) -> str:
    """This session, with a second step proved just now; gives its new handle."""
    amr = tuple(dict.fromkeys([*session.amr, OTP]))
    proof = replace(proof_of(session), amr=amr, factor_at=parts().clock(), session_id=None)
    return parts().sessions.establish(proof, session, _user_agent())[1]


def _user_agent() -> str:
    return request.headers.get("User-Agent", "")
