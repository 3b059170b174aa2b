"""The services of this door, wired once when it is mounted, found by its routes with `door()`.

Leaves what is shared with other doors to idp.http.parts.
"""

from dataclasses import dataclass

from flask import current_app

from idp.domain.relying import Client
from idp.http.parts import Parts
from idp.protocols.oidc.grants import GrantType, grant_types
from idp.protocols.oidc.tokens import TokenMaker
from idp.services.check_token import CheckToken
from idp.services.issue_grant import IssueGrant
from idp.services.live_grants import LiveGrants


@dataclass(frozen=True, slots=True)
class Door:
    parts: Parts
    issue: IssueGrant
    check: CheckToken
    tokens: TokenMaker
    grants: dict[str, GrantType]

    def client(self, client_id: str) -> Client | None:
        return self.parts.apps.client(client_id)

    def subject_of(self, hint: str, client: Client) -> str | None:
        """The user that an ID token of ours for this client names."""
        claims = self.tokens.read_id_token(hint)
        return claims["sub"] if claims is not None and claims.get("aud") == client.id else None


def open_door(parts: Parts) -> Door:
    live = LiveGrants(parts.repo, parts.clock, parts.sessions, parts.audit)
    issue = IssueGrant(parts.repo, parts.clock, live, parts.audit, parts.settings.oidc)

    def issuer() -> str:
        return parts.installation.issuer

    tokens = TokenMaker(parts.keys, parts.clock, issuer, parts.settings.oidc.id_token_seconds)
    check = CheckToken(parts.repo, parts.clock, parts.keys, live, issuer)
    return Door(parts, issue, check, tokens, grant_types(issue, tokens))


def door() -> Door:
    found: Door = current_app.extensions["sheaf_oidc"]
    return found
