"""Single logout over HTTP, the same for both sides: what service providers and what upstream identity providers send us.

Owns the order: read, refuse or end the sessions that are meant, then lead the browser on. Leaves who a peer is and whom it may
name to the doors (`Counterpart`), the messages to idp.saml.logout_peer, and the end itself to the services. Loads no XML itself.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from idp.base.errors import Refused
from idp.domain.saml import MessageCheck
from idp.http import errors, leaving
from idp.http.browser import current, sign_browser_out
from idp.http.parts import parts
from idp.http.render import page
from idp.http.security import allow_form_target
from idp.services.logout_runs import Initiator
from idp.services.once import Once

if TYPE_CHECKING:
    from idp.saml.bindings import Arrived
    from idp.saml.logout import LogoutRequest, Opened
    from idp.saml.logout_peer import FindPeer, Heard, Outcome, Peer, Sent

_LATE = "This sign-out message was not expected, or it was already used. You need not do anything; to be sure, sign out here as well."
_NOT_WHOLE = {
    "partial": "PartialLogout: the session has ended, but some apps in it can only be told by the browser, or were not reached",
    "unknown": "UnknownPrincipal: no session of ours is known to it by this NameID and SessionIndex",
}


@dataclass(frozen=True, slots=True)
class Named:
    """A session that a LogoutRequest names; it may have ended before."""

    sid: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Counterpart:
    """One side of us. find: the peer that a message names. named: the sessions that a request of it is about.
    known: the peer's name where the address says it, else empty."""

    find: "FindPeer"
    named: "Callable[[LogoutRequest], list[Named]]"
    known: str = ""


def set_up(bp: Blueprint) -> None:
    """What routes of single logout have in common: refusals by the binding, messages kept for the inspector."""
    bp.register_error_handler(Refused, _refused)
    bp.after_request(_keep_heard)


# ---------------------------------------------------------------- by browser


def by_browser(side: Counterpart) -> AnyResponse:
    """A message by Redirect (GET) or POST. Raises Refused."""
    from idp.saml import logout_peer

    if request.method == "POST":
        heard = _hear("post", side)
        arrived = logout_peer.from_form(request.form.to_dict(flat=False), heard)
    else:
        heard = _hear("redirect", side)
        arrived = logout_peer.from_query(request.query_string, heard)
    message, peer = logout_peer.open_message(arrived, side.find, heard)
    if message.kind == "LogoutResponse":
        return _back(arrived, message, peer, heard)
    asked = logout_peer.read_request(arrived, message, peer, heard, parts().clock())
    named = _named(side, asked, heard)
    if not named:
        sent = peer.answer(asked.id, arrived.binding, arrived.relay_state, parts().clock(), "unknown")
        return leave(sent, peer) if sent is not None else redirect("/sign-out", 303)
    _first_time(peer, asked, heard)
    here = current()
    before = here[0].sid if here is not None else ""
    if not asked.indexes and any(one.sid == before for one in named):
        named = [one for one in named if one.sid == before]  # they named nothing more than who is in this browser
    named.sort(key=lambda one: one.sid != before)
    apps = _end(named, peer, arrived.binding, here=True)
    if before in {one.sid for one in named}:
        sign_browser_out()
    initiator = Initiator(peer.name, asked.id, arrived.binding, arrived.relay_state)
    answered = not asked.asynchronous and peer.takes_answers(arrived.binding)
    return redirect(leaving.answer_after(named[0].sid, apps, initiator, answered=answered), 303)


def _back(arrived: "Arrived", message: "Opened", peer: "Peer", heard: "Heard") -> AnyResponse:
    """The browser comes back from an app that it was led to. Whatever is wrong with the answer, it goes on with the next."""
    from idp.saml import logout_peer

    runs, done = parts().logout_runs, False
    try:
        read = logout_peer.read_response(arrived, message, peer, heard, parts().clock())
        done = read.done and read.signed
    except Refused as refused:
        if runs.holder(message.in_response_to) is None:
            raise
        g.sheaf_trace = parts().traces.keep("saml", refused, peer=peer.name[:200])
    run = runs.answered(message.in_response_to, peer.name, done=done) or runs.holder(message.in_response_to)
    if run is None:
        heard.checks.failed("in_response_to", "nobody waits for it")
        raise Refused("slo_unexpected", _LATE, status=409, reason="no logout under way waits for this LogoutResponse")
    heard.checks.passed("in_response_to")
    return redirect(f"{leaving.RUN_PATH}{run}", 303)


def leave(sent: "Sent", peer: "Peer") -> AnyResponse:
    """The last step: on to whoever began it."""
    keep_sent(sent, peer)
    if sent.binding == "redirect":
        return redirect(sent.url, 303)
    allow_post(sent.url)
    return make_response(page("saml_post.html", action=sent.url, fields=sent.fields, app_name=peer.label))


