"""A user as JSON and back: what is shown, what may be set, types taken literally, unknown names refused. No secrets.

Leaves whether values make sense to idp.services.manage_users.
"""

from collections.abc import Mapping
from typing import Any

from idp.admin.json_values import from_json, is_same, moment, to_json
from idp.base.claims import ADMINISTRATOR
from idp.base.errors import Refused
from idp.domain.link_change import Invitation, LinkChange
from idp.domain.upstream import FederatedLogin
from idp.domain.user import User
from idp.http.parts import Parts

_TYPES: Mapping[str, Any] = {
    "name": str,
    "email": str,
    "roles": tuple[str, ...],
    "groups": tuple[str, ...],
    "administrator": bool,
    "disabled": bool,
    "never_auto_link": bool,
}
CLAIMS = "claims"
# What we say and nobody sets; sent back unchanged it does no harm.
OURS = (
    *("id", "username", "email_verified", "password", "second_factor", "quarantined_at", "merged_into"),
    *("created_at", "version"),
)


def shown(parts: Parts, user: User) -> dict[str, Any]:
    """password, second_factor: whether there is one."""
    return {
        **line(user),
        "groups": [*user.groups],
        CLAIMS: to_json(user.claims),
        "never_auto_link": user.never_auto_link,
        "password": user.password_hash is not None,
        "second_factor": parts.factors.has(user.id),
        "quarantined_at": moment(user.quarantined_at),
        "merged_into": user.merged_into,
        "version": user.version,
    }


def line(user: User) -> dict[str, Any]:
    """In a list."""
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "email_verified": user.email_verified,
        "name": user.name,
        "roles": [role for role in user.roles if role != ADMINISTRATOR],
        "administrator": user.is_administrator,
        "disabled": user.disabled,
        "created_at": moment(user.created_at),
    }


def read(document: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that the document names. known: the user as shown; what stands in OURS may be repeated as it is.

    Raises Refused(unknown_field | read_only_field | invalid_user).
    """
    found: dict[str, Any] = {}
    for name, value in document.items():
        if name in _TYPES:
            if name == "email" and value is None and known.get("email") is None and known:
                continue  # repeated as it was read
            found[name] = from_json(name, value, _TYPES[name], bad)
        elif name == CLAIMS:
            if not isinstance(value, dict):
                raise bad(name, "it must be an object")
            found[name] = value
        elif name not in OURS:
            raise Refused("unknown_field", f"There is no field {name[:100]!r} of a user.")
        elif not known or not is_same(value, known.get(name)):
            raise Refused("read_only_field", f"{name} cannot be set.")
    return found


def bad(name: str, why: str) -> Refused:
    return Refused("invalid_user", f"{name}: {why}.")


def login(one: FederatedLogin) -> dict[str, Any]:
    return {
        "id": one.id,
        "provider": one.provider_id,
        "issuer": one.issuer,
        "subject": one.subject,
        "email": one.email,
        "linked_at": moment(one.linked_at),
        "last_used_at": moment(one.last_used_at),
        "roles": [*one.roles],
        "groups": [*one.groups],
        CLAIMS: to_json(one.claims),
    }


def change(parts: Parts, one: LinkChange) -> dict[str, Any]:
    refused = parts.changes.undoable(one) if one.undone_at is None else None
    return {
        "id": one.id,
        "what": one.what,
        "at": moment(one.at),
        "actor": one.actor,
        "user": one.user_id,
        "other": one.other_id,
        "logins": [*one.logins],
        "undo_until": moment(one.expires_at),
        "undone_at": moment(one.undone_at),
        "undone_by": one.undone_by or None,
        "undoable": one.undone_at is None and refused is None,
    }


def invitation(one: Invitation) -> dict[str, Any]:
    return {
        "id": one.id,
        "user": one.user_id,
        "email": one.email,
        "username": one.username or None,
        "name": one.name or None,
        "roles": [*one.roles],
        "groups": [*one.groups],
        "provider": one.provider_id,
        "created_by": one.created_by,
        "created_at": moment(one.created_at),
        "expires_at": moment(one.expires_at),
    }
