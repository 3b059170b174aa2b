"""Lists and tables of names that may hold blanks, as people type them, and back: one entry a line, or separated by `;`.

`claim = attribute` (claims), `THEIR GROUP -> ours` (groups); names that hold `;` as JSON. Leaves what the names may be to common.
"""

import json
from collections.abc import Mapping, Sequence

ARROW = " -> "
MAX_ENTRIES = 500
MAX_NAME = 1024


def entries(value: object) -> object:
    """A list; anything but text stays as it is. Raises ValueError, as all of these."""
    found = _entries(value) if isinstance(value, str) else value
    if isinstance(found, list | tuple):
        _check([str(one) for one in found])
        return tuple(dict.fromkeys(found))
    return found


def claims(value: object) -> object:
    """`claim = attribute` -> a mapping. The names of attributes may hold `=` themselves."""
    document = _json(value) if isinstance(value, str) else value
    if document is not None:
        return document
    return _mapping([_halves(one, one.partition("="), "CLAIM = ATTRIBUTE") for one in _listed(str(value))])


def names(value: object) -> object:
    """`THEIR GROUP -> OURS` -> a mapping. Theirs may hold an arrow themselves."""
    document = _json(value) if isinstance(value, str) else value
    return document if document is not None else _mapping(_arrows(str(value)))


def roles(value: object) -> object:
    """The same, with several of ours for one of theirs: each in an entry of its own."""
    document = _json(value) if isinstance(value, str) else value
    if document is not None:
        return document
    found: dict[str, tuple[str, ...]] = {}
    for theirs, ours in _arrows(str(value)):
        found[theirs] = tuple(dict.fromkeys((*found.get(theirs, ()), ours)))
    return found


def entries_text(value: Sequence[str]) -> str:
    return "\n".join(value) if _plain(value) else json.dumps([*value], ensure_ascii=False)


def claims_text(value: Mapping[str, str]) -> str:
    lines = [f"{name} = {attribute}" for name, attribute in value.items()]
    return "\n".join(lines) if _plain(lines) else json.dumps({**value}, ensure_ascii=False)


def names_text(value: Mapping[str, str]) -> str:
    lines = [f"{theirs}{ARROW}{ours}" for theirs, ours in value.items()]
    plain = _plain(lines) and not any("->" in ours for ours in value.values())
    return "\n".join(lines) if plain else json.dumps({**value}, ensure_ascii=False)


def roles_text(value: Mapping[str, Sequence[str]]) -> str:
    lines = [f"{theirs}{ARROW}{one}" for theirs, ours in value.items() for one in ours]
    plain = _plain(lines) and not any("->" in one for ours in value.values() for one in ours)
    return "\n".join(lines) if plain else json.dumps({name: [*one] for name, one in value.items()}, ensure_ascii=False)


def _entries(text: str) -> object:
    document = _json(text)
    return document if document is not None else tuple(_listed(text))


def _json(text: str) -> object | None:
    """None for what is no JSON object or list."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("This begins like JSON, but is none") from None
    return found


def _listed(text: str) -> list[str]:
    found = [one.strip() for one in text.replace(";", "\n").splitlines() if one.strip()]
    _check(found)
    return found


def _check(found: Sequence[str]) -> None:
    if len(found) > MAX_ENTRIES:
        raise ValueError(f"At most {MAX_ENTRIES} entries")
    if any(len(one) > MAX_NAME for one in found):
        raise ValueError(f"An entry has more than {MAX_NAME} characters")


def _arrows(text: str) -> list[tuple[str, str]]:
    return [_halves(one, one.rpartition("->"), f"THEIR GROUP{ARROW}OURS") for one in _listed(text)]


def _halves(line: str, parts: tuple[str, str, str], reads: str) -> tuple[str, str]:
    left, mark, right = (part.strip() for part in parts)
    if not mark or not left or not right:
        raise ValueError(f"{line[:60]!r} does not read: {reads}")
    return left, right


def _mapping(pairs: list[tuple[str, str]]) -> object:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("One name stands there twice")
    return found


def _plain(lines: Sequence[str]) -> bool:
    """Would it be read as it is written?"""
    first = lines[0] if lines else ""
    return not first.startswith(("[", "{")) and not any(";" in one or one != one.strip() for one in lines)
