"""RP-Initiated Logout 1.0: at once for an ID token of the session that is here, after a question otherwise.

Nobody is sent anywhere but to a registered post_logout_redirect_uri. Leaves ending the session to idp.http.leaving.
"""

from dataclasses import dataclass

from idp.base.errors import Refused
from idp.domain.relying import Client
from idp.domain.session import Session
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.params import MAX_VALUE, Params
from idp.protocols.oidc.redirects import with_query
from idp.services.subjects import Subjects

# What the question keeps for the answer. The hint is not among them: the person answers in its place.
KEPT = ("client_id", "post_logout_redirect_uri", "state", "ui_locales")


@dataclass(frozen=True, slots=True)
class Hint:
    """What a good id_token_hint says. It may have expired, and is good all the same (section 2)."""

    client_id: str
    subject: str
    sid: str | None


@dataclass(frozen=True, slots=True)
class Leaving:
    """target: where to go afterwards, None for a page of ours. client: whose word that is, None when nobody's."""

    target: str | None
    client: Client | None
    hint: Hint | None

    @property
    def client_id(self) -> str | None:
        return self.client.id if self.client is not None else None

    def agreed(self, session: Session, subjects: Subjects) -> bool:
        """The hint is of this very session, or of its person when it names none, so that nobody needs to be asked."""
        if self.hint is None or self.client is None:
            return False
        if self.hint.sid is not None and self.hint.sid != subjects.sid(self.client, session.sid):
            return False
        return subjects.names(self.client, self.hint.subject, session.user_id)


def read(door: Door, params: Params) -> Leaving:
    """logout_hint and what is unknown are passed over. A hint that is not good counts as none (section 4).

    Raises Refused(invalid_request | post_logout_redirect_uri_mismatch); then nobody is redirected, nor signed out.
    """
    if params.repeated:
        raise Refused("invalid_request", "A parameter was sent more than once. Sign out in the app again.")
    if any(len(value) > MAX_VALUE for value in params.values()):
        raise Refused("invalid_request", "A parameter is too long. Sign out in the app again.")
    hint = _hint(door, params.get("id_token_hint"))
    client_id = params.get("client_id")
    if hint is not None and client_id is not None and hint.client_id != client_id:
        raise Refused(
            "invalid_request", "id_token_hint and client_id are of different apps. Sign out in the app again."
        )
    client_id = hint.client_id if hint is not None else client_id
    client = door.client(client_id) if client_id is not None and len(client_id) <= 256 else None
    return Leaving(_target(client, client_id, params), client, hint)


def _hint(door: Door, token: str | None) -> Hint | None:
    claims = door.tokens.read_id_token(token) if token is not None else None
    if claims is None:
        return None
    aud, sub, sid = claims.get("aud"), claims.get("sub"), claims.get("sid")
    if not isinstance(aud, str) or not isinstance(sub, str) or not isinstance(sid, str | None):
        return None  # something else that the same key has signed
    return Hint(aud, sub, sid)


def _target(client: Client | None, client_id: str | None, params: Params) -> str | None:
    """Byte for byte one of those registered (section 3). Without an app there is nothing to compare with: the person
    stays here."""
    wanted = params.get("post_logout_redirect_uri")
    if wanted is None or client_id is None:
        return None
    if client is None or wanted not in client.post_logout_redirect_uris:
        raise Refused(
            "post_logout_redirect_uri_mismatch",
            "The app wants you sent to an address that is not registered for it. Tell its operator.",
            reason=f"client {client_id[:100]!r}, post_logout_redirect_uri {wanted[:300]!r}",
        )
    state = params.get("state")
    return with_query(wanted, {"state": state}) if state is not None else wanted
