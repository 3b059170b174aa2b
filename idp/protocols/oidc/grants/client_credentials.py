"""The client credentials grant (RFC 6749 4.4): an app for itself. Nothing is stored for it, but for an opaque token."""

from idp.base.errors import Refused
from idp.domain.claims import IDENTITY_SCOPES
from idp.domain.narrowing import without_handover
from idp.protocols.oidc.grants.answers import Answer, Answers, TokenRequest
from idp.services.issue_grant import narrowed_audiences


class ClientCredentialsGrant:
    name = "client_credentials"

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def answer(self, request: TokenRequest) -> Answer:
        client, asked = request.client, request.params.words("scope")
        if client.is_public:
            raise Refused("unauthorized_client", "An app without credentials has none to act with.")
        for scope in asked:
            if scope not in client.scopes:
                raise Refused("invalid_scope", "This app may not ask for that scope.", reason=f"scope {scope[:100]!r}")
        # Scopes about a person mean nothing here; the answer says which scopes there are.
        scopes = tuple(scope for scope in asked or client.scopes if scope not in IDENTITY_SCOPES)
        audiences = narrowed_audiences(request.params.every("resource"), client.audiences)
        return self._answers.for_app(request, scopes, audiences, without_handover(request.details))
