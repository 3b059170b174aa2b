"""An upstream as JSON and back, names as `idp upstream show --json` has them, types taken literally, unknown names refused.

Secrets are put in and never shown. Leaves whether values make sense to idp.upstream.common and the models of the kinds.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, get_type_hints

from idp.admin.json_values import from_json, is_same, moment, to_json
from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider, UpstreamTest
from idp.upstream.addresses import addresses, addresses_of
from idp.upstream.common import Common
from idp.upstream.registry import kind_class, kinds, secret_fields, settings_model

MOMENT = "secret_expires_at"
# What we say and nobody sets; sent back unchanged it does no harm.
OURS = ("id", "kind", "secrets", "addresses", "tested", "created_at", "version")
SETTABLE = tuple(name for name in Common.model_fields if name != "enabled")
_TYPES = {"string": str, "boolean": bool, "integer": int, "number": float, "array": list, "object": dict}
_WORDS = {"string": "a string", "boolean": "true or false", "integer": "a whole number"}
_WORDS |= {"number": "a number", "array": "an array", "object": "an object", "null": "null"}


def shown(issuer: str, provider: UpstreamProvider, test: UpstreamTest | None) -> dict[str, Any]:
    """test: the one that passed with the present configuration."""
    hidden = secret_fields(provider.kind)
    return {
        "id": provider.id,
        "kind": provider.kind,
        "enabled": provider.enabled,
        **{name: _plain(name, getattr(provider, name)) for name in SETTABLE},
        "settings": {name: to_json(value) for name, value in provider.settings.items() if name not in hidden},
        "secrets": [name for name in hidden if provider.settings.get(name)],
        "addresses": addresses(issuer, provider),
        "tested": {"passed_at": moment(test.passed_at), "by": test.by} if test is not None else None,
        "created_at": moment(provider.created_at),
        "version": provider.version,
    }


def read(kind: str, document: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Settings that the document names, in one mapping as idp.upstream.parse takes them; null is for the default. known: the
    upstream that is changed, as `shown` gives it; what stands in OURS may be repeated as it is.

    Raises Refused(unknown_field | read_only_field | invalid_setting).
    """
    found: dict[str, Any] = {}
    for name, value in document.items():
        if name == "settings":
            found |= _settings(kind, value)
        elif name in SETTABLE:
            found[name] = _common(name, value)
        elif name not in OURS:
            raise Refused("unknown_field", f"There is no field {name[:100]!r}. See: idp upstream show ID")
        elif known is None or not is_same(value, known[name]):
            raise Refused("read_only_field", f"{name} is not for you to set; leave it out.")
    return found


def kinds_shown(issuer: str) -> dict[str, Any]:
    """Which kinds there are, and which settings they have."""
    return {
        "kinds": [
            {
                "kind": name,
                "label": str(getattr(kind_class(name), "label", name)),
                "settings": _schema(settings_model(name), secret_fields(name)),
                "addresses": addresses_of(issuer, name, "ID"),
            }
            for name in kinds()
        ],
        "common": _schema(Common, ()),
    }


def _common(name: str, value: Any) -> Any:
    if value is None:
        return None
    wanted = str if name == MOMENT else _hints()[name]
    return from_json(name, value, wanted, _bad)


def _settings(kind: str, given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _bad("settings", "it must be an object")
    properties = _properties(kind)
    for name, value in given.items():
        if name not in properties:
            raise Refused("unknown_field", f"There is no setting {name[:100]!r} of the kind {kind}.")
        wanted = _types_of(properties[name])
        if value is not None and not any(type(value) is _TYPES[one] for one in wanted):
            raise _bad(name, f"it must be {' or '.join(_WORDS[one] for one in wanted)}")
    return dict(given)


def _types_of(schema: Mapping[str, Any]) -> list[str]:
    """Names of JSON types that it takes."""
    listed = schema.get("anyOf", [schema])
    return list(dict.fromkeys(one["type"] for one in listed if one.get("type") in _TYPES)) or ["string"]


def _schema(model: Any, secrets: tuple[str, ...]) -> dict[str, Any]:
    document = model.model_json_schema()
    required = document.get("required", [])
    found = {}
    for name, schema in document["properties"].items():
        kept = {key: schema[key] for key in ("enum", "default") if key in schema and name not in secrets}
        about = " ".join(str(schema.get("description", "")).split())
        types = _types_of(schema) if name != MOMENT else ["string"]
        found[name] = {"type": types, **kept, "required": name in required, "secret": name in secrets, "about": about}
    return found


@lru_cache(maxsize=64)
def _properties(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = settings_model(kind).model_json_schema()["properties"]
    return found


@lru_cache(maxsize=1)
def _hints() -> dict[str, Any]:
    return get_type_hints(UpstreamProvider)


def _plain(name: str, value: Any) -> Any:
    return moment(value) if name == MOMENT else to_json(value)


def _bad(name: str, why: str) -> Refused:
    return Refused("invalid_setting", f"Setting {name}: {why}.")
