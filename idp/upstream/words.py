"""Small helpers for names and lists that people type. Leaves what they mean to the registry, parse and the kinds."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(typed: str, known: Iterable[str]) -> str:
    """` Did you mean …?`, or nothing when no name is near."""
    found = get_close_matches(typed.lower(), list(known), n=1, cutoff=0.6)
    return f" Did you mean {found[0]}?" if found else ""


def words(value: object) -> object:
    """`a b, c` -> ("a", "b", "c"); anything but text stays as it is."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def domains(value: object) -> object:
    """In the form that e-mail addresses are compared in: lower-case ASCII."""
    found = words(value)
    if not isinstance(found, tuple | list):
        return found
    try:
        return tuple(str(one).removeprefix("@").encode("idna").decode().lower() for one in found)
    except UnicodeError:
        raise ValueError("One of these is not a domain") from None
