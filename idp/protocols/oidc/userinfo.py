"""The userinfo endpoint (OIDC Core 5.3): claims about the person, as JSON, signed, encrypted, or both, as the app registered.

Leaves which claims to services.release, and whether a token is good to services.check_token and sender.
"""

import json

from idp.base.claims import CLIENT_ID
from idp.base.errors import Refused
from idp.domain.relying import Client
from idp.http.machine import NO_STORE, Asked, Told, told_json
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.errors import bearer_refused
from idp.protocols.oidc.params import form
from idp.protocols.oidc.sender import check_use
from idp.protocols.oidc.tokens import ID_TOKEN_TYPE, Claims

SCHEMES = ("bearer", "dpop")  # RFC 6750 2.1, RFC 9449 7.1


def userinfo(door: Door, asked: Asked) -> Told:
    """OIDC Core section 5.3.1: GET or POST, the token in the header or (RFC 6750 2.2) in the body."""
    token = presented(door, asked)
    access = door.check.access(token)
    issuer = door.parts.installation.issuer
    if access is None or access.user is None or access.grant is None or issuer not in access.audiences:
        raise _bad_token(issuer)
    client = door.client(access.claims[CLIENT_ID])
    if client is None:
        raise _bad_token(issuer)
    if client.userinfo_encrypted_response_alg is not None:
        door.client_keys.all(client)  # fetched now: once the proof is used the request cannot be run again
    check_use(door, asked, access.claims, token)
    if "openid" not in access.scopes:
        raise bearer_refused(issuer, "insufficient_scope", "The scope openid is needed.", status=403, scope="openid")
    claims = door.parts.release.to("userinfo", client, access.user, access.scopes, access.grant.claims)
    if client.userinfo_signed_response_alg is None and client.userinfo_encrypted_response_alg is None:
        return told_json(claims)
    return Told(200, protected(door, client, claims).encode(), [*NO_STORE], "application/jwt")


def protected(door: Door, client: Client, claims: Claims) -> str:
    """OIDC Core 5.3.2: signed, encrypted, or signed and then encrypted."""
    payload, cty, alg = json.dumps(claims), None, client.userinfo_signed_response_alg
    if alg is not None:
        said = {**claims, "iss": door.parts.installation.issuer, "aud": client.id}
        payload, cty = door.tokens.signed(ID_TOKEN_TYPE, alg, said), "JWT"
    how = client.userinfo_encrypted_response_alg
    if how is None:
        return payload
    return door.tokens.encrypted(client, payload, how, client.userinfo_encrypted_response_enc, cty=cty)


def presented(door: Door, asked: Asked) -> str:
    """The token of the Authorization header, or of the body (RFC 6750 2.1, 2.2); never of the address."""
    header = asked.headers.get("authorization")
    in_body = form(asked).get("access_token") if asked.method == "POST" and asked.body else None
    if header is None and in_body is not None:
        return in_body
    issuer = door.parts.installation.issuer
    scheme, _, value = (header or "").partition(" ")
    if in_body is not None:
        raise bearer_refused(issuer, "invalid_request", "Send the access token in one way only.", status=400)
    if scheme.lower() not in SCHEMES or not value.strip():
        raise bearer_refused(issuer, "", "Send an access token in the Authorization header.")
    return value.strip()


def _bad_token(issuer: str) -> Refused:
    return bearer_refused(
        issuer, "invalid_token", "The access token is expired, revoked, or not meant for this endpoint."
    )
