"""Owns counters in MongoDB, for nodes on several machines. They need no majority: what is lost is one minute of counting."""

from datetime import UTC, datetime

import pymongo
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError
from pymongo.write_concern import WriteConcern

from idp.api.document_store.mongo_link import MongoLink, refusing

CALL_SECONDS = 2.0
COLLECTION = "sheaf.counters"


class MongoCounters:
    def __init__(self, uri: str) -> None:
        self._link = MongoLink(uri)
        self._counters = self._link.database[COLLECTION].with_options(write_concern=WriteConcern(w=1))
        self._prepared = False

    def reserve(self, key: str, amount: int, limit: int, until: float) -> int:
        with refusing(), pymongo.timeout(CALL_SECONDS):
            if not self._prepared:
                self._counters.create_index("until", expireAfterSeconds=0)
                self._prepared = True
            try:
                # Upserted when the key is new; when it is used up, the upsert meets the key that is there already.
                before = self._counters.find_one_and_update(
                    {"_id": key, "used": {"$lt": limit}},
                    {"$inc": {"used": amount}, "$setOnInsert": {"until": datetime.fromtimestamp(until, UTC)}},
                    upsert=True,
                    return_document=ReturnDocument.BEFORE,
                )
            except DuplicateKeyError:
                return 0
        return min(amount, limit - int(before["used"] if before else 0))

    def close(self) -> None:
        self._link.client.close()
