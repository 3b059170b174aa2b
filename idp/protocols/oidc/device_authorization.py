"""The device authorization endpoint (RFC 8628 3.1, 3.2). Leaves the page to device_pages and the rules to services.device_flow."""

from urllib.parse import urlencode

from idp.base.errors import Refused
from idp.domain.device_code import shown
from idp.domain.metadata import DEVICE
from idp.domain.narrowing import PARAMETER, parse, without_handover
from idp.domain.relying import Client
from idp.http.machine import Asked, Told, told_json
from idp.protocols.oidc.client_auth import authenticate
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.params import Params, form
from idp.protocols.oidc.sender import confirmation
from idp.services.issue_grant import narrowed_audiences

PAGE = "/device"


def device_authorization(door: Door, asked: Asked) -> Told:
    params = form(asked)
    client = authenticate(door, asked, params)
    if DEVICE not in client.grant_types:
        raise Refused("unauthorized_client", "This app is not registered for devices.", reason=DEVICE)
    scopes = _scopes(client, params)
    audiences = narrowed_audiences(params.every("resource"), client.audiences)
    # A proof is not needed yet; who gives one binds the device code to that key.
    bound = confirmation(door, asked, client) if "dpop" in asked.headers else {}
    details = without_handover(parse(params[PARAMETER])) if PARAMETER in params else ()
    code, begun = door.device.begin(client, scopes, audiences, bound, details)
    page, user_code = door.parts.installation.issuer + PAGE, shown(begun.user_code)
    return told_json(
        {
            "device_code": code,
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?{urlencode({'user_code': user_code})}",
            "expires_in": int(begun.ends_at - begun.created_at),
            "interval": int(begun.interval),
        }
    )


def _scopes(client: Client, params: Params) -> tuple[str, ...]:
    """As at the authorization endpoint: only what the app is registered for; offline_access comes with refresh tokens."""
    lasting = "refresh_token" in client.grant_types
    asked = params.words("scope") or tuple(
        scope for scope in client.scopes if scope not in ("openid", "offline_access")
    )
    kept = tuple(scope for scope in asked if scope != "offline_access" or lasting)
    for scope in kept:
        if scope not in client.scopes and scope != "offline_access":
            raise Refused("invalid_scope", "This app may not ask for that scope.", reason=f"scope {scope[:100]!r}")
    if not kept:
        raise Refused("invalid_scope", "Ask for at least one scope.")
    return kept
