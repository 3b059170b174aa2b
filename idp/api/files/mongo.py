"""Owns contents of files in MongoDB, in the form of GridFS (`sheaf.files.files`, `sheaf.files.chunks`), whose tools read them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bson import Binary
from pymongo import IndexModel
from pymongo.collection import Collection

from idp.api.document_store.mongo_link import MongoLink, answering
from idp.api.files.contract import CHUNK_BYTES, Content

Raw = dict[str, Any]
DELETED_AT_ONCE = 256  # 64 MB: within the time of one call


class MongoFileStore:
    def __init__(self, link: MongoLink) -> None:
        self._link = link
        self._contents: Collection[Raw] = link.database["sheaf.files.files"]
        self._chunks: Collection[Raw] = link.database["sheaf.files.chunks"]
        self._indexed = False

    def begin(self, content: Content) -> None:
        with answering():
            if not self._indexed:
                self._chunks.create_indexes([IndexModel([("files_id", 1), ("n", 1)], unique=True)])
                self._indexed = True
            self._contents.insert_one(
                {
                    "_id": content.id,
                    "length": 0,
                    "chunkSize": CHUNK_BYTES,
                    "uploadDate": datetime.fromtimestamp(content.began_at, UTC),
                    "filename": content.file,
                    "metadata": {"space": content.space, "began_at": content.began_at},
                }
            )

    def append(self, id: str, number: int, chunk: bytes) -> None:
        with answering():
            self._chunks.insert_one({"files_id": id, "n": number, "data": Binary(chunk)})
            self._contents.update_one({"_id": id}, {"$inc": {"length": len(chunk)}})

    def chunk(self, id: str, number: int) -> bytes | None:
        with answering():
            raw = self._chunks.find_one({"files_id": id, "n": number})
        return bytes(raw["data"]) if raw else None

    def delete(self, id: str) -> None:
        """The chunks first: cut off in between, the content still stands there and is deleted again."""
        with answering():
            raw = self._contents.find_one({"_id": id})
        for start in range(0, _chunks_of(raw), DELETED_AT_ONCE):
            with answering():
                self._chunks.delete_many({"files_id": id, "n": {"$gte": start, "$lt": start + DELETED_AT_ONCE}})
        with answering():
            self._contents.delete_one({"_id": id})

    def walk(self, after: str, limit: int) -> Sequence[Content]:
        with answering():
            found = list(self._contents.find({"_id": {"$gt": after}}).sort("_id").limit(limit))
        return [Content(r["_id"], r["metadata"]["space"], r["filename"], r["metadata"]["began_at"]) for r in found]

    def close(self) -> None:
        self._link.client.close()


def _chunks_of(raw: Raw | None) -> int:
    """One more than are known of: an upload that broke off may have stored a chunk that its length does not say."""
    return raw["length"] // CHUNK_BYTES + 2 if raw else 0
