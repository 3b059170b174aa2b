"""Whose request to the JSON API this is, and whether they may: looked at now, whatever the token said when it was made.

Leaves whether the token is good, and who may use it, to the guard that idp.app hands in.
"""

from idp.base.claims import ADMIN_AUDIENCE, ADMIN_SCOPE, CLIENT_ID
from idp.base.errors import Refused
from idp.domain.relying import Client
from idp.http.parts import Parts
from idp.services.check_token import Access


def actor(parts: Parts, access: Access) -> str:
    """Who does it, for the audit: the administrator, or an app that acts for itself. Raises Refused(not_administrator)."""
    client = parts.apps.client(str(access.claims[CLIENT_ID]))
    if client is None or not _is_for_this(client):
        raise _refused("the app is not registered for this API, or has registered itself")
    if access.user is not None:
        if not access.user.is_administrator:
            raise _refused(f"{access.user.id} is no administrator")
        return access.user.id
    if access.grant is not None or client.is_public or "client_credentials" not in client.grant_types:
        raise _refused("the app may not act for itself")
    return client.id


def _is_for_this(client: Client) -> bool:
    """Registered by an operator, for this API, and still so. An app that has registered itself can change its keys by
    itself: whatever it was given later, it does not administer."""
    return (
        ADMIN_SCOPE in client.scopes and ADMIN_AUDIENCE in client.audiences and client.registration_token_digest is None
    )


def _refused(reason: str) -> Refused:
    return Refused("not_administrator", "This is for administrators.", status=403, reason=reason)
