"""The token exchange grant (RFC 8693): its parameters and its answer. Leaves every rule to services.exchange_token."""

from idp.base.errors import Refused
from idp.protocols.oidc.grants.answers import Answer, Answers, TokenRequest
from idp.protocols.oidc.params import Params
from idp.services.exchange_token import ACCESS_TOKEN, ID_TOKEN, Exchange, ExchangeToken
from idp.services.issue_grant import IssueGrant

SUBJECT_TYPES = (ACCESS_TOKEN, ID_TOKEN)


class TokenExchangeGrant:
    name = "urn:ietf:params:oauth:grant-type:token-exchange"

    def __init__(self, answers: Answers, issue: IssueGrant, exchange: ExchangeToken) -> None:
        self._answers = answers
        self._issue = issue
        self._exchange = exchange

    def answer(self, request: TokenRequest) -> Answer:
        client, params = request.client, request.params
        if client.is_public:
            raise Refused("unauthorized_client", "Only apps that authenticate can exchange tokens.")
        _access_token_is_wanted(params)
        exchanged = self._exchange.exchange(
            Exchange(
                client,
                subject_token=params.required("subject_token"),
                subject_token_type=_type(params, "subject_token_type", SUBJECT_TYPES),
                actor_token=_actor_token(params),
                scopes=params.words("scope"),
                targets=(*params.every("resource"), *params.every("audience")),
                confirmation=request.confirmation,
                details=request.details,
            )
        )
        seconds = min(self._issue.access_seconds(client), exchanged.seconds)
        _, answer = self._answers.access_for_person(request, exchanged.issued, seconds)
        return {**answer, "issued_token_type": ACCESS_TOKEN}


def _access_token_is_wanted(params: Params) -> None:
    wanted = params.get("requested_token_type", ACCESS_TOKEN)
    if wanted != ACCESS_TOKEN:
        raise Refused(
            "invalid_request",
            f"requested_token_type can be {ACCESS_TOKEN} and nothing else.",
            reason=f"requested_token_type {wanted[:200]!r}",
        )


def _actor_token(params: Params) -> str | None:
    """With its type, or neither (RFC 8693 2.1)."""
    if "actor_token" not in params:
        if "actor_token_type" in params:
            raise Refused("invalid_request", "actor_token_type comes without an actor_token.")
        return None
    _type(params, "actor_token_type", (ACCESS_TOKEN,))
    return params["actor_token"]


def _type(params: Params, name: str, known: tuple[str, ...]) -> str:
    given = params.required(name)
    if given not in known:
        raise Refused("invalid_request", f"{name} must be {' or '.join(known)}.", reason=f"{name} {given[:200]!r}")
    return given
