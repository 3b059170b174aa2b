"""Owns the one key that all nodes of a store share: cursors and positions that one gives are good at the others."""

import secrets
from contextlib import suppress

from idp.api import cursor
from idp.api.document_store.contract import Document, DocumentStore, Duplicate, insert
from idp.api.times import timestamp
from idp.base.clock import Clock

SYSTEM = "sys.keys"  # no client can name a collection with a dot


class StoreKey:
    """Called, it gives the key; made when it is first asked for."""

    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._key: bytes | None = None

    def __call__(self) -> bytes:
        if self._key is None:
            now = self._clock()
            stored = self._store.get(SYSTEM, "cursor", now)
            if stored is None:
                at = timestamp(now)
                key = {"key": secrets.token_hex(32)}
                with suppress(Duplicate):  # another node was faster: its key counts
                    insert(self._store, Document(SYSTEM, "cursor", 1, at, "sheaf", at, "sheaf", None, key))
                return self()
            self._key = cursor.new_key(stored.data)
        return self._key
