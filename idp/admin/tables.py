"""Tables of settings as text areas have them, one entry a line, and back. Pure.

`mail = email` (pairs: attribute and field), `groups = wiki-*` (globs: attribute and pattern, a line for each pattern),
`affiliation = staff -> employee` (values: attribute, our value, their value). Leaves what is accepted to idp.services.check_sp,
which keeps `=` out of names and the arrow out of our values.
"""

from collections.abc import Callable, Mapping
from typing import Any

from idp.services.check_sp import ARROW, bad

MAX_LINES = 2000


def pairs_text(value: Mapping[str, str]) -> str:
    return "\n".join(f"{name} = {one}" for name, one in value.items())


def globs_text(value: Mapping[str, tuple[str, ...]]) -> str:
    return "\n".join(f"{name} = {one}" for name, patterns in value.items() for one in patterns)


def values_text(value: Mapping[str, Mapping[str, str]]) -> str:
    return "\n".join(
        f"{name} = {ours}{ARROW}{theirs}" for name, table in value.items() for ours, theirs in table.items()
    )


def pairs(setting: str, text: str) -> dict[str, str]:
    """Raises Refused(invalid_sp_setting), as the two below."""
    found: dict[str, str] = {}
    for name, one in _lines(setting, text):
        if name in found:
            raise bad(setting, f"{name[:100]!r} stands there twice")
        found[name] = one
    return found


def globs(setting: str, text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, one in _lines(setting, text):
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), one)))
    return found


def values(setting: str, text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, one in _lines(setting, text):
        ours, arrow, theirs = (part.strip() for part in one.partition(ARROW.strip()))
        if not arrow:
            raise bad(setting, f"a line reads: {name[:100]} = OURS{ARROW}THEIRS")
        if ours in found.setdefault(name, {}):
            raise bad(setting, f"{name[:100]} = {ours[:100]!r} stands there twice")
        found[name][ours] = theirs
    return found


def _lines(setting: str, text: str) -> list[tuple[str, str]]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_LINES:
        raise bad(setting, f"at most {MAX_LINES} lines")
    found = []
    for line in lines:
        name, equals, one = line.partition("=")
        if not equals or not name.strip() or not one.strip():
            raise bad(setting, f"{line[:100]!r} does not read: NAME = VALUE")
        found.append((name.strip(), one.strip()))
    return found


READERS: Mapping[str, Callable[[str, str], Any]] = {"pairs": pairs, "globs": globs, "values": values}
WRITERS: Mapping[str, Callable[[Any], str]] = {"pairs": pairs_text, "globs": globs_text, "values": values_text}
