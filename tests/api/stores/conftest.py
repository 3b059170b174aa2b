"""Owns the stores under test: the same cases on SQLite and on MongoDB, one store per module, a collection for each test."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from idp.api import acl, language
from idp.api.document_store.contract import Document, DocumentStore, Find, Past, Sight, Write, insert
from idp.api.document_store.sqlite import SqliteDocumentStore
from tests.support.mongo import real_server

SERVERS = ["mongo", "real mongo"] if real_server() else ["mongo"]
ENGINES = ["sqlite", *[pytest.param(name, marks=pytest.mark.slow) for name in SERVERS]]
AT = "2026-11-21T00:00:00.000000Z"
NOW = 1795219200.0  # the same moment


@pytest.fixture(scope="module", params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentStore]:
    opened = open_store(request.param, request, tmp_path_factory)
    yield opened
    opened.close()


def open_store(engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DocumentStore:
    """On the stand-in, or on the real server that the environment names, in a database of its own."""
    if engine == "sqlite":
        return SqliteDocumentStore(tmp_path_factory.mktemp("store") / "api" / "documents.db")
    uri = request.getfixturevalue("mongo_uri") if engine == "mongo" else real_server()
    from idp.api.document_store.mongo import MongoDocumentStore

    return MongoDocumentStore(f"{uri}/api_{secrets.token_hex(4)}")


@pytest.fixture
def notes(store: DocumentStore) -> "Notes":
    return Notes(store, f"notes_{secrets.token_hex(4)}")


@dataclass(frozen=True)
class Notes:
    """One collection. `keys` of searches: None sees everything."""

    store: DocumentStore
    name: str

    def document(
        self, id: str, data: dict[str, Any] | None = None, rules: acl.Acl | None = None, **changes: Any
    ) -> Document:
        return replace(Document(self.name, id, 1, AT, "user:a", AT, "user:a", rules, data or {}), **changes)

    def insert(self, id: str, data: dict[str, Any] | None = None, rules: acl.Acl | None = None, **changes: Any) -> None:
        insert(self.store, self.document(id, data, rules, **changes))

    def insert_all(self, documents: list[Document]) -> None:
        self.store.commit([Write("insert", document, 0) for document in documents])

    def get(self, id: str, now: float = NOW) -> Document | None:
        return self.store.get(self.name, id, now)

    def data(self, id: str) -> dict[str, Any] | None:
        found = self.get(id)
        return found.data if found else None

    def ask(
        self,
        filter: dict[str, Any],
        sort: dict[str, int] | None = None,
        keys: frozenset[str] | None = None,
        now: float = NOW,
        **more: Any,
    ) -> Find:
        where, order = language.parse_filter(filter), language.parse_sort(sort or {})
        return Find(where, order, Sight(keys, now), **{"limit": 1000, **more})

    def find(self, filter: dict[str, Any], sort: dict[str, int] | None = None, **more: Any) -> list[str]:
        return [d.id for d in self.store.find(self.name, self.ask(filter, sort, **more)).documents]

    def count(
        self, filter: dict[str, Any], keys: frozenset[str] | None = None, now: float = NOW, at_most: int = 1000
    ) -> int:
        return self.store.count(self.name, language.parse_filter(filter), Sight(keys, now), at_most)

    def distinct(
        self, path: str, filter: dict[str, Any] | None = None, keys: frozenset[str] | None = None, at_most: int = 1000
    ) -> list[Any]:
        where = language.parse_filter(filter or {})
        return self.store.distinct(self.name, language.parse_path(path), where, Sight(keys, NOW), at_most)

    def aggregate(
        self, *stages: dict[str, Any], keys: frozenset[str] | None = None, now: float = NOW, at_most: int = 1000
    ) -> list[dict[str, Any]]:
        return self.store.aggregate(self.name, language.parse_pipeline(list(stages)), Sight(keys, now), at_most)

    def line(self, id: str, version: int, delta: dict[str, Any] | None = None, **changes: Any) -> Past:
        past = Past(self.name, id, version, "insert" if version == 1 else "update", AT, "user:a", None, delta or {})
        return replace(past, **changes)
