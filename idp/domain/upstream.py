"""Upstream providers and the logins they vouch for. The key of a login is (provider, issuer, subject), never an e-mail."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["sign_in", "link_only"]
MayCreate = Literal["nobody", "anybody", "domains"]
ICONS = ("google", "microsoft", "github", "directory", "key", "door")
_USUAL_ICONS = {
    "google": "google",
    "github": "github",
    "ldap": "directory",
    "sheaf": "key",
    **dict.fromkeys(("azure_ad", "adfs", "adfs_oidc"), "microsoft"),
}
ANY_DOMAIN = "*"
LOCAL = "local"  # where an id of an upstream is expected: the password here
UPSTREAM_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")
MAX_WAYS = 100


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
    trusted_domains: tuple[str, ...] = ()  # e-mail domains this upstream may vouch for; "*" for any
    order: int = 100  # of its button; equal ones by label
    icon: str = ""  # one of ICONS, empty for the usual one of its kind
    home_domains: tuple[str, ...] = ()  # people who type an address of these are sent here
    always_ask: bool = False  # its people prove themselves there anew at every sign-in
    trusted_amr: tuple[str, ...] = ()  # a sign-in there with one of these methods needs no second factor here
    trusted_acr: tuple[str, ...] = ()  # the same, by acr or AuthnContextClassRef
    claim_map: Mapping[str, str] = field(default_factory=dict)  # claim of ours -> attribute of theirs
    keep_groups: tuple[str, ...] = ()  # glob patterns of their groups that become groups here
    group_names: Mapping[str, str] = field(default_factory=dict)  # their group -> the name it gets here
    group_roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # their group -> roles of ours
    administrator_groups: tuple[str, ...] = ()  # their groups whose members administer here: never by group_roles
    secret_expires_at: float | None = None  # as its administrator said; somebody is reminded before
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    version: int = 0

    @property
    def sign(self) -> str:
        """Which of ICONS its button shows."""
        return self.icon or _USUAL_ICONS.get(self.kind, "door")


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
    """(provider_id, issuer, subject) linked to one User; unique in the store.

    roles, groups, claims: what the user has because of this login (idp.domain.mapping); what it no longer says is taken
    away again, and nothing else.
    """

    id: str
    user_id: str
    provider_id: str
    issuer: str
    subject: str
    linked_at: float
    email: str | None = None
    name: str | None = None
    last_used_at: float | None = None
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class UpstreamTest:
    """The last test of an upstream that passed. id = its id. fingerprint: of the configuration that was tested (all but
    whether it is enabled); another one makes the test worthless."""

    id: str
    fingerprint: str
    passed_at: float
    by: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class UpstreamHealth:
    """How an upstream answered lately. id = its id. since: of the failures counted; reason: of the last one (for
    administrators, redacted). Written at failures, and at the first success after one."""

    id: str
    since: float
    failures: int
    failed_at: float
    reason: str = ""
    worked_at: float | None = None
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


def bad_ways(ways: tuple[str, ...] | None) -> str | None:
    """What is wrong with the only ways in that an app accepts; None when nothing is. One that is not there (any more) lets
    nobody in."""
    if ways is None:
        return None
    if not ways:
        return "name at least one way, or leave it out for all of them"
    if len(ways) > MAX_WAYS or any(not UPSTREAM_ID.match(one) for one in ways):
        return f"use ids of upstreams, and {LOCAL} for the password"
    return None
