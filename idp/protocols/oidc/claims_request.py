"""The `claims` parameter (OIDC Core 5.5): read strictly and bounded, and what it says about the sign-in itself.

Leaves which of the claims are given to services.release.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from idp.base.errors import Refused

MAX_CHARS = 8192
MAX_NAMES = 60
MAX_VALUES = 20
MAX_TEXT = 300
SECTIONS = ("userinfo", "id_token")
# The name may carry a language (OIDC Core 5.2) or be a URI.
_NAME = re.compile(r"[!-~]{1,150}\Z")

Claims = dict[str, dict[str, Any]]


def parse(text: str) -> Claims:
    """{"userinfo": {name: None | {"essential", "value", "values"}}, "id_token": {…}}; members that mean nothing to us are
    left out (OIDC Core 5.5). Raises Refused(invalid_request)."""
    if len(text) > MAX_CHARS:
        raise _bad(f"is longer than {MAX_CHARS} characters")
    try:
        tree = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
        # What cannot be written again, such as half a surrogate, would break whoever stores it.
        json.dumps(tree, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise _bad("is not JSON, or says something twice") from None
    if not isinstance(tree, dict):
        raise _bad("is not a JSON object")
    return {section: _section(section, tree[section]) for section in SECTIONS if tree.get(section) is not None}


def acr(claims: Claims) -> tuple[tuple[str, ...], bool]:
    """The values of acr that are asked for, best first, and whether one of them must be reached (OIDC Core 5.5.1.1)."""
    wish = claims.get("id_token", {}).get("acr") or {}
    values = tuple(value for value in _values(wish) if isinstance(value, str))
    return values, bool(values and wish.get("essential"))


def subjects(claims: Claims) -> tuple[str, ...] | None:
    """Who must be signed in (OIDC Core 5.5.1: a value of `sub`); None for anybody."""
    asked: tuple[str, ...] | None = None
    for section in claims.values():
        values = _values(section.get("sub") or {})
        if not values:
            continue
        named = tuple(value for value in values if isinstance(value, str))
        asked = named if asked is None else tuple(one for one in asked if one in named)
    return asked


def _values(wish: Mapping[str, Any]) -> list[Any]:
    return [wish["value"]] if "value" in wish else list(wish.get("values", ()))


def _section(section: str, given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _bad(f"has {section}, which is not an object")
    if len(given) > MAX_NAMES:
        raise _bad(f"asks for more than {MAX_NAMES} claims in {section}")
    return {_name(name): _wish(name, wish) for name, wish in given.items()}


def _name(name: str) -> str:
    if not _NAME.match(name):
        raise _bad("holds a name that no claim has")
    return name


def _wish(name: str, given: object) -> dict[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise _bad(f"must say null or an object for {name}")
    wish: dict[str, Any] = {}
    if "essential" in given:
        if not isinstance(given["essential"], bool):
            raise _bad(f"must say true or false for essential of {name}")
        wish["essential"] = given["essential"]
    if "value" in given:
        wish["value"] = _value(name, given["value"])
    if "values" in given:
        values = given["values"]
        if not isinstance(values, list) or not 0 < len(values) <= MAX_VALUES:
            raise _bad(f"must list 1 to {MAX_VALUES} values for {name}")
        wish["values"] = [_value(name, value) for value in values]
    return wish


def _value(name: str, value: object) -> object:
    """Text, a number, true or false: of nothing else would it be clear when it is the same."""
    if isinstance(value, str) and len(value) <= MAX_TEXT and "\x00" not in value:
        return value
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise _bad(f"has a value for {name} that is too long or of the wrong type")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _bad(why: str) -> Refused:
    return Refused("invalid_request", f"The parameter claims {why}.")