def allow_post(url: str) -> None:
    scheme, _, rest = url.partition("://")
    allow_form_target(f"{scheme}://{rest.partition('/')[0].partition('?')[0]}")
    allow_form_target("https:")  # where the app sends the browser next; form-action holds for redirects too


# ---------------------------------------------------------------- by SOAP


def by_soap(side: Counterpart) -> Response:
    """A LogoutRequest in the back channel (SAML Bindings 3.2); the answer is an envelope. Raises Refused."""
    from idp.saml import logout_peer, soap

    heard = _hear("soap", side)
    arrived = logout_peer.from_soap(request.get_data(cache=False), heard)
    message, peer = logout_peer.open_message(arrived, side.find, heard)
    asked = logout_peer.read_request(arrived, message, peer, heard, parts().clock())
    named = _named(side, asked, heard)
    outcome: Outcome = "unknown"
    if named:
        _first_time(peer, asked, heard)
        _end(named, peer, "soap", here=False)
        outcome = "done" if all(_all_told(one.sid, peer.name) for one in named) else "partial"
    answer = peer.soap_answer(asked.id, parts().clock(), outcome)
    ok = outcome == "done"
    why = () if ok else (MessageCheck("status", False, _NOT_WHOLE[outcome]),)
    parts().saml_messages.keep(peer.name, "out", "LogoutResponse", "soap", answer, checks=why, ok=ok)
    return _envelope(soap.envelope(answer), 200)


def _all_told(sid: str, besides: str) -> bool:
    """As far as it can be known while the peer waits; notes that are on their way go on."""
    services = parts()
    services.logout.first_tries(sid)
    told = services.logout_runs.plan(sid, here=False, besides=besides)
    return all(one.state == "done" for one in told) and services.logout.all_reached(sid)


def _envelope(body: bytes, status: int) -> Response:
    response = make_response(body, status)
    response.headers["Content-Type"] = "text/xml; charset=utf-8"
    response.headers["Cache-Control"] = "no-cache, no-store"  # Bindings 3.2.3.1
    return response


# ---------------------------------------------------------------- both


def _named(side: Counterpart, asked: "LogoutRequest", heard: "Heard") -> list[Named]:
    named = side.named(asked)
    if named:
        heard.checks.passed("name_id")
    else:
        heard.checks.failed("name_id", "no session of ours is known to it by this NameID and SessionIndex")
    return named


def _first_time(peer: "Peer", asked: "LogoutRequest", heard: "Heard") -> None:
    if not Once(parts().repo).first("saml logout", peer.name, asked.id, asked.ends_at):
        heard.checks.failed("replay")
        raise Refused(
            "slo_replayed", _LATE, status=409, reason=f"this LogoutRequest of {peer.name[:200]} was seen before"
        )
    heard.checks.passed("replay")


def _end(named: Iterable[Named], peer: "Peer", binding: str, *, here: bool) -> tuple[str, ...]:
    """Gives the OpenID Connect apps of the sessions that were still there."""
    services = parts()
    apps: tuple[str, ...] = ()
    for one in named:
        session = services.sessions.by_sid(one.sid)
        if session is not None:
            apps += services.sessions.end(session, actor=one.user_id, besides=peer.name, here=here)
            services.audit.record(
                "saml.logout_requested", actor=peer.name, subject=one.user_id, sid=one.sid, binding=binding
            )
    return tuple(dict.fromkeys(apps))


def _hear(binding: str, side: Counterpart) -> "Heard":
    from idp.saml.logout_peer import Heard

    g.sheaf_heard = Heard(binding, side.known)
    heard: Heard = g.sheaf_heard
    return heard


def keep_sent(sent: "Sent", peer: "Peer") -> None:
    parts().saml_messages.keep(peer.name, "out", sent.kind, sent.binding, sent.document)


def _keep_heard(response: Response) -> Response:
    heard: Heard | None = g.get("sheaf_heard")
    if heard is not None:
        trace = g.get("sheaf_trace", "")
        ok = not trace and all(check.ok for check in heard.checks.made)
        parts().saml_messages.keep(
            heard.peer, "in", heard.kind, heard.binding, heard.document, checks=heard.checks.made, ok=ok, trace=trace
        )
    return response


def _refused(refused: Refused) -> Response:
    heard: Heard | None = g.get("sheaf_heard")
    if heard is None or heard.binding != "soap":
        return errors.answer(refused)
    from idp.saml import soap

    g.sheaf_trace = parts().traces.keep("saml", refused, endpoint=request.endpoint or "")
    said = f"The request was refused. Trace code {g.sheaf_trace}"
    return _envelope(soap.fault("Client", said), refused.status)
