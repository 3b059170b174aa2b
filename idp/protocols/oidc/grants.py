"""The token endpoint's grant types, one class each: parameters in, token answer out (RFC 6749 5.1).

Leaves client authentication to client_auth and the rules of codes and refresh tokens to services.issue_grant.
"""

from typing import Any, Protocol

from idp.base.errors import Refused
from idp.domain.relying import Client
from idp.protocols.oidc.checks import IDENTITY_SCOPES
from idp.protocols.oidc.params import Params
from idp.protocols.oidc.tokens import AccessToken, TokenMaker
from idp.services.issue_grant import Issued, IssueGrant, narrowed_audiences

Answer = dict[str, Any]


class GrantType(Protocol):
    name: str

    def answer(self, client: Client, params: Params) -> Answer:
        """Raises Refused with an error code of RFC 6749 5.2."""


class AuthorizationCodeGrant:
    """RFC 6749 4.1.3 with PKCE."""

    name = "authorization_code"

    def __init__(self, issue: IssueGrant, tokens: TokenMaker) -> None:
        self._issue = issue
        self._tokens = tokens

    def answer(self, client: Client, params: Params) -> Answer:
        code = params.required("code")
        issued = self._issue.redeem(
            client,
            code,
            redirect_uri=params.get("redirect_uri", ""),
            verifier=params.get("code_verifier"),
            audiences=params.every("resource"),
        )
        access = self._tokens.access_for_user(client, issued, self._issue.access_seconds(client))
        answer = _answer(access, issued.scopes)
        return answer | _for_person(self._tokens, client, issued, access, nonce=issued.grant.nonce)


class RefreshTokenGrant:
    """RFC 6749 6: rotated at each use."""

    name = "refresh_token"

    def __init__(self, issue: IssueGrant, tokens: TokenMaker) -> None:
        self._issue = issue
        self._tokens = tokens

    def answer(self, client: Client, params: Params) -> Answer:
        token = params.required("refresh_token")
        issued = self._issue.refresh(client, token, scopes=params.words("scope"), audiences=params.every("resource"))
        access = self._tokens.access_for_user(client, issued, self._issue.access_seconds(client))
        # No nonce: it belongs to the one authentication request (OIDC Core 12.2).
        return _answer(access, issued.scopes) | _for_person(self._tokens, client, issued, access, nonce=None)


class ClientCredentialsGrant:
    """RFC 6749 4.4: an app for itself; nothing is stored."""

    name = "client_credentials"

    def __init__(self, issue: IssueGrant, tokens: TokenMaker) -> None:
        self._issue = issue
        self._tokens = tokens

    def answer(self, client: Client, params: Params) -> Answer:
        asked = params.words("scope")
        for scope in asked:
            if scope not in client.scopes:
                raise Refused("invalid_scope", "This app may not ask for that scope.", reason=f"scope {scope[:100]!r}")
        # Scopes about a person mean nothing here; the answer says which scopes there are.
        scopes = tuple(scope for scope in asked or client.scopes if scope not in IDENTITY_SCOPES)
        audiences = narrowed_audiences(params.every("resource"), client.audiences)
        access = self._tokens.access_for_client(client, scopes, audiences, self._issue.access_seconds(client))
        return _answer(access, scopes)


GRANT_TYPES = (AuthorizationCodeGrant, RefreshTokenGrant, ClientCredentialsGrant)


def grant_types(issue: IssueGrant, tokens: TokenMaker) -> dict[str, GrantType]:
    return {kind.name: kind(issue, tokens) for kind in GRANT_TYPES}


def _answer(access: AccessToken, scopes: tuple[str, ...]) -> Answer:
    return {
        "access_token": access.value,
        "token_type": "Bearer",
        "expires_in": access.expires_in,
        "scope": " ".join(scopes),
    }


def _for_person(
    tokens: TokenMaker, client: Client, issued: Issued, access: AccessToken, *, nonce: str | None
) -> Answer:
    more: Answer = {}
    if "openid" in issued.scopes:
        more["id_token"] = tokens.id_token(client, issued, access, nonce=nonce)
    if issued.refresh_token is not None:
        more["refresh_token"] = issued.refresh_token
    return more
