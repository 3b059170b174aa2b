"""Owns what the history of a document holds: how each version differs from the one before, and how one is rebuilt. Pure.

Who may read it is decided in reading.py; keeping it is left to the store.

A delta is {"whole": data}, {"set": [[path, value], …], "unset": [path, …]} with paths as lists of field names, or {}: no change.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from idp.api.document_store.contract import Action, Document, Past

WHOLE_EVERY: Final = 50  # so many lines at most are read to rebuild a version

Data = dict[str, Any]
Seals = frozenset[tuple[str, str]]


def line(action: Action, old: Document | None, new: Document, *, at: str, by: str) -> Past:
    """What the feed will say. Of a delete, old and new are the document as it stood, and the line is one version further."""
    gone = action == "delete"
    delta: Data = {} if gone else _delta(old, new)
    seals = frozenset(seal for seal in new.seals if place(delta, seal[0]) is not None)
    return Past(new.collection, new.id, new.version + gone, action, at, by, new.acl, delta, seals)


def rebuild(lines: Sequence[Past]) -> tuple[Data, Seals]:
    """Data and seals after the last of `lines`, of which the first holds the whole."""
    data: Data = {}
    seals: Seals = frozenset()
    for past in lines:
        data = applied(data, past.delta)
        seals = frozenset(seal for seal in seals if not _written(past.delta, seal[0])) | past.seals
    return data, seals


def as_of(today: Document, lines: Sequence[Past]) -> Document:
    """`today` with the data that it had after `lines`."""
    data, seals = rebuild(lines)
    return replace(today, data=data, seals=seals)


def applied(data: Data, delta: Data) -> Data:
    """What is not changed is shared with `data`: nobody may write into either."""
    if "whole" in delta:
        return dict(delta["whole"])
    own: dict[tuple[str, ...], Data] = {(): dict(data)}
    for path in delta.get("unset", ()):
        _own(own, tuple(path[:-1])).pop(path[-1], None)
    for path, value in delta.get("set", ()):
        _own(own, tuple(path[:-1]))[path[-1]] = value
    return own[()]


def _own(own: dict[tuple[str, ...], Data], path: tuple[str, ...]) -> Data:
    """The object at `path`, copied when it is first written to."""
    if path not in own:
        parent = _own(own, path[:-1])
        parent[path[-1]] = own[path] = dict(parent[path[-1]])
    return own[path]


def place(delta: Data, path: str) -> tuple[Any, Any] | None:
    """Where a delta holds the value at `path` (fields joined by dots), as (container, key): container[key] reads it and writes
    it. None when it says nothing of it."""
    parts = path.split(".")
    if "whole" in delta:
        return _inside(delta, ["whole", *parts])
    for pair in delta.get("set", ()):
        if parts[: len(pair[0])] == pair[0]:
            return _inside(pair, [1, *parts[len(pair[0]) :]])
    return None


def _inside(container: Any, keys: Sequence[Any]) -> tuple[Any, Any] | None:
    for key in keys[:-1]:
        container = container[key] if isinstance(key, int) or key in container else None
        if not isinstance(container, dict):
            return None
    return (container, keys[-1]) if isinstance(keys[-1], int) or keys[-1] in container else None


def _written(delta: Data, path: str) -> bool:
    parts = path.split(".")
    written = [*delta.get("unset", ()), *(path for path, _ in delta.get("set", ()))]
    return "whole" in delta or any(parts[: len(start)] == list(start) for start in written)


def _delta(old: Document | None, new: Document) -> Data:
    if old is None or new.version % WHOLE_EVERY == 0:
        return {"whole": new.data}
    delta: Data = {"set": [], "unset": []}
    _compare([], old.data, new.data, delta)
    # Equal in Python is not yet equal as JSON (1 and 1.0, the order of fields): such a version is kept whole.
    written = json.dumps(new.data)
    exact = json.dumps(applied(old.data, delta)) == written
    return delta if exact and len(json.dumps(delta)) < len(written) else {"whole": new.data}


def _compare(path: list[str], old: Data, new: Data, delta: Data) -> None:
    delta["unset"] += [[*path, name] for name in old.keys() - new.keys()]
    for name, value in new.items():
        before = old.get(name, delta)  # nothing that is stored is this very object
        if isinstance(before, dict) and isinstance(value, dict) and before is not delta:
            _compare([*path, name], before, value, delta)
        elif before is delta or before != value:
            delta["set"].append([[*path, name], value])
