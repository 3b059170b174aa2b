"""Token requests and the answers to them (RFC 6749 5.1, OIDC Core 3.1.3.3), the same for every grant type.

Leaves who may have what to the grant types and the services, and what is in a token to tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from idp.domain.narrowing import PARAMETER, Details, parse
from idp.domain.relying import Client
from idp.protocols.oidc.params import Params
from idp.protocols.oidc.tokens import AccessToken, TokenMaker
from idp.services.issue_grant import Issued, IssueGrant

Answer = dict[str, Any]
DPOP_KEY = "jkt"  # RFC 9449 6.1


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """client: authenticated. confirmation: the key that the request has proved (`jkt` or `x5t#S256`), empty for none.
    details: to what the token is to be narrowed (RFC 9396 6), empty for all that was granted."""

    client: Client
    params: Params
    confirmation: Mapping[str, str] = field(default_factory=dict)

    @property
    def details(self) -> Details:
        """Raises Refused(invalid_authorization_details)."""
        given = self.params.get(PARAMETER)
        return () if given is None else parse(given)


class GrantType(Protocol):
    name: str

    def answer(self, request: TokenRequest) -> Answer:
        """Raises Refused with an error code of RFC 6749 5.2."""


class Answers:
    def __init__(self, issue: IssueGrant, tokens: TokenMaker) -> None:
        self._issue = issue
        self._tokens = tokens

    def for_person(self, request: TokenRequest, issued: Issued, *, nonce: str | None = None) -> Answer:
        """With ID token when the scope has openid, and the refresh token when there is one."""
        client = request.client
        access, answer = self.access_for_person(request, issued, self._issue.access_seconds(client))
        if "openid" in issued.scopes:
            answer["id_token"] = self._tokens.id_token(client, issued, access, nonce=nonce)
        if issued.refresh_token is not None:
            answer["refresh_token"] = issued.refresh_token
        return answer

    def access_for_person(self, request: TokenRequest, issued: Issued, seconds: int) -> tuple[AccessToken, Answer]:
        """The access token alone, for at most so many seconds."""
        access = self._tokens.access_for_user(request.client, issued, seconds, request.confirmation)
        return access, self._said(request, access, issued.scopes, issued.details)

    def for_app(
        self, request: TokenRequest, scopes: tuple[str, ...], audiences: tuple[str, ...], details: Details
    ) -> Answer:
        """The app for itself: no ID token, no refresh token."""
        seconds = self._issue.access_seconds(request.client)
        access = self._tokens.access_for_client(
            request.client, scopes, audiences, seconds, request.confirmation, details
        )
        return self._said(request, access, scopes, details)

    def _said(self, request: TokenRequest, access: AccessToken, scopes: tuple[str, ...], details: Details) -> Answer:
        if access.record is not None:
            self._issue.keep(access.record)
        answer: Answer = {
            "access_token": access.value,
            "token_type": "DPoP" if DPOP_KEY in request.confirmation else "Bearer",
            "expires_in": access.expires_in,
            "scope": " ".join(scopes),
        }
        return answer | ({PARAMETER: list(details)} if details else {})  # RFC 9396 7
