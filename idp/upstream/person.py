"""Owns reading a person out of foreign claims: what fits is taken over, what does not is left out, nothing is guessed."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MAX_EMAIL = 254
MAX_NAME = 200
MAX_GROUPS, MAX_GROUP = 1000, 200
MAX_ATTRIBUTES, MAX_VALUES, MAX_VALUE, MAX_ALL = 60, 50, 200, 16_384
MAX_DEPTH = 3
# Of the protocol, not of the person: some of these would let others in.
NOT_KEPT = frozenset(
    ("nonce", "at_hash", "c_hash", "s_hash", "jti", "sid", "exp", "iat", "nbf", "aud", "azp", "aio", "rh", "uti")
)
_UNWANTED = ("Cc", "Cf", "Co", "Cn", "Cs")


def text(value: object, limit: int) -> str | None:
    """One clean line, or None. Control and invisible characters go: they make names look like other names."""
    if not isinstance(value, str):
        return None
    value = clean = value[: 2 * limit]  # looking at each character of a megabyte takes a second
    if not (value.isascii() and value.isprintable()):
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


def at(document: Mapping[str, Any], path: str) -> object:
    """`data.user.id`, `emails.0.value`; None when it is not there. A field with dots in its own name wins (`https://…/email`)."""
    if not path or path in document:
        return document[path] if path else None
    value: object = document
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part in map(str, range(min(len(value), 100))):
            value = value[int(part)]
        else:
            return None
    return value


def groups(value: object) -> tuple[str, ...]:
    """A list of names, or one. A name that had to be cleaned is left out: it would look like another group."""
    listed = value if isinstance(value, list | tuple) else [value]
    good = (one for one in listed[:MAX_GROUPS] if isinstance(one, str) and text(one, MAX_GROUP + 1) == one)
    return tuple(dict.fromkeys(one for one in good if len(one) <= MAX_GROUP))


def attributes(claims: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """All that was said, as texts by name: `address.country` for what lies in an object. Bounded; the first ones count."""
    found: dict[str, tuple[str, ...]] = {}
    left = MAX_ALL
    for name, value in _flat(claims, "", MAX_DEPTH):
        values = tuple(clean for one in value[:MAX_VALUES] if (clean := _shown(one)) is not None)
        left -= len(name) + sum(map(len, values))
        if left < 0 or len(found) == MAX_ATTRIBUTES:
            break
        if values and name not in found:
            found[name] = values
    return found


def _flat(claims: Mapping[str, Any], before: str, depth: int) -> Iterator[tuple[str, Sequence[object]]]:
    for key, value in claims.items():
        if before == "" and key in NOT_KEPT:
            continue
        name = f"{before}{key}"
        if len(name) > MAX_VALUE or text(name, MAX_VALUE) != name:
            continue
        if isinstance(value, Mapping):
            if depth > 1:
                yield from _flat(value, f"{name}.", depth - 1)
        else:
            yield name, value if isinstance(value, list | tuple) else (value,)


def _shown(value: object) -> str | None:
    """As JSON writes it; text without what does not show. None for null, lists and objects."""
    if isinstance(value, str):
        return text(value, MAX_VALUE)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        try:
            return repr(value)[:MAX_VALUE]
        except ValueError:  # more digits than Python likes to write
            return None
    return None
