"""Hands a LogoutRequest to a SAML party in the back channel (SAML Bindings 3.2) and reads its answer.

Leaves who is told, and trying again, to idp.services.saml_notes and deliver_logout.
"""

import secrets
from typing import TYPE_CHECKING

from idp.base.errors import Refused
from idp.base.net import Unreachable, fetch, policy_for
from idp.domain.grant import LogoutDelivery
from idp.http.parts import Parts
from idp.protocols.saml import slo
from idp.services.deliver_logout import NotTold
from idp.upstream import logout as upstream_logout

if TYPE_CHECKING:
    from idp.saml.logout_peer import Peer, Sent


def tell(parts: Parts, delivery: LogoutDelivery) -> None:
    """One try: a request made now, to the address that the peer has now. Raises NotTold, StoreUnavailable."""
    try:
        peer = _peer(parts, delivery)
        sent = peer.soap_request(delivery.facts, _id(), parts.clock()) if peer is not None else None
    except Refused as refused:  # its metadata cannot be used, or no key of ours
        raise NotTold(refused.reason) from None
    if peer is None or sent is None:
        raise NotTold("it was removed, or takes no LogoutRequest by SOAP any more", gone=True)
    _exchange(parts, peer, sent, again=delivery.attempts > 1)


def _peer(parts: Parts, delivery: LogoutDelivery) -> "Peer | None":
    if delivery.protocol == "upstream":
        issuer = parts.installation.issuer
        return upstream_logout.peer_of(delivery.client_id, parts.upstreams, parts.kinds, issuer)
    return slo.peer_of(parts, delivery.client_id)


def _exchange(parts: Parts, peer: "Peer", sent: "Sent", *, again: bool) -> None:
    from idp.saml import soap

    parts.saml_messages.keep(peer.name, "out", "LogoutRequest", "soap", sent.document)
    policy = policy_for(parts.settings.net, parts.installation.issuer)
    headers = {"Content-Type": soap.CONTENT_TYPE, "SOAPAction": soap.ACTION, "Accept": "text/xml"}
    try:
        answer = fetch("POST", sent.url, policy, headers=headers, body=soap.envelope(sent.document))
    except Unreachable as error:
        raise NotTold(str(error)) from None
    if answer.status != 200:
        raise NotTold(f"it answered with status {answer.status}", refused=400 <= answer.status < 500)
    _read(parts, peer, sent, answer.body, again=again)


def _read(parts: Parts, peer: "Peer", sent: "Sent", body: bytes, *, again: bool) -> None:
    """Its word is taken when it is signed or came over the connection that we opened to it (https, or loopback). again: it
    was told before, and has no such session any more; Shibboleth calls that a partial logout."""
    from idp.saml import logout, logout_peer
    from idp.saml.logout_writing import PARTIAL_LOGOUT

    heard = logout_peer.Heard("soap", peer.name)
    ok = False
    try:
        arrived = logout_peer.from_soap_answer(body, heard)
        message, _ = logout_peer.open_message(arrived, lambda issuer, kind: _itself(peer, issuer), heard)
        read = logout_peer.read_response(arrived, message, peer, heard, parts.clock(), vouched=True)
        if read.in_response_to != sent.id:
            heard.checks.failed("in_response_to", read.in_response_to)
            raise logout.refuse("slo_unexpected", "its answer is to another request")
        heard.checks.passed("in_response_to")
        ok = read.done or (again and read.second == PARTIAL_LOGOUT)
        if not ok:
            said = " / ".join(one.rpartition(":")[2][:60] for one in (read.status, read.second) if one)
            raise NotTold(f"it answered with {said}", refused=True)
    except Refused as refused:
        raise NotTold(refused.reason) from None
    finally:
        parts.saml_messages.keep(
            peer.name, "in", "LogoutResponse", "soap", heard.document or body, checks=heard.checks.made, ok=ok
        )


def _itself(peer: "Peer", issuer: str) -> "Peer":
    from idp.saml import logout

    if issuer != peer.entity_id:
        raise logout.refuse("slo_unexpected", f"the answer is of {issuer[:200]!r}")
    return peer


def _id() -> str:
    return f"_{secrets.token_hex(20)}"
