"""Owns who is told what of a change: the document as it stands now, under the rights and roles of this moment.

A document that the caller may not read does not exist: no event, whatever happened to it. Runs in threads.
"""

from collections.abc import Sequence
from typing import NamedTuple

from idp.api import acl, cursor, language
from idp.api.caller import Caller
from idp.api.commands.streams import Change, WatchDocuments
from idp.api.document_store.contract import Document, DocumentStore, Past, view
from idp.api.documents import history
from idp.api.documents.reading import Reading
from idp.api.roles import Roles
from idp.api.store_key import StoreKey
from idp.api.watch.tokens import Tokens
from idp.base import claims
from idp.base.clock import Clock


class Begun(NamedTuple):
    """A watch that may begin. of: whose tokens. position: where; None: now."""

    of: str
    position: str | None


class Changes:
    def __init__(self, store: DocumentStore, clock: Clock, reading: Reading, roles: Roles, key: StoreKey) -> None:
        self._store = store
        self._clock = clock
        self._reading = reading
        self._roles = roles
        self._key = key
        self._tokens: Tokens | None = None

    def begin(self, caller: Caller, asked: WatchDocuments) -> Begun:
        """Raises Refused."""
        self._reading.filtered(caller, asked)
        of = cursor.fingerprint(caller.name, asked.collection, asked.filter)
        return Begun(of, self._sealer().read(asked.after, of) if asked.after else None)

    def alive(self, begun: Begun, position: str) -> Change:
        return Change(token=self._sealer().write(position, begun.of), action="alive")

    def told(self, caller: Caller, asked: WatchDocuments, begun: Begun, lines: Sequence[Past]) -> list[Change | None]:
        """What to say of each line of the watched collection, None: nothing. Raises Refused when the caller may not watch it
        any more."""
        caller.require_scope(claims.DOCUMENTS_READ)
        # The filter anew as well: a field that was sealed meanwhile must not be watched by its value.
        where, _ = self._reading.filtered(caller, asked)
        complete = self._roles.complete(caller)
        return [self._change(complete, begun, where, line) for line in lines]

    def _change(self, caller: Caller, begun: Begun, where: language.Node, line: Past) -> Change | None:
        gone = line.action == "delete"
        document = self._deleted(line) if gone else self._store.get(line.collection, line.id, self._clock())
        if document is None or not acl.may(caller, "read", document.acl):
            return None
        if not language.to_predicate(where)(view(document)):
            return None
        return Change(
            token=self._sealer().write(line.position, begun.of), action=line.action, id=line.id, version=line.version,
            at=line.at, by=line.by, document=None if gone else self._reading.reply(caller, document, ()),
        )  # fmt: skip

    def _deleted(self, line: Past) -> Document:
        """As it stood: whoever could read it then is told, if it was among what is watched."""
        lines = self._store.past(line.collection, line.id, line.version - 1)
        first = next(iter(self._store.history(line.collection, line.id, 2, 1)), line)
        last = lines[-1] if lines else line
        then = Document(
            line.collection, line.id, line.version - 1, first.at, first.by, last.at, last.by, line.acl, {}
        )  # fmt: skip
        return history.as_of(then, lines) if lines else then

    def _sealer(self) -> Tokens:
        if self._tokens is None:
            self._tokens = Tokens(self._key())
        return self._tokens
