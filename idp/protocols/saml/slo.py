"""Single logout with service providers (SAML Profiles 4.4): /saml/slo by Redirect and POST, /saml/slo/soap in the back channel.

Says who a service provider is and whose sessions it may name: those in which it got an assertion for that name, and no other.
Leaves the order of things to idp.http.saml_logout and leading the browser about to `logout_run`.
"""

from typing import TYPE_CHECKING

from flask import Blueprint, Response
from flask import request as flask_request
from werkzeug.wrappers import Response as AnyResponse

from idp.http import saml_logout
from idp.http.parts import Parts, parts
from idp.http.saml_logout import Counterpart, Named
from idp.protocols.saml.errors import refuse

if TYPE_CHECKING:
    from idp.saml.logout import LogoutRequest
    from idp.saml.logout_peer import Peer
    from idp.saml.logout_writing import Kind

bp = Blueprint("saml_slo", __name__, url_prefix="/saml/slo")
saml_logout.set_up(bp)


@bp.route("", methods=["GET", "POST"])
def by_browser() -> AnyResponse:
    if flask_request.method == "HEAD":  # looking is not doing
        return Response()
    return saml_logout.by_browser(Counterpart(_sender, _named))


@bp.post("/soap")
def by_soap() -> Response:
    return saml_logout.by_soap(Counterpart(_sender, _named))


def peer_of(services: Parts, entity_id: str) -> "Peer | None":
    """A service provider that is registered, also when it is switched off: it is told of ends all the same."""
    from idp.protocols.saml.entity import Entity
    from idp.saml.algorithms import algorithm_named
    from idp.saml.formats import SIGNING_KEY
    from idp.saml.logout_peer import Peer
    from idp.saml.logout_writing import Signing

    known = services.providers.get(entity_id)
    if known is None:
        return None
    sp, view = known
    issuer = services.installation.issuer
    entity = Entity(services.settings.saml.entity_id or f"{issuer}/saml/metadata", issuer)
    _, key, certificate = services.keys.saml_current(SIGNING_KEY[sp.signature_algorithm])
    return Peer(
        name=f"sp:{entity_id}",
        label=sp.name,
        entity_id=entity_id,
        ours=entity.entity_id,
        here=entity.slo_url,
        soap_here=f"{entity.slo_url}/soap",
        keys=view.signing_keys,
        endpoints=view.logout,
        signing=Signing(key, certificate, algorithm_named(sp.signature_algorithm)),
        decrypting=lambda: [pair[0] for pair in services.keys.saml_decrypting()],
        cbc=sp.encryption_method.endswith("cbc"),
        skew=services.settings.saml.request_skew_seconds,
    )


def _sender(entity_id: str, kind: "Kind") -> "Peer":
    services = parts()
    peer = peer_of(services, entity_id)
    if peer is None:
        raise refuse(
            "unknown_service_provider", f"no service provider is registered as {entity_id[:200]!r}", status=403
        )
    known = services.providers.get(entity_id)
    assert known is not None
    sp, view = known
    if kind == "LogoutRequest" and not sp.enabled:
        raise refuse("sp_disabled", f"the service provider {entity_id[:200]!r} is switched off", status=403)
    if view.valid_until is not None and view.valid_until <= services.clock():
        raise refuse("sp_metadata_expired", f"the metadata of {entity_id[:200]!r} is past its validUntil", status=403)
    return peer


def _named(asked: "LogoutRequest") -> list[Named]:
    """A SessionIndex that it does not have names nothing (Core 3.7.3.2)."""
    found = parts().participants.named(asked.issuer, asked.name_id)
    if asked.indexes:
        found = [one for one in found if one.session_index in asked.indexes]
    return list({one.sid: Named(one.sid, one.user_id) for one in found}.values())
