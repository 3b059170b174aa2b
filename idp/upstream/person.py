"""Owns reading a person out of foreign claims: what fits is taken over, what does not is left out, nothing is guessed."""

import unicodedata
from collections.abc import Mapping
from typing import Any

MAX_EMAIL = 254
MAX_NAME = 200
_UNWANTED = ("Cc", "Cf", "Co", "Cn", "Cs")


def text(value: object, limit: int) -> str | None:
    """One clean line, or None. Control and invisible characters go: they make names look like other names."""
    if not isinstance(value, str):
        return None
    clean = "".join(
        " " if c in "\t\r\n" else c for c in value if c in "\t\r\n" or unicodedata.category(c) not in _UNWANTED
    )
    return " ".join(clean.split())[:limit] or None


def email(claims: Mapping[str, Any]) -> tuple[str | None, bool]:
    """(address, verified). Verified only by the JSON boolean true: "true" and 1 are what careless upstreams send. An
    address that had to be cleaned is no address."""
    given = claims.get("email")
    found = text(given, MAX_EMAIL + 1)
    if found is None or found != given or len(found) > MAX_EMAIL or found.count("@") != 1:
        return None, False
    return found, claims.get("email_verified") is True


def name(claims: Mapping[str, Any]) -> str | None:
    parts = [text(claims.get(key), MAX_NAME) for key in ("given_name", "family_name")]
    return text(claims.get("name"), MAX_NAME) or text(" ".join(part for part in parts if part), MAX_NAME)


def methods(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """`amr` (RFC 8176): at most ten short names."""
    given = claims.get("amr")
    listed = given if isinstance(given, list) else []
    found = [text(one, 64) for one in listed[:10]]
    return tuple(one for one in found if one)
