"""The JWT bearer grant (RFC 7523 2.1): another server's assertion for an access token. No ID token, no refresh token.

Leaves reading assertions to assertions, whose they may be to idp.upstream.assertions, and whom they mean to
services.assert_user.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.ids import digest
from idp.base.jws import ASYMMETRIC, MAX_JWS
from idp.protocols.oidc.assertions import GRANT_TYPES, BadAssertion, good_until, jti_of, read, verify
from idp.protocols.oidc.grants.answers import Answer, Answers, TokenRequest
from idp.services.assert_user import AssertUser
from idp.services.issue_grant import IssueGrant, invalid_grant
from idp.services.once import Once
from idp.upstream.assertions import AssertionIssuer, AssertionIssuers

if TYPE_CHECKING:
    from joserfc.jwk import Key

MAX_SUBJECT = 500


class JwtBearerGrant:
    name = "urn:ietf:params:oauth:grant-type:jwt-bearer"

    def __init__(
        self,
        answers: Answers,
        issue: IssueGrant,
        *,
        clock: Clock,
        issuer: Callable[[], str],
        issuers: AssertionIssuers,
        people: AssertUser,
        once: Once,
    ) -> None:
        self._answers = answers
        self._issue = issue
        self._clock = clock
        self._issuer = issuer
        self._issuers = issuers
        self._people = people
        self._once = once

    def answer(self, request: TokenRequest) -> Answer:
        client, params = request.client, request.params
        if client.is_public:
            raise Refused("unauthorized_client", "Only apps that authenticate can use assertions.")
        token = params.required("assertion")
        try:
            trusted, claims = self._verified(token)
            subject = _subject(claims, client.id)
            # Without its signature, which can be spelled in several ways.
            jti = jti_of(claims) if "jti" in claims else digest(token.rpartition(".")[0])
        except BadAssertion as bad:
            raise invalid_grant(f"assertion: {bad.reason}") from None
        user, way = self._people.person(client, trusted.issuer, subject, trusted.provider_ids)
        # Last of all, when nothing more can be wrong with it: it is good once.
        if not self._once.first("assertion", trusted.issuer, jti, good_until(claims, self._clock()) + 1):
            raise invalid_grant("the assertion was used before")
        issued = self._people.grant(
            client,
            user,
            scopes=params.words("scope"),
            audiences=params.every("resource"),
            by=trusted.issuer,
            way=way,
            details=request.details,
        )
        _, answer = self._answers.access_for_person(request, issued, self._issue.access_seconds(client))
        return answer

    def _verified(self, token: str) -> tuple[AssertionIssuer, dict[str, Any]]:
        """Raises BadAssertion, Refused(invalid_grant | temporarily_unavailable)."""
        if len(token) > MAX_JWS:
            raise BadAssertion("The assertion is too long.")
        named = read(token, GRANT_TYPES).claims.get("iss")
        trusted = self._issuers.find(named) if isinstance(named, str) else None
        if trusted is None:
            raise BadAssertion("The assertion is by an unknown issuer.", f"iss {named!r:.200}")
        ours = self._issuer()
        claims = verify(
            token,
            lambda _issuer, kid, alg: _keys(trusted, kid, alg),
            issuers=(trusted.issuer,),
            audience=(ours, f"{ours}/token"),
            now=self._clock(),
            algs=ASYMMETRIC,
        )
        return trusted, claims


def _keys(trusted: AssertionIssuer, kid: str | None, alg: str) -> "list[Key]":
    """Raises Refused: that its keys cannot be had is no fault of the assertion."""
    try:
        return trusted.keys_for(kid, alg)
    except Refused as refused:
        raise Refused(
            "temporarily_unavailable",
            "The keys of the assertion's issuer cannot be had right now. Try again.",
            status=503,
            reason=f"{trusted.issuer}: {refused.reason}",
            headers={"Retry-After": "5"},
        ) from None


def _subject(claims: dict[str, Any], client_id: str) -> str:
    """Raises BadAssertion. client_id: some issuers say for which app the assertion is."""
    subject, meant = claims.get("sub"), claims.get("client_id")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise BadAssertion("The assertion needs a sub.", proved=True)
    if meant is not None and meant != client_id:
        raise BadAssertion("The assertion is for another app.", f"client_id {meant!r:.100}", proved=True)
    return subject
