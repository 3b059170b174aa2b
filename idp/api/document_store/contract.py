"""Owns what a document store must do. Who may do it is decided in documents/, what a query means in language/.

One verb writes: `commit`. Its writes, their history and what is remembered of the request stand or fall together, so that
nothing is half-written and the history is the feed that watchers follow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from idp.api.acl import Acl
from idp.api.language import SYSTEM_FIELDS, Node, Path, Pipeline, Sort

QUERY_SECONDS = 5.0
PAGE_BYTES = 4_000_000  # documents are up to 1 MB: a page of a thousand would not fit into memory

Action = Literal["insert", "replace", "update", "acl", "delete", "restore"]


class Duplicate(Exception):  # noqa: N818
    """A document of this id exists in the collection."""


class Overtaken(Exception):  # noqa: N818
    """`id` has not the version any more that the write expects, or is gone."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id


class NotUnique(Exception):  # noqa: N818
    """Another document holds that value of the unique index `index`. Which one, nobody is told."""

    def __init__(self, index: str) -> None:
        super().__init__(index)
        self.index = index


class DoneBefore(Exception):  # noqa: N818
    """The store remembers this key already; `recall` tells what. Nothing was written."""


class PositionLost(Exception):  # noqa: N818
    """The feed reaches no longer back to this position, or it is none of this store."""


@dataclass(frozen=True, slots=True)
class Document:
    """Stored data of a collection. Times are RFC 3339 in UTC with microseconds, so that they sort as text.

    acl None: administrators only. data: what the client wrote, sealed fields as their ciphertext. Everything else is the
    server's. expires_at: epoch seconds; from then on the document is not there, whether or not it was swept. seals: which
    fields of data are sealed, (path with dots, id of the key): what is ciphertext is known from here, never from content.
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
    expires_at: float | None = None
    seals: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Past:
    """One version of one document in its history: what stands in the feed.

    version: the one that this write made; of a delete, the last one plus one. acl: the document's after the write (of a
    delete: before it). delta: {"set": {path: value}, "unset": [path]} against the version before, paths as lists of field
    names in documents/history.py's form; or {"whole": data}. seals as in Document. position: place in the feed, only in
    what `feed` gives.
    """

    collection: str
    id: str
    version: int
    action: Action
    at: str
    by: str
    acl: Acl | None
    delta: dict[str, Any]
    seals: frozenset[tuple[str, str]] = frozenset()
    position: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    """One change of one document. was: the version that must be stored now; 0: the id must be free. document: as it shall
    stand; of a delete, as it stands. past: the line of its history; None leaves no trace (collections of the system)."""

    action: Action
    document: Document
    was: int
    past: Past | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """That a request with an idempotency key was carried out. key: digest of caller and key; request: digest of the
    request; answer: the answer as JSON, empty while it is being carried out; until, at (when it was made): epoch seconds.
    An older one under the same key counts only while its `until` is later than the new one's `at`."""

    key: str
    request: str
    answer: str
    until: float
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Index:
    """paths in their order, each with 1 or -1. unique: no two documents of the collection hold the same values; documents
    that lack one of the fields are not in it. A list counts with each of its items."""

    name: str
    paths: Sort
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """What a caller may see: keys from acl.wanted_keys (None: everything), at the moment `now` in epoch seconds."""

    keys: frozenset[str] | None
    now: float


@dataclass(frozen=True, slots=True)
class Find:
    """where, sort: see language/. Of the sorted matches, `skip` are left out and at most `limit` given: fewer when those
    before have reached PAGE_BYTES. after: with the sort by _id alone, only documents behind this id."""

    where: Node
    sort: Sort
    sight: Sight
    limit: int
    skip: int = 0
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """more: further documents match."""

    documents: Sequence[Document]
    more: bool


@dataclass(frozen=True, slots=True)
class Sealed:
    """Something that is sealed under a key: a document (past_version 0) or a line of history."""

    collection: str
    id: str
    past_version: int
    body: dict[str, Any] = field(repr=False)
    seals: frozenset[tuple[str, str]] = frozenset()


