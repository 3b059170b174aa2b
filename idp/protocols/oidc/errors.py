"""How this door refuses: JSON for machine endpoints (RFC 6749 5.2), a redirect to the app where that is safe (4.1.2.1).

Leaves pages, and everything before the app and its redirect URI are known, to idp.http.errors.
"""

import re

from flask import Flask, Response
from werkzeug.wrappers import Response as AnyResponse

from idp.base.errors import Refused
from idp.http import seeing
from idp.http.errors import answer, machine_endpoint
from idp.http.machine import Told, told_json
from idp.protocols.oidc.redirects import Reply, send

MACHINE_PATHS = (
    "/token",
    "/userinfo",
    "/introspect",
    "/revoke",
    "/par",
    "/device_authorization",
    "/register",
    "/jwks",
    "/.well-known",
)
# Names of the shared doors, in the words of OAuth.
_OAUTH = {
    "bad_request": "invalid_request",
    "too_large": "invalid_request",
    "unsupported_media_type": "invalid_request",
    "method_not_allowed": "invalid_request",
    "fault": "server_error",
    "store_unavailable": "temporarily_unavailable",
}
_UNFIT = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")
# These are answers that apps ask for all day, not faults: they leave no trace.
_ORDINARY = frozenset({"login_required", "interaction_required", "consent_required", "access_denied"})


class RefusedToApp(Refused):
    """An authorization request whose app and redirect URI are known: the refusal goes back to the app."""

    def __init__(self, code: str, message: str, reply: Reply, *, reason: str = "") -> None:
        super().__init__(code, message, reason=reason)
        self.reply = reply


def set_up_errors(app: Flask) -> None:
    for path in MACHINE_PATHS:
        machine_endpoint(path, as_json, app)
    app.register_error_handler(RefusedToApp, _to_app)


def told_refused(refused: Refused, trace: str) -> Told:
    """{"error", "error_description", "trace"}."""
    code = _OAUTH.get(refused.code, refused.code)
    said = {"error": code, "error_description": described(refused.message), **refused.detail}
    if trace:
        said["trace"] = trace
    return told_json(said, refused.status)


def described(message: str) -> str:
    """With the characters that an error_description may have, whatever it quotes (RFC 6749 5.2, 4.1.2.1)."""
    return _UNFIT.sub("?", message.replace('"', "'"))


def as_json(refused: Refused, trace: str) -> Response:
    """For addresses below the machine endpoints that are none."""
    told = told_refused(refused, trace)
    return Response(told.body, told.status, told.headers, mimetype=told.content_type)


def _to_app(refused: RefusedToApp) -> AnyResponse:
    said = described(refused.message)
    if refused.code not in _ORDINARY:
        said += f" (trace {seeing.kept('oidc', refused, app=refused.reply.client_id)})"
    try:
        return send(refused.reply, {"error": refused.code, "error_description": said})
    except Refused as unsigned:  # the app wants it signed, and there is no key: nothing catches what is raised here
        return answer(unsigned)


def bearer_refused(issuer: str, error: str, message: str, *, status: int = 401, scope: str = "") -> Refused:
    """With the challenge of RFC 6750 3; `error` empty when no token was sent at all."""
    challenge = f'Bearer realm="{issuer}"'
    if error:
        challenge += f', error="{error}", error_description="{message}"'
    if scope:
        challenge += f', scope="{scope}"'
    return Refused(error or "invalid_token", message, status=status, headers={"WWW-Authenticate": challenge})
