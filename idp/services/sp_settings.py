"""Settings of a service provider as text, `NAME=VALUE`, as command lines have them, and back.

`attributes.NAME=FIELD` sets one attribute, nothing after the `=` takes it away, `attributes=` takes all of them away first;
`attribute_filters.NAME` and `attribute_values.NAME` likewise. Leaves which settings are accepted to check_sp.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

from idp.domain.relying import ServiceProvider
from idp.saml.names import SHORT_FORMATS
from idp.services.check_sp import SETTABLE, bad, hints
from idp.services.release_saml import sent

TABLES = ("attributes", "attribute_filters", "attribute_values")
_SHORT = {urn: short for short, urn in SHORT_FORMATS.items()}
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")
_NOTHING = ("", "none", "null")


def is_setting(name: str) -> bool:
    return name in SETTABLE or _split(name)[1] != ""


def with_settings(sp: ServiceProvider, given: Mapping[str, str]) -> ServiceProvider:
    """The same with the settings that are named. Not checked yet. Raises Refused(invalid_sp_setting)."""
    found: dict[str, Any] = {}
    for name in sorted(given, key=lambda one: one not in TABLES):  # what empties a table comes first
        table, entry = _split(name)
        if name in TABLES:
            found[name] = _emptied(name, given[name])
        elif entry:
            before = found.get(table, getattr(sp, table))
            found[table] = _with_entry(table, before, entry, given[name])
        elif name in SETTABLE:
            found[name] = value(name, given[name])
        else:
            raise bad(name[:100], "there is no setting of this name")
    return replace(sp, **_pruned(sp, found))


def value(name: str, text: str) -> Any:
    """Of a setting that is no table. Raises Refused(invalid_sp_setting)."""
    wanted = hints()[name]
    if name == "name":
        return " ".join(text.split())
    if name == "name_id_format":
        return SHORT_FORMATS.get(text, text)
    if wanted is bool:
        return _one_of(name, text.lower(), (*_YES, *_NO)) in _YES
    if name == "upstreams":
        return (
            None if text.strip().lower() in (*_NOTHING, "*") else tuple(dict.fromkeys(text.replace(",", " ").split()))
        )
    if name == "assertion_seconds":
        return _seconds(name, text)
    return _one_of(name, text, get_args(wanted)) if get_origin(wanted) is Literal else text


def as_texts(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The other way: what `with_settings` reads as exactly these values, whatever was set before."""
    return [pair for name, one in fields.items() for pair in _as_texts(name, one)]


def _as_texts(name: str, one: Any) -> list[tuple[str, str]]:
    if name in TABLES:
        return [(name, ""), *((f"{name}.{entry}", _entry_text(inner)) for entry, inner in one.items())]
    if isinstance(one, bool):
        return [(name, "true" if one else "false")]
    if isinstance(one, tuple):
        return [(name, " ".join(one))]
    return [(name, _SHORT.get(one, str(one)) if one is not None else "none")]


def _entry_text(inner: Any) -> str:
    if isinstance(inner, str):
        return inner
    return json.dumps(inner if isinstance(inner, Mapping) else list(inner), ensure_ascii=False)


def _split(name: str) -> tuple[str, str]:
    """`attributes.urn:oid:2.5.4.3` -> the table and the attribute; both empty for every other name."""
    table, _, entry = name.partition(".")
    return (table, entry) if table in TABLES and entry else ("", "")


def _emptied(name: str, text: str) -> dict[str, Any]:
    if text:
        raise bad(name, f"name the attribute: {name}.NAME")
    return {}


def _with_entry(table: str, before: Mapping[str, Any], entry: str, text: str) -> dict[str, Any]:
    if not text:
        return {name: one for name, one in before.items() if name != entry}
    # One that is there stays in its place: the order of attributes is the order in the assertion.
    return {**before, entry: _READERS[table](text)}


def _patterns(text: str) -> tuple[str, ...]:
    """Between blanks or commas; as a JSON array where a pattern holds one of those."""
    if not text.startswith("["):
        return tuple(text.replace(",", " ").split())
    found = _json("attribute_filters", text)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise bad("attribute_filters", "it must be a JSON array of texts")
    return tuple(found)


def _values(text: str) -> dict[str, str]:
    found = _json("attribute_values", text)
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise bad("attribute_values", 'it must be a JSON object of texts, as {"staff": "employee"}')
    return found


_READERS: Mapping[str, Callable[[str], Any]] = {
    "attributes": str.strip,
    "attribute_filters": _patterns,
    "attribute_values": _values,
}


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise bad(name, "this is not JSON") from None


def _pruned(sp: ServiceProvider, found: dict[str, Any]) -> dict[str, Any]:
    """Filters and values of an attribute that is taken away go with it, unless they are named as well."""
    if "attributes" not in found:
        return found
    known = sent(replace(sp, attributes=found["attributes"]))
    for table in ("attribute_filters", "attribute_values"):
        if table not in found:
            kept = {name: one for name, one in getattr(sp, table).items() if name in known}
            if len(kept) != len(getattr(sp, table)):
                found[table] = kept
    return found


def _seconds(name: str, text: str) -> int | None:
    if text.lower() in _NOTHING:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise bad(name, "it is a whole number of seconds")
    return int(text)


def _one_of(name: str, text: str, allowed: Iterable[str]) -> str:
    if text not in allowed:
        raise bad(name, f"use one of {', '.join(allowed)}")
    return text
