"""Settings of an upstream as the texts that parse reads: for forms that are shown again, and for command lines. Pure.

Leaves reading to parse, and secrets to nobody: they are never shown.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from idp.domain.upstream import UpstreamProvider
from idp.upstream import tables
from idp.upstream.common import Common

_OF_TABLES: Mapping[str, Callable[[Any], str]] = {
    "claim_map": tables.claims_text,
    "keep_groups": tables.entries_text,
    "administrator_groups": tables.entries_text,
    "group_names": tables.names_text,
    "group_roles": tables.roles_text,
    "authorize_params": urlencode,
}


def as_text(name: str, value: Any) -> str:
    """name: of the setting. Empty for nothing."""
    if value is None or value in ((), [], {}):
        return ""
    if name in _OF_TABLES:
        return _OF_TABLES[name](value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "\n".join(f"{field}={one}" for field, one in value.items())
    if isinstance(value, tuple | list):
        return " ".join(map(str, value))
    return day(value) if name == "secret_expires_at" else str(value)


def in_line(name: str, value: Any) -> str:
    """The same on one line."""
    return as_text(name, value).replace("\n", " " if name == "attributes" else "; ")


def common_text(provider: UpstreamProvider) -> str:
    """Every setting that all upstreams have, as lines `KEY=VALUE`."""
    return "\n".join(f"{name}={in_line(name, getattr(provider, name))}" for name in Common.model_fields)


def day(at: float) -> str:
    """With the time where it is not midnight."""
    found = datetime.fromtimestamp(at, UTC)
    midnight = found.hour == found.minute == found.second == 0
    return found.strftime("%Y-%m-%d" if midnight else "%Y-%m-%dT%H:%M:%SZ")
