"""An API of ours behind access tokens of ours (RFC 6750, RFC 9449 7): asked for by the composition root for other doors.

Leaves who may do what with a good token to the API, and whether a token is good to services.check_token and sender.
"""

from collections.abc import Callable
from functools import partial

from idp.http.machine import Asked, Told
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.errors import bearer_refused
from idp.protocols.oidc.sender import check_use, with_nonce
from idp.protocols.oidc.userinfo import SCHEMES
from idp.services.check_token import Access

Run = Callable[[Access, Asked], Told]


def protected(door: Door, run: Run, *, audience: str, scope: str) -> Callable[[Asked], Told]:
    """`run`, for whoever brings a token with this audience and this scope, and brings it in the way it is bound to."""

    def ran(door: Door, asked: Asked) -> Told:
        return run(authorized(door, asked, audience=audience, scope=scope), asked)

    return partial(with_nonce(ran), door)


def authorized(door: Door, asked: Asked, *, audience: str, scope: str) -> Access:
    """The token of the Authorization header; of nowhere else. Raises Refused(invalid_token | insufficient_scope | …)."""
    issuer = door.parts.installation.issuer
    kind, _, token = asked.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if kind.lower() not in SCHEMES or not token:
        raise bearer_refused(issuer, "", "Send an access token in the Authorization header.")
    access = door.check.access(token)
    if access is None or audience not in access.audiences:
        raise bearer_refused(
            issuer, "invalid_token", "The access token is expired, revoked, or not meant for this API."
        )
    check_use(door, asked, access.claims, token)
    if scope not in access.scopes:
        raise bearer_refused(issuer, "insufficient_scope", f"The scope {scope} is needed.", status=403, scope=scope)
    return access
