"""Upstream kind `oidc`: any OpenID Provider with discovery, authorization code flow, S256 PKCE (OpenID Connect Core 3.1).

The only importer of Authlib: it makes the authorization URL and the token request. Leaves metadata and keys to
idp.upstream.discovery and jwks, the ID token to idp.upstream.id_token, and whom the person is to idp.services.link_login.
"""

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from idp.base import ids
from idp.base.net import Answer, is_loopback_url
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.ports import Departure, Tools
from idp.upstream import person
from idp.upstream.discovery import WELL_KNOWN, Discovery, Metadata
from idp.upstream.exchange import Exchange, json_object
from idp.upstream.id_token import Claims, Expected, accept
from idp.upstream.jwks import KeySource
from idp.upstream.refusals import answer_invalid, denied, misconfigured, said, unreachable
from idp.upstream.words import words

if TYPE_CHECKING:
    from authlib.oauth2.client import OAuth2Client
    from joserfc.jwk import Key

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"]
_FLOW = ("response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "max_age")
_CARRIERS = ("code_challenge", "code_challenge_method", "request", "request_uri")
MAX_CODE = 8192
_SAID_NO = ("access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required")
_IS_DOWN = ("server_error", "temporarily_unavailable")


def _params(value: object) -> object:
    """`hd=example.org&prompt=select_account` -> a mapping."""
    return dict(parse_qsl(value, keep_blank_values=True)) if isinstance(value, str) else value


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    issuer: str = Field(max_length=500)
    """The upstream's issuer, exactly as its discovery document says it. The address of that document will do, too."""
    client_id: str = Field(min_length=1, max_length=500)
    """Our client id at the upstream."""
    client_secret: SecretStr = SecretStr("")
    """Our secret there: the value, `env:NAME`, or `file:PATH`. Sealed at rest, never shown."""
    scopes: Annotated[tuple[str, ...], BeforeValidator(words)] = ("openid", "profile", "email")
    """What we ask for; `openid` is always part of it."""
    token_endpoint_auth_method: Literal["client_secret_basic", "client_secret_post", "none"] = "client_secret_basic"  # noqa: S105
    """How we authenticate at its token endpoint."""
    algorithms: Annotated[tuple[Algorithm, ...], BeforeValidator(words)] = Field(
        ("RS256", "PS256", "ES256", "ES384", "Ed25519"), min_length=1
    )
    """Signature algorithms that are accepted for ID tokens. Never `none`, never a shared secret (HS256)."""
    authorize_params: Annotated[dict[str, str], BeforeValidator(_params)] = Field(default_factory=dict)
    """Further parameters for its sign-in page, as a query string: `prompt=select_account&hd=example.org`."""
    username_claim: str = Field("preferred_username", min_length=1, max_length=100)
    """The claim that suggests a user name for new accounts."""
    assertions: bool = False
    """May assertions that it signs stand for people at our token endpoint (RFC 7523)? Only for those who have linked it."""
    auth_time: Literal["required", "optional"] = "required"
    """What shows that somebody proved themselves anew when we asked for it: required, a fresh `auth_time`; optional, the
    upstream says none (Google, Azure AD) and coming back is enough. One that is said is checked in any case."""

    @field_validator("issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        issuer = value.strip().removesuffix(WELL_KNOWN)
        parts = urlsplit(issuer)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_url(issuer)):
            raise ValueError("An issuer is an https:// URL (http:// only on this very machine)")
        if not parts.hostname or parts.query or parts.fragment or parts.username or not issuer.isprintable():
            raise ValueError("An issuer is a URL without user, ? and #")
        return issuer

    @field_validator("scopes")
    @classmethod
    def _openid(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("openid", *value)))

    @field_validator("authorize_params")
    @classmethod
    def _not_ours(cls, value: dict[str, str]) -> dict[str, str]:
        taken = sorted({*_FLOW, *_CARRIERS}.intersection(value))
        if taken:
            raise ValueError(f"These parameters are ours alone: {', '.join(taken)}")
        return value

    @model_validator(mode="after")
    def _secret_where_needed(self) -> Self:
        public = self.token_endpoint_auth_method == "none"  # noqa: S105  (a method, not a secret)
        if not public and not self.client_secret.get_secret_value():
            raise ValueError("client_secret is missing (or say token_endpoint_auth_method=none)")
        return self


