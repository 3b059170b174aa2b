"""What the kinds that speak OpenID Connect share: the authorization code flow with an ID token (OpenID Connect Core 3.1).

Leaves URL and token request to authlib_client, metadata and keys to discovery and jwks, the ID token to id_token, and whom the
person is to idp.services.link_login. What differs between providers are the methods that the kinds replace.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from idp.base import ids
from idp.domain.checks import Checks
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.ports import Departure, Tools
from idp.upstream import person
from idp.upstream.authlib_client import CodeClient, Registration, bearer, check_state, code_of
from idp.upstream.checking import checking
from idp.upstream.discovery import Discovery, Metadata
from idp.upstream.exchange import Exchange
from idp.upstream.id_token import Claims, Expected, accept
from idp.upstream.jwks import KeySource
from idp.upstream.oidc_logout import OidcLogout
from idp.upstream.oidc_settings import OidcSettings
from idp.upstream.refusals import answer_invalid

ADDRESS = ("email", "email_verified")


class OidcKind:
    """One configured OpenID Provider. prompt: the value that makes its page ask anew. asks_userinfo: for what the ID token
    does not say."""

    label = "OpenID Connect"
    speaks_openid = True
    prompt = "login"
    asks_userinfo = True

    def __init__(
        self, settings: OidcSettings, tools: Tools, issuer: str, stated_as: Callable[[str], bool] | None = None
    ) -> None:
        """issuer: where its metadata is. stated_as: the issuers that may stand in there, if not just this one."""
        self._registered = settings
        self._policy = tools.policy
        self._clock = tools.clock
        self._issuer = issuer
        self._discovery = Discovery(issuer, tools.policy, tools.clock, stated_as)
        self._keys = KeySource(tools.clock)
        self.logout = OidcLogout(settings, tools, self._discovery, self._keys, self.token_issuer, self.key_issuer)

    # ---------------------------------------------------------------- what kinds replace

    def hints(self) -> Mapping[str, str]:
        """Parameters for its sign-in page that follow from the settings."""
        return {}

    def answers_as(self, stated: str | None, metadata: Metadata) -> str:
        """The `iss` that the answer of the browser must name, if it names one (RFC 9207)."""
        return metadata.issuer

    def token_issuer(self, claims: Claims) -> str:
        """The `iss` that this ID token must name. Raises Refused(upstream_answer_invalid)."""
        return self._issuer

    def key_issuer(self, published: str, claims: Claims) -> str | None:
        """For which issuer a key speaks whose `issuer` is published; None: providers of this kind say no such thing."""
        return None

    def admit(self, claims: Claims, metadata: Metadata) -> None:
        """Raises Refused(upstream_not_admitted) for a good answer about somebody who may not come in by it."""

    def key_of(self, claims: Claims) -> tuple[str, str]:
        """(issuer, subject): who it is, for ever. Raises Refused(upstream_answer_invalid)."""
        return claims["iss"], claims["sub"]

    def email_of(self, claims: Claims) -> tuple[str | None, bool]:
        """(address, verified)."""
        return person.email(claims)

    def groups_of(self, provider: UpstreamProvider, claims: Claims) -> tuple[str, ...]:
        return person.groups(person.at(claims, self._registered.groups_claim))

    # ---------------------------------------------------------------- departure and arrival

    def depart(
        self,
        provider: UpstreamProvider,
        callback_url: str,
        *,
        force: bool,
        login_hint: str | None,
        max_age: float | None = None,
    ) -> Departure:
        """Raises Refused(upstream_unreachable | upstream_misconfigured)."""
        exchange = Exchange(self._policy)
        metadata = self._discovery.metadata(exchange)
        remembered = {"state": ids.secret(), "nonce": ids.secret(), "verifier": ids.secret()}
        params = {"nonce": remembered["nonce"], **self.hints()}
        if login_hint:
            params["login_hint"] = login_hint[:320]
        shows_when = self._registered.auth_time == "required"
        if force or (max_age is not None and (max_age < 1 or not shows_when)):
            remembered["proved_since"] = repr(self._clock())
            params["max_age"] = "0"
            if shows_when or "prompt" not in self._registered.authorize_params:
                params["prompt"] = self.prompt
        elif max_age is not None:
            remembered["proved_since"] = repr(self._clock() - max_age)
            params["max_age"] = str(int(max_age))
        client = self._client(exchange, callback_url)
        further = self._registered.authorize_params
        url = client.authorization_url(metadata.authorization_endpoint, remembered, params, further)
        return Departure(url, remembered)

    def arrive(
        self,
        provider: UpstreamProvider,
        callback_url: str,
        params: Mapping[str, str],
        remembered: Mapping[str, str],
        checks: Checks | None = None,
    ) -> UpstreamIdentity:
        """Raises Refused(upstream_denied | upstream_unreachable | upstream_misconfigured | upstream_answer_invalid |
        upstream_not_admitted)."""
        exchange = Exchange(self._policy)
        with checking(checks, "state"):
            check_state(params, remembered)
        with checking(checks, "metadata"):
            metadata = self._discovery.metadata(exchange)
        with checking(checks, "code"):
            answerer = self.answers_as(params.get("iss"), metadata)
            code = code_of(params, answerer, iss_promised=metadata.iss_in_answers)
        with checking(checks, "token"):
            token = self._client(exchange, callback_url).redeem(metadata.token_endpoint, code, remembered)
        expected = self._expected(remembered, token.get("access_token"))
        claims = accept(token.get("id_token"), expected, self._keys, metadata.jwks_uri, exchange, checks)
        with checking(checks, "admitted"):
            self.admit(claims, metadata)
        completed = self._completed(provider, claims, token, metadata, exchange, checks)
        with checking(checks, "person"):
            return replace(
                self._identity(provider, claims, completed),
                logout=self.logout.facts(claims, token.get("id_token"), metadata),
            )

    def _expected(self, remembered: Mapping[str, str], access_token: object) -> Expected:
        since = remembered.get("proved_since")
        return Expected(
            issuer_for=self.token_issuer,
            key_issuer=self.key_issuer,
            client_id=self._registered.client_id,
            nonce=remembered["nonce"],
            algorithms=self._registered.algorithms,
            now=self._clock(),
            proved_since=float(since) if since else None,
            auth_time_required=self._registered.auth_time == "required",
            access_token=access_token,
        )

    def _client(self, exchange: Exchange, callback_url: str) -> CodeClient:
        given = self._registered
        secret, method = given.client_secret.get_secret_value(), given.token_endpoint_auth_method
        return CodeClient(exchange, Registration(given.client_id, secret, method, given.scopes), callback_url)

    # ---------------------------------------------------------------- the person

    def _completed(
        self,
        provider: UpstreamProvider,
        claims: Claims,
        token: Mapping[str, Any],
        metadata: Metadata,
        exchange: Exchange,
        checks: Checks | None,
    ) -> Claims:
        """Many providers say e-mail, name and groups at the userinfo endpoint only (OpenID Connect Core 5.3)."""
        if not self.more_is_wanted(provider, claims) or "access_token" not in token:
            return claims
        if metadata.userinfo_endpoint is None:
            return claims
        with checking(checks, "userinfo"):
            found = exchange.get_json(metadata.userinfo_endpoint, headers=bearer(token))
            if found.get("sub") != claims["sub"]:
                raise answer_invalid("userinfo speaks of another sub than the id_token")
        # The address and whether it is verified come from the same place.
        other = claims if claims.get("email") else found
        address = {key: other[key] for key in ADDRESS if key in other}
        return {**{key: value for key, value in {**found, **claims}.items() if key not in ADDRESS}, **address}

    def more_is_wanted(self, provider: UpstreamProvider, claims: Claims) -> bool:
        """Is something that counts here missing in the ID token?"""
        if not self.asks_userinfo:
            return False
        wanted = ["email"] if "email" in self._registered.scopes else []
        if provider.keep_groups or provider.group_names or provider.group_roles or provider.administrator_groups:
            wanted.append(self._registered.groups_claim)
        return any(not person.at(claims, name) for name in (*wanted, *provider.claim_map.values()))

    def _identity(self, provider: UpstreamProvider, claims: Claims, completed: Claims) -> UpstreamIdentity:
        issuer, subject = self.key_of(claims)
        email, verified = self.email_of(completed)
        at = claims.get("auth_time")
        return UpstreamIdentity(
            provider_id=provider.id,
            issuer=issuer,
            subject=subject,
            email=email,
            email_verified=verified,
            name=person.name(completed),
            username=person.text(completed.get(self._registered.username_claim), 128),
            acr=person.text(claims.get("acr"), 200),
            amr=person.methods(claims),
            auth_time=float(at)
            if isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at < 1e12
            else None,
            groups=self.groups_of(provider, completed),
            attributes=person.attributes(completed),
        )
