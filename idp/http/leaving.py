"""Signs this browser out, for every door: ends the session and says where the person goes from there.

Leaves the end itself and the notes to apps to the services, the page that shows them to idp.protocols.oidc.frontchannel, and
leading the browser from one SAML app to the next to idp.protocols.saml.logout_run.
"""

from collections.abc import Iterable

from idp.base.errors import Refused
from idp.domain.saml import LogoutRun
from idp.http.browser import browser_digest, current, left_behind, sign_browser_out
from idp.http.parts import parts
from idp.http.render import language
from idp.services.logout_runs import Initiator, to_visit

SIGNED_OUT_PATH = "/signed-out/"
RUN_PATH = "/saml/logout/"


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
    apps = parts().sessions.end(session, actor=user_id, here=True)
    parts().audit.record("sign_out", actor=user_id, subject=user_id, sid=session.sid, app=app_id)
    return farewell(session.sid, apps, target=target, app_id=app_id)


def farewell(
    sid: str, apps: Iterable[str], *, target: str | None = None, app_id: str | None = None, here: bool = True
) -> str | None:
    """After a session has ended: to the SAML apps that only a browser can tell, and to the page that says which apps know,
    unless nobody has to see it. here: it was the session of this very browser."""
    logout, runs = parts().logout, parts().logout_runs
    clients = tuple(client.id for client in logout.can_be_told(apps, here=here))
    if not clients and not runs.plan(sid, here=here):
        return target
    logout.first_tries(sid)
    told = runs.plan(sid, here=here)
    run = runs.begin(sid, told, browser_digest(make=True) or "", apps=clients, target=target, app_id=app_id)
    return f"{RUN_PATH}{run.id}" if to_visit(told) else last_page(run, here=here)


def answer_after(sid: str, apps: Iterable[str], initiator: Initiator, *, answered: bool = True) -> str:
    """The same after a LogoutRequest of a SAML peer, which ended the session `sid`: the way ends with an answer to it.

    answered: False for a peer that wants none. Gives the address for the browser, which may have sent no cookies yet.
    """
    logout, runs = parts().logout, parts().logout_runs
    clients = tuple(client.id for client in logout.can_be_told(apps, here=True))
    logout.first_tries(sid)
    told = runs.plan(sid, here=True, besides=initiator.peer)
    run = runs.begin(sid, told, browser_digest() or "", apps=clients, initiator=initiator if answered else None)
    return f"{RUN_PATH}{run.id}"


def unfinished() -> str | None:
    """Where a logout of this browser goes on that it did not come back from."""
    browser = browser_digest()
    run = parts().logout_runs.unfinished(browser) if browser else None
    return f"{RUN_PATH}{run.id}" if run is not None else None


def last_page(run: LogoutRun, *, here: bool = True) -> str:
    """Where the person goes when no app has to be visited any more: straight on if there is nothing to read, else to the
    page that tells which apps know and goes on from there."""
    logout = parts().logout
    target = f"{RUN_PATH}{run.id}?answer=1" if run.initiator else run.target
    clients = logout.can_be_told(run.apps, here=here)
    by_iframe = here and any(client.frontchannel_logout_uri for client in clients)
    if target is not None and not by_iframe and complete(run):
        return target
    if target is None and not clients and not run.told:
        return "/sign-out"
    shown = logout.remember(
        run.sid,
        clients,
        run.browser,
        target=target,
        app_id=run.app_id,
        here=here,
        language=language(),
        run=run.id,
    )
    return f"{SIGNED_OUT_PATH}{shown}"


def complete(run: LogoutRun) -> bool:
    """Does everybody know?"""
    services = parts()
    return all(told.state == "done" for told in services.logout_runs.states(run)) and services.logout.all_reached(
        run.sid
    )


def peer_name(peer: str) -> str:
    """For people: of `sp:ENTITYID` or `upstream:ID`."""
    kind, _, id = peer.partition(":")
    if kind == "upstream":
        provider = parts().upstreams.get(id)
        return provider.label if provider is not None else ""
    try:
        known = parts().providers.get(id)
    except Refused:
        return ""
    return known[0].name if known is not None else ""
