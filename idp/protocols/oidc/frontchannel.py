"""The page after a sign-out: it sends this browser to apps (OpenID Connect Front-Channel Logout 1.0), says which apps know,
and goes on to where the app wanted the person.

Leaves ending the session to idp.http.leaving, and telling apps from here to backchannel.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, make_response, redirect, request
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response

from idp.domain.relying import Client
from idp.domain.session import SignedOut
from idp.http.browser import browser_digest
from idp.http.leaving import SIGNED_OUT_PATH, peer_name
from idp.http.parts import parts
from idp.http.render import page, speak
from idp.http.security import allow_frames
from idp.protocols.oidc.redirects import with_query
from idp.protocols.oidc.session_iframe import origin_of
from idp.services.logout import AppTold

bp = Blueprint("oidc_signed_out", __name__)

ONWARD_SECONDS = 3
READ_SECONDS = 6  # when there is something to read
LOOK_AGAIN_SECONDS = (1, 2, 4, 8, 16)
_OPEN = ("telling", "trying")


@dataclass(frozen=True, slots=True)
class Onward:
    """url: where the person goes by itself, after so many seconds. app_name: whose address it is."""

    url: str
    seconds: int
    app_name: str


def frames(clients: list[Client], issuer: str, sid: Callable[[Client], str]) -> list[str]:
    """What to show in iframes (section 2), always with iss and sid (section 3). sid: as each app knows it."""
    uris = ((client.frontchannel_logout_uri, client) for client in clients)
    return [with_query(uri, {"iss": issuer, "sid": sid(client)}) for uri, client in uris if uri and origin_of(uri)]


@bp.get(f"{SIGNED_OUT_PATH}<handle>")
def signed_out(handle: str) -> Response:
    left = parts().logout.remembered(handle, browser_digest())
    if left is None:  # too long ago, or in another browser: nothing is said but what everybody may know
        return redirect("/sign-out", 303)
    speak(left.language)
    apps = parts().logout.told(left)
    looked = _looked()
    shown = _frames(left) if looked == 0 else []
    allow_frames(dict.fromkeys(origin for uri in shown if (origin := origin_of(uri))))
    onward = _onward(left, apps)
    open_still = any(app.state in _OPEN for app in apps)
    html = page(
        "signed_out.html",
        here=left.here,
        apps=apps,
        frames=shown,
        onward=onward,
        again=f"{request.path}?looked={looked + 1}" if open_still else None,
    )
    response = make_response(html)
    if onward is not None:
        response.headers["Refresh"] = f"{onward.seconds};url={iri_to_uri(onward.url)}"
    elif open_still and looked < len(LOOK_AGAIN_SECONDS):
        response.headers["Refresh"] = f"{LOOK_AGAIN_SECONDS[looked]};url={request.path}?looked={looked + 1}"
    return response


def _looked() -> int:
    """How often this page has looked again. Not the first time: the iframes have done their work."""
    given = request.args.get("looked", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 4 else 0


def _frames(left: SignedOut) -> list[str]:
    if not left.here:
        return []
    clients = parts().logout.can_be_told(left.apps, here=True)
    subjects = parts().subjects
    return frames(clients, parts().installation.issuer, lambda client: subjects.sid(client, left.sid))


def _onward(left: SignedOut, apps: list[AppTold]) -> Onward | None:
    if left.target is None:
        return None
    unread = any(app.state in ("trying", "failed", "cannot") for app in apps)
    return Onward(left.target, READ_SECONDS if unread else ONWARD_SECONDS, _whose(left))


def _whose(left: SignedOut) -> str:
    """The name of the app behind the target: the one that asked by OpenID Connect, or the peer that asked by SAML."""
    if left.app_id:
        client = parts().apps.client(left.app_id)
        return client.name if client is not None else ""
    run = parts().logout_runs.get(left.run)
    return peer_name(run.initiator) if run is not None and run.initiator else ""
