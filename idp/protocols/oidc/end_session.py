"""RP-Initiated Logout 1.0: at once for an ID token of the person who is signed in here, after a question otherwise.

Nobody is sent anywhere but to a registered post_logout_redirect_uri. Leaves ending sessions to idp.services.sessions.
"""

from dataclasses import dataclass

from idp.base.errors import Refused
from idp.domain.session import Session
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.params import Params
from idp.protocols.oidc.redirects import with_query


@dataclass(frozen=True, slots=True)
class Leaving:
    """target: where to go afterwards, None for a page of ours. subject: whom a good id_token_hint names."""

    target: str | None
    subject: str | None
    client_id: str | None

    def agreed(self, session: Session) -> bool:
        """The hint is for the very person who is signed in here, so that nobody needs to be asked."""
        return self.subject is not None and self.subject == session.user_id


def read(door: Door, params: Params) -> Leaving:
    """Raises Refused(invalid_request | post_logout_redirect_uri_mismatch); then nobody is redirected."""
    if params.repeated:
        raise Refused("invalid_request", "A parameter was sent more than once. Sign out in the app again.")
    hint = params.get("id_token_hint")
    claims = door.tokens.read_id_token(hint) if hint is not None else None
    client_id = params.get("client_id")
    if claims is not None and client_id is not None and claims["aud"] != client_id:
        raise Refused(
            "invalid_request", "id_token_hint and client_id are of different apps. Sign out in the app again."
        )
    client_id = claims["aud"] if claims is not None else client_id
    return Leaving(_target(door, params, client_id), claims["sub"] if claims is not None else None, client_id)


def _target(door: Door, params: Params, client_id: str | None) -> str | None:
    wanted = params.get("post_logout_redirect_uri")
    if wanted is None or client_id is None:
        return None  # without an app there is nothing to compare with: the person stays here
    client = door.client(client_id) if len(client_id) <= 256 else None
    if client is None or wanted not in client.post_logout_redirect_uris:
        raise Refused(
            "post_logout_redirect_uri_mismatch",
            "The app wants you sent to an address that is not registered for it. Tell its operator.",
            reason=f"client {client_id[:100]!r}, post_logout_redirect_uri {wanted[:300]!r}",
        )
    state = params.get("state")
    return with_query(wanted, {"state": state}) if state is not None else wanted
