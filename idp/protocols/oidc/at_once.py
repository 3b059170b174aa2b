"""GET /authorize of a browser whose session suffices: a code at once, without a page and without Flask.

Checks and decides with the functions of asking, checks and authorize, and does nothing before they have said yes. All else
(a sign-in, a refusal, a form, a request that is pushed or signed) is left to routes, which then begins anew.
"""

from idp.http.machine import Asked, Told
from idp.http.visit import cookies, has_state, signed_in, state_cookie
from idp.protocols.oidc.asking import Asking
from idp.protocols.oidc.authorize import find_way, grant
from idp.protocols.oidc.checks import examine
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.params import parse
from idp.protocols.oidc.redirects import by_address

# What they lead to may be fetched, or is good once.
_NOT_HERE = ("request", "request_uri")


def authorize_at_once(door: Door, asked: Asked) -> Told | None:
    """The answer (RFC 6749 4.1.2); None: ask the page. Raises Refused where the page does."""
    header = asked.headers.get("cookie", "")
    if "sheaf_session" not in header or not header.isascii():
        return None
    params = parse(asked.query)
    if any(name in params for name in _NOT_HERE):
        return None
    asking = examine(Asking(params, door))
    sent = cookies(header)
    way = find_way(door, asking, signed_in(door.parts, sent))
    if not way.is_done or asking.reply is None or asking.reply.by_form:
        return None
    granted = grant(door, asking, way)
    told = by_address(door.parts, granted.reply, granted.fields)
    if "session_state" in granted.fields and not has_state(door.parts, sent, granted.state):
        told.headers.append(("Set-Cookie", state_cookie(door.parts, granted.state)))
    return told
