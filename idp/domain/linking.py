"""Whose login is this? The one pure decision of what an upstream's word leads to, as an ordered list of rules.

The same function decides a sign-in, tells beforehand what a test would lead to, and replays a stored one. Leaves looking up
what it needs (Known) and doing what it says to idp.services.link_login and arrivals.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from idp.base.claims import ADMINISTRATOR
from idp.base.errors import Refused
from idp.domain.link_change import Invitation
from idp.domain.upstream import ANY_DOMAIN, UpstreamIdentity, UpstreamProvider
from idp.domain.user import User, email_key

Action = Literal["sign_in", "join", "ask_owner", "create", "refuse"]
RULES = (  # every name that a Ruling may have; `rule.NAME` in the catalogue has words for each
    *("upstream_off", "link_only", "known_login", "orphaned", "disabled", "login_of_another", "not_of_the_owner"),
    *("invited_elsewhere", "invited_gone", "invited_to_user", "invited", "invited_another"),
    *("owner_must_confirm", "owner_never_auto_linked", "holder_protected", "squatter_displaced", "trusted_address"),
    *("new_user", "not_invited"),
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a login. linked: does a FederatedLogin exist; user: its user, None when gone. by_email: who has
    the address that the upstream said; heir: whoever that one was merged into, if they had proved it. invitation: the live
    one opened in this browser; invited: its user, if it names one; invited_email_taken: somebody has the address that it
    names."""

    linked: bool = False
    user: User | None = None
    by_email: User | None = None
    invitation: Invitation | None = None
    invited: User | None = None
    invited_email_taken: bool = False
    heir: User | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """rule: one of RULES. user: who signs in, whom the login is joined to, or who must confirm it; None for a new user.
    with_email: the user gets the address (that of the invitation, if it names one); verified: the address of the user
    counts as verified from now on. displaced: a user with the same address, never proved, who loses it and is quarantined.
    code: of a refusal."""

    rule: str
    action: Action
    user: User | None = None
    with_email: bool = False
    verified: bool = False
    displaced: User | None = None
    code: str = ""


def decide(
    identity: UpstreamIdentity,
    provider: UpstreamProvider,
    known: Known,
    *,
    owner_id: str | None = None,
    never_auto_link: Collection[str] = (ADMINISTRATOR,),
) -> Ruling:
    """The first rule that fits. owner_id: only this user may come in (they were asked to prove themselves).
    never_auto_link: roles whose people are never joined to a login without a proof of their own."""
    if not provider.enabled:
        return _refuse("upstream_off", "unknown_upstream")
    if provider.mode != "sign_in":
        return _refuse("link_only", "upstream_not_for_sign_in")
    if known.linked:
        return _of_known(identity, provider, known, owner_id, never_auto_link)
    if owner_id is not None:
        return _refuse("not_of_the_owner", "not_the_owner")
    if known.invitation is not None and known.invitation.provider_id not in (None, provider.id):
        return _refuse("invited_elsewhere", "invitation_elsewhere")
    if known.invitation is not None and known.invitation.user_id is not None:
        return _of_invited_user(identity, provider, known, never_auto_link)
    if known.by_email is not None:
        return _of_address(identity, provider, known, never_auto_link)
    if known.invitation is not None:
        return _invited(identity, provider, known)
    return _of_unknown(identity, provider)


def vouches(provider: UpstreamProvider, identity: UpstreamIdentity) -> bool:
    """Does the upstream say that the address was verified, and may it say so for that domain?"""
    if identity.email_verified is not True or not identity.email:
        return False
    domain = domain_of(identity.email)
    return bool(domain) and (domain in provider.trusted_domains or ANY_DOMAIN in provider.trusted_domains)


def trusts_factor(provider: UpstreamProvider, identity: UpstreamIdentity) -> bool:
    """Was a second factor proved there that needs no other one here? Never for an upstream that cannot say (RFC 8176)."""
    by_acr = bool(identity.acr) and identity.acr in provider.trusted_acr
    return by_acr or any(method in provider.trusted_amr for method in identity.amr)


def protected(user: User, never_auto_link: Collection[str]) -> bool:
    """Nothing that an upstream says joins a login to this user, or takes something away from them."""
    return user.never_auto_link or any(role in never_auto_link for role in user.roles)


def domain_of(email: str) -> str:
    """Canonical; empty for what is no address."""
    return _key(email).rpartition("@")[2]


def login_key(identity: UpstreamIdentity) -> str:
    """The key of a login as one text, for proofs that are made for this very login. No two logins share one."""
    parts = (identity.provider_id, identity.issuer, identity.subject)
    return "|".join(f"{len(part)}:{part}" for part in parts)


