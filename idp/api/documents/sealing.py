"""Owns sealed fields: what a collection declares as sealed is ciphertext in the store and a placeholder for most readers.

Keys are left to keyring.py, rights to the callers of this file, changing keys to reseal.py. What is ciphertext is known from
`Document.seals`, never from how a value looks. A value is bound to its collection, document, field and key.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from idp.api import language
from idp.api.document_store.contract import Document
from idp.api.documents.keyring import CannotOpen, Keyring
from idp.api.language import Path
from idp.api.problems import bad_request, quoted
from idp.base.errors import Refused

PLACEHOLDER: Final = {"$sealed": True}

Data = dict[str, Any]
Step = tuple[str, Path, Any]
Sealing = Literal["all"] | frozenset[str]  # paths with dots; "all": each field at the top of a document, by itself


class Sealer:
    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring

    def seal(self, sealed: Sealing, new: Document, old: Document | None) -> Document:
        """`new` with everything sealed that must be. What `old` has sealed and the write left alone stays as it is, but
        comes under the current key: so with a new keyring nothing is ever written under an old key. Raises Refused 503
        keyring_unavailable, 400 sealed_field when a list stands on the way to a field."""
        before = {path for path, _ in old.seals} if old else set()
        paths = before.union(new.data if sealed == "all" else sealed)
        data, seals = new.data, set()
        for path in paths:
            value, found = _at(data, path)
            if not found:
                continue
            carried = old is not None and path in before and _at(old.data, path) == (value, True)
            if not carried and sealed != "all" and path not in sealed:
                continue
            text = self._carried(new, path, value) if carried else self._sealed(new, path, value)
            data = _put(data, path, text)
            seals.add((path, text.partition(".")[0]))
        return replace(new, data=data, seals=frozenset(seals))

    def shown(self, document: Document, unseal: bool, sealed: Sealing = frozenset()) -> Data:
        """Data as a reader sees it. unseal: whether this one may see what is sealed. sealed: what is declared, where `document`
        may be older than the declaration: what stands plain in it is hidden as well. Raises Refused 409 cannot_unseal."""
        data = document.data
        for path, _ in document.seals:
            value, found = _at(data, path)
            if unseal:
                data = _put(data, path, self._opened(document, path, value))
            elif found:
                data = _put(data, path, PLACEHOLDER)
        return data if unseal else _hidden(data, sealed)

    def kept(self, sealed: Sealing, data: Data, old: Document | None) -> Data:
        """`data` of a client with each placeholder on a sealed field exchanged for what is sealed there. Raises Refused
        400 sealed_field when nothing is."""
        before = {path for path, _ in old.seals} if old else set()
        for path in list(data) if sealed == "all" else sealed:
            value, found = _at(data, path)
            if found and _is_placeholder(value):
                if old is None or path not in before:
                    raise _refused(path, "nothing is sealed there that could be kept")
                data = _put(data, path, _at(old.data, path)[0])
        return data

    def resealed(self, document_of: tuple[str, str], path: str, sealed: object) -> str:
        """The same value under the current key. document_of: its collection and id. Raises CannotOpen."""
        place = (*document_of, path)
        return self.keyring.seal_text(self.keyring.open_text(str(sealed), place), place)

    def _carried(self, document: Document, path: str, text: Any) -> str:
        """What does not open is left as it is: a write to another field is no occasion to lose it."""
        if text.partition(".")[0] == self.keyring.current():
            return str(text)
        try:
            return self.resealed((document.collection, document.id), path, text)
        except CannotOpen:
            return str(text)

    def _sealed(self, document: Document, path: str, value: object) -> str:
        return self.keyring.seal_text(json.dumps(value), (document.collection, document.id, path))

    def _opened(self, document: Document, path: str, text: object) -> Any:
        try:
            if not isinstance(text, str):
                raise CannotOpen("what stands there is not sealed")
            return json.loads(self.keyring.open_text(text, (document.collection, document.id, path)))
        except CannotOpen as error:
            raise Refused(
                "cannot_unseal",
                f"The field {quoted(path)} does not open. Administrators: see keys.report.",
                status=409,
                reason=f"{document.collection}/{document.id} {path}: {error}",
                detail={"id": document.id, "field": path},
            ) from None


def check_steps(sealed: Sealing, steps: Sequence[Step]) -> list[Step]:
    """The steps of an update without those that leave a sealed field as it is. Raises Refused 400 sealed_field for those
    that would look into one, or write within one."""
    refuse(sealed, language.touched(tuple(steps)))
    tops = paths_of(sealed)
    for op, path, _ in steps:
        if any(path[: len(top)] == top for top in ({path[:1]} if sealed == "all" else tops) if path != top):
            raise _refused(".".join(path), f"{op} can only write it as a whole")
    return [step for step in steps if not (step[0] == "$set" and _is_placeholder(step[2]) and _covers(sealed, step[1]))]


def refuse(sealed: Sealing, paths: Iterable[Path]) -> None:
    """Raises Refused 400 sealed_field when one of `paths` would look at a sealed field: comparing ciphertext means nothing,
    comparing what is under it would tell. The system fields are never sealed."""
    looked_at = [path for path in paths if not path[0].startswith("_")]
    if (found := language.overlap(looked_at, paths_of(sealed))) is not None:
        raise _refused(
            ".".join(found) or "data", "it cannot be searched, sorted, counted, indexed or changed by its value"
        )


def paths_of(sealed: Sealing) -> frozenset[Path]:
    """As the language takes them: () stands for all data."""
    return frozenset({()}) if sealed == "all" else frozenset(tuple(path.split(".")) for path in sealed)


def _hidden(data: Data, sealed: Sealing) -> Data:
    for path in list(data) if sealed == "all" else sealed:
        try:
            found = _at(data, path)[1]
        except Refused:  # a list stands on the way: all that it holds is hidden
            path, found = path.partition(".")[0], True  # noqa: PLW2901
        if found:
            data = _put(data, path, PLACEHOLDER)
    return data


def _covers(sealed: Sealing, path: Path) -> bool:
    return len(path) == 1 if sealed == "all" else ".".join(path) in sealed


def _is_placeholder(value: object) -> bool:
    return isinstance(value, dict) and value == PLACEHOLDER and value["$sealed"] is True  # 1 is equal to True


def _at(data: Data, path: str) -> tuple[Any, bool]:
    """(value, whether it is there). Raises Refused 400 sealed_field when a list stands on the way: none of its items has a
    place of its own that it could be bound to."""
    value: Any = data
    for name in path.split("."):
        if isinstance(value, list):
            raise _refused(path, "a list stands on the way to it")
        if not isinstance(value, dict) or name not in value:
            return None, False
        value = value[name]
    return value, True


def _put(data: Data, path: str, value: object) -> Data:
    """A copy with another value at `path`; what lies beside it is shared."""
    name, _, rest = path.partition(".")
    return {**data, name: _put(data[name], rest, value) if rest else value}


def _refused(path: str, why: str) -> Refused:
    return bad_request("sealed_field", f"The field {quoted(path)} is sealed: {why}.", field=path[:60])
