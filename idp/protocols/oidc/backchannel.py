"""The logout token and how an app gets it (OpenID Connect Back-Channel Logout 1.0 sections 2.4, 2.5 and 2.8).

Leaves which apps are told, and trying again, to idp.services.logout and deliver_logout.
"""

import secrets
from typing import Any
from urllib.parse import urlencode

from idp.base.errors import Refused
from idp.base.net import Unreachable, fetch, policy_for
from idp.domain.grant import LogoutDelivery
from idp.domain.relying import Client
from idp.protocols.oidc.door import Door
from idp.services.deliver_logout import NotTold

LOGOUT_TOKEN_TYPE = "logout+jwt"  # noqa: S105
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TOKEN_SECONDS = 120
_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"}


def tell(door: Door, delivery: LogoutDelivery) -> None:
    """One try: a token made now, to the address that the app has now. Raises NotTold, StoreUnavailable."""
    client = door.client(delivery.client_id)
    if client is None or client.backchannel_logout_uri is None:
        raise NotTold("the app was removed, or wants to know no more", gone=True)
    try:
        token = logout_token(door, client, delivery)
        body = urlencode({"logout_token": token}).encode()
        policy = policy_for(door.parts.settings.net, door.parts.installation.issuer)
        answer = fetch("POST", client.backchannel_logout_uri, policy, headers=_HEADERS, body=body)
    except Unreachable as error:
        raise NotTold(str(error)) from None
    except Refused as refused:  # no key of ours or of the app's
        raise NotTold(refused.reason) from None
    if not 200 <= answer.status < 300:
        raise NotTold(f"it answered with status {answer.status}", refused=answer.status == 400)


def logout_token(door: Door, client: Client, delivery: LogoutDelivery) -> str:
    """Signed, and encrypted, as an ID token for this app is. Never a nonce, so that nobody takes it for one."""
    now = int(door.parts.clock())
    claims: dict[str, Any] = {
        "iss": door.parts.installation.issuer,
        "sub": delivery.subject,
        "aud": client.id,
        "iat": now,
        "exp": now + LOGOUT_TOKEN_SECONDS,
        "jti": secrets.token_urlsafe(16),
        "events": {LOGOUT_EVENT: {}},
        "sid": door.parts.subjects.sid(client, delivery.sid),
    }
    signed = door.tokens.signed(LOGOUT_TOKEN_TYPE, client.id_token_signed_response_alg, claims)
    alg = client.id_token_encrypted_response_alg
    if alg is None:
        return signed
    return door.tokens.encrypted(client, signed, alg, client.id_token_encrypted_response_enc, cty="JWT")
