"""Owns what callers find and see: one document, queries, counts, values, aggregations; always under the caller's own sight.

Rights on one document are in rights.py, what a query means in language/, how it is found in the store.
"""

from collections.abc import Callable
from typing import Final

from idp.api import acl, cursor, language
from idp.api.caller import Caller
from idp.api.commands import documents as commands
from idp.api.document_store.contract import Document, DocumentStore, Find, Sight
from idp.api.documents.collections import Collections
from idp.api.documents.rights import acl_reply, may_unseal, permitted, stamp_of
from idp.api.documents.sealing import Sealer, paths_of, refuse
from idp.api.problems import bad_request
from idp.base.clock import Clock

MAX_SKIP: Final = 10_000
MAX_RESULTS: Final = 1000


class Reading:
    def __init__(
        self, store: DocumentStore, clock: Clock, collections: Collections, sealer: Sealer, key: Callable[[], bytes]
    ) -> None:
        """key: of cursors, the same on all nodes."""
        self._store = store
        self._clock = clock
        self._collections = collections
        self._sealer = sealer
        self._key = key

    def get(self, caller: Caller, asked: commands.GetDocument) -> commands.DocumentReply:
        caller.require_on_collection(asked.collection, "read")
        stored = self._store.get(asked.collection, asked.id, self._clock())
        return self.reply(caller, permitted(caller, "read", stored), ())

    def get_acl(self, caller: Caller, asked: commands.GetAcl) -> commands.AclReply:
        caller.require_on_collection(asked.collection, "share")
        return acl_reply(permitted(caller, "share", self._store.get(asked.collection, asked.id, self._clock())))

    def query(self, caller: Caller, asked: commands.QueryDocuments) -> commands.DocumentPage:
        sort = language.parse_sort(asked.sort)
        where, sight = self.filtered(caller, asked, by=sort)
        fields = tuple(language.parse_path(name, writable=True) for name in asked.fields)
        of = cursor.fingerprint(caller.name, asked.collection, asked.filter, list(asked.sort.items()))
        at = cursor.read(asked.cursor, of, self._key()) if asked.cursor else cursor.Position()
        found = self._store.find(asked.collection, Find(where, sort, sight, asked.limit, at.skip, at.after))
        page, following = found.documents, None
        if found.more:
            by_id = sort == ((("_id",), 1),)
            last = cursor.Position(after=page[-1].id) if by_id else cursor.Position(skip=at.skip + len(page))
            if last.skip > MAX_SKIP:
                raise bad_request("page_too_far", f"Only {MAX_SKIP} documents can be paged in this order; sort by _id.")
            following = cursor.write(last, of, self._key())
        return commands.DocumentPage(documents=[self.reply(caller, d, fields) for d in page], cursor=following)

    def count(self, caller: Caller, asked: commands.CountDocuments) -> commands.CountReply:
        where, sight = self.filtered(caller, asked)
        counted = self._store.count(asked.collection, where, sight, asked.at_most + 1)
        return commands.CountReply(count=min(counted, asked.at_most), more=counted > asked.at_most)

    def distinct(self, caller: Caller, asked: commands.DistinctValues) -> commands.ValuesReply:
        path = language.parse_path(asked.field)
        where, sight = self.filtered(caller, asked, by=((path, 1),))
        values = self._store.distinct(asked.collection, path, where, sight, MAX_RESULTS)
        if len(values) > MAX_RESULTS:
            raise bad_request(
                "too_many_results", f"There are more than {MAX_RESULTS} different values. Narrow the filter."
            )
        return commands.ValuesReply(values=values)

    def aggregate(self, caller: Caller, asked: commands.AggregateDocuments) -> commands.ResultsReply:
        caller.require_on_collection(asked.collection, "read")
        now = self._clock()
        sealing = self._collections.of(asked.collection, now).sealing
        stages = language.parse_pipeline(asked.pipeline, paths_of(sealing))
        refuse(sealing, language.touched(stages))
        sight = Sight(acl.wanted_keys(caller, "read"), now)
        results = self._store.aggregate(asked.collection, stages, sight, MAX_RESULTS)
        if len(results) > MAX_RESULTS:
            raise bad_request("too_many_results", f"There are more than {MAX_RESULTS} results. End with $limit.")
        return commands.ResultsReply(results=results)

    def filtered(
        self, caller: Caller, asked: commands.FilteredDocuments, *, by: language.Sort = ()
    ) -> tuple[language.Node, Sight]:
        """by: further fields whose values the answer tells of."""
        caller.require_on_collection(asked.collection, "read")
        where, now = language.parse_filter(asked.filter), self._clock()
        if sealing := self._collections.of(asked.collection, now).sealing:
            refuse(sealing, language.touched(where) | language.touched(by))
        return where, Sight(acl.wanted_keys(caller, "read"), now)

    def reply(self, caller: Caller, document: Document, fields: tuple[language.Path, ...]) -> commands.DocumentReply:
        data = self._sealer.shown(document, may_unseal(caller, document)) if document.seals else document.data
        return commands.DocumentReply(**stamp_of(document), data=language.project(data, fields))
