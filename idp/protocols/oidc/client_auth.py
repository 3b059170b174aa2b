"""Client authentication (RFC 6749 2.3): none, client_secret_basic, client_secret_post. Exactly one, the registered one.

An unknown client and a wrong secret get the same answer in the same time. Leaves grant types to grants.
"""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from idp.base import ids
from idp.base.errors import Refused
from idp.domain.relying import Client
from idp.protocols.oidc.params import Params

_NOBODY = ids.digest("no client has this secret")
MAX_HEADER = 4096


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the request presents. method: the name of RFC 7591 for the way it does."""

    method: str
    client_id: str
    secret: str = field(default="", repr=False)


def authenticate(params: Params, authorization: str | None, find: Callable[[str], Client | None]) -> Client:
    """The client behind a request. Raises Refused(invalid_client | invalid_request)."""
    given = presented(params, authorization)
    client = find(given.client_id) if len(given.client_id) <= 256 else None
    if client is None or client.auth_method == "none" or given.method == "none":
        if client is not None and client.auth_method == given.method == "none":
            return client
        hmac.compare_digest(ids.digest(given.secret), _NOBODY)
        raise _refused(
            given, "unknown client" if client is None else f"{given.method} used, {client.auth_method} registered"
        )
    if not hmac.compare_digest(ids.digest(given.secret), client.secret_digest or _NOBODY):
        raise _refused(given, "wrong secret")
    if client.auth_method != given.method:
        # Only who knows the secret learns what is registered.
        raise _refused(given, "another method is registered", f"This app is registered for {client.auth_method}.")
    return client


def authenticate_confidential(
    params: Params, authorization: str | None, find: Callable[[str], Client | None]
) -> Client:
    client = authenticate(params, authorization, find)
    if client.is_public:
        raise Refused("invalid_client", "This endpoint is for apps that have a secret.", status=401)
    return client


def presented(params: Params, authorization: str | None) -> Credentials:
    """Raises Refused(invalid_request) when two ways are used at once, Refused(invalid_client) when there is none."""
    client_id, secret = params.get("client_id"), params.get("client_secret")
    if authorization is not None:
        given = _basic(authorization)
        if secret is not None:
            raise Refused("invalid_request", "Authenticate the app in one way only.", reason="Basic and client_secret")
        if client_id is not None and client_id != given.client_id:
            raise Refused("invalid_request", "client_id is not the app that authenticates.")
        return given
    if client_id is None:
        raise Refused("invalid_client", "Say which app this is: authenticate it.", status=401, headers=_CHALLENGE)
    return Credentials("none", client_id) if secret is None else Credentials("client_secret_post", client_id, secret)


def _basic(header: str) -> Credentials:
    """RFC 6749 2.3.1: both halves are form-encoded first. Anything malformed is a failed authentication, never a fault."""
    scheme, _, value = header.partition(" ")
    try:
        if scheme.lower() != "basic" or len(value) > MAX_HEADER:
            raise ValueError
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
        if not colon:
            raise ValueError
        return Credentials(
            "client_secret_basic", unquote_plus(name, errors="strict"), unquote_plus(secret, errors="strict")
        )
    except (ValueError, binascii.Error):
        raise _refused(Credentials("client_secret_basic", ""), "the Authorization header cannot be read") from None


_CHALLENGE = {"WWW-Authenticate": 'Basic realm="token", charset="UTF-8"'}


def _refused(given: Credentials, reason: str, message: str = "The app could not be authenticated.") -> Refused:
    headers = _CHALLENGE if given.method == "client_secret_basic" else None
    return Refused(
        "invalid_client", message, status=401, reason=f"client {given.client_id[:100]!r}: {reason}", headers=headers
    )
