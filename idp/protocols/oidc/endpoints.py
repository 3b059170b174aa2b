"""The endpoints for programs: each `(door, asked) -> Told` reads its request, calls one function, and tells the answer.

Owns the table at the end. Leaves pages to routes, refusals to errors, and who may have what to the services.
"""

from collections.abc import Callable
from functools import partial

from idp.base.errors import Refused
from idp.base.waiting import about_to_wait
from idp.crypto.keys import Published
from idp.domain.metadata import JWT_BEARER
from idp.http.machine import Asked, Endpoint, ShortCut, Told, told_json, told_published
from idp.protocols.oidc.at_once import authorize_at_once
from idp.protocols.oidc.client_auth import authenticate
from idp.protocols.oidc.device_authorization import device_authorization
from idp.protocols.oidc.discovery import metadata, offers
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.grants import TokenRequest
from idp.protocols.oidc.introspection import introspect, revoke
from idp.protocols.oidc.par import par
from idp.protocols.oidc.params import form
from idp.protocols.oidc.registration import manage, register
from idp.protocols.oidc.sender import confirmation, with_nonce
from idp.protocols.oidc.session_iframe import CHECK_PATH, check_session
from idp.protocols.oidc.userinfo import userinfo

DISCOVERY_SECONDS = 300
JWKS_SECONDS = 60


def discovery(door: Door, asked: Asked) -> Told:
    """OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3."""
    found = metadata(
        door.parts.installation.issuer, door.parts.scopes.known(), offers(door.parts.settings, door.parts.keys.algs())
    )
    return _published(asked, found, DISCOVERY_SECONDS)


def jwks(door: Door, asked: Asked) -> Told:
    """RFC 7517 section 5."""
    return _published(asked, door.parts.keys.published(), JWKS_SECONDS)


def token(door: Door, asked: Asked) -> Told:
    """RFC 6749 section 3.2."""
    params = form(asked)
    if params.get("grant_type") == JWT_BEARER:
        about_to_wait()  # the issuer's keys may have to be fetched, and the app's own assertion is good once only
    client = authenticate(door, asked, params)
    door.parts.keys.prepare(client.id_token_signed_response_alg)
    if client.id_token_encrypted_response_alg is not None:
        door.client_keys.encryption(client, client.id_token_encrypted_response_alg)  # before proof and code are used up
    name = params.required("grant_type")
    grant = door.grants.get(name)
    if grant is None:
        raise Refused(
            "unsupported_grant_type", "This grant_type is not supported.", reason=f"grant_type {name[:100]!r}"
        )
    if name not in client.grant_types:
        raise Refused("unauthorized_client", "This app is not registered for that grant_type.", reason=name)
    return told_json(grant.answer(TokenRequest(client, params, confirmation(door, asked, client))))


def _published(asked: Asked, what: Published, seconds: int) -> Told:
    return told_published(asked, what.body, what.etag, seconds)


_GET, _POST, _BOTH = frozenset({"GET"}), frozenset({"POST"}), frozenset({"GET", "POST"})
# cross_origin: what an app in a browser could do there, it can do from a server as well.
# short: answered from memory and the embedded store. None of these hashes a password; whoever must ask another server
# is given a thread after all (idp.base.net.WouldWait).
_TABLE: tuple[tuple[str, frozenset[str], Callable[[Door, Asked], Told], dict[str, bool]], ...] = (
    ("/.well-known/openid-configuration", _GET, discovery, {"cross_origin": True, "short": True}),
    ("/.well-known/oauth-authorization-server", _GET, discovery, {"cross_origin": True, "short": True}),
    (CHECK_PATH, _GET, check_session, {"short": True}),
    ("/jwks", _GET, jwks, {"cross_origin": True, "short": True}),
    ("/token", _POST, with_nonce(token), {"cross_origin": True, "short": True}),
    ("/userinfo", _BOTH, with_nonce(userinfo), {"cross_origin": True, "short": True}),
    ("/introspect", _POST, introspect, {"short": True}),
    ("/revoke", _POST, revoke, {"cross_origin": True, "short": True}),
    ("/register", _POST, register, {"cross_origin": True}),
    ("/register/", frozenset({"GET", "PUT", "DELETE"}), manage, {"cross_origin": True}),
    ("/device_authorization", _POST, with_nonce(device_authorization), {"cross_origin": True, "short": True}),
    ("/par", _POST, with_nonce(par), {"cross_origin": True, "short": True}),
)


def endpoints(door: Door) -> list[Endpoint]:
    return [Endpoint(path, methods, partial(run, door), **how) for path, methods, run, how in _TABLE]


def short_cuts(door: Door) -> dict[str, ShortCut]:
    """Pages that often need no page."""
    return {"/authorize": partial(authorize_at_once, door)}
