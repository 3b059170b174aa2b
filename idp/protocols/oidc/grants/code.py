"""The authorization code grant (RFC 6749 4.1.3) with PKCE (RFC 7636), and the refresh token grant (RFC 6749 6).

Leaves the rules of codes and refresh tokens to services.issue_grant and services.refresh_grant.
"""

from idp.protocols.oidc.grants.answers import Answer, Answers, TokenRequest
from idp.services.issue_grant import IssueGrant
from idp.services.refresh_grant import RefreshGrant


class AuthorizationCodeGrant:
    name = "authorization_code"

    def __init__(self, answers: Answers, issue: IssueGrant) -> None:
        self._answers = answers
        self._issue = issue

    def answer(self, request: TokenRequest) -> Answer:
        params = request.params
        issued = self._issue.redeem(
            request.client,
            params.required("code"),
            redirect_uri=params.get("redirect_uri", ""),
            verifier=params.get("code_verifier"),
            audiences=params.every("resource"),
            confirmation=request.confirmation,
            details=request.details,
        )
        return self._answers.for_person(request, issued, nonce=issued.grant.nonce)


class RefreshTokenGrant:
    name = "refresh_token"

    def __init__(self, answers: Answers, refresh: RefreshGrant) -> None:
        self._answers = answers
        self._refresh = refresh

    def answer(self, request: TokenRequest) -> Answer:
        params = request.params
        issued = self._refresh.refresh(
            request.client,
            params.required("refresh_token"),
            scopes=params.words("scope"),
            audiences=params.every("resource"),
            confirmation=request.confirmation,
            details=request.details,
        )
        # No nonce: it belongs to the one authentication request (OIDC Core 12.2).
        return self._answers.for_person(request, issued)
