"""Access tokens for the companion that Sheaf's own pages and command line use: for one person, for two minutes, for what is asked.

They hang on a grant like every other one, so that signing out, revoking and disabling end them. Leaves what the person may do
there to the companion, and tokens of apps to the OIDC door.
"""

import secrets
from collections.abc import Callable

from idp.base import ids
from idp.base.claims import ACCESS_TOKEN_TYPE, AUTHORIZATION_DETAILS, CLIENT_ID, GRANT, ROLES, SCOPE
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.crypto import tokens
from idp.crypto.keys import KeyRing
from idp.domain.grant import Grant
from idp.domain.narrowing import Details
from idp.domain.session import Session
from idp.domain.upstream import LOCAL
from idp.domain.user import User
from idp.ports import Repository
from idp.services.record_audit import Audit

LIFE_SECONDS = 120
PAGES = "sheaf.pages"
SHELL = "sheaf.shell"


class CompanionTokens:
    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        keys: KeyRing,
        audit: Audit,
        *,
        issuer: Callable[[], str],
        audience: str,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._keys = keys
        self._audit = audit
        self._issuer = issuer
        self._audience = audience

    def for_session(self, user: User, session: Session, scopes: tuple[str, ...], details: Details = ()) -> str:
        """For a page that shows a signed-in person what is theirs. Ends with the session."""
        return self._made(user, PAGES, scopes, details, session)

    def for_shell(self, user: User, scopes: tuple[str, ...], details: Details = (), *, actor: str) -> str:
        """For who administers this machine and acts as somebody; audited. Raises Refused(user_disabled)."""
        if user.disabled:
            raise Refused("user_disabled", f"The user {user.username} is switched off.")
        self._audit.record("companion.acted_as", actor=actor, subject=user.id, scopes=" ".join(scopes))
        return self._made(user, SHELL, scopes, details, None)

    def _made(
        self, user: User, client_id: str, scopes: tuple[str, ...], details: Details, session: Session | None
    ) -> str:
        now = self._clock()
        grant = Grant(
            id=ids.timed_id("gr", now),
            client_id=client_id,
            created_at=now,
            expires_at=now + LIFE_SECONDS,
            user_id=user.id,
            session_sid=session.sid if session else None,
            scopes=scopes,
            audiences=(self._audience,),
            acr=session.acr if session else None,
            amr=session.amr if session else (),
            sessionless=session is None,
            way=(session.provider_id if session else None) or LOCAL,
            details=details,
        )
        self._repo.insert(grant)
        claims = {
            "iss": self._issuer(),
            "sub": user.id,
            "aud": self._audience,
            "exp": int(now) + LIFE_SECONDS,
            "iat": int(now),
            "jti": secrets.token_urlsafe(16),
            CLIENT_ID: client_id,
            SCOPE: " ".join(scopes),
            GRANT: grant.id,
            **({ROLES: list(user.roles)} if user.roles else {}),
            **({AUTHORIZATION_DETAILS: list(details)} if details else {}),
        }
        return tokens.sign(self._keys.signer("access_token"), ACCESS_TOKEN_TYPE, claims)
