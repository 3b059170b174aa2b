"""Owns what one write to one document is: who may, at which version, what it becomes, what its history says of it.

Which drafts make up an operation is left to writing.py; nothing is written here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from idp.api import acl, language
from idp.api.caller import Caller
from idp.api.commands import documents as commands
from idp.api.commands.common import DocumentEntry, to_acl
from idp.api.document_store.contract import Action, Document, DocumentStore, Find, Sight, Write, view
from idp.api.documents import history
from idp.api.documents.collections import BY_ID, Collection, Collections
from idp.api.documents.rights import permitted
from idp.api.documents.sealing import Sealer, check_steps
from idp.api.documents.versions import Versions
from idp.api.problems import bad_request
from idp.api.times import timestamp
from idp.base import ids
from idp.base.errors import Refused

Data = dict[str, Any]
Edit = Callable[[Document], Data]
Asked = commands.ReplaceIn | commands.UpdateIn | commands.DeleteIn | commands.SetAcl


@dataclass(frozen=True, slots=True)
class Pen:
    """Who writes into which collection, and when. ids: of new documents, in their order."""

    caller: Caller
    collection: Collection
    now: float
    ids: Iterator[str] = field(default_factory=lambda: iter(()))


class Drafts:
    def __init__(self, store: DocumentStore, collections: Collections, versions: Versions, sealer: Sealer) -> None:
        self._store = store
        self._collections = collections
        self._versions = versions
        self._sealer = sealer

    def pen(self, caller: Caller, collection: str, now: float, new: int = 1) -> Pen:
        """new: how many documents will be inserted at most."""
        made = iter(sorted(ids.ordered_id("doc", now) for _ in range(new)))
        return Pen(caller, self._collections.of(collection, now), now, made)

    def insert(self, pen: Pen, asked: commands.NewDocument) -> Write:
        return self._new(pen, asked, self._replacing(pen, asked.data)(_nothing(pen)))

    def replace(self, pen: Pen, asked: commands.ReplaceIn) -> Write:
        old = self._permitted(pen, "update", asked)
        return self._edited(pen, "replace", old, self._replacing(pen, asked.data)(old))

    def update(self, pen: Pen, asked: commands.UpdateIn) -> Write:
        old = self._permitted(pen, "update", asked)
        return self._edited(pen, "update", old, self._updating(pen, asked.update)(old))

    def set_acl(self, pen: Pen, asked: commands.SetAcl) -> Write:
        rules = checked_acl(pen.caller, asked.acl)
        old = self._permitted(pen, "share", asked)
        return _write(pen, "acl", old, replace(_next(pen, old), acl=rules))

    def delete(self, pen: Pen, asked: commands.DeleteIn) -> Write:
        old = self._permitted(pen, "delete", asked)
        past = history.line("delete", old, old, at=timestamp(pen.now), by=pen.caller.name)
        return Write("delete", old, old.version, past)

    def upsert(self, pen: Pen, asked: commands.UpsertDocument) -> Write:
        if not any(index.unique and set(index.fields) == set(asked.match) for index in pen.collection.indexes):
            message = "`match` names the fields of one unique index of the collection: all of them and no other."
            raise Refused("no_unique_index", message, status=409)
        where = language.parse_filter(asked.match)
        sight = Sight(acl.wanted_keys(pen.caller, "read"), pen.now)
        found = self._store.find(pen.collection.name, Find(where, BY_ID, sight, 1)).documents
        edit = (
            self._replacing(pen, asked.data)
            if asked.data is not None
            else self._updating(pen, asked.update or {}, not found)
        )
        if found:
            old = permitted(pen.caller, "update", found[0])
            return self._edited(pen, "update", old, edit(old))
        # One that the caller may not read was not found: the index refuses the new one, in the words of every insert.
        write = self._new(pen, asked, edit(_nothing(pen, {} if asked.data is not None else asked.match)))
        if not language.to_predicate(where)(view(write.document)):
            raise bad_request("bad_operand", "The new document would not hold the values of `match`.")
        return write

    def restore(self, pen: Pen, asked: commands.RestoreVersion) -> Write:
        today = self._versions.last(pen.caller, "update", asked, pen.now)
        _check_version(today, asked.version)
        _, then = self._versions.was(today, asked.number)
        gone = self._store.get(pen.collection.name, asked.id, pen.now) is None
        new = self._sealed(pen, _next(pen, then), then)
        return _write(pen, "restore", None if gone else today, new)

    def _new(self, pen: Pen, asked: commands.NewDocument | commands.UpsertDocument, data: Data) -> Write:
        pen.collection.check_may_insert(pen.caller)
        given = "acl" in asked.model_fields_set
        rules = checked_acl(pen.caller, asked.acl) if given else pen.collection.acl_of_new(pen.caller)
        blank = _nothing(pen)
        new = replace(blank, id=next(pen.ids), version=1, data=data, acl=rules)
        return _write(pen, "insert", None, self._sealed(pen, new, blank))

    def _edited(self, pen: Pen, action: Action, old: Document, data: Data) -> Write:
        return _write(pen, action, old, self._sealed(pen, replace(_next(pen, old), data=data), old))

    def _sealed(self, pen: Pen, new: Document, old: Document) -> Document:
        ends = pen.collection.expires_at(new.data)
        return self._sealer.seal(pen.collection.sealing, replace(new, expires_at=ends), old)

    def _permitted(self, pen: Pen, right: str, asked: Asked) -> Document:
        old = permitted(pen.caller, right, self._store.get(pen.collection.name, asked.id, pen.now))
        _check_version(old, asked.version)
        return old

    def _replacing(self, pen: Pen, given: Data) -> Edit:
        def edit(old: Document) -> Data:
            data = self._sealer.kept(pen.collection.sealing, given, old)
            language.check_data(data)
            return data

        return edit

    def _updating(self, pen: Pen, update: Mapping[str, Any], inserting: bool = False) -> Edit:
        steps = language.parse_update(update)
        if pen.collection.sealing:
            steps = tuple(check_steps(pen.collection.sealing, steps))
        return lambda old: language.apply(old.data, steps, inserting=inserting)


def checked_acl(caller: Caller, entries: Sequence[DocumentEntry] | None) -> acl.Acl | None:
    if entries is None and not caller.is_administrator:
        raise Refused("not_permitted", "Only administrators may store without an ACL.", status=403)
    return to_acl(entries)


def _nothing(pen: Pen, match: Mapping[str, Any] | None = None) -> Document:
    """What is there before an insert: nothing, or the values that an upsert did not find."""
    steps = language.parse_update({"$set": match}) if match else ()
    at, by = timestamp(pen.now), pen.caller.name
    return Document(pen.collection.name, "", 0, at, by, at, by, None, language.apply({}, steps))


def _next(pen: Pen, old: Document) -> Document:
    return replace(old, version=old.version + 1, updated_at=timestamp(pen.now), updated_by=pen.caller.name)


def _write(pen: Pen, action: Action, old: Document | None, new: Document) -> Write:
    past = history.line(action, old, new, at=new.updated_at, by=new.updated_by)
    return Write(action, new, old.version if old else 0, past)


def _check_version(document: Document, wanted: int | None) -> None:
    if wanted is not None and wanted != document.version:
        raise Refused(
            "version_conflict",
            f"The document has version {document.version}. Read it again, then decide.",
            status=412,
            detail={"version": document.version},
        )
