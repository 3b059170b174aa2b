"""Owns how fields are addressed: names, the server's own fields, and which values a path reaches.

What is compared with those values is left to the others.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from idp.api.problems import bad_request, quoted

MAX_PATH = 16
SYSTEM_FIELDS: Final = {
    "_id": "id",
    "_version": "version",
    "_created_at": "created_at",
    "_created_by": "created_by",
    "_updated_at": "updated_at",
    "_updated_by": "updated_by",
}
MISSING: Final = object()
_PART = re.compile(r"[^\W\d][\w-]*")  # letters of any script, digits, _ and -; never a bare array position

Path = tuple[str, ...]


def parse_path(name: str, *, writable: bool = False, inside: bool = False) -> Path:
    """`address.city` -> ("address", "city"). Names that begin with _ are system fields, which only the server writes.

    inside: the name is relative to an object inside the data, where no system fields are. Raises Refused 400:
    reserved_field, bad_field_name.
    """
    if name.startswith("_") and not inside and (writable or name not in SYSTEM_FIELDS):
        allowed = "they cannot be written or chosen" if writable else f"only {', '.join(SYSTEM_FIELDS)} can be queried"
        raise bad_request(
            "reserved_field", f"{quoted(name)}: fields that begin with _ are the server's; {allowed}.", field=name[:60]
        )
    parts = tuple(name.split("."))
    if len(name) > 255 or len(parts) > MAX_PATH or not all(_PART.fullmatch(part) for part in parts):
        raise bad_request(
            "bad_field_name", f"{quoted(name)} is not a field name that can be addressed.", field=name[:60]
        )
    return parts


def mongo_path(path: Path) -> str:
    """In the stored form: system fields at the top, what the client wrote under `data`."""
    if path[0] in SYSTEM_FIELDS:
        return ".".join(("_id" if path[0] == "_id" else SYSTEM_FIELDS[path[0]], *path[1:]))
    return "data." + ".".join(path)


def ends(value: object, path: Path) -> Iterator[object]:
    """The values at the end of a path, through objects and lists of objects; MISSING where nothing is."""
    if not path:
        yield value
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield from ends(item, path)
    elif isinstance(value, dict) and path[0] in value:
        yield from ends(value[path[0]], path[1:])
    else:
        yield MISSING


def elements(value: object, path: Path) -> Iterator[object]:
    """Every value that MongoDB compares for a path: a list gives each item and then itself."""
    for found in ends(value, path):
        if isinstance(found, list):
            yield from found
        yield found


def overlap(paths: Iterable[Path], others: Iterable[Path]) -> Path | None:
    """The first of `others` that is one of the paths, lies inside one, or holds one."""
    given = list(paths)
    for other in others:
        if any(path[: len(other)] == other[: len(path)] for path in given):
            return other
    return None


def check_apart(paths: Iterable[Path]) -> None:
    """Two steps on one field, or on a field and its inside, would depend on their order."""
    seen: set[Path] = set()
    for path in sorted(paths):
        if any(path[:length] in seen for length in range(1, len(path) + 1)):
            raise bad_request("conflicting_paths", f"{quoted('.'.join(path))} is named twice.")
        seen.add(path)
