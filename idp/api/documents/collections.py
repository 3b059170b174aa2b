"""Owns what is declared of a collection: who may insert and manage, the ACL of new documents, indexes, expiry, sealed fields.

A collection that nobody declared is everybody's who has the scope: whoever inserts a document owns it.
Declarations are documents of a collection that no client can name, read on every request: all nodes follow at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from idp.api import acl, language
from idp.api.acl import Acl
from idp.api.caller import Caller
from idp.api.commands import collections as commands
from idp.api.commands.common import Nothing, to_acl
from idp.api.document_store.contract import Document, DocumentStore, Find, Index, NotUnique, Sight, Write
from idp.api.documents.sealing import Sealing, refuse
from idp.api.once import Once, not_unique
from idp.api.problems import bad_request, quoted
from idp.api.times import timestamp
from idp.base.clock import Clock
from idp.base.errors import Refused

SYSTEM: Final = "sys.collections"
FILES: Final = "files."  # before the name of a collection: where what is known of its files is kept
DECLARED: Final = set(commands.Declaration.model_fields) - {"acl"}
PAGE = 1000
BY_ID: Final = language.parse_sort({})
ALL: Final = language.parse_filter({})


class Collection(commands.Declaration):
    """What is declared of one collection."""

    name: str
    declared: bool = False
    rules: Acl | None = None

    def acl_of_new(self, caller: Caller) -> Acl:
        own = acl.owned_by(caller.principal, self.owner_rights) if self.owner_rights else ()
        return own + (to_acl(self.default_acl) or ())

    @property
    def sealing(self) -> Sealing:
        return "all" if self.sealed == "all" else frozenset(self.sealed)

    def check_may_insert(self, caller: Caller) -> None:
        if self.declared and not acl.may(caller, "insert", self.rules):
            raise _not_permitted("insert into this collection", "insert")

    def expires_at(self, data: dict[str, Any]) -> float | None:
        """Raises Refused 400 bad_time: a document that should end must not stay for ever because its time has a slip."""
        if self.expire is None:
            return None
        value: Any = data
        for part in self.expire.field.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return None if value is None else _seconds(value, self.expire.field) + self.expire.seconds


class Collections:
    def __init__(self, store: DocumentStore, once: Once, clock: Clock, makers: Sequence[str]) -> None:
        self._store = store
        self._once = once
        self._clock = clock
        self._makers = frozenset(makers)

    def of(self, name: str, now: float) -> Collection:
        stored = self._store.get(SYSTEM, name, now)
        return _collection(stored) if stored else _undeclared(name)

    def declare(self, caller: Caller, asked: commands.DeclareCollection) -> commands.CollectionReply:
        caller.require_on_collection(asked.name, "manage")
        rules = to_acl(asked.acl)
        if rules is None and "acl" in asked.model_fields_set and not caller.is_administrator:
            raise _not_permitted("declare a collection without an ACL: only administrators may", "manage")
        new = Collection(name=asked.name, **asked.model_dump(include=DECLARED))
        indexes = _checked(new)
        dropped: list[str] = []

        def plan(now: float) -> tuple[list[Write], commands.CollectionReply]:
            old = self._store.get(SYSTEM, asked.name, now)
            self._check_may_declare(caller, asked.name, old, now)
            was = _collection(old) if old else Collection(name=asked.name)
            if was.sealed != new.sealed:
                self._check_empty(asked.name, now)
            for index in indexes:
                self._make(asked.name, index, was)
            dropped[:] = {i.name for i in was.indexes} - {i.name for i in new.indexes}
            kept = old.acl if old else acl.owned_by(caller.principal, acl.COLLECTION_RIGHTS)
            document = _document(old, new, rules if "acl" in asked.model_fields_set else kept, caller, now)
            return [Write("replace", document, document.version - 1)], _reply(document)

        answer = self._once.commit(caller, "collections.declare", asked, plan)
        for name in dropped:
            self._store.drop_index(asked.name, name)
        return answer

    def get(self, caller: Caller, asked: commands.GetCollection) -> commands.CollectionReply:
        caller.require_on_collection(asked.name, "manage")
        return _reply(self._managed(caller, asked.name, self._clock()))

    def list(self, caller: Caller, asked: commands.ListCollections) -> commands.CollectionsReply:
        caller.require_unnarrowed("list collections")
        sight = Sight(acl.wanted_keys(caller, "manage"), self._clock())
        return commands.CollectionsReply(collections=[_reply(d) for d in every(self._store, SYSTEM, sight)])

    def drop(self, caller: Caller, asked: commands.DropCollection) -> Nothing:
        caller.require_on_collection(asked.name, "manage")

        def plan(now: float) -> tuple[list[Write], Nothing]:
            stored = self._store.get(SYSTEM, asked.name, now)
            if stored or not caller.is_administrator:
                stored = self._managed(caller, asked.name, now)
            # Before the declaration goes: cut off in between, it can be dropped again by whoever may.
            self._store.drop(FILES + asked.name)
            self._store.drop(asked.name)
            return [Write("delete", stored, stored.version)] if stored else [], Nothing()

        return self._once.commit(caller, "collections.drop", asked, plan)

    def _managed(self, caller: Caller, name: str, now: float) -> Document:
        stored = self._store.get(SYSTEM, name, now)
        if stored is None or not acl.may(caller, "manage", stored.acl):
            raise Refused("unknown_collection", "There is no such collection, or you may not manage it.", status=404)
        return stored

    def _check_may_declare(self, caller: Caller, name: str, old: Document | None, now: float) -> None:
        if old is None and not caller.is_administrator and not caller.roles & self._makers:
            raise _not_permitted("declare collections", "manage")
        # Whoever declares may also drop: nobody but administrators gets hold of what others have stored already.
        taken = (
            not acl.may(caller, "manage", old.acl) if old else not caller.is_administrator and self._in_use(name, now)
        )
        if taken:
            raise Refused("name_taken", "The name is taken by something that you may not manage.", status=409)

    def _in_use(self, name: str, now: float) -> bool:
        return self._store.count(name, ALL, Sight(None, now), 1) > 0

    def _check_empty(self, name: str, now: float) -> None:
        """What is sealed, and what is plain, is decided before the first document: there is no moment in between."""
        if self._in_use(name, now):
            message = "Which fields are sealed can be changed only while the collection is empty."
            raise Refused("collection_in_use", message, status=409)

    def _make(self, name: str, index: Index, was: Collection) -> None:
        try:
            if any(old.name == index.name and _index(old) != index for old in was.indexes):
                self._store.drop_index(name, index.name)
            self._store.ensure_index(name, index)
        except NotUnique as found:
            raise not_unique(found) from None


def every(store: DocumentStore, collection: str, sight: Sight) -> Iterator[Document]:
    """All documents of a collection of the system that `sight` lets through, page by page."""
    after: str | None = None
    while True:
        found = store.find(collection, Find(ALL, BY_ID, sight, PAGE, after=after))
        yield from found.documents
        if not found.more:
            return
        after = found.documents[-1].id


def _checked(new: Collection) -> list[Index]:
    """The indexes; raises Refused 400 for names of fields that cannot be, and for what cannot be sealed."""
    for name in () if new.sealed == "all" else new.sealed:
        language.parse_path(name, writable=True)
        if any(name != other and f"{name}.".startswith(f"{other}.") for other in new.sealed):
            raise bad_request("bad_field_name", f"{quoted(name)} lies within another sealed field.", field=name[:60])
    indexes = [_index(index) for index in new.indexes]
    paths = {path for index in indexes for path, _ in index.paths}
    if new.expire:
        paths.add(language.parse_path(new.expire.field, writable=True))
    refuse(new.sealing, paths)
    return indexes


def _index(index: commands.IndexOf) -> Index:
    return Index(index.name, tuple((language.parse_path(f), way) for f, way in index.fields.items()), index.unique)


def _seconds(value: object, field: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e11:
        return float(value)
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) and len(value) > len("2026-01-01T") else None
        if at and at.tzinfo:
            return at.timestamp()
    except (ValueError, OverflowError):
        pass
    message = f"{quoted(field)} says when the document ends: RFC 3339 with a time zone, or seconds since 1970."
    raise bad_request("bad_time", message, field=field[:60])


def _document(old: Document | None, new: Collection, rules: Acl | None, caller: Caller, now: float) -> Document:
    at = timestamp(now)
    data = {
        "declared": new.model_dump_json(include={"name", *DECLARED})
    }  # as text: names of fields with dots are no names for every store
    if old:
        return replace(old, version=old.version + 1, updated_at=at, updated_by=caller.name, acl=rules, data=data)
    return Document(SYSTEM, new.name, 1, at, caller.name, at, caller.name, rules, data)


def _collection(stored: Document) -> Collection:
    return _declared(stored.data["declared"], stored.acl)


@lru_cache(maxsize=1024)  # every request asks, and to read it costs more than to fetch it
def _declared(text: str, rules: Acl | None) -> Collection:
    return Collection.model_validate_json(text).model_copy(update={"declared": True, "rules": rules})


@lru_cache(maxsize=1024)
def _undeclared(name: str) -> Collection:
    return Collection(name=name)


def _reply(stored: Document) -> commands.CollectionReply:
    declared = _collection(stored).model_dump(include=DECLARED)
    return commands.CollectionReply(name=stored.id, acl=acl.to_json(stored.acl), **declared)


def _not_permitted(what: str, right: str) -> Refused:
    return Refused("not_permitted", f"You may not {what}.", status=403, detail={"right": right})
