"""Owns a store that notes what is written to it: each line in `writes` is one durable write."""

from collections.abc import Sequence
from typing import Any, TypeVar

from idp.ports import Repository

T = TypeVar("T")


class Counting:
    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self.writes: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._repo, name)

    def insert(self, record: object) -> None:
        self.writes.append(f"insert {type(record).__name__}")
        self._repo.insert(record)

    def insert_all(self, *records: object) -> None:
        self.writes.append(f"insert {_names(records)}")
        self._repo.insert_all(*records)

    def replace_if(self, record: T) -> T | None:
        self.writes.append(f"replace {type(record).__name__}")
        return self._repo.replace_if(record)

    def consume(self, kind: type[T], id: str, also: Sequence[object] = ()) -> T | None:
        self.writes.append(f"consume {kind.__name__}" + (f" with {_names(also)}" if also else ""))
        return self._repo.consume(kind, id, also)

    def delete(self, kind: type[Any], id: str) -> bool:
        self.writes.append(f"delete {kind.__name__}")
        return self._repo.delete(kind, id)

    def delete_where(self, kind: type[Any], **where: str) -> int:
        self.writes.append(f"delete {kind.__name__}")
        return self._repo.delete_where(kind, **where)


def _names(records: Sequence[object]) -> str:
    return ", ".join(type(record).__name__ for record in records)
