"""Pushed authorization requests (RFC 9126): the app sends the request itself, and the browser carries only its name.

Leaves the checks, the same as in the browser, to checks, and keeping the request to services.pushed_requests.
"""

from collections.abc import Mapping

from idp.base.errors import Refused
from idp.base.waiting import about_to_wait
from idp.http.machine import Asked, Told, told_json
from idp.protocols.oidc.checks import Asking, examine
from idp.protocols.oidc.client_auth import authenticate
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.params import Params, form
from idp.protocols.oidc.request_objects import PARAMETERS
from idp.protocols.oidc.sender import confirmation


def par(door: Door, asked: Asked) -> Told:
    """RFC 9126 section 2: 201 {"request_uri", "expires_in"}."""
    params = form(asked)
    if "request" in params:
        about_to_wait()  # its keys may have to be fetched, and the app's own assertion is good once only
    client = authenticate(door, asked, params)
    asking = examine(Asking(params, door, pusher=client))
    uri = door.pushed.push(client, _kept(asking.params, client.id), _bound(door, asked, asking))
    return told_json({"request_uri": uri, "expires_in": door.pushed.seconds}, 201)


def _kept(params: Params, client_id: str) -> list[tuple[str, str]]:
    """What the request says, and never what the app authenticated with."""
    said = [(name, value) for name, value in params.items() if name in PARAMETERS - {"client_id", "resource"}]
    return [("client_id", client_id), *said, *(("resource", value) for value in params.every("resource"))]


def _bound(door: Door, asked: Asked, asking: Asking) -> Mapping[str, str]:
    """RFC 9449 10.1: a DPoP proof that comes with the push says what dpop_jkt says. One that does not come is missed at
    the token endpoint, if it must come at all."""
    if "dpop" not in asked.headers:
        return {"jkt": asking.key} if asking.key is not None else {}
    proved = confirmation(door, asked, asking.client).get("jkt")
    if proved is None or asking.key not in (None, proved):
        raise Refused("invalid_dpop_proof", "The DPoP proof is of another key than dpop_jkt says.")
    return {"jkt": proved}
