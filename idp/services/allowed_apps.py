"""What a person has allowed apps, and taking it back: the consent goes, and with it everything the app was given.

Leaves asking for a consent to idp.services.sign_in, and what ends a grant by itself to live_grants.
"""

from dataclasses import dataclass

from idp.base.clock import Clock
from idp.domain.grant import Consent, Grant, RefreshToken
from idp.domain.relying import Client
from idp.domain.user import User
from idp.ports import Repository
from idp.services.live_grants import LiveGrants
from idp.services.record_audit import Audit
from idp.services.sessions import Sessions

MOST = 100_000
LOOKED_AT = 20  # grants of an app whose refresh tokens say when it was last here


@dataclass(frozen=True, slots=True)
class AllowedApp:
    """since: when the person allowed it, None when nobody asked them (the operator allows it). used_at: when it last got
    tokens, None if it never did or long ago; live: how many of its sign-ins still hold; offline: one of them holds while
    the person is away."""

    client: Client
    scopes: tuple[str, ...]
    since: float | None
    used_at: float | None
    live: int
    offline: bool


class AllowedApps:
    def __init__(self, repo: Repository, clock: Clock, *, sessions: Sessions, live: LiveGrants, audit: Audit) -> None:
        self._repo = repo
        self._clock = clock
        self._sessions = sessions
        self._live = live
        self._audit = audit

    def of(self, user: User) -> list[AllowedApp]:
        """Apps that the person has allowed something, or that have access without; the one used last first."""
        consents = {one.client_id: one for one in self._repo.find(Consent, limit=MOST, user_id=user.id)}
        grants: dict[str, list[Grant]] = {}
        for grant in self._repo.find(Grant, limit=MOST, user_id=user.id):
            grants.setdefault(grant.client_id, []).append(grant)
        sids = {session.sid for session in self._sessions.of(user.id)}
        found = []
        for client_id in {*consents, *grants}:
            client = self._repo.get(Client, client_id)
            given = grants.get(client_id, [])
            alive = [one for one in given if _holds(one, user, sids)]
            if client is not None and (alive or client_id in consents):
                found.append(self._line(client, consents.get(client_id), given, alive))
        return sorted(found, key=lambda one: (-(one.used_at or one.since or 0.0), one.client.name.casefold()))

    def take_back(self, user: User, client_id: str) -> bool:
        """Gives False when there was nothing. The app asks again next time, and what it was given ends now."""
        consents = [one for one in self._repo.find(Consent, limit=MOST, user_id=user.id) if one.client_id == client_id]
        # First the consent: a code that is still on its way is worth nothing without it.
        taken = any([self._repo.delete(Consent, one.id) for one in consents])
        if taken:
            scopes = " ".join(dict.fromkeys(scope for one in consents for scope in one.scopes))
            self._audit.record("consent.revoked", actor=user.id, subject=user.id, app=client_id, scopes=scopes)
        ended = False
        for grant in self._repo.find(Grant, limit=MOST, user_id=user.id, client_id=client_id):
            ended = ended or grant.revoked_at is None
            self._live.revoke(grant.id, "grant.revoked", actor=user.id, why="consent taken back")
        return taken or ended

    def _line(self, client: Client, consent: Consent | None, given: list[Grant], alive: list[Grant]) -> AllowedApp:
        scopes = consent.scopes if consent else tuple(dict.fromkeys(scope for one in alive for scope in one.scopes))
        used = [one.created_at for one in given]
        for grant in sorted(alive, key=lambda one: -one.created_at)[:LOOKED_AT]:
            used += self._refreshed(grant.id)
        since = consent.granted_at if consent else None
        offline = any(grant.offline for grant in alive)
        return AllowedApp(client, scopes, since, max(used, default=None), len(alive), offline)

    def _refreshed(self, grant_id: str) -> list[float]:
        return [token.created_at for token in self._repo.find(RefreshToken, limit=MOST, grant_id=grant_id)]


def _holds(grant: Grant, user: User, sids: set[str]) -> bool:
    """As LiveGrants.user_of, for many grants of one user at once."""
    if grant.revoked_at is not None:
        return False
    if user.password_changed_at is not None and grant.created_at < user.password_changed_at:
        return False
    return grant.sessionless or grant.offline or grant.session_sid in sids