class Kind:
    """One configured OpenID Provider."""

    label = "OpenID Connect"

    def __init__(self, settings: Settings, tools: Tools) -> None:
        self._settings = settings
        self._policy = tools.policy
        self._clock = tools.clock
        self._discovery = Discovery(settings.issuer, tools.policy, tools.clock)
        self._keys = KeySource(tools.clock)

    def depart(
        self, provider: UpstreamProvider, callback_url: str, *, force: bool, login_hint: str | None
    ) -> Departure:
        """Raises Refused(upstream_unreachable | upstream_misconfigured)."""
        exchange = Exchange(self._policy)
        metadata = self._discovery.metadata(exchange)
        remembered = {"state": ids.secret(), "nonce": ids.secret(), "verifier": ids.secret()}
        params = {"nonce": remembered["nonce"]}
        if login_hint:
            params["login_hint"] = login_hint[:320]
        if force:
            remembered["forced_at"] = repr(self._clock())
            params["max_age"] = "0"
            if self._settings.auth_time == "required" or "prompt" not in self._settings.authorize_params:
                params["prompt"] = "login"
        url, _ = self._client(exchange, callback_url).create_authorization_url(
            metadata.authorization_endpoint, remembered["state"], remembered["verifier"], **params
        )
        further = {key: value for key, value in self._settings.authorize_params.items() if key not in params}
        return Departure(f"{url}&{urlencode(further)}" if further else url, remembered)

    def arrive(
        self, provider: UpstreamProvider, callback_url: str, params: Mapping[str, str], remembered: Mapping[str, str]
    ) -> UpstreamIdentity:
        """Raises Refused(upstream_denied | upstream_unreachable | upstream_misconfigured | upstream_answer_invalid)."""
        exchange = Exchange(self._policy)
        if not hmac.compare_digest(params.get("state", "").encode(), remembered["state"].encode()):
            raise answer_invalid("the state is not the one that we sent")
        metadata = self._discovery.metadata(exchange)
        _check_sender(params, metadata)
        code = params.get("code", "")
        if not code.isascii() or not code.isprintable() or not 0 < len(code) <= MAX_CODE:
            raise answer_invalid("the answer has no usable code")
        token = self._redeem(exchange, metadata, callback_url, code, remembered["verifier"])
        claims = accept(token.get("id_token"), self._expected(remembered), self._keys, metadata.jwks_uri, exchange)
        return self._identity(provider, claims, self._completed(claims, token, metadata, exchange))

    def _expected(self, remembered: Mapping[str, str]) -> Expected:
        forced = remembered.get("forced_at")
        return Expected(
            issuer=self._settings.issuer,
            client_id=self._settings.client_id,
            nonce=remembered["nonce"],
            algorithms=self._settings.algorithms,
            now=self._clock(),
            forced_at=float(forced) if forced else None,
            auth_time_required=self._settings.auth_time == "required",
        )

    # ---------------------------------------------------------------- assertions (RFC 7523 2.1)

    @property
    def assertion_issuer(self) -> str | None:
        """None unless an administrator allows it."""
        return self._settings.issuer if self._settings.assertions else None

    def assertion_keys(self, kid: str | None, alg: str) -> "list[Key]":
        """Raises Refused(upstream_unreachable | upstream_misconfigured | upstream_answer_invalid)."""
        exchange = Exchange(self._policy)
        return self._keys.fitting(self._discovery.metadata(exchange).jwks_uri, exchange, kid, alg)

    # ---------------------------------------------------------------- token endpoint

    def _client(self, exchange: Exchange, callback_url: str) -> "OAuth2Client":
        from authlib.oauth2.client import OAuth2Client

        client = OAuth2Client(
            _Session(exchange),
            client_id=self._settings.client_id,
            client_secret=self._settings.client_secret.get_secret_value() or None,
            token_endpoint_auth_method=self._settings.token_endpoint_auth_method,
            scope=" ".join(self._settings.scopes),
            redirect_uri=callback_url,
            code_challenge_method="S256",
        )
        client.register_client_auth_method(("client_secret_basic", _basic))
        return client

    def _redeem(
        self, exchange: Exchange, metadata: Metadata, callback_url: str, code: str, verifier: str
    ) -> Mapping[str, Any]:
        from authlib.oauth2.base import OAuth2Error

        client = self._client(exchange, callback_url)
        try:
            token: Mapping[str, Any] = client.fetch_token(
                metadata.token_endpoint, grant_type="authorization_code", code=code, code_verifier=verifier
            )
        except OAuth2Error as error:
            reason = f"token endpoint: {said(error.error, 60)}: {said(error.description or '')}"
            raise (answer_invalid(reason) if error.error == "invalid_grant" else misconfigured(reason)) from None
        except (ValueError, TypeError) as error:
            raise answer_invalid(f"the token answer cannot be read ({type(error).__name__})") from None
        return token

    # ---------------------------------------------------------------- the person

    def _completed(self, claims: Claims, token: Mapping[str, Any], metadata: Metadata, exchange: Exchange) -> Claims:
        """Many providers say e-mail and name at the userinfo endpoint only (OpenID Connect Core 5.3)."""
        access_token = token.get("access_token")
        wanted = "email" in self._settings.scopes and not claims.get("email")
        if not wanted or metadata.userinfo_endpoint is None or not isinstance(access_token, str):
            return claims
        if not access_token.isascii() or not access_token.isprintable():
            raise answer_invalid("the access token is not plain text")
        found = exchange.get_json(metadata.userinfo_endpoint, headers={"Authorization": f"Bearer {access_token}"})
        if found.get("sub") != claims["sub"]:
            raise answer_invalid("userinfo speaks of another sub than the id_token")
        # The address and whether it is verified come from the same place.
        return {**found, **{key: value for key, value in claims.items() if key not in ("email", "email_verified")}}

    def _identity(self, provider: UpstreamProvider, claims: Claims, completed: Claims) -> UpstreamIdentity:
        email, verified = person.email(completed)
        at = claims.get("auth_time")
        return UpstreamIdentity(
            provider_id=provider.id,
            issuer=self._settings.issuer,
            subject=claims["sub"],
            email=email,
            email_verified=verified,
            name=person.name(completed),
            username=person.text(completed.get(self._settings.username_claim), 128),
            acr=person.text(claims.get("acr"), 200),
            amr=person.methods(claims),
            auth_time=float(at) if isinstance(at, int | float) and not isinstance(at, bool) else None,
        )


