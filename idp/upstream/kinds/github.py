"""Upstream kind `github`: github.com, GitHub Enterprise Cloud with its own domain (ghe.com) and GitHub Enterprise Server.

The person is the number of the account: names of accounts are given to others after a while. Leaves the flow to
idp.upstream.oauth2_kind.
"""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.ports import Tools
from idp.upstream import person
from idp.upstream.authlib_client import AuthorizeParams, Registration
from idp.upstream.exchange import Exchange
from idp.upstream.oauth2_kind import Endpoints, OAuth2Kind, Place, Reauthentication, origin
from idp.upstream.refusals import answer_invalid
from idp.upstream.words import words

_MEDIA = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_NOT_FOR_US = (403, 404)  # it was not allowed to see addresses


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    base_url: Place = Field("https://github.com", max_length=500)
    """Where GitHub is: another one for GitHub Enterprise. Logins are tied to it."""
    client_id: str = Field(min_length=1, max_length=500)
    """The client id of our OAuth app (or GitHub App) there."""
    client_secret: SecretStr = Field(min_length=1)
    """Its secret: the value, `env:NAME`, or `file:PATH`. Sealed at rest, never shown."""
    scopes: Annotated[tuple[str, ...], BeforeValidator(words)] = ("read:user", "user:email")
    """What we ask for; without `user:email` there is no address. A GitHub App has permissions instead."""
    authorize_params: AuthorizeParams = Field(default_factory=dict)
    """Further parameters for its sign-in page: `allow_signup=false`, `prompt=select_account`."""
    reauthentication: Reauthentication = "none"
    """When an app wants a fresh sign-in: none, this way is refused, as nothing could show it; trust, coming back is enough."""

    @field_validator("base_url")
    @classmethod
    def _host(cls, value: str) -> str:
        if urlsplit(value).path not in ("", "/"):
            raise ValueError("The address of GitHub itself is needed, such as https://github.example.org")
        return origin(value)


class Kind(OAuth2Kind):
    label = "GitHub"
    known_by_label = True

    def __init__(self, settings: Settings, tools: Tools) -> None:
        base = settings.base_url
        self._api = api_of(base)
        super().__init__(
            Endpoints(
                issuer=issuer_of(settings),
                authorization=f"{base}/login/oauth/authorize",
                token=f"{base}/login/oauth/access_token",
                further=settings.authorize_params,
                reauthentication=settings.reauthentication,
                prompt="select_account",
                takes_hint=False,
            ),
            Registration(
                settings.client_id, settings.client_secret.get_secret_value(), "client_secret_post", settings.scopes
            ),
            tools,
        )

    def who(self, provider: UpstreamProvider, exchange: Exchange, shown: Mapping[str, str]) -> UpstreamIdentity:
        headers = {**_MEDIA, **shown}
        found = exchange.get_json(f"{self._api}/user", headers=headers)
        number = found.get("id")
        if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
            raise answer_invalid("/user has no id that is a number")
        email = self._email(exchange, headers)
        return UpstreamIdentity(
            provider_id=provider.id,
            issuer=self._endpoints.issuer,
            subject=str(number),
            email=email,
            email_verified=email is not None,
            name=person.text(found.get("name"), person.MAX_NAME),
            username=person.text(found.get("login"), 128),
            attributes=person.attributes(found),
        )

    def _email(self, exchange: Exchange, headers: Mapping[str, str]) -> str | None:
        """The primary address if it is verified, else none: what /user shows is whatever the person likes to show."""
        listed = exchange.get_list(f"{self._api}/user/emails?per_page=100", headers=headers, none_if=_NOT_FOR_US)
        primary = [one for one in listed if isinstance(one, dict) and one.get("primary") is True]
        if len(primary) != 1:
            return None
        email, verified = person.email({"email": primary[0].get("email"), "email_verified": primary[0].get("verified")})
        return email if verified else None


def api_of(base: str) -> str:
    """A server has its API beneath it, the two clouds on a host of its own."""
    parts = urlsplit(base)
    host = parts.hostname or ""
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"{parts.scheme}://api.{parts.netloc}"
    return f"{base}/api/v3"


def issuer_of(settings: Settings) -> str:
    """As `iss` says it."""
    return f"{settings.base_url}/login/oauth"
