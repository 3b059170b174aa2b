"""Upstream providers and the logins they vouch for. The key of a login is (provider, issuer, subject), never an e-mail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["sign_in", "link_only"]
MayCreate = Literal["nobody", "anybody", "domains"]


@dataclass(frozen=True, slots=True)
class UpstreamProvider:
    """A configured upstream. `settings` belong to the kind; secret ones are sealed (idp.crypto.seal) and never shown."""

    id: str
    kind: str
    label: str
    created_at: float
    enabled: bool = True
    mode: Mode = "sign_in"
    may_create: MayCreate = "anybody"
    create_domains: tuple[str, ...] = ()
    trusted_domains: tuple[str, ...] = ()  # e-mail domains this upstream may vouch for
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    version: int = 0


@dataclass(frozen=True, slots=True)
class UpstreamIdentity:
    """What an upstream said in one login. email_verified is true only when the upstream said the JSON boolean true (OpenID
    Connect), or when an administrator trusts it for the address (SAML cannot say).

    logout: what an upstream that knows logout needs to hear (SAML: `name_id` and its attributes, `session_index`); empty
    for others. groups, attributes: what it said besides, cleaned and bounded, nothing is done with them by themselves.
    """

    provider_id: str
    issuer: str
    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    username: str | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    auth_time: float | None = None
    groups: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    logout: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class FederatedLogin:
    """(provider_id, issuer, subject) linked to one User; unique in the store."""

    id: str
    user_id: str
    provider_id: str
    issuer: str
    subject: str
    linked_at: float
    email: str | None = None
    name: str | None = None
    last_used_at: float | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class UpstreamDeparture:
    """A browser that was sent to an upstream and may come back once. id = digest of the random `state`.

    handle: of the LoginAttempt; it never travels to the upstream. remembered: what the kind needs on arrival (nonce, PKCE
    verifier). Each departure has its own, so that two tabs do not disturb one another.
    """

    id: str
    handle: str = field(repr=False)
    provider_id: str
    created_at: float
    expires_at: float
    remembered: Mapping[str, str] = field(default_factory=dict, repr=False)
    consumed_at: float | None = None
