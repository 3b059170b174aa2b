"""What a request says about the browser behind it, read without a web framework: the same for pages and for short cuts.

Owns the names and forms of our cookies and who is signed in. Leaves a request of Flask, and what it writes, to browser.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256

from werkzeug.http import dump_cookie, parse_cookie

from idp.domain.session import Session
from idp.domain.user import User
from idp.http.parts import Parts

LONGEST_COOKIE = 100
SHORTEST_COOKIE = 20


def cookies(header: str) -> Mapping[str, str]:
    """The first value of each name, as Flask has it."""
    return parse_cookie(header)


def cookie_name(parts: Parts, base: str) -> str:
    """`__Host-` binds the cookie to this very host, path / and https (RFC 6265bis)."""
    return f"__Host-{base}" if parts.installation.secure else base


def signed_in(parts: Parts, sent: Mapping[str, str]) -> tuple[Session, User] | None:
    """The live session of this browser and its user."""
    handle = sent.get(cookie_name(parts, "sheaf_session"), "")
    return parts.sessions.load(handle) if SHORTEST_COOKIE <= len(handle) <= LONGEST_COOKIE else None


def browser_state(parts: Parts, session: Session) -> str:
    """The OP browser state of Session Management 1.0 section 3.2: another one for every session, and nobody who knows it
    or the sid finds the other."""
    return hmac.new(parts.state_key, session.sid.encode(), sha256).hexdigest()[:40]


def has_state(parts: Parts, sent: Mapping[str, str], state: str) -> bool:
    return sent.get(cookie_name(parts, "sheaf_state")) == state


def state_cookie(parts: Parts, state: str) -> str:
    """Read by our script in an iframe of another site: no HttpOnly, and no SameSite, which only https allows."""
    secure = parts.installation.secure
    same_site = "None" if secure else "Lax"
    return dump_cookie(cookie_name(parts, "sheaf_state"), state, path="/", secure=secure, samesite=same_site)