def _check_sender(params: Mapping[str, str], metadata: Metadata) -> None:
    """RFC 9207: the answer names its issuer, so that no other upstream's answer is taken for this one's. Then errors."""
    issuer = params.get("iss")
    if issuer is None and metadata.iss_in_answers:
        raise answer_invalid("the answer has no iss, although the upstream promises one (RFC 9207)")
    if issuer is not None and issuer != metadata.issuer:
        raise answer_invalid(f"the answer comes from {said(issuer)!r}, expected {metadata.issuer!r} (RFC 9207)")
    error = params.get("error")
    if error is None:
        return
    reason = f"the upstream answered {said(error, 60)}: {said(params.get('error_description', ''))}"
    if error in _SAID_NO:
        raise denied(reason)
    raise unreachable(reason) if error in _IS_DOWN else misconfigured(reason)


def _basic(client: Any, _method: str, uri: str, headers: dict[str, str], body: str) -> tuple[str, dict[str, str], str]:
    """RFC 6749 2.3.1: both parts form-encoded first. Authlib's own leaves that out and breaks on `:`, `%` and non-Latin-1."""
    import base64

    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    return uri, {**headers, "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, body


class _Session:
    """What Authlib's client needs of a requests.Session, over our own outbound HTTP."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def post(self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str], auth: Any) -> "_Response":
        # A copy: Authlib hands out its module-wide default headers, and an Authorization written there would travel to
        # every other upstream.
        url, sent, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        return _Response(self._exchange.send("POST", url, headers=sent, body=body.encode()))


class _Response:
    def __init__(self, answer: Answer) -> None:
        self.status_code = answer.status
        self._body = answer.body

    def json(self) -> dict[str, Any]:
        """The object; with another status than 200 only an error is one, not a token."""
        found = json_object(self._body, f"the token endpoint (status {self.status_code})")
        if self.status_code != 200 and "error" not in found:
            raise answer_invalid(f"the token endpoint answered {self.status_code}")
        return found
