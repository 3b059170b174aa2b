"""Single logout with SAML upstreams (SAML Profiles 4.4), where we are the service provider: /upstream/<id>/slo, for all bindings.

Says who may speak there and whose sessions it may name. Leaves the order of things to idp.http.saml_logout, and our own
LogoutRequests to an upstream to the run (idp.protocols.saml.logout_run) and the queue.
"""

from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from idp.base.errors import Refused
from idp.http import saml_logout
from idp.http.parts import parts
from idp.http.saml_logout import Counterpart, Named
from idp.services.upstream_sessions import UpstreamSessions
from idp.upstream.logout import peer_of

if TYPE_CHECKING:
    from idp.saml.logout import LogoutRequest
    from idp.saml.logout_peer import Peer
    from idp.saml.logout_writing import Kind

bp = Blueprint("upstream_logout", __name__)
saml_logout.set_up(bp)
SOAP_TYPES = ("text/xml", "application/xml", "application/soap+xml")


@bp.route("/upstream/<provider_id>/slo", methods=["GET", "POST"])
def slo(provider_id: str) -> AnyResponse:
    if request.method == "HEAD":  # looking is not doing
        return Response()
    side = _side(provider_id)
    if request.method == "POST" and request.mimetype in SOAP_TYPES:
        return saml_logout.by_soap(side)
    return saml_logout.by_browser(side)


def _side(provider_id: str) -> Counterpart:
    def find(issuer: str, kind: "Kind") -> "Peer":
        services = parts()
        if kind == "LogoutRequest":
            services.upstreams.enabled(provider_id)  # what one that is switched off wants does not count
        peer = peer_of(provider_id, services.upstreams, services.kinds, services.installation.issuer)
        if peer is None:
            raise _unknown(f"the upstream {provider_id[:40]!r} is not there, or takes no part in logout")
        if issuer != peer.entity_id:
            raise _unknown(f"the message is of {issuer[:200]!r}, the upstream is {peer.entity_id!r}")
        return peer

    def named(asked: "LogoutRequest") -> list[Named]:
        services = parts()
        found = UpstreamSessions(services.repo, services.clock).named(provider_id, asked.name_id, asked.indexes)
        return [Named(one.id, _user_of(one.id)) for one in found]

    return Counterpart(find, named, f"upstream:{provider_id}"[:100])


def _user_of(sid: str) -> str:
    session = parts().sessions.by_sid(sid)
    return session.user_id if session is not None else ""


def _unknown(reason: str) -> Refused:
    return Refused(
        "unknown_upstream", "This way to sign in is not available. Choose another one.", status=404, reason=reason
    )
