"""Owns what callers do with documents: rights, versions, pages. The store keeps them, query.py and update.py say what is meant.

A document that the caller may not read does not exist for the caller: 404, whatever was asked.
"""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from idp.api import acl, commands, cursor
from idp.api import query as language
from idp.api import update as updates
from idp.api.caller import Caller
from idp.api.document_store.contract import Document, DocumentStore, Duplicate, Find
from idp.api.problems import bad_request
from idp.api.times import timestamp
from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused

MAX_SKIP = 10_000
MAX_TRIES = 50
SYSTEM = "sys.keys"  # no client can name a collection with a dot


class Documents:
    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._key: bytes | None = None

    def insert(self, caller: Caller, asked: commands.InsertDocument) -> commands.DocumentStamp:
        rules = commands.to_acl(asked.acl)
        if "acl" not in asked.model_fields_set:
            rules = acl.owned_by(caller.principal, acl.DOCUMENT_RIGHTS)
        _check_may_hide(caller, rules)
        updates.check_data(asked.data)
        now = self._clock()
        at = timestamp(now)
        id = ids.ordered_id("doc", now)
        document = Document(asked.collection, id, 1, at, caller.name, at, caller.name, rules, asked.data)
        self._store.insert(document)
        return _stamp(document)

    def get(self, caller: Caller, asked: commands.GetDocument) -> commands.DocumentReply:
        return _reply(self._permitted(caller, asked, "read"))

    def query(self, caller: Caller, asked: commands.QueryDocuments) -> commands.DocumentPage:
        where = language.parse_filter(asked.filter)
        sort = language.parse_sort(asked.sort)
        fields = tuple(language.parse_path(name, writable=True) for name in asked.fields)
        of = cursor.fingerprint(caller.name, asked.collection, asked.filter, list(asked.sort.items()))
        at = cursor.read(asked.cursor, of, self._cursor_key()) if asked.cursor else cursor.Position()
        visible = acl.wanted_keys(caller, "read")
        found = self._store.find(asked.collection, Find(where, sort, visible, asked.limit, at.skip, at.after))
        page, following = found.documents, None
        if found.more:
            by_id = sort == ((("_id",), 1),)
            last = cursor.Position(after=page[-1].id) if by_id else cursor.Position(skip=at.skip + len(page))
            if last.skip > MAX_SKIP:
                raise bad_request("page_too_far", f"Only {MAX_SKIP} documents can be paged in this order; sort by _id.")
            following = cursor.write(last, of, self._cursor_key())
        shown = [_reply(replace(document, data=updates.project(document.data, fields))) for document in page]
        return commands.DocumentPage(documents=shown, cursor=following)

    def replace(self, caller: Caller, asked: commands.ReplaceDocument) -> commands.DocumentStamp:
        updates.check_data(asked.data)
        return _stamp(self._change(caller, asked, asked.version, "update", lambda old: replace(old, data=asked.data)))

    def update(self, caller: Caller, asked: commands.UpdateDocument) -> commands.DocumentStamp:
        steps = updates.parse_update(asked.update)

        def change(old: Document) -> Document:
            return replace(old, data=updates.apply(old.data, steps))

        return _stamp(self._change(caller, asked, asked.version, "update", change))

    def delete(self, caller: Caller, asked: commands.DeleteDocument) -> commands.Nothing:
        for _ in range(MAX_TRIES):
            old = self._permitted(caller, asked, "delete")
            _check_version(old, asked.version)
            if self._store.delete_if(asked.collection, asked.id, old.version):
                return commands.Nothing()
        raise _contended()

    def get_acl(self, caller: Caller, asked: commands.GetAcl) -> commands.AclReply:
        return _acl_reply(self._permitted(caller, asked, "share"))

    def set_acl(self, caller: Caller, asked: commands.SetAcl) -> commands.AclReply:
        rules = commands.to_acl(asked.acl)
        _check_may_hide(caller, rules)
        return _acl_reply(self._change(caller, asked, asked.version, "share", lambda old: replace(old, acl=rules)))

    def _permitted(self, caller: Caller, asked: commands.GetDocument, right: str) -> Document:
        document = self._store.get(asked.collection, asked.id)
        if document is None or not acl.may(caller, "read", document.acl):
            raise Refused("unknown_document", "There is no such document, or you may not read it.", status=404)
        if not acl.may(caller, right, document.acl):
            raise Refused("not_permitted", f"You may not {right} this document.", status=403, detail={"right": right})
        return document

    def _change(
        self,
        caller: Caller,
        asked: commands.GetDocument,
        version: int | None,
        right: str,
        change: Callable[[Document], Document],
    ) -> Document:
        """Read, judge, change, write if nobody was faster; else again. ACL and data are one version, so the right that
        was judged is the right of the moment of writing."""
        for _ in range(MAX_TRIES):
            old = self._permitted(caller, asked, right)
            _check_version(old, version)
            at = timestamp(self._clock())
            new = replace(change(old), version=old.version + 1, updated_at=at, updated_by=caller.name)
            if self._store.replace_if(new):
                return new
        raise _contended()

    def _cursor_key(self) -> bytes:
        """Made once per store, so that all nodes read one another's cursors."""
        if self._key is None:
            stored = self._store.get(SYSTEM, "cursor")
            if stored is None:
                at = timestamp(self._clock())
                key = {"key": secrets.token_hex(32)}
                with suppress(Duplicate):  # another node was faster: its key counts
                    self._store.insert(Document(SYSTEM, "cursor", 1, at, "sheaf", at, "sheaf", None, key))
                return self._cursor_key()
            self._key = cursor.new_key(stored.data)
        return self._key


def _check_may_hide(caller: Caller, rules: acl.Acl | None) -> None:
    if rules is None and not caller.is_administrator:
        raise Refused("not_permitted", "Only administrators may store without an ACL.", status=403)


def _check_version(document: Document, wanted: int | None) -> None:
    if wanted is not None and wanted != document.version:
        raise Refused(
            "version_conflict",
            f"The document has version {document.version}. Read it again, then decide.",
            status=412,
            detail={"version": document.version},
        )


def _contended() -> Refused:
    return Refused(
        "contended", "Too many write this document at once. Try again.", status=503, headers={"Retry-After": "1"}
    )


def _stamp(d: Document) -> commands.DocumentStamp:
    return commands.DocumentStamp(
        id=d.id, version=d.version, created_at=d.created_at, created_by=d.created_by,
        updated_at=d.updated_at, updated_by=d.updated_by,
    )  # fmt: skip


def _reply(d: Document) -> commands.DocumentReply:
    return commands.DocumentReply(**_stamp(d).model_dump(), data=d.data)


def _acl_reply(d: Document) -> commands.AclReply:
    return commands.AclReply(id=d.id, version=d.version, acl=acl.to_json(d.acl))