def _of_known(
    identity: UpstreamIdentity,
    provider: UpstreamProvider,
    known: Known,
    owner_id: str | None,
    never_auto_link: Collection[str],
) -> Ruling:
    user = known.user
    if user is None:
        return _refuse("orphaned", "login_orphaned")
    if user.disabled:
        return _refuse("disabled", "user_disabled", user)
    if owner_id is not None and owner_id != user.id:
        return _refuse("login_of_another", "not_the_owner", user)
    if known.invitation is not None and known.invitation.user_id not in (None, user.id):
        return _refuse("invited_another", "login_taken", user)
    return _with_address("known_login", "sign_in", user, identity, provider, known.by_email, never_auto_link)


def _of_invited_user(
    identity: UpstreamIdentity, provider: UpstreamProvider, known: Known, never_auto_link: Collection[str]
) -> Ruling:
    if known.invited is None or known.invited.disabled:
        return _refuse("invited_gone", "invitation_dead")
    user = known.invited
    return _with_address("invited_to_user", "join", user, identity, provider, known.by_email, never_auto_link)


def _of_address(
    identity: UpstreamIdentity, provider: UpstreamProvider, known: Known, never_auto_link: Collection[str]
) -> Ruling:
    holder = known.by_email
    assert holder is not None
    owner = known.heir or holder
    if not vouches(provider, identity):
        return Ruling("owner_must_confirm", "ask_owner", owner)
    # Whoever was switched off does not come back as somebody new.
    if owner.disabled:
        return _refuse("disabled", "user_disabled", owner)
    if holder.email_verified:
        if protected(owner, never_auto_link):
            return Ruling("owner_never_auto_linked", "ask_owner", owner)
        return Ruling("trusted_address", "join", owner)
    if not _displaceable(holder, never_auto_link):
        return Ruling("holder_protected", "ask_owner", owner)
    if known.invitation is not None:
        made, named = _invited(identity, provider, known), known.invitation.email
        gets = made.with_email or _key(named or "") == holder.email_key
        return Ruling("squatter_displaced", "create", with_email=gets, verified=gets, displaced=holder)
    if not _may_create(identity, provider):
        return Ruling("owner_must_confirm", "ask_owner", owner)
    # Whoever took the address before its owner came neither keeps it nor gets joined to the owner's login.
    return Ruling("squatter_displaced", "create", with_email=True, verified=True, displaced=holder)


def _invited(identity: UpstreamIdentity, provider: UpstreamProvider, known: Known) -> Ruling:
    """Somebody new, whoever the provider may create. What an administrator wrote into the invitation counts as verified."""
    assert known.invitation is not None
    if known.invitation.email is not None:
        free = not known.invited_email_taken
        return Ruling("invited", "create", with_email=free, verified=free)
    usable = bool(identity.email and domain_of(identity.email))
    return Ruling("invited", "create", with_email=usable, verified=usable and vouches(provider, identity))


def _of_unknown(identity: UpstreamIdentity, provider: UpstreamProvider) -> Ruling:
    if not _may_create(identity, provider):
        return _refuse("not_invited", "not_invited")
    usable = bool(identity.email and domain_of(identity.email))
    return Ruling("new_user", "create", with_email=usable, verified=usable and vouches(provider, identity))


def _with_address(
    rule: str,
    action: Action,
    user: User,
    identity: UpstreamIdentity,
    provider: UpstreamProvider,
    holder: User | None,
    never_auto_link: Collection[str],
) -> Ruling:
    """For a user who is who they are whatever the address is: an address that the upstream vouches for counts as verified, is
    theirs when they have none, and is nobody's who never proved it."""
    if not vouches(provider, identity):
        return Ruling(rule, action, user)
    if user.email_key == _key(identity.email or ""):
        return Ruling(rule, action, user, verified=not user.email_verified)
    if holder is None or holder.id == user.id:
        free, displaced = True, None
    else:
        free = _displaceable(holder, never_auto_link)
        displaced = holder if free else None
    gets = free and user.email is None
    return Ruling(rule, action, user, with_email=gets, verified=gets, displaced=displaced)


def _displaceable(holder: User, never_auto_link: Collection[str]) -> bool:
    """Administrators were made so by administrators: whatever the setting says, no sign-in of others switches one off."""
    trusted = holder.is_administrator or protected(holder, never_auto_link)
    return not (holder.email_verified or holder.disabled or trusted)


def _may_create(identity: UpstreamIdentity, provider: UpstreamProvider) -> bool:
    if provider.may_create == "anybody":
        return True
    if provider.may_create == "nobody" or identity.email_verified is not True or not identity.email:
        return False
    domain = domain_of(identity.email)
    return bool(domain) and domain in provider.create_domains


def _key(email: str) -> str:
    try:
        return email_key(email)
    except Refused:
        return ""


def _refuse(rule: str, code: str, user: User | None = None) -> Ruling:
    return Ruling(rule, "refuse", user, code=code)
