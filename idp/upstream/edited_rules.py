"""Rules of an upstream that somebody only tries: `KEY=VALUE` texts laid over what is stored. Stores nothing, opens no file.

Leaves what the values mean to parse, and deciding by them to idp.services.replay_sign_in.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from idp.services.replay_sign_in import Rules
from idp.upstream.as_text import common_text
from idp.upstream.parse import common_settings

NEVER_AUTO_LINK = (
    "never_auto_link_roles"  # of the installation (linking.never_auto_link_roles), tried together with them
)
MAX_TEXT, MAX_LINES = 40_000, 300


def edited(provider: UpstreamProvider, roles: Collection[str], given: Mapping[str, str]) -> Rules:
    """Raises Refused(unknown_setting | invalid_setting). Settings of the kind are none of these rules: they say how an answer
    is read, and it has been read."""
    common = {name: value for name, value in given.items() if name != NEVER_AUTO_LINK}
    tried = given[NEVER_AUTO_LINK].replace(",", " ").split() if NEVER_AUTO_LINK in given else roles
    return replace(provider, **common_settings(common)), tuple(tried)


def read_lines(text: str) -> dict[str, str]:
    """`KEY=VALUE`, one a line; blank lines and those that begin with # do not count. Raises Refused(invalid_setting)."""
    lines = [line.strip() for line in text[: MAX_TEXT + 1].splitlines()]
    if len(text) > MAX_TEXT or len(lines) > MAX_LINES:
        raise Refused("invalid_setting", "These are too many rules.")
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or name.strip() in found:
            raise Refused("invalid_setting", f"Line {number}: it must be KEY=VALUE, and each key once.")
        found[name.strip()] = value.strip()
    return found


def as_lines(provider: UpstreamProvider, roles: Collection[str]) -> str:
    """The rules in force, for editing."""
    return f"{common_text(provider)}\n{NEVER_AUTO_LINK}={' '.join(roles)}"
