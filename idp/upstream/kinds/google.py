"""Upstream kind `google`: Google accounts, and those of Google Workspace and Cloud Identity organisations.

`oidc` with everything known. Owns whose accounts are let in (`hd`). Leaves the flow to idp.upstream.oidc_kind.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from idp.ports import Tools
from idp.upstream.authlib_client import AuthorizeParams
from idp.upstream.discovery import Metadata
from idp.upstream.id_token import Claims
from idp.upstream.oidc_kind import OidcKind
from idp.upstream.oidc_settings import AuthTime, OidcSettings
from idp.upstream.refusals import not_admitted, said
from idp.upstream.words import domains

OWN_DOMAINS = ("gmail.com", "googlemail.com")


class Settings(OidcSettings):
    hosted_domains: Annotated[tuple[str, ...], BeforeValidator(domains)] = ()
    """Only accounts of organisations with one of these primary domains; none: everybody with a Google account."""
    authorize_params: AuthorizeParams = Field(default_factory=lambda: {"prompt": "select_account"})
    """Further parameters for its sign-in page, as a query string."""
    username_claim: str = Field("email", min_length=1, max_length=100)
    """As for `oidc`; Google says no `preferred_username`."""
    auth_time: AuthTime = "optional"
    """As for `oidc`; Google says no `auth_time` of itself."""

    @field_validator("hosted_domains")
    @classmethod
    def _domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any("." not in one.strip(".") for one in value):
            raise ValueError("One of these is not a domain such as example.org")
        return value


class Kind(OidcKind):
    label = "Google"
    known_by_label = True
    prompt = "select_account"  # of `login` its documentation knows nothing
    _place = "https://accounts.google.com"  # another one in tests only

    def __init__(self, settings: Settings, tools: Tools) -> None:
        super().__init__(settings, tools, self._place)
        self._hosted = settings.hosted_domains

    def hints(self) -> Mapping[str, str]:
        """What its page offers; nothing is believed because of it."""
        if not self._hosted:
            return {}
        return {"hd": self._hosted[0] if len(self._hosted) == 1 else "*"}

    def token_issuer(self, claims: Claims) -> str:
        """Google documents two ways of writing it. The logins stand under one."""
        bare = self._issuer.removeprefix("https://")
        return bare if claims.get("iss") == bare else self._issuer

    def admit(self, claims: Claims, metadata: Metadata) -> None:
        """`hd` in the ID token, never the domain of the address: anybody can have an account with an address of yours."""
        hosted = claims.get("hd")
        if self._hosted and (not isinstance(hosted, str) or hosted.lower() not in self._hosted):
            there = f"hd is {said(hosted)!r}" if "hd" in claims else "there is no hd"
            raise not_admitted(f"id_token: {there}, hosted_domains is {' '.join(self._hosted)}")

    def key_of(self, claims: Claims) -> tuple[str, str]:
        return self._issuer, claims["sub"]

    def email_of(self, claims: Claims) -> tuple[str | None, bool]:
        """Google knows who has an address of its own, or of an organisation that it hosts (`hd`). Of any other it knows only
        that somebody could read mail there once, when the account was made."""
        email, verified = super().email_of(claims)
        hosted = claims.get("hd")
        known = isinstance(hosted, str) and bool(hosted)
        own = email is not None and email.rpartition("@")[2].lower() in OWN_DOMAINS
        return email, verified and (known or own)


def presets(settings: Settings) -> dict[str, tuple[str, ...]]:
    """What a new one gets unless something else is said: it may vouch for the addresses that are its own to give."""
    return {"trusted_domains": settings.hosted_domains or OWN_DOMAINS}


def issuer_of(_settings: Settings) -> str:
    return Kind._place
