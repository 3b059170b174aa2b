"""A client as JSON and back, names as `idp client show --json` has them, types taken literally, unknown names refused.

Leaves whether the values make sense to idp.services.check_client.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, get_type_hints

from idp.admin.json_values import from_json, is_same, moment, to_json
from idp.base.errors import Refused
from idp.domain.metadata import SECRET_FIELDS, bad
from idp.domain.relying import Client

ID = "client_id"
KEYS = "jwks"
_KEPT = frozenset({"id", "created_at", "version", *SECRET_FIELDS})
SETTABLE = tuple(one.name for one in fields(Client) if one.name not in _KEPT)
# What we say and nobody sets; sent back unchanged it does no harm.
OURS = (ID, "has_secret", "old_secret_until", "registered_itself", "created_at", "version")


def shown(client: Client) -> dict[str, Any]:
    """Everything but secrets. jwks: the key set itself."""
    return {
        ID: client.id,
        **{name: _out(name, getattr(client, name)) for name in SETTABLE},
        "has_secret": client.secret_digest is not None,
        "old_secret_until": moment(client.old_secret_until),
        "registered_itself": client.registration_token_digest is not None,
        "created_at": moment(client.created_at),
        "version": client.version,
    }


def read(document: Mapping[str, Any], before: Client | None = None) -> dict[str, Any]:
    """Fields of Client that the document names, as their types want them. before: the client that is changed; what
    stands in OURS may be repeated as it is.

    Raises Refused(unknown_field | read_only_field | invalid_client_metadata | invalid_redirect_uri).
    """
    known = shown(before) if before is not None else {}
    found = {}
    for name, value in document.items():
        if name in SETTABLE:
            found[name] = _in(name, value)
        elif name not in OURS:
            raise Refused("unknown_field", f"There is no field {name[:100]!r}. See: idp client show --json ID")
        elif name not in known or not is_same(value, known[name]):
            raise Refused("read_only_field", f"{name} is not for you to set; leave it out.")
    return found


def defaults() -> dict[str, Any]:
    """Of every field that has one."""
    blank = Client(id="", name="", created_at=0.0)
    return {name: getattr(blank, name) for name in SETTABLE if name != "name"}


def _out(name: str, value: Any) -> Any:
    if name == KEYS and value is not None:
        return json.loads(value)
    return to_json(value)


def _in(name: str, value: Any) -> Any:
    """Raises Refused(invalid_client_metadata | invalid_redirect_uri)."""
    if name == KEYS:
        return _keys(value)
    return from_json(name, value, hints()[name], bad)


def _keys(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise bad(KEYS, "it must be an object with the member keys (RFC 7517 section 5)")
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@cache
def hints() -> dict[str, Any]:
    return get_type_hints(Client)
