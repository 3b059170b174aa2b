"""Changes of users as pages and JSON API make them: the same rules for both, only fields that are listed, of the version meant.

Leaves reading requests to the doors, and rules and audit to idp.services.
"""

from collections.abc import Mapping
from typing import Any

from idp.base.claims import ADMINISTRATOR
from idp.base.errors import Refused
from idp.domain.upstream import FederatedLogin, UpstreamIdentity
from idp.domain.user import User
from idp.http.parts import Parts
from idp.services.manage_users import changed_meanwhile
from idp.upstream.registry import issuer_of

EDITED = ("name", "email", "roles", "groups", "claims")  # by Users.edit, in one write
FIELDS = (*EDITED, "administrator", "disabled", "never_auto_link")
MAX_SUBJECT = 1000
MAX_ISSUER = 1000


def check_version(user: User, version: int | None) -> None:
    """version: the one that was looked at, None for any. Raises Refused(changed_meanwhile)."""
    if version is not None and version != user.version:
        raise changed_meanwhile()


def changed_user(parts: Parts, user: User, given: Mapping[str, Any], who: str, *, version: int | None = None) -> User:
    """given: of FIELDS, of the right types; roles without that of administrators. Gives the user as stored.

    Raises Refused(changed_meanwhile | email_taken | invalid_… | last_administrator | already_merged | user_disabled).
    """
    check_version(user, version)
    users = parts.users
    leaves = given.get("disabled") is True or given.get("administrator") is False
    if user.is_administrator and leaves:
        users.check_other_administrator(user)  # before anything else is changed
    edits = {name: given[name] for name in EDITED if name in given and given[name] != _now(user, name)}
    if edits:
        user = users.edit(user, **edits, actor=who)
    if "disabled" in given and given["disabled"] is False and user.disabled:
        user = users.set_disabled(user, False, actor=who)
    if "administrator" in given:
        user = users.set_administrator(user, given["administrator"], actor=who)
    if "never_auto_link" in given and given["never_auto_link"] != user.never_auto_link:
        user = users.set_never_auto_link(user, given["never_auto_link"], actor=who)
    if given.get("disabled") is True and not user.disabled:
        user = users.set_disabled(user, True, actor=who)
    return user


def _now(user: User, name: str) -> Any:
    if name == "roles":
        return tuple(role for role in user.roles if role != ADMINISTRATOR)
    # An address that is given again counts as verified from then on; claims are merged name by name.
    return None if name in ("email", "claims") else getattr(user, name)


def added_user(parts: Parts, given: Mapping[str, Any], who: str) -> User:
    """given: `username` and of FIELDS. Raises Refused(username_taken | email_taken | invalid_…)."""
    claims = {name: value for name, value in given.get("claims", {}).items() if value is not None}
    made = parts.users.add(
        given["username"],
        email=given.get("email"),
        name=given.get("name", ""),
        administrator=given.get("administrator", False),
        email_verified=True,
        roles=given.get("roles", ()),
        groups=given.get("groups", ()),
        claims=claims,
        actor=who,
    )
    later = {name: given[name] for name in ("disabled", "never_auto_link") if given.get(name)}
    return changed_user(parts, made, later, who) if later else made


def linked_by_hand(parts: Parts, user: User, provider_id: str, issuer: str, subject: str, who: str) -> FederatedLogin:
    """An administrator says whose login this is. issuer: empty for the one in the settings of the upstream.

    Raises Refused(unknown_upstream | no_issuer | invalid_login | login_taken | user_disabled).
    """
    provider = parts.upstreams.get(provider_id)
    if provider is None:
        raise Refused("unknown_upstream", "There is no such upstream.", status=404)
    issuer = issuer.strip() or issuer_of(provider)
    if not issuer:
        raise Refused("no_issuer", "This upstream has no issuer in its settings. Name the one that its logins have.")
    for text, limit in ((issuer, MAX_ISSUER), (subject, MAX_SUBJECT)):
        if not text or len(text) > limit or not text.isprintable():
            raise Refused("invalid_login", "Issuer and subject are one line of text each.")
    if user.disabled:
        raise Refused("user_disabled", "This account is switched off.", status=409)
    identity = UpstreamIdentity(provider.id, issuer, subject)
    return parts.links.link(user, identity, actor=who, why="administrator")


def other_user(parts: Parts, name: str) -> User:
    """By user name, address or id. Raises Refused(unknown_user)."""
    found = parts.users.get(name.strip()) or parts.users.by_login(name)
    if found is None:
        raise Refused("unknown_user", "There is no user of this name.", status=404)
    return found
