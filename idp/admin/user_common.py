"""What the pages about users share: finding one, badges, the same as command and as API call.

Leaves who may come here to idp.http.own_pages.
"""

import re
import shlex
from collections.abc import Mapping
from typing import Any

from idp.admin.as_words import api_call
from idp.admin.common import Badge
from idp.base.errors import Refused
from idp.domain.user import User
from idp.http.parts import parts
from idp.http.render import text

LIST_PATH = "/admin/users"
INVITATIONS_PATH = "/admin/invitations"
API_PATH = "/admin/api/users"
_ID = re.compile(r"usr_[0-9a-f]{32}\Z")


def find_user(user_id: str) -> User:
    """The user of an address. Raises Refused(unknown_user)."""
    found = parts().users.get(user_id) if _ID.match(user_id) else None
    if found is None:
        raise Refused("unknown_user", "There is no such user.", status=404)
    return found


def path_of(user_id: str, page: str = "") -> str:
    return f"{LIST_PATH}/{user_id}{page and '/'}{page}"


def user_badges(user: User) -> list[Badge]:
    found = [Badge(text("admin_users.badge_administrator"), "good")] if user.is_administrator else []
    if user.merged_into is not None:
        found += [Badge(text("admin_users.badge_merged"))]
    elif user.quarantined_at is not None:
        found += [Badge(text("admin_users.badge_quarantined"), "warn")]
    elif user.disabled:
        found += [Badge(text("admin_users.badge_disabled"), "warn")]
    return found + ([Badge(text("admin_users.badge_never"))] if user.never_auto_link else [])


def lines_of(text: str) -> tuple[str, ...]:
    """One a line; names of groups may hold blanks."""
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def command(*words: str) -> str:
    return " ".join(["idp", "user", *(shlex.quote(word) for word in words)])


def call(method: str, path: str, document: Mapping[str, Any] | None = None) -> str:
    """path: below that of users."""
    return api_call(parts().installation.issuer, method, f"{API_PATH}{path}", document)
