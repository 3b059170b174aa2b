"""The token endpoint's grant types, one class each: a TokenRequest in, the token answer out (RFC 6749 5.1).

Owns the list of them. Leaves client authentication to client_auth, proofs of keys to sender, and the rules to the services.
"""

from collections.abc import Callable

from idp.base.net import NetPolicy
from idp.http.parts import Parts
from idp.protocols.oidc.grants.answers import Answer, Answers, GrantType, TokenRequest
from idp.protocols.oidc.grants.client_credentials import ClientCredentialsGrant
from idp.protocols.oidc.grants.code import AuthorizationCodeGrant, RefreshTokenGrant
from idp.protocols.oidc.grants.device_code import DeviceCodeGrant
from idp.protocols.oidc.grants.exchange import TokenExchangeGrant
from idp.protocols.oidc.grants.jwt_bearer import JwtBearerGrant
from idp.protocols.oidc.tokens import TokenMaker
from idp.services.assert_user import AssertUser
from idp.services.check_token import CheckToken
from idp.services.device_flow import DeviceFlow
from idp.services.exchange_token import ExchangeToken
from idp.services.issue_grant import IssueGrant
from idp.services.live_grants import LiveGrants
from idp.services.once import Once
from idp.services.refresh_grant import KEY_PURPOSE, RefreshGrant
from idp.upstream.assertions import AssertionIssuers

__all__ = ["GRANT_TYPES", "Answer", "GrantType", "TokenRequest", "grant_types"]

GRANT_TYPES = (
    AuthorizationCodeGrant,
    RefreshTokenGrant,
    ClientCredentialsGrant,
    DeviceCodeGrant,
    TokenExchangeGrant,
    JwtBearerGrant,
)


def grant_types(
    parts: Parts,
    *,
    issuer: Callable[[], str],
    live: LiveGrants,
    issue: IssueGrant,
    check: CheckToken,
    tokens: TokenMaker,
    device: DeviceFlow,
    policy: Callable[[], NetPolicy],
    once: Once,
) -> dict[str, GrantType]:
    answers = Answers(issue, tokens)
    refresh = RefreshGrant(parts.repo, parts.clock, live, parts.settings.oidc, parts.seal.derive(KEY_PURPOSE))
    exchange = ExchangeToken(
        parts.repo,
        parts.clock,
        live=live,
        check=check,
        audit=parts.audit,
        subjects=parts.subjects,
        issuer=issuer,
        read_id_token=tokens.read_id_token,
    )
    trusted = parts.settings.oidc.assertion_issuers
    bearer = JwtBearerGrant(
        answers,
        issue,
        clock=parts.clock,
        issuer=issuer,
        issuers=AssertionIssuers(parts.upstreams, parts.kinds, trusted, policy, parts.clock),
        people=AssertUser(parts.repo, parts.clock, attempts=parts.sign_in, issue=issue, audit=parts.audit),
        once=once,
    )
    kinds: tuple[GrantType, ...] = (
        AuthorizationCodeGrant(answers, issue),
        RefreshTokenGrant(answers, refresh),
        ClientCredentialsGrant(answers),
        DeviceCodeGrant(answers, device),
        TokenExchangeGrant(answers, issue, exchange),
        bearer,
    )
    return {kind.name: kind for kind in kinds}
