"""Signs this browser out, for every door: ends the session and says where the person goes from there.

Leaves the end itself and the notes to apps to the services, and the page that shows them to idp.protocols.oidc.frontchannel.
"""

from collections.abc import Iterable

from idp.http.browser import browser_digest, current, left_behind, sign_browser_out
from idp.http.parts import parts
from idp.http.render import language

SIGNED_OUT_PATH = "/signed-out/"


def sign_out(*, target: str | None = None, app_id: str | None = None) -> str | None:
    """End the session of this browser, if it has one. target: where the app app_id wants the person to go then.

    Gives the address for the browser; None when the person stays here and there is nothing to tell.
    """
    found = current()
    # One that was not used for too long has apps hanging on it all the same, and who signs out means those.
    session = found[0] if found is not None else left_behind()
    sign_browser_out()
    if session is None:
        return target
    user_id = session.user_id
    apps = parts().sessions.end(session, actor=user_id)
    parts().audit.record("sign_out", actor=user_id, subject=user_id, sid=session.sid, app=app_id)
    return farewell(session.sid, apps, target=target, app_id=app_id)


def farewell(
    sid: str, apps: Iterable[str], *, target: str | None = None, app_id: str | None = None, here: bool = True
) -> str | None:
    """After a session has ended: to the page that says which apps know, unless nobody has to see it. here: it was the
    session of this very browser."""
    logout = parts().logout
    clients = logout.can_be_told(apps, here=here)
    if not clients:
        return target
    logout.first_tries(sid)
    by_iframe = here and any(client.frontchannel_logout_uri for client in clients)
    if target is not None and not by_iframe and logout.all_reached(sid):
        return target
    handle = logout.remember(
        sid, clients, browser_digest(make=True) or "", target=target, app_id=app_id, here=here, language=language()
    )
    return f"{SIGNED_OUT_PATH}{handle}"