def view(document: Document) -> dict[str, Any]:
    """What a query sees: the client's fields, and the system fields under names that no client field can have."""
    return document.data | {name: getattr(document, attribute) for name, attribute in SYSTEM_FIELDS.items()}


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
    """What has returned is durable. Every verb raises Refused 503 when the store does not answer in time; those that search
    raise Refused 400 query_too_slow after QUERY_SECONDS. Reads do not see what has expired."""

    def commit(self, writes: Sequence[Write], remember: Memory | None = None) -> None:
        """All of it or nothing. Raises Duplicate, Overtaken, NotUnique, DoneBefore; Refused 400 parallel_lists when a document
        holds lists on two paths of one index. What has expired by the `updated_at` of the writes is in nobody's way."""

    def recall(self, key: str, now: float) -> Memory | None: ...

    def conclude(self, memory: Memory) -> None:
        """Put the answer (and `until`) into a memory that was made without one. Once it has an answer it keeps it."""

    def get(self, collection: str, id: str, now: float) -> Document | None: ...

    def find(self, collection: str, asked: Find) -> Found: ...

    def count(self, collection: str, where: Node, sight: Sight, at_most: int) -> int:
        """Counts no further than at_most."""

    def distinct(self, collection: str, path: Path, where: Node, sight: Sight, at_most: int) -> list[Any]:
        """The different values, each item of a list for itself, in their order; at most at_most + 1 of them."""

    def aggregate(self, collection: str, stages: Pipeline, sight: Sight, at_most: int) -> list[dict[str, Any]]:
        """stages: language.parse_pipeline's. The caller's sight is applied before the first stage. At most at_most + 1."""

    def ensure_index(self, collection: str, index: Index) -> None:
        """Make it and fill it. The same index again changes nothing. Raises NotUnique when stored documents break it."""

    def drop_index(self, collection: str, name: str) -> None: ...

    def explain(self, collection: str, asked: Find) -> dict[str, Any]:
        """{"index": name or None, "examined": documents and keys looked at, "engine": the engine's own plan}. For
        operators and tests, never for callers: it tells of documents that they may not see."""

    def drop(self, collection: str) -> None:
        """Forget a collection with everything in it, its indexes and its history. The feed says nothing of it."""

    def past(self, collection: str, id: str, upto: int | None = None) -> list[Past]:
        """What is needed to rebuild version `upto` (None: the last one): from the last whole version before, oldest first."""

    def history(self, collection: str, id: str, before: int | None, limit: int) -> list[Past]:
        """Newest first, only versions below `before`."""

    def position(self) -> str:
        """The end of the feed now."""

    def feed(self, after: str, limit: int, wait_seconds: float) -> list[Past]:
        """The lines of all collections behind `after`, in one order, each with its position and none left out; waits up to
        wait_seconds for the first. Raises PositionLost."""

    def sealed_under(self, key_id: str, limit: int) -> list[Sealed]:
        """Documents and lines of history that hold something sealed under that key."""

    def count_sealed(self) -> dict[str, int]:
        """For each key id, how many documents and lines of history hold something sealed under it."""

    def reseal(self, old: Sealed, body: dict[str, Any], seals: frozenset[tuple[str, str]]) -> bool:
        """Exchange ciphertext: data of a document or delta of a line of history, version and feed untouched. False when it
        is not any more what `old` says."""

    def sweep(self, now: float) -> int:
        """Delete some of what has expired, documents with their history, memories too; how many. The feed says nothing."""

    def ready(self) -> None:
        """Raises Refused 503 when the store cannot be used."""

    def close(self) -> None: ...


# --- single documents of the system: no history, no feed -----------------------------------------------------------


def insert(store: DocumentStore, document: Document) -> None:
    """Raises Duplicate."""
    store.commit([Write("insert", document, 0)])


def replace_if(store: DocumentStore, document: Document) -> bool:
    """Store it if the stored version is the one before; False when it is not, or the document is gone."""
    try:
        store.commit([Write("replace", document, document.version - 1)])
    except Overtaken:
        return False
    return True


def delete_if(store: DocumentStore, document: Document) -> bool:
    """Delete it if the stored version is this one."""
    try:
        store.commit([Write("delete", document, document.version)])
    except Overtaken:
        return False
    return True
