"""A grant for a person by another server's assertion (RFC 7523 2.1): whom it means, and whether they may be stood for.

Nobody is in front of a browser here, so nothing can be asked: what a sign-in would ask for must be settled already. Leaves
the assertion to the OIDC door and who may sign one to idp.upstream.assertions.
"""

from collections.abc import Sequence

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.grant import Consent, Grant
from idp.domain.narrowing import Details, narrowed
from idp.domain.relying import Client
from idp.domain.session import ACR_SINGLE, FED
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.ports import Repository
from idp.services.attempts import Attempts, consent_id
from idp.services.issue_grant import Issued, IssueGrant, invalid_grant, narrowed_audiences, narrowed_scopes
from idp.services.record_audit import Audit


class AssertUser:
    def __init__(self, repo: Repository, clock: Clock, *, attempts: Attempts, issue: IssueGrant, audit: Audit) -> None:
        self._repo = repo
        self._clock = clock
        self._attempts = attempts
        self._issue = issue
        self._audit = audit

    def person(self, client: Client, issuer: str, subject: str, provider_ids: Sequence[str]) -> tuple[User, str]:
        """The one user to whom this login is linked, if they may be stood for, and the upstream of the login. Names and
        addresses in an assertion count for nothing.

        Raises Refused(invalid_grant).
        """
        logins = [
            login
            for provider_id in provider_ids
            if client.upstreams is None or provider_id in client.upstreams
            for login in self._repo.find(FederatedLogin, provider_id=provider_id, issuer=issuer, subject=subject)
        ]
        owners = {login.user_id for login in logins}
        if len(owners) != 1:
            raise invalid_grant(f"{len(owners)} users have linked this login of {issuer[:200]!r}")
        user = self._repo.get(User, owners.pop())
        if user is None or user.disabled:
            raise invalid_grant("the user is gone or disabled")
        if self._attempts.second_factor_needed(user, by_app=client.second_factor_required):
            raise invalid_grant("a sign-in of this user in this app needs a second step, which nobody can take here")
        return user, logins[0].provider_id

    def grant(
        self,
        client: Client,
        user: User,
        *,
        scopes: tuple[str, ...],
        audiences: tuple[str, ...],
        by: str,
        way: str,
        details: Details = (),
    ) -> Issued:
        """One durable write. It lives as long as its access token, and there is no refresh token (RFC 7521 4.1).

        Raises Refused(invalid_grant | invalid_scope | invalid_target | invalid_authorization_details).
        """
        allowed, consented = self._allowed(client, user)
        kept, limits = narrowed_scopes(scopes, allowed), narrowed(details, consented)
        chosen = narrowed_audiences(audiences, client.audiences)
        if not kept:
            raise Refused("invalid_scope", "This app may have no scope here.")
        now = self._clock()
        grant = Grant(
            id=ids.timed_id("gr", now),
            client_id=client.id,
            created_at=now,
            expires_at=now + self._issue.access_seconds(client),
            user_id=user.id,
            scopes=kept,
            audiences=chosen,
            acr=ACR_SINGLE,
            amr=(FED,),
            sessionless=True,
            way=way,
            details=limits,
        )
        event = self._audit.event(
            "grant.issued", actor=user.id, subject=client.id, grant=grant.id, scopes=" ".join(kept), by=by[:200]
        )
        self._repo.insert_all(event, grant)
        self._audit.stored(event)
        return Issued(grant, user, kept, chosen, None, limits)

    def _allowed(self, client: Client, user: User) -> tuple[tuple[str, ...], Details]:
        """What the person has allowed the app before, and to what that is narrowed; all it is registered for where nobody is
        asked. Nothing lasting."""
        mine = tuple(scope for scope in client.scopes if scope != "offline_access")
        if client.consent == "skip":
            return mine, ()
        consent = self._repo.get(Consent, consent_id(user.id, client.id))
        if consent is None:
            raise invalid_grant("the person has never allowed this app anything")
        return tuple(scope for scope in mine if scope in consent.scopes), consent.details
