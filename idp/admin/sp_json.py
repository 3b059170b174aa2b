"""A service provider as JSON and back, names as `idp sp show --json` has them, types taken literally, unknown names refused.

Leaves whether the values make sense to idp.services.check_sp, and its metadata to sp_changes.
"""

from collections.abc import Mapping
from typing import Any

from idp.admin.json_values import from_json, is_same, moment, to_json
from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.services.check_sp import SETTABLE, bad, hints

ID = "entity_id"
# What we or its metadata say and nobody sets; sent back unchanged it does no harm.
OURS = (ID, "metadata_summary", "source_id", "created_at", "version")


def shown(sp: ServiceProvider, summary: Mapping[str, Any]) -> dict[str, Any]:
    """summary: what its metadata says (idp.saml.changes.parts_of)."""
    return {
        ID: sp.id,
        **{name: to_json(getattr(sp, name)) for name in SETTABLE},
        "metadata_summary": to_json(summary),
        "source_id": sp.source_id,
        "created_at": moment(sp.created_at),
        "version": sp.version,
    }


def read(document: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Settings that the document names, as their types want them. known: the app that is changed, as `shown` gives it;
    what stands in OURS may be repeated as it is.

    Raises Refused(unknown_field | read_only_field | invalid_sp_setting).
    """
    found = {}
    for name, value in document.items():
        if name in SETTABLE:
            found[name] = from_json(name, value, hints()[name], bad)
        elif name not in OURS:
            raise Refused("unknown_field", f"There is no field {name[:100]!r}. See: idp sp show ID")
        elif known is None or not is_same(value, known[name]):
            raise Refused("read_only_field", f"{name} is not for you to set; leave it out.")
    return found


def defaults() -> dict[str, Any]:
    """Of every setting that has one."""
    blank = ServiceProvider(id="", name="", metadata="")
    return {name: getattr(blank, name) for name in SETTABLE if name != "name"}
