"""Owns what a store of files must do: keep the bytes of contents in chunks. What a file is called and whose it is stands in a
document (files.py); a content that no document names is an orphan, and nobody can reach it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

CHUNK_BYTES: Final = 261_120  # as GridFS has it: with what is stored beside it, a chunk fills no second page


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one file. space, file: the collection of the store and the id of the document that names it, or will.
    began_at: epoch seconds."""

    id: str
    space: str
    file: str
    began_at: float


class FileStore(Protocol):
    """What has returned is durable. Every verb raises Refused 503 when the store does not answer in time."""

    def begin(self, content: Content) -> None: ...

    def append(self, id: str, number: int, chunk: bytes) -> None:
        """number: from 0; every chunk but the last has CHUNK_BYTES."""

    def chunk(self, id: str, number: int) -> bytes | None: ...

    def delete(self, id: str) -> None: ...

    def walk(self, after: str, limit: int) -> Sequence[Content]:
        """In the order of ids, those behind `after`."""

    def close(self) -> None: ...
