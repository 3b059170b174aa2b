"""Owns the tables of the embedded document store and how documents and lines of history become rows of them.

Who writes them: sqlite_writes.py; who searches them: sqlite_search.py and sqlite_feed.py.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from idp.api import acl
from idp.api.document_store.contract import Document, Past

FIRST = """
CREATE TABLE IF NOT EXISTS document (
  collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  created_at TEXT NOT NULL, created_by TEXT NOT NULL, updated_at TEXT NOT NULL, updated_by TEXT NOT NULL,
  acl TEXT, data TEXT NOT NULL, PRIMARY KEY (collection, id)
);
CREATE TABLE IF NOT EXISTS rule (
  collection TEXT NOT NULL, key TEXT NOT NULL, effect TEXT NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (collection, key, effect, id)
) WITHOUT ROWID
"""
# allowed: who may read, in the order of ids; what is denied, and every other right, is judged by the document's own acl.
# entry: keys of indexes (keys.py), in their order. taken: of unique indexes, the keys of documents that count.
# past: history and feed; a number is never used twice.
WITH_HISTORY = """
ALTER TABLE document ADD COLUMN expires_at REAL;
ALTER TABLE document ADD COLUMN seals TEXT;
CREATE INDEX document_expiry ON document (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE allowed (
  collection TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (collection, key, id)
) WITHOUT ROWID;
INSERT INTO allowed SELECT collection, key, id FROM rule WHERE effect = 'allow' AND key LIKE 'read:%';
DROP TABLE rule;
CREATE TABLE field_index (
  number INTEGER PRIMARY KEY AUTOINCREMENT, collection TEXT NOT NULL, name TEXT NOT NULL, paths TEXT NOT NULL,
  is_unique INTEGER NOT NULL, several INTEGER NOT NULL DEFAULT 0, ready INTEGER NOT NULL DEFAULT 0,
  UNIQUE (collection, name)
);
CREATE TABLE entry (
  number INTEGER NOT NULL, key BLOB NOT NULL, id TEXT NOT NULL, PRIMARY KEY (number, key, id)
) WITHOUT ROWID;
CREATE TABLE taken (
  number INTEGER NOT NULL, key BLOB NOT NULL, id TEXT NOT NULL, PRIMARY KEY (number, key)
) WITHOUT ROWID;
CREATE TABLE past (
  position INTEGER PRIMARY KEY AUTOINCREMENT, collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  action TEXT NOT NULL, at TEXT NOT NULL, by TEXT NOT NULL, acl TEXT, delta TEXT NOT NULL, seals TEXT,
  whole INTEGER NOT NULL
);
CREATE INDEX past_of_document ON past (collection, id, version);
INSERT INTO past (collection, id, version, action, at, by, acl, delta, whole)
  SELECT collection, id, version, 'replace', updated_at, updated_by, acl, '{"whole":' || data || '}', 1
  FROM document WHERE collection NOT LIKE '%.%' ORDER BY collection, id;
CREATE TABLE seal (
  key_id TEXT NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL, past_version INTEGER NOT NULL,
  PRIMARY KEY (key_id, collection, id, past_version)
) WITHOUT ROWID;
CREATE TABLE memory (
  key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX memory_expiry ON memory (until);
CREATE TABLE store (id TEXT NOT NULL);
INSERT INTO store SELECT lower(hex(randomblob(8)))
"""
CHANGES = (WITH_HISTORY,)

DOCUMENT = "collection, id, version, created_at, created_by, updated_at, updated_by, acl, data, expires_at, seals"
ACL, DATA, EXPIRES = 7, 8, 9  # places in a row of DOCUMENT
PAST = "collection, id, version, action, at, by, acl, delta, seals, position"

Row = tuple[Any, ...]
Seals = frozenset[tuple[str, str]]

to_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_read = json.JSONDecoder().raw_decode  # json.loads without looking for white space, of which to_text writes none


def document_row(d: Document) -> Row:
    return (
        d.collection, d.id, d.version, d.created_at, d.created_by, d.updated_at, d.updated_by,
        acl_text(d.acl), to_text(d.data), d.expires_at, seals_text(d.seals),
    )  # fmt: skip


def to_document(row: Row) -> Document:
    collection, id, version, created_at, created_by, updated_at, updated_by, rules, data, expires_at, seals = row
    return Document(
        collection, id, version, created_at, created_by, updated_at, updated_by,
        to_acl(rules), _read(data)[0], expires_at, to_seals(seals),
    )  # fmt: skip


def past_row(p: Past) -> Row:
    """Of PAST, without the position and with whether the delta is whole."""
    whole = "whole" in p.delta
    return (
        p.collection, p.id, p.version, p.action, p.at, p.by, acl_text(p.acl), to_text(p.delta), seals_text(p.seals), whole
    )  # fmt: skip


def to_past(row: Row, position: str = "") -> Past:
    collection, id, version, action, at, by, rules, delta, seals, _ = row
    return Past(
        collection, id, version, action, at, by, to_acl(rules), json.loads(delta), to_seals(seals), position
    )  # fmt: skip


@lru_cache(maxsize=4096)  # the same few ACLs stand at many documents
def acl_text(rules: acl.Acl | None) -> str | None:
    return None if rules is None else to_text(acl.to_json(rules))


@lru_cache(maxsize=4096)
def to_acl(text: str | None) -> acl.Acl | None:
    return None if text is None else acl.from_json(json.loads(text))


@lru_cache(maxsize=4096)
def keys_of_acl(text: str | None) -> acl.StoredKeys:
    return acl.stored_keys(to_acl(text))


def sees(text: str | None, keys: frozenset[str] | None) -> bool:
    """As acl.may: one allowed key at least, no denied one."""
    if keys is None:
        return True
    stored = keys_of_acl(text)
    return not keys.isdisjoint(stored.allow) and keys.isdisjoint(stored.deny)


def seals_text(seals: Seals) -> str | None:
    return to_text(sorted(seals)) if seals else None


def to_seals(text: str | None) -> Seals:
    return frozenset((path, key_id) for path, key_id in json.loads(text)) if text else frozenset()


def key_ids(seals: Iterable[tuple[str, str]]) -> set[str]:
    return {key_id for _, key_id in seals}
