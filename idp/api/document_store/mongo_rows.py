"""Owns how documents, history and memories lie in MongoDB, and the filter for what a caller may see.

What the client wrote lies under `data` (of history: `delta`), so that no name of a field can meet one of the server's.
"""

from typing import Any

from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.int64 import Int64

from idp.api import acl
from idp.api.document_store.contract import Document, Memory, Past, Sight

Raw = dict[str, Any]
Seals = frozenset[tuple[str, str]]


class _PlainIntegers(TypeDecoder):
    """The driver has a type of its own for 64 bits; what was stored as int comes back as int."""

    bson_type = Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


CODEC: CodecOptions[Raw] = CodecOptions(type_registry=TypeRegistry([_PlainIntegers()]))


def visible(sight: Sight) -> Raw:
    """As acl.may: one allowed key at least, no denied one. Comes before everything the caller asks for."""
    alive: Raw = {"expires_at": {"$not": {"$lte": sight.now}}}
    if sight.keys is None:
        return alive
    keys = sorted(sight.keys)
    return {"allow": {"$in": keys}, "deny": {"$nin": keys}, **alive}


def document_to_raw(d: Document) -> Raw:
    keys = acl.stored_keys(d.acl)
    raw = {
        "_id": d.id,
        "version": d.version,
        "created_at": d.created_at,
        "created_by": d.created_by,
        "updated_at": d.updated_at,
        "updated_by": d.updated_by,
        "acl": acl.to_json(d.acl),
        "allow": sorted(keys.allow),
        "deny": sorted(keys.deny),
        "data": d.data,
    }
    if d.expires_at is not None:
        raw["expires_at"] = d.expires_at
    return raw | seals_to_raw(d.seals)


def to_document(collection: str, raw: Raw) -> Document:
    return Document(
        collection=collection,
        id=raw["_id"],
        version=raw["version"],
        created_at=raw["created_at"],
        created_by=raw["created_by"],
        updated_at=raw["updated_at"],
        updated_by=raw["updated_by"],
        acl=acl.from_json(raw["acl"]),
        data=raw["data"],
        expires_at=raw.get("expires_at"),
        seals=to_seals(raw),
    )


def past_to_raw(p: Past) -> Raw:
    return {
        "collection": p.collection,
        "id": p.id,
        "version": p.version,
        "action": p.action,
        "at": p.at,
        "by": p.by,
        "acl": acl.to_json(p.acl),
        "delta": p.delta,
    } | seals_to_raw(p.seals)


def to_past(raw: Raw, position: str = "") -> Past:
    return Past(
        collection=raw["collection"],
        id=raw["id"],
        version=raw["version"],
        action=raw["action"],
        at=raw["at"],
        by=raw["by"],
        acl=acl.from_json(raw["acl"]),
        delta=raw["delta"],
        seals=to_seals(raw),
        position=position,
    )


def memory_to_raw(m: Memory) -> Raw:
    return {"_id": m.key, "request": m.request, "answer": m.answer, "until": m.until, "at": m.at}


def to_memory(raw: Raw) -> Memory:
    return Memory(raw["_id"], raw["request"], raw["answer"], raw["until"], raw["at"])


def seals_to_raw(seals: Seals) -> Raw:
    """Nothing when nothing is sealed: the index on seals holds only what is."""
    return {"seals": [{"path": path, "key": key} for path, key in sorted(seals)]} if seals else {}


def to_seals(raw: Raw) -> Seals:
    return frozenset((seal["path"], seal["key"]) for seal in raw.get("seals", ()))
