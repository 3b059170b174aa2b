"""Owns what a document store must do. Who may do it is decided in documents.py, what a query means in query.py."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from idp.api.acl import Acl
from idp.api.query import SYSTEM_FIELDS, Node, Sort

QUERY_SECONDS = 5.0
PAGE_BYTES = 4_000_000  # documents are up to 1 MB: a page of a thousand would not fit into memory


class Duplicate(Exception):  # noqa: N818
    """A document of this id exists in the collection."""


@dataclass(frozen=True, slots=True)
class Document:
    """Stored data of a collection. Times are RFC 3339 in UTC with microseconds, so that they sort as text.

    acl None: administrators only. data: what the client wrote. Everything else is the server's.
    """

    collection: str
    id: str
    version: int
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str
    acl: Acl | None
    data: dict[str, Any]


def view(document: Document) -> dict[str, Any]:
    """What a query sees: the client's fields, and the system fields under names that no client field can have."""
    return document.data | {name: getattr(document, attribute) for name, attribute in SYSTEM_FIELDS.items()}


@dataclass(frozen=True, slots=True)
class Find:
    """where, sort: see query.py. visible: keys from acl.wanted_keys. Of the sorted matches, `skip` are left out and at most
    `limit` given: fewer when those before have reached PAGE_BYTES. after: with the sort by _id alone, only documents
    behind this id."""

    where: Node
    sort: Sort
    visible: frozenset[str] | None
    limit: int
    skip: int = 0
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """more: further documents match."""

    documents: Sequence[Document]
    more: bool


def page_of(sized: Iterator[tuple[Document, int]], limit: int) -> Found:
    """The first documents of `sized` (document, bytes of its data) that make one page; the rest is not read."""
    documents: list[Document] = []
    size = 0
    for document, bytes_of_it in sized:
        if len(documents) == limit or size >= PAGE_BYTES:
            return Found(documents, more=True)
        documents.append(document)
        size += bytes_of_it
    return Found(documents, more=False)


class DocumentStore(Protocol):
    """What has returned is durable. Every verb raises Refused 503 when the store does not answer in time."""

    def insert(self, document: Document) -> None:
        """Raises Duplicate."""

    def get(self, collection: str, id: str) -> Document | None: ...

    def find(self, collection: str, asked: Find) -> Found:
        """Raises Refused 400 query_too_slow after QUERY_SECONDS."""

    def replace_if(self, document: Document) -> bool:
        """Store it if the stored version is the one before; False when it is not, or the document is gone."""

    def delete_if(self, collection: str, id: str, version: int) -> bool: ...

    def ready(self) -> None:
        """Raises Refused 503 when the store cannot be used."""

    def close(self) -> None: ...
