"""Upstream kind `oauth2`: any provider with OAuth 2.0 and a userinfo endpoint, but without ID tokens.

Owns which fields of its answer mean what. Leaves the flow to idp.upstream.oauth2_kind.
"""

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.ports import Tools
from idp.upstream import person
from idp.upstream.authlib_client import AuthorizeParams, Registration
from idp.upstream.exchange import Exchange
from idp.upstream.oauth2_kind import Endpoint, Endpoints, OAuth2Kind, Place, Reauthentication, origin
from idp.upstream.refusals import answer_invalid, said
from idp.upstream.words import words

MAX_SUBJECT = 255
_USUAL_SUBJECTS = ("sub", "id")


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    authorization_endpoint: Endpoint = Field(max_length=1000)
    """Where people sign in there."""
    token_endpoint: Endpoint = Field(max_length=1000)
    """Where a code is exchanged for an access token."""
    userinfo_endpoint: Endpoint = Field(max_length=1000)
    """What says, as a JSON object, whom an access token is of."""
    issuer: Place | Literal[""] = Field("", max_length=500)
    """The name of the provider in logins, and of `iss` in its answers. Default: the origin of token_endpoint."""
    client_id: str = Field(min_length=1, max_length=500)
    """Our client id at the upstream."""
    client_secret: SecretStr = SecretStr("")
    """Our secret there: the value, `env:NAME`, or `file:PATH`. Sealed at rest, never shown."""
    scopes: Annotated[tuple[str, ...], BeforeValidator(words)] = ()
    """What we ask for: what its userinfo endpoint needs."""
    token_endpoint_auth_method: Literal["client_secret_basic", "client_secret_post", "none"] = "client_secret_basic"  # noqa: S105
    """How we authenticate at its token endpoint."""
    authorize_params: AuthorizeParams = Field(default_factory=dict)
    """Further parameters for its sign-in page, as a query string."""
    pkce: bool = True
    """Send a PKCE challenge (S256). Off only for a provider that refuses it."""
    reauthentication: Reauthentication = "none"
    """When an app wants a fresh sign-in: none, this way is refused, as nothing could show it; trust, coming back is enough."""
    subject_field: str = Field("", max_length=200)
    """The field that names a person for ever: never reused, never changed by them. Needed unless it is `sub` or `id`."""
    username_field: str = Field("preferred_username", max_length=200)
    """The field that suggests a user name for new accounts."""
    name_field: str = Field("name", max_length=200)
    """The field with the full name."""
    email_field: str = Field("email", max_length=200)
    """The field with the e-mail address."""
    email_verified_field: str = Field("", max_length=200)
    """The field that says, by the JSON boolean true, that the address is verified. Without it no address is."""
    groups_field: str = Field("groups", max_length=200)
    """The field with the names of a person's groups."""

    @model_validator(mode="after")
    def _proves_who_we_are(self) -> Self:
        public = self.token_endpoint_auth_method == "none"  # noqa: S105  (a method, not a secret)
        if not public and not self.client_secret.get_secret_value():
            raise ValueError("client_secret is missing (or say token_endpoint_auth_method=none)")
        if public and not self.pkce:
            raise ValueError("Without a secret, PKCE is needed: whoever sees a code could redeem it")
        return self


class Kind(OAuth2Kind):
    label = "OAuth 2.0"

    def __init__(self, settings: Settings, tools: Tools) -> None:
        self._settings = settings
        secret, method = settings.client_secret.get_secret_value(), settings.token_endpoint_auth_method
        super().__init__(
            Endpoints(
                issuer=settings.issuer or origin(settings.token_endpoint),
                authorization=settings.authorization_endpoint,
                token=settings.token_endpoint,
                further=settings.authorize_params,
                reauthentication=settings.reauthentication,
            ),
            Registration(settings.client_id, secret, method, settings.scopes, settings.pkce),
            tools,
        )

    def who(self, provider: UpstreamProvider, exchange: Exchange, shown: Mapping[str, str]) -> UpstreamIdentity:
        asked = self._settings
        found = exchange.get_json(asked.userinfo_endpoint, headers=shown)
        told = {
            "email": person.at(found, asked.email_field),
            "email_verified": person.at(found, asked.email_verified_field),
        }
        email, verified = person.email(told)
        return UpstreamIdentity(
            provider_id=provider.id,
            issuer=self._endpoints.issuer,
            subject=subject(found, asked.subject_field),
            email=email,
            email_verified=verified,
            name=person.text(person.at(found, asked.name_field), person.MAX_NAME),
            username=person.text(person.at(found, asked.username_field), 128),
            groups=person.groups(person.at(found, asked.groups_field)),
            attributes=person.attributes(found),
        )


def subject(document: Mapping[str, Any], path: str) -> str:
    """Raises Refused(upstream_answer_invalid) when nothing names the person, or two things name two."""
    if path:
        return _exact(person.at(document, path), path)
    found = {_exact(document[name], name) for name in _USUAL_SUBJECTS if document.get(name) is not None}
    if len(found) != 1:
        there = "both `sub` and `id`, which differ" if found else "neither `sub` nor `id`"
        raise answer_invalid(
            f"userinfo has {there}: set subject_field to one of {said(', '.join(sorted(document)), 300)}"
        )
    return found.pop()


def _exact(value: object, field: str) -> str:
    """A number must be whole: a float is rounded by whoever reads it, so that two people would be one. true is not 1 here."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise answer_invalid(f"userinfo: {said(field)!r} is {type(value).__name__}, neither text nor a whole number")
    if not value.strip() or len(value) > MAX_SUBJECT or any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        raise answer_invalid(f"userinfo: {said(field)!r} is empty, too long or not plain text")
    return value
