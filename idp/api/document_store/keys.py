"""Owns the keys of a document in an index: bytes in the order of the language. Pure."""

from collections.abc import Mapping
from typing import Any

from idp.api import language
from idp.api.document_store.contract import Index
from idp.api.problems import bad_request

MAX_KEYS = 1000


def keys_of(view: Mapping[str, Any], index: Index) -> frozenset[bytes]:
    """One for each item of a list. Raises Refused 400: parallel_lists, too_many_index_keys."""
    ways = [way for _, way in index.paths]
    keys = set()
    for row in language.rows_at(view, [path for path, _ in index.paths]):
        keys.add(b"".join(map(language.key_of, row, ways)))
        if len(keys) > MAX_KEYS:
            message = f"A list in a field of the index {index.name} has more than {MAX_KEYS} different items."
            raise bad_request("too_many_index_keys", message, index=index.name)
    return frozenset(keys)


def holds_all(view: Mapping[str, Any], index: Index) -> bool:
    """Whether each field of the index is there: only then a unique index counts the document."""
    return all(any(found is not language.MISSING for found in language.elements(view, path)) for path, _ in index.paths)


def after_all(prefix: bytes) -> bytes | None:
    """The first key behind all that begin with `prefix`; None if there can be none."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else None
